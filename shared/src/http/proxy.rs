//! The secret of a proxy in front of the API, without which requests are refused.
//!
//! API Gateway is also reachable under its own names, without the proxy, and accepts any `X-Forwarded-For`. A client that uses them could choose the
//! address that limits count and that an account remembers.

use lambda_http::http::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::Refusal;
use crate::config::Settings;

const HEADER: HeaderName = HeaderName::from_static("x-doorward-proxy-secret");
/// Minimum length of a secret: 32 hexadecimal digits are 128 bits (NIST SP 800-63B-4, 3.1.2.2 asks for 112).
const MIN_SECRET_LENGTH: usize = 32;
/// Maximum number of secrets: one, and the next one while it is being changed.
const MAX_SECRETS: usize = 2;

/// The secrets that a proxy may send, as digests, so that comparing takes constant time. Without secrets every request is allowed.
#[derive(Clone, Default)]
pub struct ProxySecrets(Vec<[u8; 32]>);

impl ProxySecrets {
    /// `PROXY_SECRET`: one secret, or two separated by a comma.
    pub fn configured(settings: &mut Settings) -> Self {
        let secrets = settings.list("PROXY_SECRET");
        let fits = |secret: &String| secret.len() >= MIN_SECRET_LENGTH && secret.bytes().all(|byte| byte.is_ascii_graphic());
        if secrets.len() > MAX_SECRETS || !secrets.iter().all(fits) {
            settings.complain(format!(
                "PROXY_SECRET: must be one secret, or two with a comma between them, of at least {MIN_SECRET_LENGTH} printable characters each"
            ));
        }
        Self(secrets.iter().map(|secret| Sha256::digest(secret).into()).collect())
    }

    /// Refuses a request that did not come through the proxy.
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        // If the client sends the header too, there are two values; one that matches is enough.
        let fits = headers.get_all(HEADER).iter().fold(Choice::from(0), |fits, value| {
            let sent: [u8; 32] = Sha256::digest(value.as_bytes()).into();
            self.0.iter().fold(fits, |fits, secret| fits | secret.ct_eq(&sent))
        });
        if self.0.is_empty() || bool::from(fits) { Ok(()) } else { Err(Refusal::Proxy) }
    }
}

impl std::fmt::Debug for ProxySecrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ProxySecrets({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NEXT: &str = "fedcba9876543210fedcba9876543210";

    fn secrets(text: &str) -> Result<ProxySecrets, String> {
        let mut settings = Settings::from_pairs([("PROXY_SECRET".to_owned(), text.to_owned())]);
        let secrets = ProxySecrets::configured(&mut settings);
        settings.finish().map(|()| secrets).map_err(|error| error.to_string())
    }

    fn passes(secrets: &ProxySecrets, sent: &[&str]) -> bool {
        let headers = sent.iter().map(|value| (HEADER, value.parse().unwrap())).collect();
        secrets.admit(&headers).is_ok()
    }

    #[test]
    fn without_a_secret_everybody_passes() {
        let none = secrets(" ").unwrap();
        assert!(passes(&none, &[]) && passes(&none, &["anything"]));
    }

    #[test]
    fn with_a_secret_nobody_passes_who_does_not_send_it() {
        let one = secrets(SECRET).unwrap();
        assert!(passes(&one, &[SECRET]));
        assert!(passes(&one, &["a client's own", SECRET]));
        for sent in
            [&[][..], &[""], &["0123"], &[NEXT], &[&SECRET.to_uppercase()], &[&format!("{SECRET} ,")], &[&format!("{SECRET},{SECRET}")]]
        {
            assert!(!passes(&one, sent), "{sent:?}");
        }
    }

    #[test]
    fn two_are_taken_while_one_replaces_the_other() {
        let both = secrets(&format!("{NEXT}, {SECRET}")).unwrap();
        assert!(passes(&both, &[SECRET]) && passes(&both, &[NEXT]));
        assert!(!passes(&both, &["0123"]));
    }

    #[test]
    fn a_short_secret_is_refused_and_none_is_repeated() {
        for text in [
            "short",
            &SECRET[1..],
            "with spaces in it, and long enough to count",
            &format!("{SECRET},short"),
            &format!("{SECRET},{NEXT},{SECRET}"),
        ] {
            let complaint = secrets(text).unwrap_err();
            assert_eq!(
                complaint,
                "PROXY_SECRET: must be one secret, or two with a comma between them, of at least 32 printable characters each"
            );
        }
        assert_eq!(format!("{:?}", secrets(SECRET).unwrap()), "ProxySecrets(1)");
    }
}
