//! What log lines say of a request: its id, the account, the client as far as it is to be logged, and whether the account was limited.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use doorward::telemetry;
use doorward_kit::{
    App,
    app::REQUEST_ID,
    requests::{PASSWORD, address_of, login, reset_request, validate},
};
use serde_json::{Value, json};
use tracing::{Dispatch, dispatcher::DefaultGuard, level_filters::LevelFilter};

/// Log lines in the form in which a function writes them.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Collects the lines of this thread until what is returned beside the log is dropped.
    ///
    /// Where there is one subscriber, `tracing` takes it for that of every thread: an event that a thread without one comes to first is switched off for
    /// all. With a second one it asks each.
    pub fn start(level: LevelFilter) -> (Self, (Dispatch, DefaultGuard)) {
        let log = Self::default();
        let writer = log.clone();
        let lines = Dispatch::new(telemetry::lines_to(move || writer.clone(), level));
        let second = Dispatch::new(telemetry::lines_to(std::io::sink, level));
        (log, (second, tracing::dispatcher::set_default(&lines)))
    }

    /// What was written since the previous call.
    pub fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }

    /// The lines with this message since the previous call.
    fn lines(&self, message: &str) -> Vec<Value> {
        let text = self.take();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["message"] == message).collect()
    }
}

async fn id_of(app: &App, name: &str) -> Value {
    json!(app.store.account_by_login_name(name).await.unwrap().unwrap().id.to_string())
}

#[tokio::test]
async fn a_refused_login_is_logged_with_its_account_its_network_and_whether_it_was_limited() {
    let (log, _guard) = Log::start(LevelFilter::INFO);
    for (setting, client) in [("network", json!("198.51.100.0/24")), ("full", json!("198.51.100.9")), ("none", Value::Null)] {
        let app = App::configured(&[("LOG_CLIENTS", setting), ("LOGIN_ACCOUNT_LIMIT", "1/15m")]).await;
        app.sign_up("ann").await;
        log.lines("answered");
        for (name, limited) in [("ann", Value::Null), ("ann", json!(true)), ("nobody", Value::Null)] {
            app.send(login(name, "Wrong-Horse-42").from("198.51.100.9")).await;
            let [line] = &log.lines("answered")[..] else { panic!("one line") };
            let account = if name == "ann" { id_of(&app, "ann").await } else { json!("unknown") };
            assert_eq!((&line["outcome"], &line["status"]), (&json!("credentials"), &json!(401)));
            let span = &line["span"];
            assert_eq!(
                (&span["request_id"], &span["account"], &span["client"], &span["limited"]),
                (&json!(REQUEST_ID), &account, &client, &limited)
            );
        }
        app.send(login("ann", PASSWORD)).await;
        let [line] = &log.lines("answered")[..] else { panic!("one line") };
        assert_eq!((&line["outcome"], &line["span"]["client"]), (&json!("ok"), &Value::Null), "a login that succeeds says no client");
    }
}

#[tokio::test]
async fn whatever_may_be_a_guess_is_logged_with_its_network() {
    let (log, _guard) = Log::start(LevelFilter::INFO);
    let app = App::configured(&[("LOGIN_CLIENT_LIMIT", "1/5m")]).await;
    let session = app.sign_up("ann").await.login().await;
    log.lines("answered");
    app.send(login("ann", "Wrong-Horse-42")).await;
    app.change_password(&session, "Wrong-Horse-42", "Battery-Staple-77").await;
    app.send(validate("dwr_nonsense")).await;
    app.register("ann", "nonsense").await;
    let told: Vec<Value> = log.lines("answered").iter().map(|line| json!([line["outcome"], line["span"]["client"]])).collect();
    let network = "203.0.113.0/24";
    assert_eq!(json!(told), json!([["throttled", network], ["old_password", network], ["token", network], ["fields", null]]));
}

#[tokio::test]
async fn a_warning_says_which_request_it_belongs_to_whatever_the_level() {
    let (log, _guard) = Log::start(LevelFilter::WARN);
    let app = App::start().await;
    app.sign_up("ann").await;
    app.operator.set_password_hash("ann", "md5$salt$00000000000000000000000000000000").await;
    app.send(login("ann", PASSWORD)).await;
    let [line] = &log.lines("stored hash refused")[..] else { panic!("one line") };
    assert_eq!((&line["span"]["request_id"], &line["span"]["account"]), (&json!(REQUEST_ID), &id_of(&app, "ann").await));
}

#[tokio::test]
async fn a_mail_is_logged_with_the_request_that_asked_for_it_and_its_account() {
    let (log, _guard) = Log::start(LevelFilter::INFO);
    let app = App::start().await;
    app.sign_up("ann").await;
    app.reset_link(&address_of("ann")).await;
    let [line] = &log.lines("mail handled")[..] else { panic!("one line") };
    assert_eq!((&line["outcome"], &line["message_id"]), (&json!("sent"), &json!("1")));
    assert_eq!((&line["span"]["request_id"], &line["span"]["account"]), (&json!(REQUEST_ID), &id_of(&app, "ann").await));
    app.send(reset_request(&address_of("nobody"))).await;
    app.deliver().await;
    let [line] = &log.lines("mail handled")[..] else { panic!("one line") };
    assert_eq!((&line["outcome"], &line["span"]["account"]), (&json!("no account"), &Value::Null));
}
