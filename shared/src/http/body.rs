//! Bodies: JSON and both kinds of forms.

use std::{borrow::Cow, collections::HashMap};

use lambda_http::http::{HeaderMap, header};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{
    Refusal,
    multipart::{self, Content, MultipartError},
};

/// Maximum size of a body that is parsed, in bytes.
const MAX_BODY_BYTES: usize = 256 * 1024;
/// Maximum number of fields of a form, as in the DRF API (Django's `DATA_UPLOAD_MAX_NUMBER_FIELDS`).
const MAX_FIELDS: usize = 1000;

const URLENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";

/// The fields of a body with their values. Texts are wiped when they are dropped, because any of them may be a password.
pub struct Form {
    fields: HashMap<String, Value>,
    /// Whether it is an HTML form, in which a checkbox that is not ticked is missing and every value is text.
    is_html: bool,
}

/// A field's JSON value.
#[derive(Clone)]
pub(super) enum Value {
    Null,
    Text(Zeroizing<String>),
    /// A list, in JSON. It is parsed where a list is expected.
    List(Zeroizing<String>),
    /// A boolean or a number, in JSON.
    Scalar(Zeroizing<String>),
    /// An object in JSON, or a file, of which nothing is kept.
    Other(Zeroizing<String>),
}

impl Value {
    /// The values of a list, or `None` if this is no list.
    pub(super) fn values(&self) -> Result<Option<Vec<Self>>, Refusal> {
        let Self::List(list) = self else { return Ok(None) };
        let values: Vec<&RawValue> = serde_json::from_str(list).map_err(unreadable)?;
        values.into_iter().map(value).collect::<Result<_, _>>().map(Some)
    }
}

impl Form {
    /// Whether it has a field of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// The fields of a body. An empty body has none.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        if body.len() > MAX_BODY_BYTES {
            return Err(Refusal::TooLarge);
        }
        if body.is_empty() {
            return Ok(Self { fields: HashMap::new(), is_html: Self::is_sent_by_page(headers) });
        }
        let stated = content_type(headers);
        match media_type(&stated).as_str() {
            "application/json" => Self::json(body),
            URLENCODED => Self::urlencoded(body),
            MULTIPART => Self::multipart(&stated, body),
            _ => Err(Refusal::MediaType(stated)),
        }
    }

    /// Whether this is the `Content-Type` of an HTML form. (Pages can send JSON only from scripts.)
    pub(super) fn is_sent_by_page(headers: &HeaderMap) -> bool {
        [URLENCODED, MULTIPART].contains(&media_type(&content_type(headers)).as_str())
    }

    fn json(body: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(body).map_err(|_| Refusal::Unreadable("the body is not UTF-8".to_owned()))?;
        let raw: &RawValue = serde_json::from_str(text).map_err(unreadable)?;
        check_strings(raw)?;
        if !raw.get().starts_with('{') {
            return Err(Refusal::NoObject(kind(raw.get())));
        }
        let fields: HashMap<String, &RawValue> = serde_json::from_str(raw.get()).map_err(unreadable)?;
        let fields = fields.into_iter().map(|(name, raw)| Ok((name, value(raw)?))).collect::<Result<_, Refusal>>()?;
        Ok(Self { fields, is_html: false })
    }

    fn urlencoded(body: &[u8]) -> Result<Self, Refusal> {
        if body.split(|byte| *byte == b'&').count() > MAX_FIELDS {
            return Err(Refusal::TooManyFields);
        }
        let text = |(name, value): (Cow<'_, str>, Cow<'_, str>)| (name.into_owned(), Value::Text(Zeroizing::new(value.into_owned())));
        Ok(Self { fields: form_urlencoded::parse(body).map(text).collect(), is_html: true })
    }

    /// The last part with a name counts. A file, which is not text, takes precedence over texts of the same name, as in the DRF API.
    fn multipart(content_type: &str, body: &[u8]) -> Result<Self, Refusal> {
        let parts = multipart::parts(content_type, body, MAX_FIELDS).map_err(|malformed| match malformed {
            MultipartError::Body(reason) => Refusal::NoMultipart(reason),
            MultipartError::TooManyParts => Refusal::TooManyFields,
        })?;
        let (files, texts): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.content == Content::File);
        let value = |content| match content {
            Content::Text(text) => Value::Text(text),
            Content::File => Value::Other(Zeroizing::default()),
        };
        let fields = texts.into_iter().chain(files).map(|part| (part.name, value(part.content))).collect();
        Ok(Self { fields, is_html: true })
    }

    /// Removes a field and returns it, or `None` if it is missing.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name)
    }

    /// A field's text, if it is one.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        if let Some(Value::Text(text)) = self.fields.get(name) { Some(text) } else { None }
    }

    /// Whether it is an HTML form.
    pub(super) fn is_html(&self) -> bool {
        self.is_html
    }
}

fn content_type(headers: &HeaderMap) -> String {
    headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

/// The type without its parameters, in lower case.
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads a field's value. Numbers are not parsed, because 1e999 is valid JSON.
fn value(raw: &RawValue) -> Result<Value, Refusal> {
    Ok(match raw.get().as_bytes() {
        [b'"', ..] => Value::Text(Zeroizing::new(serde_json::from_str(raw.get()).map_err(unreadable)?)),
        [b'n', ..] => Value::Null,
        [b'[', ..] => Value::List(Zeroizing::new(raw.get().to_owned())),
        [b'{', ..] => Value::Other(Zeroizing::new(raw.get().to_owned())),
        _ => Value::Scalar(Zeroizing::new(raw.get().to_owned())),
    })
}

/// Parses every string in valid JSON, because only that finds lone surrogates. It is one pass, however deeply the values are nested.
fn check_strings(raw: &RawValue) -> Result<(), Refusal> {
    let mut rest = raw.get();
    while let Some(start) = rest.find('"') {
        let mut strings = serde_json::Deserializer::from_str(&rest[start..]).into_iter::<String>();
        strings.next().transpose().map_err(unreadable)?.map(Zeroizing::new);
        rest = &rest[start + strings.byte_offset()..];
    }
    Ok(())
}

/// The DRF API's name for a JSON value that is not an object.
fn kind(raw: &str) -> &'static str {
    match raw.as_bytes() {
        [b'[', ..] => "list",
        [b'"', ..] => "str",
        [b't' | b'f', ..] => "bool",
        [b'n', ..] => "null",
        _ if raw.contains(['.', 'e', 'E']) => "float",
        _ => "int",
    }
}

/// The position of the error in the JSON, without the text at that position.
#[expect(clippy::needless_pass_by_value, reason = "a map_err function")]
fn unreadable(error: serde_json::Error) -> Refusal {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "unexpected end of the body",
        _ => "malformed JSON",
    };
    Refusal::Unreadable(format!("{what}: line {} column {}", error.line(), error.column()))
}

#[cfg(test)]
mod tests {
    use lambda_http::http::HeaderValue;

    use super::*;

    fn read(content_type: &str, body: &[u8]) -> Result<Form, Refusal> {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap())]);
        Form::read(&headers, body)
    }

    fn text(form: &mut Form, name: &str) -> Option<String> {
        match form.take(name)? {
            Value::Text(text) => Some(text.to_string()),
            Value::Null | Value::List(_) | Value::Scalar(_) | Value::Other(_) => None,
        }
    }

    #[test]
    fn of_a_repeated_name_the_last_wins() {
        assert_eq!(text(&mut read("application/json", br#"{"a":"x","a":"y"}"#).ok().unwrap(), "a").as_deref(), Some("y"));
        assert_eq!(text(&mut read("application/x-www-form-urlencoded", b"a=x&a=y").ok().unwrap(), "a").as_deref(), Some("y"));
    }

    #[test]
    fn malformed_form_bytes_are_replaced_and_a_bad_escape_stays() {
        let mut form = read("application/x-www-form-urlencoded", b"a=%ff%zz+b&c").ok().unwrap();
        assert_eq!(text(&mut form, "a").as_deref(), Some("\u{fffd}%zz b"));
        assert_eq!(text(&mut form, "c").as_deref(), Some(""));
    }

    #[test]
    fn a_file_is_no_text_wherever_it_stands() {
        let part = |disposition: &str| format!("--x\r\nContent-Disposition: form-data; {disposition}\r\n\r\nann\r\n");
        let (text, file) = (part("name=a"), part("name=a; filename=f"));
        for (body, is_text) in [(format!("{text}{text}"), true), (format!("{text}{file}"), false), (format!("{file}{text}"), false)] {
            let mut form = read("multipart/form-data; boundary=x", format!("{body}--x--\r\n").as_bytes()).ok().unwrap();
            assert_eq!(matches!(form.take("a"), Some(Value::Text(_))), is_text, "{body}");
        }
    }

    #[test]
    fn every_kind_of_json_value_has_its_name() {
        for (body, expected) in
            [("[]", "list"), ("\"x\"", "str"), ("1", "int"), ("1.5", "float"), ("1e9", "float"), ("true", "bool"), ("null", "null")]
        {
            match read("application/json", body.as_bytes()) {
                Err(Refusal::NoObject(kind)) => assert_eq!(kind, expected),
                _ => panic!("{body} is no object"),
            }
        }
    }

    #[test]
    fn json_is_strict_to_the_last_string_and_lenient_about_numbers() {
        for bad in [r#"{"a":"\ud800"}"#, r#"{"x":["\ud800"]}"#, "{\"a\":NaN}", "\u{feff}{}", "  ", "{} x", r#"{"a":1,}"#, "[\"\\ud800\"]"] {
            assert!(matches!(read("application/json", bad.as_bytes()), Err(Refusal::Unreadable(_))), "{bad:?}");
        }
        assert!(read("application/json", br#"{"a":1e999,"b":123456789012345678901234567890}"#).is_ok());
        assert!(matches!(read("application/json", br#"["\\",{"a\"":["\udc00"]}]"#), Err(Refusal::Unreadable(_))));
    }

    #[test]
    fn nesting_is_read_however_deep_it_is() {
        let nested = |depth| format!("{}\"x\"{}", "[".repeat(depth), "]".repeat(depth));
        assert!(matches!(read("application/json", nested(100_000).as_bytes()), Err(Refusal::NoObject("list"))));
        assert!(read("application/json", format!("{{\"a\":{}}}", nested(100_000)).as_bytes()).is_ok());
        assert!(matches!(read("application/json", nested(100_000).replace('x', "\\ud800").as_bytes()), Err(Refusal::Unreadable(_))));
    }

    #[test]
    fn a_form_of_a_thousand_fields_is_parsed_and_one_field_more_is_not() {
        assert!(read("application/x-www-form-urlencoded", "a&".repeat(999).as_bytes()).is_ok());
        assert!(matches!(read("application/x-www-form-urlencoded", "a&".repeat(1000).as_bytes()), Err(Refusal::TooManyFields)));
    }

    #[test]
    fn a_multipart_form_of_a_thousand_parts_is_read_and_one_part_more_is_not() {
        let body = |parts: usize| format!("{}--x--", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n".repeat(parts));
        let read = |parts| read("multipart/form-data; boundary=x", body(parts).as_bytes());
        assert_eq!(text(&mut read(1000).ok().unwrap(), "a").as_deref(), Some("1"));
        assert!(matches!(read(1001), Err(Refusal::TooManyFields)));
    }

    #[test]
    fn a_body_of_256_kib_is_parsed_and_one_byte_more_is_not() {
        let body = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        assert!(read("application/json", body(MAX_BODY_BYTES).as_bytes()).is_ok());
        assert!(matches!(read("application/json", body(MAX_BODY_BYTES + 1).as_bytes()), Err(Refusal::TooLarge)));
    }
}
