//! All functions over one store, in process: an event in, a response out.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use authorizer::{Authorizer, Question};
use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, Region,
    retry::{RetryPartition, TokenBucket},
};
use change_password::ChangePassword;
use confirm_reset::ConfirmReset;
use doorward::{
    aws::{retries, time_outs},
    config::Settings,
    entropy::Entropy,
    fault::Fault,
    http::{Edge, Endpoint},
    mail::Sender,
    metric::Metrics,
    store::{Store, Tables},
};
use dynoxide::Database;
use lambda_runtime::{Context, LambdaEvent};
use login::Login;
use logout::Logout;
use mail_feedback::MailFeedback;
use mailer::{Mailer, Records, Report};
use password_reset::PasswordReset;
use register::Register;
use serde_json::{Value, json};
use validate_token::ValidateToken;

use crate::{
    event::{Request, Response},
    mailbox::{self, Mailbox},
    operator::Operator,
    proxy::Proxy,
    time::Hand,
};

/// What every deployment of the tests is configured with; a test overrides what it is about.
const SETTINGS: [(&str, &str); 11] = [
    ("LINK_BASE", "https://accounts.example.com"),
    ("SENDER", "accounts@example.com"),
    // Every request of a test comes from one address, so the limits of clients are out of the way unless a test is about them.
    ("LOGIN_CLIENT_LIMIT", "100000/1m"),
    ("REGISTER_CLIENT_LIMIT", "100000/1m"),
    ("CHANGE_CLIENT_LIMIT", "100000/1m"),
    ("RESET_CLIENT_LIMIT", "100000/1m"),
    ("VALIDATE_CLIENT_LIMIT", "100000/1m"),
    ("CONFIRM_CLIENT_LIMIT", "100000/1m"),
    ("PRODUCT_NAME", "Doorward"),
    ("REGISTRATION", "open"),
    ("LOG_LEVEL", "info"),
];

/// What calls are signed with: nothing here checks signatures.
pub(crate) fn credentials() -> Credentials {
    Credentials::builder().access_key_id("test").secret_access_key("test").provider_name("tests").build()
}

/// The functions, their store, their clock and their mailbox.
pub struct Deployment {
    /// The endpoints.
    pub register: Arc<Register>,
    /// The endpoints.
    pub login: Arc<Login>,
    logout: Arc<Logout>,
    change_password: Arc<ChangePassword>,
    password_reset: Arc<PasswordReset>,
    validate_token: Arc<ValidateToken>,
    confirm_reset: Arc<ConfirmReset>,
    authorizer: Authorizer,
    /// The mailer.
    pub mailer: Arc<Mailer>,
    mail_feedback: MailFeedback,
    edge: Arc<Edge>,
    /// The clock.
    pub hand: Hand,
    /// The mailbox.
    pub mailbox: Mailbox,
    /// Who may reach into the store.
    pub operator: Operator,
    /// The store.
    pub store: Store,
    /// Metric lines that were written.
    pub metric_lines: Arc<Mutex<Vec<u8>>>,
    metrics: Metrics,
    outbox: tokio::sync::Mutex<Outbox>,
}

/// What sees, counts and fails the calls of the functions.
pub struct Observer {
    /// Calls to the store.
    pub store: Proxy,
    /// Calls to the mail service.
    pub mail: Proxy,
}

/// The Outbox stream, read from where it was left.
struct Outbox {
    database: Database,
    iterator: String,
}

/// The store's tables, as the template makes them.
pub fn tables() -> Tables {
    Tables { accounts: "accounts".to_owned(), limits: "limits".to_owned(), outbox: "outbox".to_owned() }
}

/// A client of a store at this URL, as patient as the functions' own.
pub fn client_of(url: &str) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(credentials())
        .endpoint_url(url)
        .retry_config(retries())
        .timeout_config(time_outs())
        // The allowance for retries is of the whole process: one test that fails calls may not use up the others'.
        .retry_partition(RetryPartition::custom("tests").token_bucket(TokenBucket::unlimited()).build())
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

/// A fresh store on a port of its own, and its URL.
pub async fn fresh_store() -> (Database, String) {
    let database = Database::memory().expect("a database");
    for (name, stream) in [("accounts", false), ("limits", false), ("outbox", true)] {
        let mut table = json!({
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }, { "AttributeName": "sk", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }, { "AttributeName": "sk", "KeyType": "RANGE" }],
        });
        if stream {
            table["StreamSpecification"] = json!({ "StreamEnabled": true, "StreamViewType": "KEYS_ONLY" });
        }
        database.create_table(serde_json::from_value(table).expect("a table")).expect("the table is made");
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(dynoxide::server::serve_on(listener, database.clone()));
    (database, format!("http://{address}"))
}

impl Deployment {
    /// A fresh deployment.
    pub async fn start() -> Self {
        Self::configured(&[]).await
    }

    /// A fresh deployment with these settings besides the usual ones.
    pub async fn configured(overrides: &[(&str, &str)]) -> Self {
        let (database, url) = fresh_store().await;
        Self::over(database, &url, overrides).await
    }

    /// A deployment over the store behind `url`, which is `database` or something in front of it.
    pub async fn over(database: Database, url: &str, overrides: &[(&str, &str)]) -> Self {
        let (mailbox, mail_url) = Mailbox::open().await;
        Self::wired(database, [url, url], mailbox, &mail_url, overrides)
    }

    /// A fresh deployment whose calls to the store and to the mail service are observed. What the operator does is not.
    pub async fn observed(overrides: &[(&str, &str)]) -> (Self, Observer) {
        let (database, url) = fresh_store().await;
        let (mailbox, mail_url) = Mailbox::open().await;
        let observer = Observer { store: Proxy::before(&url).await, mail: Proxy::before(&mail_url).await };
        (Self::wired(database, [observer.store.url(), &url], mailbox, observer.mail.url(), overrides), observer)
    }

    /// The functions reach the store by the first URL, the operator by the second.
    fn wired(database: Database, [url, operator_url]: [&str; 2], mailbox: Mailbox, mail_url: &str, overrides: &[(&str, &str)]) -> Self {
        let entropy = Entropy::system();
        let store = Store::new(client_of(url), tables(), entropy.clone());
        let hand = Hand::at("2026-01-01T12:00:00Z");
        let pairs = SETTINGS.iter().chain(overrides).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut settings = Settings::from_pairs(pairs);
        let sender = Sender::new(mailbox::client_of(mail_url), settings.text("SENDER"), None);
        let with = (store.clone(), hand.clock(), entropy.clone());
        let metric_lines = Arc::<Mutex<Vec<u8>>>::default();
        let written = Arc::clone(&metric_lines);
        let metrics = Metrics::written(settings.optional("DEPLOYMENT"), move |line| {
            written.lock().expect("no test panicked while counting").extend_from_slice(line);
        });
        macro_rules! endpoint {
            ($type:ident) => {
                Arc::new($type::new(&mut settings, with.0.clone(), with.1.clone(), with.2.clone()))
            };
        }
        let deployment = Self {
            register: endpoint!(Register),
            login: endpoint!(Login),
            logout: endpoint!(Logout),
            change_password: endpoint!(ChangePassword),
            password_reset: endpoint!(PasswordReset),
            validate_token: endpoint!(ValidateToken),
            confirm_reset: endpoint!(ConfirmReset),
            authorizer: Authorizer::new(&mut settings, store.clone(), hand.clock()),
            mailer: Arc::new(Mailer::new(&mut settings, store.clone(), sender, hand.clock(), entropy)),
            mail_feedback: MailFeedback::new(store.clone()),
            edge: Arc::new(Edge { metrics: metrics.clone(), ..Edge::configured(&mut settings) }),
            operator: Operator { client: client_of(operator_url), accounts: tables().accounts },
            outbox: tokio::sync::Mutex::new(Outbox::open(database)),
            hand,
            mailbox,
            store,
            metric_lines,
            metrics,
        };
        settings.finish().expect("the tests configure well");
        deployment
    }

    /// Answers a request by the function its path belongs to.
    pub async fn send(&self, request: Request) -> Response {
        let path = request.path.split('?').next().unwrap_or_default().to_owned();
        Response::of(&self.answer(&path, request.event()).await)
    }

    /// As [`Deployment::send`], with so much time until Lambda ends the function.
    pub async fn send_within(&self, request: Request, time: Duration) -> Response {
        #[expect(clippy::disallowed_methods, reason = "Lambda's deadline is of the system's clock")]
        let deadline = (SystemTime::now() + time).duration_since(UNIX_EPOCH).expect("it is later than 1970").as_millis();
        let mut context = Context::default();
        context.deadline = u64::try_from(deadline).expect("it is not that late");
        let path = request.path.split('?').next().unwrap_or_default().to_owned();
        Response::of(&self.answer_in(context, &path, request.event()).await)
    }

    /// Answers an event by the function of a path.
    pub async fn answer(&self, path: &str, event: Value) -> Value {
        self.answer_in(Context::default(), path, event).await
    }

    async fn answer_in(&self, context: Context, path: &str, event: Value) -> Value {
        match path.trim_end_matches('/') {
            "/api/register" => self.call(&self.register, context, event).await,
            "/api/login" => self.call(&self.login, context, event).await,
            "/api/logout" | "/api/logout_all" => self.call(&self.logout, context, event).await,
            "/api/change_password" => self.call(&self.change_password, context, event).await,
            "/api/password_reset" => self.call(&self.password_reset, context, event).await,
            "/api/password_reset/validate_token" => self.call(&self.validate_token, context, event).await,
            "/api/password_reset/confirm" | "/api/password_reset/disavow" => self.call(&self.confirm_reset, context, event).await,
            other => panic!("no function has {other}"),
        }
    }

    async fn call<E: Endpoint>(&self, endpoint: &Arc<E>, context: Context, event: Value) -> Value {
        let payload = serde_json::value::to_raw_value(&event).expect("an event");
        let answer = Arc::clone(&self.edge).answer(Arc::clone(endpoint), LambdaEvent::new(payload, context)).await;
        serde_json::from_str(answer.expect("an answer, whatever was asked").get()).expect("JSON")
    }

    /// Asks the authorizer.
    pub async fn authorize(&self, question: Value) -> Value {
        self.decide(question).await.expect("the store answers")
    }

    /// Asks the authorizer over a store that may not answer.
    pub async fn decide(&self, question: Value) -> Result<Value, Fault> {
        let question: Question = serde_json::from_value(question).expect("a question");
        self.authorizer.decide(&question).await
    }

    /// Brings the mailer what the stream has, once. What it reports is returned, and does not come again by itself.
    pub async fn deliver(&self) -> Report {
        let records = self.outbox.lock().await.next();
        self.metrics.counted(self.mailer.deliver(records)).await
    }

    /// Brings the mail service's word of a mail that it took.
    pub async fn feed_back(&self, event: Value) -> Result<(), Fault> {
        let event = serde_json::from_value(event).expect("an event");
        self.metrics.counted(self.mail_feedback.take(&event)).await
    }

    /// What the stream has, without the mailer.
    pub async fn stream(&self) -> Records {
        self.outbox.lock().await.next()
    }
}

impl Outbox {
    fn open(database: Database) -> Self {
        let of = |value: Value| serde_json::to_value(value).expect("JSON");
        let streams =
            database.list_streams(serde_json::from_value(of(json!({ "TableName": "outbox" }))).expect("a request")).expect("streams");
        let arn = serde_json::to_value(&streams).expect("JSON")["Streams"][0]["StreamArn"].clone();
        let stream = database.describe_stream(serde_json::from_value(json!({ "StreamArn": arn })).expect("a request")).expect("a stream");
        let shard = serde_json::to_value(&stream).expect("JSON")["StreamDescription"]["Shards"][0]["ShardId"].clone();
        let iterator = json!({ "StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" });
        let iterator = database.get_shard_iterator(serde_json::from_value(iterator).expect("a request")).expect("an iterator");
        Self { database, iterator: iterator.shard_iterator.expect("an iterator") }
    }

    fn next(&mut self) -> Records {
        let request = json!({ "ShardIterator": self.iterator });
        let answer = self.database.get_records(serde_json::from_value(request).expect("a request")).expect("records");
        if let Some(next) = &answer.next_shard_iterator {
            self.iterator.clone_from(next);
        }
        let records = serde_json::to_value(&answer).expect("JSON")["Records"].clone();
        serde_json::from_value(json!({ "Records": records })).expect("records")
    }
}
