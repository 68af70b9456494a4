//! A request, as endpoints see it.

use std::{net::IpAddr, time::Duration};

use lambda_http::{
    Body, RequestExt as _,
    http::{HeaderMap, HeaderName, Method, header},
    request::RequestContext,
};
use uuid::Uuid;

use super::{Form, Refusal, accept::likes_page};
use crate::{
    agent::Agent,
    caller::Caller,
    client::Client,
    language::Language,
    token::{Purpose, Token},
};

/// A request. It has no `Debug`, because its body and headers may contain secrets.
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, without the stage.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decoded.
    pub body: Vec<u8>,
    /// Who sent it.
    pub client: Client,
    /// The host name under which the gateway was reached, as the gateway says.
    pub domain: Option<String>,
    /// The host name that the client requested from the first proxy, if a trusted proxy in front of the gateway reports it.
    pub forwarded_host: Option<String>,
    /// The time left for the answer.
    pub time_left: Duration,
    /// Lambda's id of the request, which the log lines have.
    pub request_id: Option<Uuid>,
    /// The language of pages for readers whose own is unknown.
    pub default_language: Language,
    query: Vec<(String, String)>,
}

/// The reader of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// The language.
    pub language: Language,
    /// The requested path, without the stage.
    pub path: String,
}

/// The time to answer if Lambda gives no deadline.
const TIME_WITHOUT_DEADLINE: Duration = Duration::from_secs(10);
/// Deadlines before this, in milliseconds since 1970, are ignored: an event without a context has 0, and `cargo lambda watch` sends a span, 600,000.
const EARLIEST_DEADLINE_MS: u64 = 24 * 60 * 60 * 1000;

impl Request {
    /// Reads the request from a gateway's event. `trusted_hops` is the number of proxies in front of the gateway.
    #[must_use]
    pub fn new(event: lambda_http::Request, query: Vec<(String, String)>, trusted_hops: usize) -> Self {
        let path = event.raw_http_path().to_owned();
        let source = match event.request_context_ref() {
            Some(RequestContext::ApiGatewayV1(context)) => context.identity.source_ip.clone(),
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone(),
            _ => None,
        };
        let time_left = event.lambda_context_ref().map_or(TIME_WITHOUT_DEADLINE, time_left);
        let request_id = event.lambda_context_ref().and_then(|context| context.request_id.parse().ok());
        let (parts, body) = event.into_parts();
        let forwarded: Vec<&str> = texts(&parts.headers, &HeaderName::from_static("x-forwarded-for")).collect();
        // Callers without an address count as one client, so the limits hold for all of them together.
        let gateway_address = source.and_then(|address| address.parse().ok()).unwrap_or(IpAddr::from([0, 0, 0, 0]));
        let client = Client::seen(gateway_address, &forwarded, trusted_hops);
        let forwarded_host = (trusted_hops > 0).then(|| first_forwarded_host(&parts.headers)).flatten();
        let body = match body {
            Body::Text(text) => text.into_bytes(),
            Body::Binary(bytes) => bytes,
            _ => Vec::new(),
        };
        Self {
            method: parts.method,
            path,
            headers: parts.headers,
            body,
            client,
            domain: None,
            forwarded_host,
            time_left,
            request_id,
            default_language: Language::default(),
            query,
        }
    }

    /// The first value of a header, if it is readable text.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        texts(&self.headers, name).next()
    }

    /// A parameter of the query string. Only pages read one; the API ignores the query string.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The fields of the body.
    pub fn form(&self) -> Result<Form, Refusal> {
        Form::read(&self.headers, &self.body)
    }

    /// The token of a mailed link, even if mail programs have mangled the link.
    #[must_use]
    pub fn mailed_token<P: Purpose>(&self) -> Option<Token<P>> {
        self.query.iter().flat_map(|(name, value)| [name, value]).find_map(|text| Token::find(text))
    }

    /// Whether a browser was redirected here after its form was accepted, so that the page only shows that.
    #[must_use]
    pub fn follows_form(&self) -> bool {
        self.method != Method::POST && self.query("done").is_some() && self.query("token").is_none()
    }

    /// Whether the body is that of an HTML form.
    #[must_use]
    pub fn is_form(&self) -> bool {
        Form::is_sent_by_page(&self.headers)
    }

    /// Whether the client is a browser that wants a page: it opens an address or sends a form, and prefers HTML to JSON.
    #[must_use]
    pub fn wants_page(&self) -> bool {
        let by_person = matches!(self.method, Method::GET | Method::HEAD) || self.is_form();
        by_person && likes_page(texts(&self.headers, &header::ACCEPT))
    }

    /// The language that the client prefers: that of the page it comes from, which our forms and links pass on, otherwise the browser's.
    #[must_use]
    pub fn language(&self) -> Option<Language> {
        self.chosen_language().or_else(|| self.header(&header::ACCEPT_LANGUAGE).and_then(Language::preferred))
    }

    /// The language that was chosen on a page.
    fn chosen_language(&self) -> Option<Language> {
        self.query("language").filter(|_| self.wants_page()).and_then(Language::of_tag)
    }

    /// The reader of the requested page, or `None` if a program asks for JSON.
    #[must_use]
    pub fn reader(&self) -> Option<Reader> {
        self.wants_page().then(|| self.reader_in(None))
    }

    /// The reader of a page that answers this request: in the language that was chosen on a page, otherwise in that of the account, if it has one,
    /// otherwise in the one that the client prefers.
    #[must_use]
    pub fn reader_in(&self, account: Option<Language>) -> Reader {
        let language = self.chosen_language().or(account).or_else(|| self.language()).unwrap_or(self.default_language);
        Reader { language, path: self.path.clone() }
    }

    /// The caller, as a mail may describe it.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller {
            address: Some(self.client.address()),
            agent: self.header(&header::USER_AGENT).and_then(Agent::seen_in),
            language: self.language(),
            request_id: self.request_id,
        }
    }
}

/// The first host name in `X-Forwarded-Host`.
fn first_forwarded_host(headers: &HeaderMap) -> Option<String> {
    let line = headers.get(HeaderName::from_static("x-forwarded-host"))?.to_str().ok()?;
    line.split(',').next().map(|host| host.trim().to_owned())
}

/// The values of a header that are readable text.
fn texts<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
}

/// The time until just before Lambda's deadline, so that there is still time to answer that it was too short.
#[must_use]
pub fn time_left(context: &lambda_http::Context) -> Duration {
    const FOR_THE_ANSWER: Duration = Duration::from_millis(500);
    if context.deadline < EARLIEST_DEADLINE_MS {
        return TIME_WITHOUT_DEADLINE;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "Lambda's deadline is of the system's clock; nothing is decided by it but when to give up"
    )]
    let now = std::time::SystemTime::now();
    context.deadline().duration_since(now).unwrap_or_default().saturating_sub(FOR_THE_ANSWER)
}

#[cfg(test)]
mod tests {
    use super::{TIME_WITHOUT_DEADLINE, time_left};

    #[test]
    fn a_deadline_that_is_no_instant_is_none() {
        for (deadline, has_one) in [(0, false), (600_000, false), (4_102_444_800_000, true), (1_767_323_045_000, true)] {
            let mut context = lambda_http::Context::default();
            context.deadline = deadline;
            assert_eq!(time_left(&context) != TIME_WITHOUT_DEADLINE, has_one, "{deadline}");
        }
    }
}
