//! All functions over one store, in process: an event in, a response out.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, Region,
    retry::{RetryPartition, TokenBucket},
};
use doorward::{
    aws::{retries, time_outs},
    config::{Settings, span},
    entropy::Entropy,
    mail::Sender,
    metric::Metrics,
    password::Hasher,
    store::{Store, Tables},
};
use doorward_functions::{
    Answering, Authorizer, Edge, Function as _, Handler as _, MailFeedback, Mailer, Wiring,
    mailer::{Records, Report},
    routes,
};
use dynoxide::Database;
use lambda_runtime::{Context, Error, LambdaEvent};
use serde_json::{Value, json};

use crate::{
    mailbox::{self, Mailbox},
    openapi::Document,
    operator::Operator,
    proxy::Proxy,
    requests::Request,
    response::Response,
    time::TestClock,
};

/// The settings of every app of the tests. A test overrides those that it is about.
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

/// Lambda's id of every request.
pub const REQUEST_ID: &str = "8c9a7d2e-1f3b-4c5d-9e8f-0a1b2c3d4e5f";

/// The credentials with which calls are signed; nothing here checks signatures.
pub(crate) fn credentials() -> Credentials {
    Credentials::builder().access_key_id("test").secret_access_key("test").provider_name("tests").build()
}

/// The functions, their store, their clock and their mailbox. A clone is the same app.
#[derive(Clone)]
pub struct App {
    /// Each route, without its trailing slash, and the endpoint that answers it.
    endpoints: Arc<Vec<(&'static str, Answering)>>,
    authorizer: Arc<Authorizer>,
    /// The mailer.
    pub mailer: Arc<Mailer>,
    mail_feedback: Arc<MailFeedback>,
    edge: Arc<Edge>,
    /// Computes and counts the hashes of all endpoints.
    pub hasher: Arc<Hasher>,
    /// The clock.
    pub clock: TestClock,
    /// The mailbox.
    pub mailbox: Mailbox,
    /// The operator, who can change the store.
    pub operator: Operator,
    /// The store.
    pub store: Store,
    /// Metric lines that were written.
    pub metric_lines: Arc<Mutex<Vec<u8>>>,
    outbox: Arc<tokio::sync::Mutex<Outbox>>,
}

/// Observes and counts the calls of the functions, and makes them fail.
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

/// Starts an empty store on a port of its own; returns its URL.
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

impl App {
    /// A new app.
    pub async fn start() -> Self {
        Self::configured(&[]).await
    }

    /// A new app with these settings in addition to the usual ones.
    pub async fn configured(overrides: &[(&str, &str)]) -> Self {
        let (database, url) = fresh_store().await;
        Self::over(database, &url, overrides).await
    }

    /// An app over the store behind `url`, which is `database` or a proxy in front of it.
    pub async fn over(database: Database, url: &str, overrides: &[(&str, &str)]) -> Self {
        let (mailbox, mail_url) = Mailbox::open().await;
        Self::wired(database, [url, url], mailbox, &mail_url, overrides)
    }

    /// A new app whose calls to the store and to the mail service are observed, except the operator's.
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
        let clock = TestClock::at("2026-01-01T12:00:00Z");
        let pairs = SETTINGS.iter().chain(overrides).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut settings = Settings::from_pairs(pairs);
        let sender = Sender::new(mailbox::client_of(mail_url), settings.text("SENDER"), None);
        let metric_lines = Arc::<Mutex<Vec<u8>>>::default();
        let written = Arc::clone(&metric_lines);
        let metrics = Metrics::written(settings.optional("DEPLOYMENT"), move |line| {
            written.lock().expect("no test panicked while counting").extend_from_slice(line);
        });
        let mut wiring = Wiring::new(settings, store.clone(), clock.clock(), entropy).with_metrics(metrics);
        let mut endpoints = Vec::new();
        for routes in routes() {
            let endpoint = routes.start(&mut wiring);
            endpoints.extend(routes.paths.iter().map(|path| (path.trim_end_matches('/'), Arc::clone(&endpoint))));
        }
        let app = Self {
            endpoints: Arc::new(endpoints),
            authorizer: Arc::new(Authorizer::new(&mut wiring)),
            mailer: Arc::new(Mailer::over(&mut wiring, sender)),
            mail_feedback: Arc::new(MailFeedback::new(&mut wiring)),
            edge: Arc::new(Edge::configured(&mut wiring)),
            hasher: wiring.hasher(),
            operator: Operator { client: client_of(operator_url), accounts: tables().accounts },
            outbox: Arc::new(tokio::sync::Mutex::new(Outbox::open(database))),
            clock,
            mailbox,
            store,
            metric_lines,
        };
        wiring.finish().expect("the tests configure well");
        app
    }

    /// Answers a request with the function of its route, and asserts that the OpenAPI document describes the answer.
    pub async fn send(&self, request: Request) -> Response {
        self.send_in(Context::default(), request).await
    }

    /// Like [`App::send`], with this time until Lambda cuts the function off.
    pub async fn send_within(&self, request: Request, time: Duration) -> Response {
        #[expect(clippy::disallowed_methods, reason = "Lambda's deadline is of the system's clock")]
        let deadline = (SystemTime::now() + time).duration_since(UNIX_EPOCH).expect("it is later than 1970").as_millis();
        let mut context = Context::default();
        context.deadline = u64::try_from(deadline).expect("it is not that late");
        self.send_in(context, request).await
    }

    async fn send_in(&self, mut context: Context, request: Request) -> Response {
        REQUEST_ID.clone_into(&mut context.request_id);
        let path = request.path.split('?').next().unwrap_or_default();
        let answer = Response::of(&self.answer_in(context, path, request.event()).await);
        assert_eq!(Document::shared().check(&request.method, path, &answer), Ok(()), "the OpenAPI document");
        answer
    }

    /// Makes all these requests at once and returns the answers. Unlike on Lambda they wait for each other's hashes, so each has ten minutes.
    pub async fn at_once(&self, requests: impl IntoIterator<Item = Request>) -> Vec<Response> {
        let ask = |request| {
            let app = self.clone();
            tokio::spawn(async move { app.send_within(request, Duration::from_secs(600)).await })
        };
        let asked: Vec<_> = requests.into_iter().map(ask).collect();
        let mut answers = Vec::new();
        for asked in asked {
            answers.push(asked.await.expect("no function panics"));
        }
        answers
    }

    /// Answers an event with the function of a path.
    pub async fn answer(&self, path: &str, event: Value) -> Value {
        self.answer_in(Context::default(), path, event).await
    }

    async fn answer_in(&self, context: Context, path: &str, event: Value) -> Value {
        let endpoint = self.endpoints.iter().find(|(route, _)| *route == path.trim_end_matches('/'));
        let (_, endpoint) = endpoint.unwrap_or_else(|| panic!("no function has {path}"));
        let payload = serde_json::value::to_raw_value(&event).expect("an event");
        let answer = endpoint(Arc::clone(&self.edge), LambdaEvent::new(payload, context)).await;
        serde_json::from_str(answer.expect("an answer, whatever was asked").get()).expect("JSON")
    }

    /// Calls the authorizer.
    pub async fn authorize(&self, question: Value) -> Value {
        self.decide(question).await.expect("the store answers")
    }

    /// Calls the authorizer, whose store may not answer.
    pub async fn decide(&self, question: Value) -> Result<Value, Error> {
        self.authorizer.handle(serde_json::from_value(question).expect("a question"), span::minutes(1)).await
    }

    /// Whether the authorizer accepts a token.
    pub async fn lets_pass(&self, token: &str) -> bool {
        let question = json!({ "version": "2.0", "headers": { "authorization": format!("Token {token}") } });
        self.authorize(question).await["isAuthorized"] == true
    }

    /// Delivers the records of the stream to the mailer, once. Returns the records that it reports; they are not delivered again automatically.
    pub async fn deliver(&self) -> Report {
        let records = self.outbox.lock().await.next();
        self.mailer.handle(records, span::minutes(1)).await.expect("a report, whatever became of the mail")
    }

    /// Delivers an event of the mail service about a mail.
    pub async fn feed_back(&self, event: Value) -> Result<(), Error> {
        self.mail_feedback.handle(serde_json::from_value(event).expect("an event"), span::minutes(1)).await
    }

    /// Takes the records of the stream without delivering them.
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
