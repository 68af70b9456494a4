//! A proxy between a real client and a service, which counts calls, reads their cost, and makes the calls fail that a test selects.

use std::{
    collections::BTreeMap,
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Request, Response, header, uri::Uri},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// A call as the service sees it. A retry of the SDK counts as the same call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its number, from 0, since the records were last cleared.
    pub number: usize,
    /// The number of this try, from 1.
    pub attempt: usize,
    /// `GetItem`, `TransactWriteItems` …; `SendEmail` for the mail service.
    pub operation: String,
    /// The body of the request.
    pub request: Value,
    /// The body of the answer; null if unknown.
    pub answer: Value,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
    /// When it arrived.
    pub came_at: Instant,
    /// When the service had answered, if it has.
    pub answered_at: Option<Instant>,
    invocation: String,
}

impl Call {
    /// The cost of the call in capacity units of all its tables. A refused write does not report its cost, which is that of the write.
    pub fn units(&self) -> f64 {
        match &self.answer["ConsumedCapacity"] {
            Value::Array(tables) => tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum(),
            table => table["CapacityUnits"].as_f64().unwrap_or_default(),
        }
    }

    /// Whether it writes.
    pub fn writes(&self) -> bool {
        !matches!(self.operation.as_str(), "GetItem" | "BatchGetItem" | "Query" | "Scan" | "TransactGetItems")
    }
}

/// How a call fails.
#[derive(Clone, Debug)]
pub enum Failure {
    /// It is answered with this status and body.
    Says(u16, Value),
    /// The connection breaks.
    Drops,
    /// It is never answered.
    Hangs,
    /// It waits at a gate, and continues normally when that is opened.
    Waits(Gate),
}

/// Holds a call until it is opened.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    reached: Arc<Notify>,
    opened: Arc<Notify>,
}

impl Gate {
    /// Waits until a call has arrived here.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets the call continue.
    pub fn open(&self) {
        self.opened.notify_one();
    }
}

/// When a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before it reaches the service.
    Before,
    /// After it has taken effect, so that its answer is lost.
    After,
}

/// Decides whether and how a call fails.
pub type Injected = Option<(When, Failure)>;
type Rule = Arc<dyn Fn(&Call) -> Injected + Send + Sync>;

/// A service whose calls can be made to fail.
#[derive(Clone)]
pub struct Proxy {
    inner: Arc<Inner>,
}

struct Inner {
    url: String,
    service: String,
    client: Client<HttpConnector, Body>,
    calls: Mutex<Vec<Call>>,
    rule: Mutex<Option<Rule>>,
}

impl Proxy {
    /// A proxy in front of the service at this URL.
    pub async fn before(service: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let proxy = Self {
            inner: Arc::new(Inner {
                url: format!("http://{}", listener.local_addr().expect("an address")),
                service: service.to_owned(),
                client: Client::builder(TokioExecutor::new()).build_http(),
                calls: Mutex::default(),
                rule: Mutex::default(),
            }),
        };
        let router = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        proxy
    }

    /// The URL on which it listens.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Every try of every call since the records were last cleared, in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.locked().clone()
    }

    /// The number of calls of each operation, regardless of retries.
    pub fn count(&self) -> BTreeMap<String, usize> {
        let mut count = BTreeMap::new();
        for call in self.locked().iter().filter(|call| call.attempt == 1) {
            *count.entry(call.operation.clone()).or_default() += 1;
        }
        count
    }

    /// The cost of writes and reads in capacity units, as far as the answers report it.
    pub fn units(&self) -> (f64, f64) {
        let cost = |writes: bool| self.locked().iter().filter(|call| call.writes() == writes).map(Call::units).sum();
        (cost(true), cost(false))
    }

    /// The time during which the service was working on at least one call.
    pub fn busy(&self) -> Duration {
        let mut spans: Vec<(Instant, Instant)> = self.locked().iter().filter_map(|call| Some((call.came_at, call.answered_at?))).collect();
        spans.sort();
        let mut busy = Duration::ZERO;
        let mut until = None;
        for (from, to) in spans {
            let from = until.map_or(from, |until: Instant| until.max(from));
            busy += to.saturating_duration_since(from);
            until = Some(until.map_or(to, |until: Instant| until.max(to)));
        }
        busy
    }

    /// Clears the records and the rule.
    pub fn forget(&self) {
        self.heal();
        self.locked().clear();
    }

    /// From now on makes the calls fail that `rule` selects.
    pub fn fail(&self, rule: impl Fn(&Call) -> Injected + Send + Sync + 'static) {
        *self.inner.rule.lock().expect("no rule panics") = Some(Arc::new(rule));
    }

    /// Makes no more calls fail.
    pub fn heal(&self) {
        *self.inner.rule.lock().expect("no rule panics") = None;
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Call>> {
        self.inner.calls.lock().expect("nobody panics while counting")
    }

    /// Records a call; returns the position of its record.
    fn note(&self, headers: &HeaderMap, uri: &Uri, request: Value, came_at: Instant) -> (usize, Call) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let target = text("x-amz-target");
        let operation = match target.rsplit_once('.') {
            Some((_, operation)) => operation.to_owned(),
            None if uri.path().ends_with("/outbound-emails") => "SendEmail".to_owned(),
            None => uri.path().to_owned(),
        };
        let invocation = text("amz-sdk-invocation-id");
        let mut calls = self.locked();
        let same: Vec<&Call> = calls.iter().filter(|call| call.invocation == invocation).collect();
        let number = same.first().map_or_else(|| calls.iter().filter(|call| call.attempt == 1).count(), |call| call.number);
        let call = Call {
            number,
            attempt: same.len() + 1,
            operation,
            request,
            answer: Value::Null,
            status: 0,
            came_at,
            answered_at: None,
            invocation,
        };
        calls.push(call.clone());
        (calls.len() - 1, call)
    }

    fn injected(&self, call: &Call) -> Injected {
        let rule = self.inner.rule.lock().expect("no rule panics").clone();
        rule.and_then(|rule| rule(call))
    }

    async fn forward(&self, mut head: axum::http::request::Parts, body: Bytes) -> (axum::http::response::Parts, Bytes) {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = format!("{}{path}", self.inner.service).parse().expect("a URL");
        head.headers.remove(header::HOST);
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        let answer = self.inner.client.request(Request::from_parts(head, Body::from(body))).await.expect("the service answers");
        let (head, body) = answer.into_parts();
        (head, to_bytes(Body::new(body), usize::MAX).await.expect("a whole answer"))
    }
}

async fn pass(State(proxy): State<Proxy>, request: Request<Body>) -> Response<Body> {
    let came_at = Instant::now();
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a whole request");
    let mut asked: Value = serde_json::from_slice(&body).expect("both services speak JSON");
    let (record, call) = proxy.note(&head.headers, &head.uri, asked.clone(), came_at);
    let injected = proxy.injected(&call);
    if let Some((When::Before, failure)) = &injected
        && let Some(answer) = failure.happens().await
    {
        return answer;
    }
    let body = if call.operation == "SendEmail" {
        body
    } else {
        asked["ReturnConsumedCapacity"] = json!("TOTAL");
        Bytes::from(asked.to_string())
    };
    let (head, body) = proxy.forward(head, body).await;
    if let Some(call) = proxy.locked().get_mut(record) {
        call.status = head.status.as_u16();
        call.answer = serde_json::from_slice(&body).unwrap_or_default();
        call.answered_at = Some(Instant::now());
    }
    if let Some((When::After, failure)) = &injected
        && let Some(answer) = failure.happens().await
    {
        return answer;
    }
    Response::from_parts(head, Body::from(body))
}

impl Failure {
    /// An error of the store with this code, in its own format.
    pub fn code(status: u16, code: &str) -> Self {
        Self::Says(status, json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "made by a test" }))
    }

    /// The store's answer to a call that conflicts with another transaction (`TransactionConflict`) or is throttled (`ThrottlingError`), in the form that the
    /// call's operation has for it.
    pub fn busy(call: &Call, reason: &str) -> Self {
        let alone = match reason {
            "TransactionConflict" => "TransactionConflictException",
            "ThrottlingError" => "ThrottlingException",
            _ => "ProvisionedThroughputExceededException",
        };
        match call.operation.as_str() {
            "TransactWriteItems" => Self::cancelled(call, &[reason]),
            // A batch returns the parts that it could not do.
            "BatchWriteItem" => Self::Says(200, json!({ "UnprocessedItems": call.request["RequestItems"] })),
            "BatchGetItem" => Self::Says(200, json!({ "Responses": {}, "UnprocessedKeys": call.request["RequestItems"] })),
            // A read of one item cannot conflict, but can be throttled.
            "GetItem" if reason == "TransactionConflict" => Self::code(400, "ThrottlingException"),
            _ => Self::code(400, alone),
        }
    }

    /// The store's answer to a transaction that it cancelled for these reasons, one for each of the first items.
    pub fn cancelled(call: &Call, reasons: &[&str]) -> Self {
        let items = call.request["TransactItems"].as_array().map_or(0, Vec::len);
        let reason = |index: usize| reasons.get(index).copied().unwrap_or("None");
        let reasons: Vec<Value> = (0..items).map(|index| json!({ "Code": reason(index), "Message": "made by a test" })).collect();
        let Self::Says(status, mut body) = Self::code(400, "TransactionCanceledException") else { unreachable!() };
        body["CancellationReasons"] = json!(reasons);
        Self::Says(status, body)
    }

    /// The answer, if there is one.
    async fn happens(&self) -> Option<Response<Body>> {
        match self {
            Self::Says(status, body) => {
                let answer = Response::builder().status(*status).header(header::CONTENT_TYPE, "application/x-amz-json-1.0");
                let code = body["__type"].as_str().unwrap_or_default();
                let code = code.rsplit('#').next().unwrap_or_default();
                Some(answer.header("x-amzn-errortype", code).body(Body::from(body.to_string())).expect("an answer"))
            }
            // Ends the connection's task without an answer. Unlike a panic it prints nothing to standard error.
            Self::Drops => resume_unwind(Box::new("dropped on purpose")),
            Self::Hangs => std::future::pending().await,
            Self::Waits(gate) => {
                gate.reached.notify_one();
                gate.opened.notified().await;
                None
            }
        }
    }
}
