//! All functions over one store, in process: an event in, a response out.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sdk_dynamodb::Client;
use doorward::{
    config::{Settings, span},
    entropy::Entropy,
    event::Bus,
    mail::Sender,
    metric::Metrics,
    password::{Cost, Hasher},
    recording::{EventData, Recording},
    store::{Store, Tables},
};
use doorward_functions::{
    Answering, Authorizer, Edge, Events, Function as _, Handler as _, Hour, MailFeedback, Mailer, Sweeper, Wiring,
    batch::{Records, Report},
    routes,
};
use lambda_runtime::{Context, Error, LambdaEvent};
use serde_json::{Value, json};

use crate::{
    bus::{self, EventBus},
    mailbox::{self, Mailbox},
    openapi::Document,
    operator::Operator,
    place::{Place, patient},
    proxy::{Calls, Proxy},
    requests::Request,
    response::Response,
    stream::Stream,
    time::TestClock,
};

/// The settings of every app of the tests. A test overrides those that it is about.
const SETTINGS: [(&str, &str); 13] = [
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
    // Tests that are about all items, and those about events, ask for them.
    ("EVENTS", "none"),
    // So do those about verification; a registration sends no mail in all others.
    ("ADDRESS_VERIFICATION", "none"),
];

/// The cost of hashes that is configured by default, for tests that look at hashes: at their form, their cost, or when they are replaced. Apps without a
/// setting of the cost have one that is far below the minimum, because hashes would take half of the processor's time of all tests.
pub const USUAL_COST: (&str, &str) = ("ARGON2_MEMORY_KIB", "19456");

/// Lambda's id of every request.
pub const REQUEST_ID: &str = "8c9a7d2e-1f3b-4c5d-9e8f-0a1b2c3d4e5f";

/// The functions, their store, their clock and their mailbox. A clone is the same app.
#[derive(Clone)]
pub struct App {
    /// Each route, without its trailing slash, and the endpoint that answers it.
    endpoints: Arc<Vec<(&'static str, Answering)>>,
    authorizer: Arc<Authorizer>,
    /// The mailer.
    pub mailer: Arc<Mailer>,
    mail_feedback: Arc<MailFeedback>,
    sweeper: Arc<Sweeper>,
    edge: Arc<Edge>,
    /// Computes and counts the hashes of all endpoints.
    pub hasher: Arc<Hasher>,
    /// The clock.
    pub clock: TestClock,
    /// The function that publishes events.
    pub events: Arc<Events>,
    /// The mailbox.
    pub mailbox: Mailbox,
    /// The bus to which events are published.
    pub bus: EventBus,
    /// The operator, who can change the store.
    pub operator: Operator,
    /// The store.
    pub store: Store,
    /// Metric lines that were written.
    pub metric_lines: Arc<Mutex<Vec<u8>>>,
    /// The names of the tables.
    pub tables: Tables,
    stream: Arc<tokio::sync::Mutex<Stream>>,
    /// Nobody else gets these tables meanwhile.
    _place: Place,
}

/// Observes and counts the calls of the functions, and makes them fail.
pub struct Observer {
    /// Calls to the store.
    pub store: Calls,
    /// Calls to the mail service.
    pub mail: Proxy,
}

impl App {
    /// A new app.
    pub async fn start() -> Self {
        Self::configured(&[]).await
    }

    /// A new app with these settings in addition to the usual ones.
    pub async fn configured(overrides: &[(&str, &str)]) -> Self {
        Self::over(&Place::fresh().await, overrides).await
    }

    /// An app over these tables, which others may have too.
    pub async fn over(place: &Place, overrides: &[(&str, &str)]) -> Self {
        let (mailbox, mail_url) = Mailbox::open().await;
        Self::wired(place, place.client(), mailbox, &mail_url, overrides).await
    }

    /// A new app that waits for its store as long as it takes, for tests of what happens at once. Hundreds of requests share the processors of this
    /// machine with other programs, so a call may take longer here than the functions wait on Lambda, where each has a processor. Hashes have the usual
    /// cost, because requests meet while one of them computes a hash.
    pub async fn patient(overrides: &[(&str, &str)]) -> Self {
        let place = Place::fresh().await;
        let (mailbox, mail_url) = Mailbox::open().await;
        Self::wired(&place, place.patient_client(), mailbox, &mail_url, &[&[USUAL_COST], overrides].concat()).await
    }

    /// A new app whose calls to the store and to the mail service are observed, except the operator's.
    pub async fn observed(overrides: &[(&str, &str)]) -> (Self, Observer) {
        Self::observed_by(|client| client, overrides).await
    }

    /// The same, and it waits for its store as long as it takes, as [`App::patient`] does: a call may be held while others work.
    pub async fn patiently_observed(overrides: &[(&str, &str)]) -> (Self, Observer) {
        Self::observed_by(|client| patient(&client), overrides).await
    }

    async fn observed_by(through: fn(Client) -> Client, overrides: &[(&str, &str)]) -> (Self, Observer) {
        let place = Place::fresh().await;
        let (mailbox, mail_url) = Mailbox::open().await;
        let observer = Observer { store: Calls::default(), mail: Proxy::before(&mail_url).await };
        let client = through(place.watched_client(&observer.store));
        (Self::wired(&place, client, mailbox, observer.mail.url(), overrides).await, observer)
    }

    /// The functions reach the store by this client, the operator by another.
    async fn wired(place: &Place, client: Client, mailbox: Mailbox, mail_url: &str, overrides: &[(&str, &str)]) -> Self {
        let (bus, bus_url) = EventBus::open().await;
        let entropy = Entropy::system();
        let clock = TestClock::at("2026-01-01T12:00:00Z");
        let pairs = SETTINGS.iter().chain(overrides).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut settings = Settings::from_pairs(pairs);
        let store = Store::new(client, place.tables.clone(), entropy.clone()).recording(Recording::configured(&mut settings));
        let store = store.with_event_data(EventData::configured(&mut settings));
        let sender = Sender::new(mailbox::client_of(mail_url), settings.text("SENDER"), None);
        let metric_lines = Arc::<Mutex<Vec<u8>>>::default();
        let written = Arc::clone(&metric_lines);
        let all = settings.optional("METRICS").is_none_or(|which| which == "all");
        let metrics = Metrics::written(settings.optional("DEPLOYMENT"), all, move |line| {
            written.lock().expect("no test panicked while counting").extend_from_slice(line);
        });
        let mut wiring = Wiring::new(settings, store.clone(), clock.clock(), entropy.clone()).with_metrics(metrics);
        if !overrides.iter().any(|(name, _)| name.starts_with("ARGON2_")) {
            wiring = wiring.with_hasher(Arc::new(Hasher::new(Cost::of_tests(), entropy)));
        }
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
            sweeper: Arc::new(Sweeper::new(&mut wiring)),
            events: Arc::new(Events::over(&mut wiring, Bus::new(bus::client_of(&bus_url), "doorward".to_owned()))),
            bus,
            edge: Arc::new(Edge::configured(&mut wiring)),
            hasher: wiring.hasher(),
            operator: Operator { client: place.client(), accounts: place.tables.accounts.clone() },
            stream: Arc::new(tokio::sync::Mutex::new(place.stream())),
            tables: place.tables.clone(),
            _place: place.clone(),
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
        let records = self.stream.lock().await.next().await;
        self.mailer.handle(records.into(), span::minutes(1)).await.expect("a report, whatever became of the mail")
    }

    /// Calls the mailer as its timer does. The store may not answer.
    pub async fn release_due(&self) -> Result<Report, Error> {
        let event = serde_json::from_value(json!({ "release_held": true })).expect("the event in the template");
        self.mailer.handle(event, span::minutes(1)).await
    }

    /// Calls the mailer as its timer does, and then delivers what it has let go.
    pub async fn release_held(&self) -> Report {
        self.release_due().await.expect("the store answers");
        self.deliver().await
    }

    /// Delivers an event of the mail service about a mail.
    pub async fn feed_back(&self, event: Value) -> Result<(), Error> {
        self.mail_feedback.handle(serde_json::from_value(event).expect("an event"), span::minutes(1)).await
    }

    /// Calls the function that deletes the accounts whose deletion is due, as its timer does.
    pub async fn sweep(&self) {
        self.sweep_within(span::minutes(5)).await;
    }

    /// The same, with this time until Lambda cuts the function off.
    pub async fn sweep_within(&self, time: Duration) {
        self.sweeper.handle(Hour::default(), time).await.expect("what fails is counted");
    }

    /// Delivers the records of every event that waits to the function that publishes them, once.
    pub async fn publish(&self) -> Report {
        let records = self.event_records().await;
        self.events.handle(records, span::minutes(1)).await.expect("a report, whatever became of the events")
    }

    /// The records with which the stream announces the events that wait, in the order of their accounts.
    pub async fn event_records(&self) -> Records {
        let events = self.snapshot("outbox").await.into_keys().filter(|(partition, _)| partition.starts_with("event#"));
        let record = |(number, (pk, sk)): (usize, (String, String))| {
            let keys = json!({ "pk": { "S": pk }, "sk": { "S": sk } });
            json!({ "eventName": "INSERT", "dynamodb": { "Keys": keys, "SequenceNumber": number.to_string() } })
        };
        let records: Vec<Value> = events.enumerate().map(record).collect();
        serde_json::from_value(json!({ "Records": records })).expect("records")
    }

    /// The types of the events that wait, in alphabetical order.
    pub async fn waiting_events(&self) -> Vec<String> {
        let events = self.snapshot("outbox").await.into_iter().filter(|((partition, _), _)| partition.starts_with("event#"));
        let mut types: Vec<String> = events.map(|(_, item)| item["type"].clone()).collect();
        types.sort();
        types
    }

    /// Takes the records of the stream without delivering them.
    pub async fn stream(&self) -> Records {
        self.stream.lock().await.next().await
    }
}
