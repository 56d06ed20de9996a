//! What a client's URL says: `/websockets/v3?app_id=1089`.

use crate::wire::http::target::Target;

/// A connection as its URL opens it. `l` and `brand` are taken and mean nothing: we speak English and have one brand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Url {
    pub app_id: u64,
    /// Whether the client wants to be told what it missed: `?notices=1`.
    pub notices: bool,
}

/// Answered 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("app_id is missing")]
    AppIdMissing,
    #[error("app_id is not an integer")]
    AppIdNotInteger,
}

/// Whether the path is this dialect's.
pub fn is_deriv(target: &Target<'_>) -> bool {
    target.path().trim_end_matches('/') == "/websockets/v3"
}

/// Reads the target of an upgrade whose path is this dialect's.
pub fn parse(target: &Target<'_>) -> Result<Url, UrlError> {
    let app_id = target.value("app_id").filter(|value| !value.is_empty()).ok_or(UrlError::AppIdMissing)?;
    // `parse` alone would take a plus.
    let is_integer = app_id.bytes().all(|byte| byte.is_ascii_digit());
    let app_id = app_id.parse().ok().filter(|_| is_integer).ok_or(UrlError::AppIdNotInteger)?;
    let notices = target.value("notices").is_some_and(|value| value == "1");
    Ok(Url { app_id, notices })
}

/// Whose calls are answered; the others get `InvalidAppID` to each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AppIds {
    #[default]
    Any,
    Only(Vec<u64>),
}

impl AppIds {
    pub fn allow(&self, app_id: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Only(app_ids) => app_ids.contains(&app_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_app_id_is_an_integer() {
        let check = |target: &str, expected: Result<u64, UrlError>| {
            let target = Target::parse(target).unwrap();
            assert!(is_deriv(&target));
            assert_eq!(parse(&target).map(|url| url.app_id), expected, "{target:?}");
        };
        check("/websockets/v3?app_id=1089", Ok(1089));
        check("/websockets/v3/?l=EN&brand=deriv&app_id=1", Ok(1));
        check("wss://ws.binaryws.com/websockets/v3?app_id=18446744073709551615", Ok(u64::MAX));
        for missing in ["/websockets/v3", "/websockets/v3?app_id", "/websockets/v3?app_id=&l=EN"] {
            check(missing, Err(UrlError::AppIdMissing));
        }
        for odd in ["abc", "-1", "+1", "1.0", "1e3", "18446744073709551616", "%D9%A3"] {
            check(&format!("/websockets/v3?app_id={odd}"), Err(UrlError::AppIdNotInteger));
        }
    }

    #[test]
    fn the_path_is_this_dialects() {
        for other in ["/websockets", "/websockets/v4", "/websockets/v3x", "/ws", "/"] {
            assert!(!is_deriv(&Target::parse(other).unwrap()), "{other}");
        }
    }

    #[test]
    fn notices_are_asked_for() {
        let notices = |target| parse(&Target::parse(target).unwrap()).unwrap().notices;
        assert!(notices("/websockets/v3?app_id=1&notices=1"));
        assert!(!notices("/websockets/v3?app_id=1&notices=0"));
        assert!(!notices("/websockets/v3?app_id=1"));
    }

    #[test]
    fn a_list_shuts_the_others_out() {
        assert!(AppIds::default().allow(7));
        let only = AppIds::Only(vec![1089, 1]);
        assert!(only.allow(1) && !only.allow(2));
    }

    proptest! {
        #[test]
        fn any_target_is_read(target in "/websockets/v3\\?[a-z_=&%0-9]{0,40}") {
            if let Ok(target) = Target::parse(&target) {
                let _ = parse(&target);
            }
        }
    }
}
