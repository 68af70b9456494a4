//! The Authorization header of protected endpoints.

use lambda_http::http::{HeaderMap, header};

use super::Refusal;

/// No usable header: it is absent, empty or has another scheme.
const NOT_PROVIDED: Refusal = Refusal::Unauthenticated("Authentication credentials were not provided.");

/// The token is not text.
const NO_TEXT: &str = "Invalid token header. Token string should not contain invalid characters.";

/// The token of `Authorization: Token …` or `Bearer …` (RFC 6750, 2.1).
///
/// The keyword's case does not matter, and any run of ASCII white space is a separator. The words are bytes, because a header need not be text.
pub fn credentials(headers: &HeaderMap) -> Result<&str, Refusal> {
    credentials_of(headers.get(header::AUTHORIZATION).ok_or(NOT_PROVIDED)?.as_bytes())
}

/// The token in the value of such a header.
pub fn credentials_of(header: &[u8]) -> Result<&str, Refusal> {
    // Like Python's bytes.split(), this also splits at vertical tabs.
    let mut words = header.split(|byte| byte.is_ascii_whitespace() || *byte == 0x0b).filter(|word| !word.is_empty());
    let scheme = words.next().ok_or(NOT_PROVIDED)?;
    if !scheme.eq_ignore_ascii_case(b"token") && !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(NOT_PROVIDED);
    }
    match (words.next(), words.next()) {
        (None, _) => Err(Refusal::Unauthenticated("Invalid token header. No credentials provided.")),
        (Some(_), Some(_)) => Err(Refusal::Unauthenticated("Invalid token header. Token string should not contain spaces.")),
        (Some(token), None) => text(token).ok_or(Refusal::Unauthenticated(NO_TEXT)),
    }
}

/// The token as text, if it is text.
///
/// The DRF API decodes a header as UTF-8. A gateway that decodes it as ISO-8859-1 (RFC 9110, 5.5) turns a byte that is not UTF-8 into two characters. Both
/// get the same answer.
fn text(token: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(token).ok()?;
    let bytes: Option<Vec<u8>> = text.chars().map(|char| u8::try_from(char).ok()).collect();
    bytes.is_none_or(|bytes| std::str::from_utf8(&bytes).is_ok()).then_some(text)
}

#[cfg(test)]
mod tests {
    use lambda_http::http::HeaderValue;

    use super::*;

    fn of(header: &[u8]) -> Result<String, &'static str> {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_bytes(header).unwrap())]);
        credentials(&headers).map(str::to_owned).map_err(|refusal| match refusal {
            Refusal::Unauthenticated(detail) => detail,
            other => panic!("not about credentials: {other:?}"),
        })
    }

    #[test]
    fn both_keywords_carry_a_token_in_any_case() {
        for header in ["Token abc", "token abc", "BEARER abc", "  Token\t abc  ", "bearer\tabc"] {
            assert_eq!(of(header.as_bytes()).as_deref(), Ok("abc"), "{header:?}");
        }
    }

    #[test]
    fn everything_else_is_told_what_is_wrong() {
        for header in [&b""[..], b"Basic YW5uOnB3", b"Token=abc", b"Token: abc", b"abc", "Token\u{a0}abc".as_bytes()] {
            assert_eq!(of(header), Err("Authentication credentials were not provided."));
        }
        assert_eq!(of(b"Token "), Err("Invalid token header. No credentials provided."));
        assert_eq!(of(b"Bearer a b"), Err("Invalid token header. Token string should not contain spaces."));
        for header in [&b"Token \xff"[..], "Token \u{ff}".as_bytes(), "Token t\u{f6}k".as_bytes()] {
            assert_eq!(of(header), Err(NO_TEXT));
        }
        for token in ["\u{c3}\u{a9}", "\u{540d}"] {
            assert_eq!(of(format!("Token {token}").as_bytes()).as_deref(), Ok(token));
        }
    }
}
