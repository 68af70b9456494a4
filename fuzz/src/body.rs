//! Any bytes as a body of any media type are read or refused. An object of texts is read as a plain JSON parser reads it.

use doorward::http::{Field, Fields, Refusal, Request};
use lambda_http::{Body, http};
use serde_json::Value;

const TYPES: [&str; 5] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "Application/JSON ; charset=x",
    "text/plain",
    "multipart/form-data; boundary=x",
];
const NAMES: [&str; 3] = ["username", "password", "token"];

/// Holds what the module says.
pub fn check(data: &[u8]) {
    let Some((selector, body)) = data.split_first() else { return };
    let media_type = TYPES[usize::from(*selector) % TYPES.len()];
    let event = http::Request::builder().method("POST").header("content-type", media_type).body(Body::from(body));
    let read = Request::new(event.expect("a request"), Vec::new(), 0).form();
    if media_type.eq_ignore_ascii_case("application/json")
        && let Ok(Value::Object(plain)) = serde_json::from_slice(body)
    {
        let mut fields = Fields::of(read.unwrap_or_else(|refusal| panic!("refused: {}", refusal.code())));
        for name in NAMES {
            let expected = plain.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            assert_eq!(fields.take(name, Field::Verbatim).as_deref().map(String::as_str), expected);
        }
        return;
    }
    match read {
        Ok(form) => {
            let mut fields = Fields::of(form);
            for name in NAMES {
                let text = fields.take_checked(name, Field::Text, Some(10));
                assert!(text.is_none_or(|text| !text.is_empty() && text.trim_matches(' ') == text.as_str()));
            }
        }
        Err(refusal) => {
            let known = matches!(
                refusal,
                Refusal::MediaType(_)
                    | Refusal::TooLarge
                    | Refusal::Unreadable(_)
                    | Refusal::NoMultipart(_)
                    | Refusal::TooManyFields
                    | Refusal::NoObject(_)
            );
            assert!(known, "{}", refusal.code());
        }
    }
}
