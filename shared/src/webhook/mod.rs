//! The webhook: posts events to the configured server, signed as specified by Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks).

mod address;

use std::{fmt, net::IpAddr, time::Duration};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use self::address::is_public;
use crate::{
    aws::{ExternalCallError, ExternalClient},
    clock::Timestamp,
    config::{Settings, span},
};

/// How long an answer may take. The specification recommends 15 to 30 seconds for slow receivers; a receiver of Doorward should store the event and
/// answer.
const TIME: Duration = span::seconds(10);
/// The length of a secret in bytes, as the specification bounds it: 24 to 64.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The configured server, which receives events.
pub struct Webhook {
    url: String,
    secrets: Vec<Secret>,
    client: ExternalClient,
}

/// The key of a signature. It has no `Debug` that shows it.
struct Secret(hmac::Key);

/// Why an event was not accepted. It contains no text of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// The receiver answered 410 (Gone).
    #[error("gone")]
    Gone,
    /// It answered with another status than 2xx. A redirect is one, because it is not followed.
    #[error("status {0}")]
    Status(u16),
    /// It was not reached, or its address is private.
    #[error("unreachable")]
    Unreachable,
    /// It did not answer in time.
    #[error("timed out")]
    TimedOut,
}

impl Webhook {
    /// `WEBHOOK_URL`, `WEBHOOK_SECRET` (one secret, or two while it is being replaced) and `WEBHOOK_PRIVATE`. No call is made.
    pub fn configured(settings: &mut Settings) -> Self {
        let is_private = settings.parsed("WEBHOOK_PRIVATE", false, |text| match text {
            "yes" => Ok(true),
            "no" => Ok(false),
            _ => Err("must be yes or no".to_owned()),
        });
        let url = settings.text("WEBHOOK_URL");
        if !url.is_empty() && !is_sendable(&url, is_private) {
            let secure = if is_private { "must be a URL such as https://receiver.example.com/events" } else { PUBLIC };
            settings.complain(format!("WEBHOOK_URL: {secure}"));
        }
        let secrets: Option<Vec<Secret>> = settings.text("WEBHOOK_SECRET").split(',').map(|text| Secret::parse(text.trim())).collect();
        let secrets = secrets.filter(|secrets| secrets.len() <= 2).unwrap_or_default();
        if secrets.is_empty() && settings.optional("WEBHOOK_SECRET").is_some() {
            settings.complain(format!("WEBHOOK_SECRET: {SECRETS}"));
        }
        Self { url, secrets, client: ExternalClient::at(move |address| is_private || is_public(address)) }
    }

    /// Posts an event once. `id` is the same at every attempt. `now` is the time of this attempt, by which a receiver can refuse a replayed copy.
    pub async fn post(&self, id: &str, body: &str, now: Timestamp) -> Result<(), PostError> {
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("user-agent", "Doorward".to_owned()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", now.as_second().to_string()),
            ("webhook-signature", self.signatures(id, body, now)),
        ];
        match self.client.post(&self.url, &headers, body.to_owned(), TIME).await {
            Ok(200..300) => Ok(()),
            Ok(410) => Err(PostError::Gone),
            Ok(status) => Err(PostError::Status(status)),
            Err(ExternalCallError::TimedOut) => Err(PostError::TimedOut),
            Err(ExternalCallError::Unreachable | ExternalCallError::NotBuilt) => Err(PostError::Unreachable),
        }
    }

    /// A signature with each secret, so that a receiver can verify with the old or the new one while the secret is being replaced.
    fn signatures(&self, id: &str, body: &str, now: Timestamp) -> String {
        let signed = format!("{id}.{}.{body}", now.as_second());
        let signature = |Secret(key): &Secret| format!("v1,{}", STANDARD.encode(hmac::sign(key, signed.as_bytes())));
        self.secrets.iter().map(signature).collect::<Vec<_>>().join(" ")
    }
}

const PUBLIC: &str = "must begin with https:// and name a host that is not private, such as https://receiver.example.com/events";
const SECRETS: &str = "must be whsec_ and the base64 of 24 to 64 random bytes (echo whsec_$(openssl rand -base64 32)), or two of them with a comma between them";

impl Secret {
    fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
        SECRET_BYTES.contains(&bytes.len()).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Webhook(…)")
    }
}

/// Whether events may be posted to this URL. A host that is an IP address is checked here, because the resolver, which checks names, is not called for it.
fn is_sendable(url: &str, is_private: bool) -> bool {
    let rest = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => rest,
        (None, Some(rest)) if is_private => rest,
        _ => return false,
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>#".contains(&byte));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    // A password in the URL would be stored in plain text in the settings.
    if !is_plain || host.is_empty() || authority.contains('@') || !is_port {
        return false;
    }
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    // A name whose last label is a number is an address in another notation, such as 2130706433 or 127.1 (WHATWG URL, host parsing).
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") || last.starts_with("0X");
    match literal {
        Some(address) => is_private || is_public(address),
        None => is_name && !is_number && (is_private || last != "localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(pairs: &[(&str, &str)]) -> Result<Webhook, String> {
        let mut settings = Settings::from_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let webhook = Webhook::configured(&mut settings);
        settings.finish().map(|()| webhook).map_err(|error| error.to_string())
    }

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn a_signature_is_that_of_the_specification_s_example() {
        // The example in the README of the reference libraries (svix and standardwebhooks).
        let webhook = webhook(&[("WEBHOOK_URL", "https://r.example"), ("WEBHOOK_SECRET", SECRET)]).unwrap();
        let now = Timestamp::from_second(1_614_265_330).unwrap();
        let signed = webhook.signatures("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#, now);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_secret_is_being_replaced_there_is_a_signature_by_each() {
        let signatures = |secrets: &str| {
            let webhook = webhook(&[("WEBHOOK_URL", "https://r.example"), ("WEBHOOK_SECRET", secrets)]).unwrap();
            webhook.signatures("id", "{}", Timestamp::UNIX_EPOCH)
        };
        assert_eq!(signatures(&format!("{SECRET}, {OTHER}")), format!("{} {}", signatures(SECRET), signatures(OTHER)));
    }

    #[test]
    fn a_secret_has_24_to_64_bytes_and_is_shown_nowhere() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        let configured = |secret: &str| webhook(&[("WEBHOOK_URL", "https://r.example"), ("WEBHOOK_SECRET", secret)]);
        for (secret, good) in [
            (of(24), true),
            (of(64), true),
            (of(23), false),
            (of(65), false),
            (SECRET.replace("whsec_", ""), false),
            ("whsec_?".to_owned(), false),
            (format!("{SECRET},{OTHER},{SECRET}"), false),
            (format!("{SECRET},"), false),
            (String::new(), false),
        ] {
            let configured = configured(&secret);
            assert_eq!(configured.is_ok(), good, "{secret}");
            let shown = format!("{configured:?}");
            assert!(secret.len() < 10 || !shown.contains(&secret[8..]), "{shown}");
        }
    }

    #[test]
    fn an_address_that_is_private_or_not_secure_is_refused_unless_that_is_allowed() {
        let takes =
            |url: &str, private: &str| webhook(&[("WEBHOOK_URL", url), ("WEBHOOK_SECRET", SECRET), ("WEBHOOK_PRIVATE", private)]).is_ok();
        for url in ["https://r.example", "https://r.example:8443/a/b?c=d", "https://8.8.8.8/", "https://[2606:4700::1]:443/x"] {
            assert!(takes(url, "no") && takes(url, "yes"), "{url}");
        }
        for url in [
            "http://r.example",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://localhost:1",
            "http://localhost:1/x",
            "https://169.254.169.254/latest",
            "https://a.localhost",
        ] {
            assert!(!takes(url, "no") && takes(url, "yes"), "{url}");
        }
        for url in [
            "https://",
            "https://user:password@r.example",
            "https://r.example#x",
            "ftp://r.example",
            "https://r.example:0",
            "https://r.example:x",
            "https://2130706433/",
            "https://127.1/",
            "https://0x7f000001/",
            "https://1.2.3.0x7/",
            "https://r exam.ple/",
            "https://r.example\\@x",
            "r.example",
        ] {
            assert!(!takes(url, "no") && !takes(url, "yes"), "{url}");
        }
    }
}
