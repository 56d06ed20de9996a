//! The text of a request (protocols/binance.md section 2).

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Subscribe,
    Unsubscribe,
}

pub(super) fn text<'a>(method: Method, names: impl Iterator<Item = &'a str>, id: u64) -> String {
    let mut text = String::from(match method {
        Method::Subscribe => r#"{"method":"SUBSCRIBE","params":["#,
        Method::Unsubscribe => r#"{"method":"UNSUBSCRIBE","params":["#,
    });
    for (index, name) in names.enumerate() {
        if index > 0 {
            text.push(',');
        }
        push_string(&mut text, name);
    }
    text.push_str(r#"],"id":"#);
    text.push_str(&id.to_string());
    text.push('}');
    text
}

/// A JSON string. Names come from clients: a quote in one must not become syntax.
fn push_string(text: &mut String, name: &str) {
    text.push('"');
    for char in name.chars() {
        match char {
            '"' | '\\' => text.extend(['\\', char]),
            '\0'..='\x1f' => text.push_str(&format!("\\u{:04x}", char as u32)),
            _ => text.push(char),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_no_spaces_and_escape_what_clients_wrote() {
        let table: &[(Method, &[&str], u64, &str)] = &[
            (Method::Subscribe, &["btcusdt@trade"], 1, r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}"#),
            (Method::Unsubscribe, &["a", "b"], 12, r#"{"method":"UNSUBSCRIBE","params":["a","b"],"id":12}"#),
            (Method::Subscribe, &["币安usdt@trade"], 2, r#"{"method":"SUBSCRIBE","params":["币安usdt@trade"],"id":2}"#),
            (
                Method::Subscribe,
                &["a\"],\\\n"],
                3,
                "{\"method\":\"SUBSCRIBE\",\"params\":[\"a\\\"],\\\\\\u000a\"],\"id\":3}",
            ),
        ];
        for &(method, names, id, expected) in table {
            let text = text(method, names.iter().copied(), id);
            assert_eq!(text, expected);
            let value: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
            assert_eq!(value["params"], serde_json::json!(names));
        }
    }
}
