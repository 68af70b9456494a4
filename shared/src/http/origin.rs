//! Decides which web pages may make requests (Fetch standard; RFC 6454; Fetch Metadata).

use std::net::Ipv6Addr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::{Answer, Refusal, Request, StatusCode};
use crate::config::Settings;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The headers of an answer that pages may read. A REST API on AWS renames `WWW-Authenticate`.
const EXPOSED: HeaderValue = HeaderValue::from_static("Retry-After, WWW-Authenticate, x-amzn-Remapped-WWW-Authenticate");
/// The headers that pages may send if they do not request others.
const USUAL_HEADERS: HeaderValue = HeaderValue::from_static("Authorization, Content-Type");
/// Maximum length in bytes of a list of header names that is allowed. Lists of real front-ends have some hundreds.
const MAX_LIST_BYTES: usize = 2048;

/// The allowed origins, besides our own.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    listed: Vec<String>,
    own: Option<String>,
}

impl Origins {
    /// `ALLOWED_ORIGINS`: origins such as `https://app.example.com` or `capacitor://localhost`, separated by commas; none by default.
    ///
    /// `PUBLIC_URL`: the URL that browsers use, if a proxy has another name than the gateway.
    pub fn configured(settings: &mut Settings) -> Self {
        let mut listed = Vec::new();
        for (index, entry) in settings.list("ALLOWED_ORIGINS").iter().enumerate() {
            match read_origin(entry) {
                Ok(origin) => listed.push(origin),
                Err(complaint) => settings.complain(format!("ALLOWED_ORIGINS: origin {} {complaint}", index + 1)),
            }
        }
        let own = settings.parsed("PUBLIC_URL", None, |text| {
            let path = text.match_indices('/').nth(2).map_or(text.len(), |(start, _)| start);
            read_origin(&text[..path]).map(Some).map_err(|_| "must be a URL such as https://accounts.example.com".to_owned())
        });
        Self { listed, own }
    }

    /// Refuses a request that a page of another site sends.
    pub fn admit(&self, request: &Request) -> Result<(), Refusal> {
        let origin = request.headers.get(header::ORIGIN);
        let is_foreign = match request.method {
            Method::OPTIONS => false,
            Method::GET | Method::HEAD => is_embedded(request) && !origin.is_some_and(|origin| self.is_listed(origin)),
            _ => origin.is_some_and(|origin| !self.is_listed(origin) && !self.is_own(request, origin)),
        };
        if is_foreign { Err(Refusal::Origin) } else { Ok(()) }
    }

    /// Allows the requesting page to read the answer, if its origin is on the list.
    pub fn mark(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if self.listed.is_empty() {
            return;
        }
        headers.entry(header::VARY).or_insert(HeaderValue::from_static("Origin"));
        if let Some(origin) = origin.filter(|origin| self.is_listed(origin)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            // Many front-ends request credentials. Allowing that is harmless: no cookie is set or read, and scripts send the token explicitly.
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }

    /// The answer to OPTIONS: the methods of the route and, for a page on the list, the permission to make the request.
    #[must_use]
    pub fn preflight(&self, request: &Request, allow: &HeaderValue) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(header::ALLOW, allow.clone());
        if !self.listed.is_empty() {
            headers.insert(header::VARY, HeaderValue::from_static("Origin, Access-Control-Request-Headers"));
        }
        if request.headers.get(header::ORIGIN).is_some_and(|origin| self.is_listed(origin)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, granted_headers(&request.headers));
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
        Answer { status: StatusCode::NO_CONTENT, headers, body: Vec::new(), outcome: "ok" }
    }

    fn is_listed(&self, origin: &HeaderValue) -> bool {
        // Browsers write a Web origin in lower case, and the host of another scheme as it was registered.
        let is_web = |listed: &str| listed.starts_with("https:") || listed.starts_with("http:");
        let is_same = |listed: &String| {
            listed.as_bytes() == origin.as_bytes() || !is_web(listed) && listed.as_bytes().eq_ignore_ascii_case(origin.as_bytes())
        };
        self.listed.iter().any(is_same)
    }

    /// Whether the page is one of ours: its origin is that of the gateway, of the configuration or of a trusted proxy, or the browser says so. Pages cannot
    /// forge what a browser says itself (Fetch Metadata), nor add a header without a preflight (CORS).
    fn is_own(&self, request: &Request, origin: &HeaderValue) -> bool {
        let hosts = [&request.domain, &request.forwarded_host].into_iter().flatten();
        let mut own = hosts.map(|host| format!("https://{}", host.to_ascii_lowercase())).chain(self.own.clone());
        own.any(|own| origin.as_bytes() == own.as_bytes()) || request.header(&SEC_FETCH_SITE) == Some("same-origin")
    }
}

/// Whether a page of another site embeds this, for example as an image, and no person has opened it.
fn is_embedded(request: &Request) -> bool {
    request.header(&SEC_FETCH_SITE) == Some("cross-site")
        && request.header(&SEC_FETCH_DEST).is_some_and(|destination| destination != "document")
}

/// The header names that a preflight requests. All are allowed, because no header gives a page a right that it does not have already. A malformed or
/// overlong list gets the default names.
fn granted_headers(headers: &HeaderMap) -> HeaderValue {
    let asked: Vec<&[u8]> = headers.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter().map(HeaderValue::as_bytes).collect();
    let asked = asked.join(&b", "[..]);
    let is_token =
        |name: &[u8]| !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte));
    let is_list = asked.len() <= MAX_LIST_BYTES && asked.split(|byte| *byte == b',').all(|name| is_token(name.trim_ascii()));
    HeaderValue::from_bytes(&asked).ok().filter(|_| is_list).unwrap_or(USUAL_HEADERS)
}

/// Reads an origin into the form in which browsers write it, in lower case and without the default port, or returns what is wrong with it.
fn read_origin(text: &str) -> Result<String, &'static str> {
    if text.eq_ignore_ascii_case("null") {
        return Err("is null, which every sandboxed page has: leave it out");
    }
    if text.contains('*') {
        return Err("has a *: name each origin by itself");
    }
    let (scheme, rest) = text.split_once("://").ok_or("has no scheme: begin it with https://")?;
    if rest.contains(['/', '?', '#', '\\']) {
        return Err("goes on after its host and port: leave out the slash and what follows");
    }
    let scheme = scheme.to_ascii_lowercase();
    let is_scheme = scheme.starts_with(|char: char| char.is_ascii_lowercase())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let default_port = match scheme.as_str() {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse::<u16>().map_err(|_| "has a port that is none")?)),
        _ => (rest, None),
    };
    let host = read_host(host, default_port.is_some()).filter(|_| is_scheme).ok_or("is none: write it as https://app.example.com")?;
    Ok(match port.filter(|port| Some(*port) != default_port) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

/// A host in the form in which browsers write it.
fn read_host(text: &str, is_web: bool) -> Option<String> {
    if let Some(address) = text.strip_prefix('[') {
        return Some(format!("[{}]", address.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?));
    }
    let host = if is_web {
        Uts46::new().to_ascii(text.as_bytes(), AsciiDenyList::URL, Hyphens::Allow, DnsLength::Ignore).ok()?.into_owned()
    } else {
        text.to_ascii_lowercase()
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~".contains(&byte);
    (!host.is_empty() && host.bytes().all(is_plain)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_listed_as_browsers_write_it() {
        for (given, origin) in [
            ("https://app.example.com", "https://app.example.com"),
            ("HTTPS://App.Example.COM:443", "https://app.example.com"),
            ("http://localhost:80", "http://localhost"),
            ("http://localhost:443", "http://localhost:443"),
            ("https://localhost:8443", "https://localhost:8443"),
            ("http://127.0.0.1:05173", "http://127.0.0.1:5173"),
            ("http://[0:0::1]:3000", "http://[::1]:3000"),
            ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://my_host.localhost", "http://my_host.localhost"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("ionic://localhost", "ionic://localhost"),
            ("Tauri://Localhost", "tauri://localhost"),
            ("app://.", "app://."),
            ("app://obsidian.md:443", "app://obsidian.md:443"),
            ("chrome-extension://abcdefghijklmnopabcdefghijklmnop", "chrome-extension://abcdefghijklmnopabcdefghijklmnop"),
            ("moz-extension://0d0a2a5e-1f5c-4d3b-8f0e-2b6a1c3d4e5f", "moz-extension://0d0a2a5e-1f5c-4d3b-8f0e-2b6a1c3d4e5f"),
        ] {
            assert_eq!(read_origin(given).as_deref(), Ok(origin), "{given}");
        }
    }

    #[test]
    fn whatever_is_no_origin_is_told_its_mend() {
        for (given, mend) in [
            ("https://app.example.com/", "leave out the slash"),
            ("https://app.example.com/path", "leave out the slash"),
            ("https://app.example.com?x", "leave out the slash"),
            ("capacitor://localhost/", "leave out the slash"),
            ("app.example.com", "begin it with https://"),
            ("localhost:3000", "begin it with https://"),
            ("null", "leave it out"),
            ("NULL", "leave it out"),
            ("*", "name each"),
            ("https://*.example.com", "name each"),
            ("https://app.example.com:70000", "port"),
            ("https://app.example.com:", "port"),
            ("https://", "write it as"),
            ("file://", "write it as"),
            ("://localhost", "write it as"),
            ("1a://localhost", "write it as"),
            ("https://user@app.example.com", "write it as"),
            ("https://app example.com", "write it as"),
            ("https://[::1", "write it as"),
            ("https://[app]", "write it as"),
            ("https://\u{AD}", "write it as"),
        ] {
            let complaint = read_origin(given).unwrap_err();
            assert!(complaint.contains(mend), "{given}: {complaint}");
        }
    }

    #[test]
    fn every_complaint_names_the_place_and_never_the_value() {
        let pairs = [("ALLOWED_ORIGINS", "https://a.example, https://b.example/, null"), ("PUBLIC_URL", "b.example")];
        let mut settings = Settings::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Origins::configured(&mut settings);
        insta::assert_snapshot!(
            settings.finish().unwrap_err(),
            @"ALLOWED_ORIGINS: origin 2 goes on after its host and port: leave out the slash and what follows; ALLOWED_ORIGINS: origin 3 is null, which every sandboxed page has: leave it out; PUBLIC_URL: must be a URL such as https://accounts.example.com"
        );
    }

    #[test]
    fn the_headers_that_a_page_asks_to_send_are_granted_if_they_are_names() {
        let granted = |asked: &[&str]| {
            let value = |asked: &&str| (header::ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_bytes(asked.as_bytes()).unwrap());
            granted_headers(&asked.iter().map(value).collect()).to_str().unwrap().to_owned()
        };
        assert_eq!(granted(&["content-type,x-csrftoken"]), "content-type,x-csrftoken");
        assert_eq!(granted(&["baggage, sentry-trace", "traceparent"]), "baggage, sentry-trace, traceparent");
        let long = vec!["x-name"; 400].join(",");
        for no_list in ["", ",", "a,,b", "a b", "a:b", "a\u{e9}", "a;b", "\"a\"", &long] {
            assert_eq!(granted(&[no_list]), "Authorization, Content-Type", "{no_list}");
        }
        assert_eq!(granted(&[]), "Authorization, Content-Type");
    }
}
