//! A deployed stack, used through its gateway, its stream and its mailer.
//!
//! `make stack-test` starts a stack of its own and passes the variables of `stack.env`; `make up` and
//! `set -a; . .local/stack.env; cargo test --workspace --test stack_flow --test stack_wire` run the same against a stack that is up.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::{
    config::{BehaviorVersion, Credentials, Region},
    types::AttributeValue,
};
use axum::{
    body::{Body, to_bytes},
    http::{self, HeaderValue},
};
use doorward::clock::Clock;
use doorward_kit::{Response, mailbox::Mail, operator::Operator, requests::Request, scenario::Stage};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

/// How long sending all requested mail may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running stack.
pub struct Stack {
    client: Client<HttpConnector, Body>,
    api_url: String,
    mail_url: String,
    outbox: String,
    /// When this test began, in milliseconds of Unix time.
    began: i64,
    operator: Operator,
}

/// A variable of `stack.env`.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; `make stack-test` sets it, and so does .local/stack.env"))
}

impl Stack {
    /// The stack that the environment describes.
    pub fn of_environment() -> Self {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(variable("AWS_REGION")))
            .credentials_provider(
                Credentials::builder()
                    .access_key_id(variable("AWS_ACCESS_KEY_ID"))
                    .secret_access_key(variable("AWS_SECRET_ACCESS_KEY"))
                    .provider_name("stack.env")
                    .build(),
            )
            .endpoint_url(variable("AWS_ENDPOINT_URL"))
            .build();
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            api_url: variable("API_URL"),
            mail_url: variable("MAIL_URL"),
            outbox: variable("OUTBOX_TABLE"),
            began: Clock::system().now().as_millisecond(),
            operator: Operator { client: aws_sdk_dynamodb::Client::from_conf(config), accounts: variable("ACCOUNTS_TABLE") },
        }
    }

    /// Makes a request to this URL.
    pub async fn fetch(&self, url: &str, request: Request) -> Response {
        let mut outgoing = http::Request::builder().method(request.method.as_str()).uri(url);
        for (name, value) in &request.headers {
            outgoing = outgoing.header(name, header_value(value));
        }
        let outgoing = outgoing.body(Body::from(request.body.unwrap_or_default())).expect("a request");
        let (head, body) = self.client.request(outgoing).await.expect("the stack answers").into_parts();
        let headers = head.headers.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        let headers = headers.collect();
        let body = to_bytes(Body::new(body), usize::MAX).await.expect("a body");
        Response { status: head.status.as_u16(), headers, body: String::from_utf8(body.to_vec()).expect("text") }
    }

    /// Waits until the mailer has handled everything that was requested since this test began.
    async fn settle(&self) {
        let began = Instant::now();
        loop {
            // The list of held notices is no mail.
            let waits = "attribute_not_exists(done_at) AND pk <> :held AND requested_at >= :began";
            let scan = self.operator.client.scan().table_name(&self.outbox).filter_expression(waits);
            let scan = scan.expression_attribute_values(":held", AttributeValue::S("held".to_owned()));
            let scan = scan.expression_attribute_values(":began", AttributeValue::N(self.began.to_string()));
            let waiting = scan.consistent_read(true).send().await.expect("the store answers").count;
            if waiting == 0 {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{waiting} mails were not handled in {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Every mail to this address so far, oldest first.
    pub async fn mails_to(&self, address: &str) -> Vec<Mail> {
        let url = format!("{}?account=000000000000", self.mail_url);
        let answer = self.fetch(&url, doorward_kit::request("GET", "/")).await;
        let mut mails: Vec<(f64, Mail)> = Vec::new();
        for message in
            answer.json()["messages"].as_object().into_iter().flat_map(|accounts| accounts.values()).filter_map(Value::as_array).flatten()
        {
            let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
            if message["To"].as_array().is_some_and(|to| to.iter().any(|to| to == address)) {
                let mail = Mail {
                    to: address.to_owned(),
                    from: text("Source"),
                    subject: text("Subject"),
                    text: text("BodyText"),
                    html: text("BodyHtml"),
                };
                mails.push((message["Timestamp"].as_f64().unwrap_or_default(), mail));
            }
        }
        mails.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        mails.into_iter().map(|(_, mail)| mail).collect()
    }
}

/// A header as recorded clients sent it: in Latin-1 if possible, otherwise in UTF-8.
fn header_value(text: &str) -> HeaderValue {
    let latin: Option<Vec<u8>> = text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect();
    HeaderValue::from_bytes(&latin.unwrap_or_else(|| text.as_bytes().to_vec())).expect("a header value")
}

impl Stage for Stack {
    async fn send(&self, request: Request) -> Response {
        let url = format!("{}{}", self.api_url, request.path);
        self.fetch(&url, request).await
    }

    async fn mails(&self, address: &str, _: usize) -> Vec<Mail> {
        self.settle().await;
        self.mails_to(address).await
    }

    fn operator(&self) -> &Operator {
        &self.operator
    }
}

/// Deploys `examples/protected-api` beside the stack; returns its URL.
pub fn deploy_protected_api() -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let output = std::process::Command::new(format!("{root}/.tools/local/bin/python"))
        .arg(format!("{root}/tests/stack/deploy_example.py"))
        .output()
        .expect("the stack's Python is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a URL").trim().to_owned()
}
