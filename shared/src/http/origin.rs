//! Which pages may talk to us (Fetch standard; RFC 6454).

use lambda_http::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::{Answer, Refusal, Request, StatusCode};
use crate::config::Settings;

/// The origins on the allowlist, besides our own.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// `ALLOWED_ORIGINS`: origins such as `https://app.example.com`, separated by commas; none by default.
    pub fn configured(settings: &mut Settings) -> Self {
        let origins = settings.list("ALLOWED_ORIGINS");
        if origins.iter().any(|origin| !is_origin(origin)) {
            settings.complain(
                "ALLOWED_ORIGINS: must be origins such as https://app.example.com, separated by commas, without a path".to_owned(),
            );
        }
        Self(origins)
    }

    /// Refuses what a page of another site sends.
    pub fn admit(&self, request: &Request) -> Result<(), Refusal> {
        let reads = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
        match request.headers.get(header::ORIGIN) {
            Some(origin) if !reads && !self.is_listed(origin) && !is_own(request, origin) => Err(Refusal::Origin),
            _ => Ok(()),
        }
    }

    /// Lets the page that asked read the answer, if its origin is on the list.
    pub fn mark(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = origin.filter(|origin| self.is_listed(origin)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After"));
        }
    }

    /// The answer to OPTIONS: what the route offers and, to a page on the list, leave to ask.
    #[must_use]
    pub fn preflight(&self, request: &Request, allow: &HeaderValue) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(header::ALLOW, allow.clone());
        if request.headers.get(header::ORIGIN).is_some_and(|origin| self.is_listed(origin)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Authorization, Content-Type"));
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
        Answer { status: StatusCode::NO_CONTENT, headers, body: Vec::new(), outcome: "ok" }
    }

    fn is_listed(&self, origin: &HeaderValue) -> bool {
        self.0.iter().any(|listed| listed.as_bytes() == origin.as_bytes())
    }
}

/// Whether the page is one of ours: the browser says so itself, which no page can make it say falsely (Fetch Metadata), or its origin is the
/// gateway's. Our pages send no referrer, so browsers call their origin `null`.
fn is_own(request: &Request, origin: &HeaderValue) -> bool {
    const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    let own = request.domain.as_ref().is_some_and(|domain| origin.as_bytes() == format!("https://{domain}").as_bytes());
    own || request.header(&SEC_FETCH_SITE) == Some("same-origin")
}

/// Whether this is an origin: a scheme and a host, no path.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte)))
}
