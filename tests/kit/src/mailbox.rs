//! A mail service that keeps its mail: SES's SendEmail over HTTP, for the real client. There is no real one for this machine.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use aws_sdk_sesv2::config::{BehaviorVersion, Region, retry::RetryConfig};
use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use serde_json::Value;

use crate::service::{credentials, serve};

/// The path of a link that resets a password.
pub const RESET_LINK: &str = "/api/password_reset/confirm/?token=";

/// The path of a link that says "this wasn't me".
pub const DISAVOWAL_LINK: &str = "/api/password_reset/disavow/?token=";

/// The path of a link that confirms an address.
pub const VERIFICATION_LINK: &str = "/api/users/activation/?token=";

/// A mail that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The recipient.
    pub to: String,
    /// The sender.
    pub from: String,
    /// The subject.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

impl Mail {
    /// The token of the reset link in it, if there is one.
    pub fn reset_token(&self) -> Option<String> {
        self.token_after(RESET_LINK)
    }

    /// The token of the "this wasn't me" link in it, if there is one.
    pub fn disavowal_token(&self) -> Option<String> {
        self.token_after(DISAVOWAL_LINK)
    }

    /// The token of the link in it that confirms an address, if there is one.
    pub fn verification_token(&self) -> Option<String> {
        self.token_after(VERIFICATION_LINK)
    }

    fn token_after(&self, link: &str) -> Option<String> {
        let token = self.text.split(link).nth(1)?;
        Some(token.split_whitespace().next().unwrap_or_default().to_owned())
    }
}

/// A refusal of the service: an HTTP status and an error code.
#[derive(Clone, Debug)]
pub struct Refuse(pub u16, pub &'static str);

/// A client of a mail service at this URL. Like the mailer's own it does not retry.
pub fn client_of(url: &str) -> aws_sdk_sesv2::Client {
    let config = aws_sdk_sesv2::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(credentials())
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .timeout_config(doorward::aws::time_outs())
        .build();
    aws_sdk_sesv2::Client::from_conf(config)
}

/// The accepted mails, and the refusal of the next one.
#[derive(Clone, Default)]
pub struct Mailbox {
    mails: Arc<Mutex<Vec<Mail>>>,
    refusals: Arc<Mutex<VecDeque<Refuse>>>,
}

impl Mailbox {
    /// Starts a service on a port of its own; returns its URL.
    pub async fn open() -> (Self, String) {
        let mailbox = Self::default();
        let router = Router::new().route("/v2/email/outbound-emails", post(accept)).with_state(mailbox.clone());
        let url = serve(router).await;
        (mailbox, url)
    }

    /// Every mail so far.
    pub fn all(&self) -> Vec<Mail> {
        self.mails.lock().expect("no test panicked while mail came").clone()
    }

    /// The mails to this address.
    pub fn to(&self, address: &str) -> Vec<Mail> {
        self.all().into_iter().filter(|mail| mail.to == address).collect()
    }

    /// Forgets the mails so far.
    pub fn forget(&self) {
        self.mails.lock().expect("no test panicked while mail came").clear();
    }

    /// Refuses the next mail.
    pub fn refuse_next(&self, refusal: Refuse) {
        self.refusals.lock().expect("no test panicked while mail came").push_back(refusal);
    }
}

async fn accept(State(mailbox): State<Mailbox>, body: Bytes) -> (StatusCode, [(&'static str, &'static str); 2], String) {
    if let Some(Refuse(status, code)) = mailbox.refusals.lock().expect("no test panicked while mail came").pop_front() {
        let status = StatusCode::from_u16(status).expect("a status");
        return (status, [("content-type", "application/json"), ("x-amzn-errortype", code)], "{\"message\":\"refused\"}".to_owned());
    }
    let body: Value = serde_json::from_slice(&body).expect("SES speaks JSON");
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    mailbox.mails.lock().expect("no test panicked while mail came").push(Mail {
        to: text("/Destination/ToAddresses/0"),
        from: text("/FromEmailAddress"),
        subject: text("/Content/Simple/Subject/Data"),
        text: text("/Content/Simple/Body/Text/Data"),
        html: text("/Content/Simple/Body/Html/Data"),
    });
    (StatusCode::OK, [("content-type", "application/json"), ("x-mail", "accepted")], "{\"MessageId\":\"1\"}".to_owned())
}
