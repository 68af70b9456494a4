//! Promise 6, for every operation: its calls, its capacity units, and the bytes that it logs, with the settings that a stack has by default.
//!
//! The report of the bench counts the same of the release programs, as processes of their own. Both must say the same, so that a figure of the report, and
//! a price that is made of it, cannot outlive a change of the code.

use std::{fs, path::Path};

use doorward_kit::{
    App, Response,
    app::Observer,
    requests::{
        ACTIVATION, NEW_PASSWORD, PASSWORD, Request, change_address, change_password, confirm_reset, delete_me, disavow, end_sessions,
        export, login, logout, logout_all, me, register, request, reset_request, sessions, set_username, validate, verification_request,
        verify,
    },
    template,
};
use serde_json::{Value, json};
use tracing::{Dispatch, dispatcher::DefaultGuard, level_filters::LevelFilter};

use crate::{feedback::bounce, log_lines::Log};

/// The hash of `Correct-Horse-42` that an old Django stored.
const IMPORTED: &str = "pbkdf2_sha256$1000$saltsaltsalt$FCUAohngPzY3dX0U8srI5cqtZhj1id1F70mXUq/4kmg=";
const ADDRESS: &str = "ann@example.com";
/// The operation that logs nothing where it succeeds.
const CHECK: &str = "check a token";
/// The operation whose log has a line more in the report: that of the metric LoginsRefused. Metrics are counted for a whole process, so no test of this
/// program counts any; `metrics.rs` holds that line to its bytes.
const COUNTED: &str = "login, wrong password";

/// What an operation takes.
struct Spent {
    /// By the names of the bench, where it has the operation.
    operation: &'static str,
    calls: Vec<String>,
    /// How often it waits for the store: calls that are made together are one wait.
    waits: usize,
    written: f64,
    read: f64,
    /// The lines that it logs. Their ids have a fixed length, so the number of bytes is always the same.
    log: String,
}

impl Spent {
    fn row(&self) -> String {
        let message = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["message"].as_str().expect("a message").to_owned();
        let messages: Vec<String> = self.log.lines().map(message).collect();
        let logged = if messages.is_empty() { "nothing".to_owned() } else { format!("{} bytes ({})", self.log.len(), messages.join(", ")) };
        let calls = if self.calls.is_empty() { "none".to_owned() } else { self.calls.join(", ") };
        let Self { operation, waits, written, read, .. } = self;
        format!("{operation}: {written:.0} written, {read:.0} read, {waits} waits: {calls}; logs {logged}")
    }
}

/// An app with the template's settings, and what was measured in it.
struct Meter {
    app: App,
    observer: Observer,
    log: Log,
    _collecting: (Dispatch, DefaultGuard),
    spent: Vec<Spent>,
}

impl Meter {
    async fn start() -> Self {
        let (log, collecting) = Log::start(LevelFilter::INFO);
        let defaults: Vec<(&str, &str)> = template::defaults().into_iter().collect();
        for usual in [("ADDRESS_VERIFICATION", "optional"), ("EVENTS", "account"), ("LOG_LEVEL", "info"), ("METRICS", "few")] {
            assert!(defaults.contains(&usual), "{usual:?} is no default: {defaults:?}");
        }
        let (app, observer) = App::observed(&defaults).await;
        Self { app, observer, log, _collecting: collecting, spent: Vec::new() }
    }

    /// Measures what `work` takes.
    async fn measure<T>(&mut self, operation: &'static str, work: impl Future<Output = T>) -> T {
        self.observer.store.forget();
        self.log.take();
        let done = work.await;
        let (written, read) = self.observer.store.units();
        let calls = self.observer.store.calls().into_iter().map(|call| call.operation).collect();
        let (waits, log) = (self.observer.store.waits(), self.log.take());
        self.spent.push(Spent { operation, calls, waits, written: written.abs(), read: read.abs(), log });
        done
    }

    /// Measures a request, which succeeds.
    async fn ask(&mut self, operation: &'static str, asked: Request) -> Response {
        let app = self.app.clone();
        let answer = self.measure(operation, app.send(asked)).await;
        assert!(answer.status < 300, "{operation}: {answer:?}");
        answer
    }

    /// Registration and logins.
    async fn logins(&mut self) {
        let app = self.app.clone();
        self.ask("register", register("ann", ADDRESS)).await;
        app.operator.set_password_hash("ann", IMPORTED).await;
        app.deliver().await;
        app.advance(1);
        // The most expensive login stores a network and replaces a hash.
        self.ask("first login from a network", login("ann", PASSWORD)).await;
        let session = self.ask("login", login("ann", PASSWORD)).await.text("token");
        let refused = self.measure(COUNTED, app.send(login("ann", "Wrong-Horse-42"))).await;
        assert_eq!(refused.status, 401);
        let elsewhere = login("ann", PASSWORD).from("198.51.100.7");
        app.advance(60 * 60);
        self.ask("login from a new network", elsewhere.clone()).await;
        self.ask("the same again", elsewhere).await;
        assert!(self.measure(CHECK, app.lets_pass(&session)).await);
        assert!(!self.measure("refuse a token", app.lets_pass("dws_nonsense")).await);
    }

    /// What begins with a mailed link.
    async fn links(&mut self) {
        let app = self.app.clone();
        app.deliver().await;
        self.ask("verification request", verification_request(ADDRESS)).await;
        app.deliver().await;
        let token = app.verification_links(ADDRESS).pop().expect("a link");
        self.ask("open a verification link", request("GET", &format!("{ACTIVATION}?token={token}"))).await;
        self.ask("reset request", reset_request(ADDRESS)).await;
        self.measure("send a mail", app.deliver()).await;
        let reset = app.newest_reset_link(ADDRESS).expect("a link");
        self.ask("validate", validate(&reset)).await;
        self.ask("open the link", request("GET", &format!("/api/password_reset/confirm/?token={reset}"))).await;
        self.ask("confirm", confirm_reset(&reset, NEW_PASSWORD)).await;
        app.operator.remove("ann", "verified_at").await;
        app.advance(60 * 60);
        app.send(verification_request(ADDRESS)).await;
        app.deliver().await;
        let token = app.verification_links(ADDRESS).pop().expect("a link");
        self.ask("verify", verify(&token)).await;
    }

    /// What a session is for.
    async fn own_account(&mut self) {
        let app = self.app.clone();
        let session = app.login("ann", NEW_PASSWORD).await;
        self.ask("change password", change_password(&session, NEW_PASSWORD, PASSWORD)).await;
        self.ask("see sessions", sessions(&session)).await;
        self.ask("see own account", me(&session)).await;
        self.ask("export own account", export(&session)).await;
        self.ask("set username", set_username(&session, "anna", PASSWORD)).await;
        self.ask("ask for another address", change_address(&session, "anna@example.com", PASSWORD)).await;
        let other = app.login("anna", PASSWORD).await;
        let id = app.session_id(&other).await;
        self.ask("end a session", end_sessions(&session, &[&id], PASSWORD)).await;
        let session = app.login("anna", PASSWORD).await;
        self.ask("logout", logout(&session)).await;
        let session = app.login("anna", PASSWORD).await;
        self.ask("logout everywhere", logout_all(&session)).await;
    }

    /// The end of an account, and what no client asks for.
    async fn others(&mut self) {
        let app = self.app.clone();
        app.publish().await;
        let session = app.sign_up("ben").await.login().await;
        self.measure("publish an event", app.publish()).await;
        assert_eq!(app.waiting_events().await, [""; 0]);
        self.measure("note a bounce", app.feed_back(bounce(&app, "ben@example.com"))).await.expect("it is noted");
        app.change_password(&session, PASSWORD, NEW_PASSWORD).await;
        app.deliver().await;
        let notice = app.mailbox.to("ben@example.com").pop().and_then(|mail| mail.disavowal_token()).expect("a notice");
        self.ask("disavow", disavow(&notice)).await;
        let session = app.login("anna", PASSWORD).await;
        self.ask("delete own account", delete_me(&session, PASSWORD)).await;
    }
}

/// What every operation takes.
async fn measured() -> Vec<Spent> {
    let mut meter = Meter::start().await;
    meter.logins().await;
    meter.links().await;
    meter.own_account().await;
    meter.others().await;
    meter.spent
}

/// What the bench has measured of each operation with a running function.
fn reported() -> Value {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bench/results.json");
    let mut results: Value = serde_json::from_str(&fs::read_to_string(results).expect("results")).expect("JSON");
    let mut warm = results["warm"]["data"].take();
    // The baselines are no operations: programs that do nothing else than so many calls.
    warm.as_object_mut().expect("operations").retain(|name, _| name != "empty" && !name.ends_with("nothing else"));
    warm
}

/// Where measurements of the bench differ from these, a sentence each.
fn differences(spent: &[Spent], reported: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for (operation, seen) in reported.as_object().expect("operations") {
        let Some(here) = spent.iter().find(|spent| spent.operation == operation) else {
            wrong.push(format!("{operation} has no budget"));
            continue;
        };
        let samples = |what: &str| -> Vec<f64> {
            let samples = seen[what].as_array().expect("samples");
            samples.iter().map(|sample| sample.as_f64().expect("a number")).collect()
        };
        let number = |count: usize| count.to_string().parse::<f64>().expect("a number");
        let mut exactly = vec![("calls", number(here.calls.len())), ("written", here.written), ("read", here.read)];
        if operation != COUNTED {
            exactly.extend([("logged_lines", number(here.log.lines().count())), ("logged_bytes", number(here.log.len()))]);
        }
        for (what, budget) in exactly {
            if let Some(other) = samples(what).into_iter().find(|sample| (sample - budget).abs() > f64::EPSILON) {
                wrong.push(format!("{operation}: {what} is {budget} here and {other} in the report"));
            }
        }
        // Whether two calls that are made together meet is by chance in another process, so the least of the samples counts.
        let waits = samples("waits").into_iter().fold(f64::INFINITY, f64::min);
        if (waits - number(here.waits)).abs() > f64::EPSILON {
            wrong.push(format!("{operation}: waits is {} here and {waits} in the report", here.waits));
        }
        // Which of such calls comes first is by chance, too.
        let mut names: [Vec<&str>; 2] = [
            here.calls.iter().map(String::as_str).collect(),
            seen["operations"].as_array().expect("operations").iter().filter_map(Value::as_str).collect(),
        ];
        names.iter_mut().for_each(|names| names.sort_unstable());
        if names[0] != names[1] {
            wrong.push(format!("{operation}: {:?} here and {:?} in the report", names[0], names[1]));
        }
    }
    wrong
}

#[tokio::test]
async fn every_operation_keeps_within_its_budget() {
    let spent = measured().await;
    let check = spent.iter().find(|spent| spent.operation == CHECK).expect("it is measured");
    assert_eq!(check.log, "", "nearly all requests of a deployment are such checks, and a line costs nearly as much as their read");
    insta::assert_snapshot!(spent.iter().map(Spent::row).collect::<Vec<_>>().join("\n"), @r"
    register: 11 written, 0 read, 2 waits: UpdateItem, TransactWriteItems; logs 436 bytes (registered, answered)
    first login from a network: 5 written, 3 read, 5 waits: UpdateItem, BatchGetItem, GetItem, UpdateItem, BatchWriteItem, UpdateItem; logs 229 bytes (answered)
    login: 4 written, 3 read, 4 waits: UpdateItem, BatchGetItem, GetItem, UpdateItem, BatchWriteItem; logs 229 bytes (answered)
    login, wrong password: 2 written, 3 read, 3 waits: UpdateItem, BatchGetItem, GetItem, UpdateItem; logs 264 bytes (answered)
    login from a new network: 9 written, 3 read, 6 waits: UpdateItem, BatchGetItem, GetItem, UpdateItem, TransactWriteItems, BatchWriteItem, UpdateItem; logs 229 bytes (answered)
    the same again: 4 written, 3 read, 4 waits: UpdateItem, BatchGetItem, GetItem, UpdateItem, BatchWriteItem; logs 229 bytes (answered)
    check a token: 0 written, 2 read, 1 waits: BatchGetItem; logs nothing
    refuse a token: 0 written, 0 read, 0 waits: none; logs 108 bytes (answered)
    verification request: 2 written, 0 read, 2 waits: UpdateItem, PutItem; logs 180 bytes (answered)
    open a verification link: 1 written, 2 read, 1 waits: UpdateItem, BatchGetItem; logs 180 bytes (answered)
    reset request: 2 written, 0 read, 2 waits: UpdateItem, PutItem; logs 180 bytes (answered)
    send a mail: 17 written, 5 read, 10 waits: UpdateItem, GetItem, GetItem, BatchGetItem, TransactWriteItems, UpdateItem, TransactWriteItems, GetItem, TransactWriteItems, UpdateItem; logs 263 bytes (mail handled)
    validate: 1 written, 2 read, 1 waits: UpdateItem, BatchGetItem; logs 180 bytes (answered)
    open the link: 1 written, 2 read, 1 waits: UpdateItem, BatchGetItem; logs 180 bytes (answered)
    confirm: 11 written, 2 read, 2 waits: UpdateItem, BatchGetItem, TransactWriteItems; logs 229 bytes (answered)
    verify: 7 written, 2 read, 2 waits: UpdateItem, BatchGetItem, TransactWriteItems; logs 448 bytes (address verified, answered)
    change password: 14 written, 2 read, 4 waits: BatchGetItem, UpdateItem, UpdateItem, TransactWriteItems; logs 229 bytes (answered)
    see sessions: 0 written, 3 read, 2 waits: BatchGetItem, Query; logs 229 bytes (answered)
    see own account: 0 written, 3 read, 2 waits: BatchGetItem, GetItem; logs 229 bytes (answered)
    export own account: 2 written, 14 read, 5 waits: BatchGetItem, UpdateItem, UpdateItem, Query, Query, Query, Query, Query, Query, Query, Query, Query, Query, Query, Query; logs 440 bytes (account exported, answered)
    set username: 13 written, 2 read, 5 waits: BatchGetItem, UpdateItem, UpdateItem, UpdateItem, TransactWriteItems; logs 229 bytes (answered)
    ask for another address: 12 written, 2 read, 6 waits: BatchGetItem, UpdateItem, UpdateItem, UpdateItem, UpdateItem, TransactWriteItems; logs 456 bytes (change of address requested, answered)
    end a session: 6 written, 3 read, 5 waits: BatchGetItem, UpdateItem, UpdateItem, Query, TransactWriteItems; logs 229 bytes (answered)
    logout: 1 written, 2 read, 2 waits: BatchGetItem, DeleteItem; logs 229 bytes (answered)
    logout everywhere: 1 written, 2 read, 2 waits: BatchGetItem, UpdateItem; logs 229 bytes (answered)
    publish an event: 1 written, 1 read, 2 waits: GetItem, BatchWriteItem; logs 204 bytes (event published)
    note a bounce: 1 written, 1 read, 2 waits: GetItem, UpdateItem; logs 108 bytes (mail feedback)
    disavow: 11 written, 2 read, 2 waits: UpdateItem, BatchGetItem, TransactWriteItems; logs 443 bytes (password disavowed, answered)
    delete own account: 16 written, 2 read, 4 waits: BatchGetItem, UpdateItem, UpdateItem, TransactWriteItems; logs 438 bytes (deletion requested, answered)
    ");
}

#[tokio::test]
async fn the_report_of_the_bench_counts_what_the_budgets_count() {
    let (spent, mut reported) = (measured().await, reported());
    assert!(reported.as_object().is_some_and(|operations| operations.len() >= 19), "the bench measures fewer operations: {reported}");
    assert_eq!(differences(&spent, &reported), [""; 0], "`make bench PARTS=warm` measures anew what has changed");
    reported["register"]["written"][0] = json!(9);
    reported["login"]["logged_bytes"][0] = json!(1);
    reported["unknown"] = json!({});
    assert_eq!(differences(&spent, &reported).len(), 3, "and would be missed");
}
