//! Answers, and the headers that every answer has.

use std::{
    future::{Future, ready},
    pin::Pin,
};

use lambda_http::{
    Body, IntoResponse, Response,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Refusal, StatusCode};

/// Security headers of every answer (ASVS 5.0, chapter 3.4): no caching, no sniffing, no framing, no referrer, HSTS.
const ALWAYS: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"),
];

/// An answer to a client.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Headers besides those that every answer has.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// A stable word for the log: `ok`, or the code of the refusal.
    pub outcome: &'static str,
}

/// 200 with this as JSON.
#[must_use]
pub fn ok(body: &impl Serialize) -> Answer {
    with_status(StatusCode::OK, body)
}

/// 200 with what the DRF API says when something is done: `{"status": "OK"}`.
#[must_use]
pub fn done() -> Answer {
    ok(&json!({ "status": "OK" }))
}

/// 200 with this as a JSON file of that name, which a browser saves instead of showing it (RFC 6266).
#[must_use]
pub fn file(name: &'static str, body: &impl Serialize) -> Answer {
    let mut answer = ok(body);
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    answer.headers.extend(disposition.map(|disposition| (header::CONTENT_DISPOSITION, disposition)));
    answer
}

/// 204, which has no body.
#[must_use]
pub fn no_content() -> Answer {
    Answer { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: Vec::new(), outcome: "ok" }
}

/// A status with this as JSON.
#[must_use]
pub fn with_status(status: StatusCode, body: &impl Serialize) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Our answers are plain structs of text, which always serialize.
    Answer { status, headers, body: serde_json::to_vec(body).unwrap_or_default(), outcome: "ok" }
}

/// The referrer policy of pages: only the origin, never the address, which contains a token. Browsers compute the `Origin` of a form with the same policy:
/// with `no-referrer` they would send `null`, and those without Fetch Metadata could not use our pages (Fetch, "append a request Origin header").
const PAGES_REFER: HeaderValue = HeaderValue::from_static("strict-origin");

/// A page, with the policy about what it may load and where its forms may be sent (CSP 3).
#[must_use]
pub(crate) fn html(status: StatusCode, page: String, content_security_policy: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::REFERRER_POLICY, PAGES_REFER);
    headers.extend(HeaderValue::from_str(content_security_policy).map(|policy| (header::CONTENT_SECURITY_POLICY, policy)));
    Answer { status, headers, body: page.into_bytes(), outcome: "ok" }
}

/// Redirects a browser after a form, so that reloading the page does not send the form again (RFC 9110, 15.4.4).
#[must_use]
pub(crate) fn see_other(location: &str) -> Answer {
    let headers = HeaderValue::from_str(location).map(|location| (header::LOCATION, location)).into_iter().collect();
    Answer { status: StatusCode::SEE_OTHER, headers, body: Vec::new(), outcome: "ok" }
}

impl From<&Refusal> for Answer {
    fn from(refusal: &Refusal) -> Self {
        let mut answer = match refusal {
            // A `serde_json::Value` would sort its fields by name.
            Refusal::Fields(errors) => with_status(refusal.status(), errors),
            _ => with_status(refusal.status(), &refusal.body()),
        };
        answer.outcome = refusal.code();
        match refusal {
            Refusal::Unauthenticated(_) => {
                answer.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Token"));
            }
            Refusal::Method { allow, .. } => {
                answer.headers.insert(header::ALLOW, allow.clone());
            }
            Refusal::Throttled { retry_after } => {
                answer.headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
            }
            _ => {}
        }
        answer
    }
}

impl Answer {
    /// The answer to HEAD: the same without the body (RFC 9110, 9.3.2).
    #[must_use]
    pub fn without_body(self) -> Self {
        Self { body: Vec::new(), ..self }
    }

    /// The answer to an event without a known format or method, in format 1.0.
    #[must_use]
    pub fn into_event(self) -> Value {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        let response = self.into_http();
        let headers: Map<String, Value> =
            response.headers().iter().filter_map(|(name, value)| Some((name.to_string(), Value::from(value.to_str().ok()?)))).collect();
        json!({ "statusCode": response.status().as_u16(), "headers": headers, "body": text, "isBase64Encoded": false })
    }

    fn into_http(self) -> Response<Body> {
        let text = String::from_utf8(self.body).ok().filter(|text| !text.is_empty());
        let mut response = Response::new(text.map_or(Body::Empty, Body::Text));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        for (name, value) in ALWAYS {
            // Pages have a referrer policy of their own.
            response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
        }
        response
    }
}

impl IntoResponse for Answer {
    /// The answer in the gateway's format, in UTF-8. (A `Response` would link the tables of all Web encodings into the zip.)
    fn into_response(self) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(ready(self.into_http()))
    }
}
