//! Answers, as read from a function's result.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Response {
    /// Reads the answer from a function's result.
    pub fn of(event: &Value) -> Self {
        let mut headers = BTreeMap::new();
        for (name, value) in event["headers"].as_object().into_iter().flatten() {
            headers.insert(name.to_lowercase(), value.as_str().unwrap_or_default().to_owned());
        }
        for (name, values) in event["multiValueHeaders"].as_object().into_iter().flatten() {
            let values: Vec<&str> = values.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            headers.insert(name.to_lowercase(), values.join(", "));
        }
        let body = event["body"].as_str().unwrap_or_default();
        let body = match event["isBase64Encoded"].as_bool() {
            Some(true) => String::from_utf8(STANDARD.decode(body).expect("base64")).expect("text"),
            _ => body.to_owned(),
        };
        let status = event["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
        Self { status, headers, body }
    }

    /// The body as JSON; null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// A text field of the body.
    pub fn text(&self, field: &str) -> String {
        self.json()[field].as_str().unwrap_or_else(|| panic!("no {field} in {self:?}")).to_owned()
    }
}
