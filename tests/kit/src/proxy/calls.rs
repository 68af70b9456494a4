//! Calls to a service: how they are recorded, and how those that a test selects are made to fail.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::reach::reach;

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

    /// Whether it makes a difference which of two calls comes first: they have an item in common, which one of them writes.
    pub fn meets(&self, other: &Self) -> bool {
        let (mine, theirs) = (reach(&self.operation, &self.request), reach(&other.operation, &other.request));
        mine.iter().any(|one| theirs.iter().any(|other| one.meets(other)))
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
    /// It waits at a gate, and continues normally when that is opened. It waits longer than a function would, so this is for `App::patiently_observed`.
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

/// Whether and how a call fails.
pub type Injected = Option<(When, Failure)>;
type Rule = Arc<dyn Fn(&Call) -> Injected + Send + Sync>;

/// The record of a client's calls, and the rule by which some of them fail. A clone is the same record.
#[derive(Clone, Default)]
pub struct Calls {
    record: Arc<Mutex<Record>>,
    rule: Arc<Mutex<Option<Rule>>>,
    is_not_kept: bool,
}

/// The calls since the records were last cleared.
#[derive(Default)]
struct Record {
    calls: Vec<Call>,
    /// The number of each invocation, and where its tries are in `calls`: an import makes thousands, and none is looked for among all the others.
    invocations: HashMap<String, (usize, Vec<usize>)>,
}

impl Record {
    /// The number of an invocation, and of its tries so far.
    fn before(&self, invocation: &str) -> (usize, usize) {
        self.invocations.get(invocation).map_or((self.invocations.len(), 0), |(number, tries)| (*number, tries.len()))
    }

    fn push(&mut self, call: Call) {
        let (_, tries) = self.invocations.entry(call.invocation.clone()).or_insert_with(|| (call.number, Vec::new()));
        tries.push(self.calls.len());
        self.calls.push(call);
    }

    /// Replaces the record of the same try, if the records have not been cleared in the meantime.
    fn replace(&mut self, call: Call) {
        let place = self.invocations.get(&call.invocation).and_then(|(_, tries)| tries.get(call.attempt - 1));
        if let Some(place) = place {
            self.calls[*place] = call;
        }
    }
}

/// What all calls of this process cost: their number, and the units that they wrote and read.
static COST: Mutex<(u64, f64, f64)> = Mutex::new((0, 0.0, 0.0));

/// What the calls of this process have cost since this was last asked.
pub(crate) fn cost_since_last_asked() -> (u64, f64, f64) {
    std::mem::take(&mut *COST.lock().expect("nobody panics while counting"))
}

/// A call before it is recorded.
pub(super) struct Asked {
    /// `DynamoDB_20120810.GetItem`: the header `X-Amz-Target`; empty if there is none.
    pub(super) target: String,
    /// The path of the URL.
    pub(super) path: String,
    /// The header `amz-sdk-invocation-id`, which is the same for every try of one call.
    pub(super) invocation: String,
    /// The body.
    pub(super) request: Value,
}

/// The service's answer to a call.
pub(super) struct Answered<R> {
    /// As the client gets it.
    pub(super) answer: R,
    /// Its status; 0 if there was none.
    pub(super) status: u16,
    /// Its body.
    pub(super) body: Value,
}

/// What the client gets.
pub(super) enum Outcome<R> {
    /// The service's answer.
    Passed(R),
    /// An answer with this status and body instead.
    Says(u16, Value),
    /// No answer: the connection breaks.
    Drops,
}

impl Calls {
    /// Of calls that are only counted, and of which no record is kept.
    pub(crate) fn not_kept() -> Self {
        Self { is_not_kept: true, ..Self::default() }
    }

    /// Every try of every call since the records were last cleared, in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.locked().calls.clone()
    }

    /// The number of calls of each operation, regardless of retries.
    pub fn count(&self) -> BTreeMap<String, usize> {
        let mut count = BTreeMap::new();
        for call in self.locked().calls.iter().filter(|call| call.attempt == 1) {
            *count.entry(call.operation.clone()).or_default() += 1;
        }
        count
    }

    /// The cost of writes and reads in capacity units, as far as the answers report it.
    pub fn units(&self) -> (f64, f64) {
        let cost = |writes: bool| self.locked().calls.iter().filter(|call| call.writes() == writes).map(Call::units).sum();
        (cost(true), cost(false))
    }

    /// How often a function waited for the service: a call that is made while another is under way is one wait with it.
    pub fn waits(&self) -> usize {
        let (mut waits, mut until) = (0, None);
        for call in &self.locked().calls {
            waits += usize::from(until.is_none_or(|until| until <= call.came_at));
            until = until.max(Some(call.answered_at.unwrap_or(call.came_at)));
        }
        waits
    }

    /// The time during which the service was working on at least one call.
    pub fn busy(&self) -> Duration {
        let mut spans: Vec<(Instant, Instant)> =
            self.locked().calls.iter().filter_map(|call| Some((call.came_at, call.answered_at?))).collect();
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
        *self.locked() = Record::default();
    }

    /// From now on makes the calls fail that `rule` selects.
    pub fn fail(&self, rule: impl Fn(&Call) -> Injected + Send + Sync + 'static) {
        *self.rule.lock().expect("no rule panics") = Some(Arc::new(rule));
    }

    /// Makes no more calls fail.
    pub fn heal(&self) {
        *self.rule.lock().expect("no rule panics") = None;
    }

    /// Records a call and lets it through to the service, unless the rule makes it fail.
    pub(super) async fn pass<R>(&self, asked: Asked, service: impl Future<Output = Answered<R>>) -> Outcome<R> {
        let call = self.note(asked);
        let injected = self.injected(&call);
        if let Some((When::Before, failure)) = &injected
            && let Some(outcome) = failure.happens().await
        {
            return outcome;
        }
        let Answered { answer, status, body } = service.await;
        let call = Call { status, answer: body.clone(), answered_at: Some(Instant::now()), ..call };
        {
            let mut cost = COST.lock().expect("nobody panics while counting");
            let (written, read) = if call.writes() { (call.units(), 0.0) } else { (0.0, call.units()) };
            *cost = (cost.0 + 1, cost.1 + written, cost.2 + read);
        }
        self.locked().replace(call);
        if let Some((When::After, failure)) = &injected
            && let Some(outcome) = failure.happens().await
        {
            return outcome;
        }
        Outcome::Passed(answer)
    }

    fn locked(&self) -> MutexGuard<'_, Record> {
        self.record.lock().expect("nobody panics while counting")
    }

    fn note(&self, asked: Asked) -> Call {
        let operation = match asked.target.rsplit_once('.') {
            Some((_, operation)) => operation.to_owned(),
            None if asked.path.ends_with("/outbound-emails") => "SendEmail".to_owned(),
            None => asked.path,
        };
        let mut record = self.locked();
        let (number, tries) = record.before(&asked.invocation);
        let call = Call {
            number,
            attempt: tries + 1,
            operation,
            request: asked.request,
            answer: Value::Null,
            status: 0,
            came_at: Instant::now(),
            answered_at: None,
            invocation: asked.invocation,
        };
        if !self.is_not_kept {
            record.push(call.clone());
        }
        call
    }

    fn injected(&self, call: &Call) -> Injected {
        let rule = self.rule.lock().expect("no rule panics").clone();
        rule.and_then(|rule| rule(call))
    }
}

/// The error code that the store's answer also has in a header (`X-Amzn-ErrorType`).
pub(super) fn error_type(body: &Value) -> &str {
    body["__type"].as_str().and_then(|code| code.rsplit('#').next()).unwrap_or_default()
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
            // A read of one item, or of a partition, cannot conflict, but can be throttled.
            "GetItem" | "Query" if reason == "TransactionConflict" => Self::code(400, "ThrottlingException"),
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

    /// The outcome that it leads to, if the call does not continue.
    async fn happens<R>(&self) -> Option<Outcome<R>> {
        match self {
            Self::Says(status, body) => Some(Outcome::Says(*status, body.clone())),
            Self::Drops => Some(Outcome::Drops),
            Self::Hangs => std::future::pending().await,
            Self::Waits(gate) => {
                gate.reached.notify_one();
                gate.opened.notified().await;
                None
            }
        }
    }
}
