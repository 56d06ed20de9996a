//! What a client asks for by the URL it connects to.

use super::name::{Name, Profile, is_listen_key};
use crate::limits::URL_NAMES_MAX;
use crate::wire::http::target::Target;

/// A connection as its URL opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    pub entry: Entry,
    /// Whether frames start out wrapped; SET_PROPERTY may change it.
    pub combined: bool,
    /// Whether the client wants to be told what it missed: `?notices=1`.
    pub notices: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// `/ws`: nothing is subscribed yet. So is `/ws/0`, which client libraries count up.
    Plain,
    /// `/ws/<stream>/<stream>…`: what is subscribed, and what is no stream and is answered by one error.
    Raw(Vec<Name>, Vec<String>),
    /// `/stream?streams=<stream>/<stream>…`, and bare `/stream`, with nothing in it.
    Combined(Vec<Name>, Vec<String>),
    /// The user data of whom the key belongs to.
    ListenKey(String),
    /// No path of this dialect.
    NotStream,
}

/// Answered 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("{count} streams in the URL, limit {URL_NAMES_MAX}")]
    TooManyNames { count: usize },
}

/// Reads the target of an upgrade. Query names we do not know, `timeUnit` among them, and slashes at the end mean
/// nothing. An escaped slash parts names as a plain one does.
pub fn parse(target: &Target<'_>, profile: Profile) -> Result<Url, UrlError> {
    let path = target.path();
    let path = path.trim_end_matches('/');
    let (entry, combined) = if path == "/stream" {
        (combined_entry(&target.value("streams").unwrap_or_default(), profile)?, true)
    } else if path == "/ws" {
        (Entry::Plain, false)
    } else if let Some(segments) = path.strip_prefix("/ws/") {
        (raw_entry(segments, profile)?, false)
    } else {
        (Entry::NotStream, false)
    };
    let notices = target.value("notices").is_some_and(|value| value == "1");
    Ok(Url { entry, combined, notices })
}

fn combined_entry(streams: &str, profile: Profile) -> Result<Entry, UrlError> {
    if is_listen_key(streams) {
        return Ok(Entry::ListenKey(streams.to_owned()));
    }
    let (good, bad) = names(streams, profile)?;
    Ok(Entry::Combined(good, bad))
}

fn raw_entry(segments: &str, profile: Profile) -> Result<Entry, UrlError> {
    if is_listen_key(segments) {
        return Ok(Entry::ListenKey(segments.to_owned()));
    }
    if !segments.contains(['/', '@', '!']) {
        return Ok(Entry::Plain);
    }
    let (good, bad) = names(segments, profile)?;
    Ok(Entry::Raw(good, bad))
}

/// The names in a list and what else was in it.
fn names(list: &str, profile: Profile) -> Result<(Vec<Name>, Vec<String>), UrlError> {
    let texts = || list.split('/').filter(|text| !text.is_empty());
    let count = texts().count();
    if count > URL_NAMES_MAX {
        return Err(UrlError::TooManyNames { count });
    }
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for text in texts() {
        match Name::parse(text, profile) {
            Ok(name) => good.push(name),
            Err(_) => bad.push(text.to_owned()),
        }
    }
    Ok((good, bad))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(target: &str, profile: Profile) -> Result<Url, UrlError> {
        parse(&Target::parse(target).unwrap(), profile)
    }

    /// The entry under Bitzoom's rules.
    fn check(target: &str, expected: Entry) {
        let url = read(target, Profile::Bitzoom).unwrap();
        assert_eq!(url.combined, target.starts_with("/stream") && expected != Entry::NotStream, "{target}");
        assert_eq!(url.entry, expected, "{target}");
    }

    fn good(texts: &[&str]) -> Vec<Name> {
        texts.iter().map(|text| Name::parse(text, Profile::Bitzoom).unwrap()).collect()
    }

    fn bad(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    const KEY: &str = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1";

    #[test]
    fn the_path_decides() {
        for plain in ["/ws", "/ws/", "/ws//", "/ws/0", "/ws/1/", "/ws/btcusdt", "/ws?streams=a@trade", "/ws/%20"] {
            check(plain, Entry::Plain);
        }
        for other in ["/", "/wsx", "/streams", "/stream/x", "//ws", "/websockets/v3", "/currency/"] {
            check(other, Entry::NotStream);
        }
        check(&format!("/ws/{KEY}"), Entry::ListenKey(KEY.to_owned()));
        check(&format!("/stream?streams={KEY}"), Entry::ListenKey(KEY.to_owned()));
        check(&format!("/ws/{}", &KEY[1..]), Entry::Plain);
    }

    #[test]
    fn names_come_from_the_path() {
        check("/ws/btcusdt@trade", Entry::Raw(good(&["btcusdt@trade"]), vec![]));
        check("/ws/BTCUSDT@trade//!ticker@arr/", Entry::Raw(good(&["btcusdt@trade", "!ticker@arr"]), vec![]));
        check("/ws/a%40trade%2Fb%40depth5", Entry::Raw(good(&["a@trade", "b@depth5"]), vec![]));
        check("/ws/%E5%B8%81@trade", Entry::Raw(good(&["币@trade"]), vec![]));
        check("/ws/a@kline_1h@+08:00", Entry::Raw(good(&["a@kline_1h@+08:00"]), vec![]));
    }

    #[test]
    fn names_come_from_the_query() {
        let expected = Entry::Combined(good(&["a@trade", "b@depth5@100ms"]), vec![]);
        check("/stream?streams=a@trade/b@depth5@100ms", expected.clone());
        check("/stream/?x=y&streams=a%40trade%2fb@depth5@100ms/&timeUnit=millisecond", expected);
        for empty in ["/stream", "/stream/", "/stream?streams=", "/stream?streams", "/stream?timeUnit=MICROSECOND"] {
            check(empty, Entry::Combined(vec![], vec![]));
        }
    }

    #[test]
    fn bad_names_leave_the_good_ones() {
        check("/ws/a@trade/b@depth7/0", Entry::Raw(good(&["a@trade"]), bad(&["b@depth7", "0"])));
        check("/ws/b@depth7", Entry::Raw(vec![], bad(&["b@depth7"])));
        check("/stream?streams=x/a@trade", Entry::Combined(good(&["a@trade"]), bad(&["x"])));
        let url = read("/ws/B@depth7", Profile::Binance).unwrap();
        assert!(matches!(url.entry, Entry::Raw(names, bad) if names[0].is_dead() && bad.is_empty()));
    }

    #[test]
    fn notices_are_asked_for() {
        let check =
            |target, expected| assert_eq!(read(target, Profile::Bitzoom).unwrap().notices, expected, "{target}");
        check("/ws?notices=1", true);
        check("/stream?streams=a@trade&notices=1", true);
        check("/ws?notices=0", false);
        check("/ws", false);
    }

    #[test]
    fn a_url_holds_so_many_names() {
        let target = |count| format!("/stream?streams={}", vec!["a@trade"; count].join("/"));
        assert!(read(&target(URL_NAMES_MAX), Profile::Bitzoom).is_ok());
        let error = read(&target(URL_NAMES_MAX + 1), Profile::Bitzoom).unwrap_err();
        assert_eq!(error.to_string(), "201 streams in the URL, limit 200");
    }

    proptest! {
        #[test]
        fn any_target_is_read(target in "/(ws/|stream\\?streams=)?[a-z@!/%0-9&=?]{0,60}") {
            if let Ok(target) = Target::parse(&target) {
                let _ = parse(&target, Profile::Binance);
            }
        }
    }
}
