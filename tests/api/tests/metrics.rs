//! Metrics: what the outcome of each endpoint counts. A request writes at most one line, which contains numbers only.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::{BTreeMap, BTreeSet};

use doorward_kit::{
    App,
    bus::BusFault,
    mailbox::Refuse,
    requests::{NEW_PASSWORD, PASSWORD, Request, address_of, login, post, request, reset_request, validate},
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

/// Counting is global in a process, so these tests run one after another.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

struct Counting {
    app: App,
    _alone: MutexGuard<'static, ()>,
}

impl Counting {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let alone = ONE_AT_A_TIME.lock().await;
        let app = App::configured(&[&[("DEPLOYMENT", "accounts-test")], settings].concat()).await;
        Self { app, _alone: alone }
    }

    /// What has been counted since the previous call: the number of times, or of values.
    fn counted(&self) -> BTreeMap<String, u64> {
        let lines = String::from_utf8(std::mem::take(&mut *self.app.metric_lines.lock().unwrap())).unwrap();
        assert!(lines.lines().count() <= 1, "one line a request: {lines}");
        let Some(line) = lines.lines().next() else { return BTreeMap::new() };
        let line: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
        let [directive] = &line["_aws"]["CloudWatchMetrics"].as_array().unwrap()[..] else { panic!("one directive: {line:?}") };
        assert_eq!((&directive["Namespace"], &directive["Dimensions"]), (&json!("Doorward"), &json!([["Deployment"]])));
        assert_eq!(line["Deployment"], "accounts-test");
        let mut counted = BTreeMap::new();
        for metric in directive["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            let count = match &line[name] {
                Value::Array(values) => {
                    assert_eq!((name, &metric["Unit"]), ("HashMilliseconds", &json!("Milliseconds")));
                    assert!(values.iter().all(|value| value.as_f64().unwrap() > 0.0), "{values:?}");
                    u64::try_from(values.len()).unwrap()
                }
                number => number.as_u64().unwrap(),
            };
            counted.insert(name.to_owned(), count);
        }
        // The line contains the counts, the time and the deployment, and nothing else.
        let known: BTreeSet<&str> = counted.keys().map(String::as_str).chain(["_aws", "Deployment"]).collect();
        assert_eq!(line.keys().map(String::as_str).collect::<BTreeSet<_>>(), known);
        counted
    }

    /// Discards what the preparation of a test has counted.
    fn forget(&self) {
        self.app.metric_lines.lock().unwrap().clear();
    }

    async fn counts(&self, asked: Request, expected: &[(&str, u64)]) {
        self.forget();
        let told = format!("{} {}", asked.method, asked.path);
        self.app.send(asked).await;
        self.counts_now(expected, &told);
    }

    #[track_caller]
    fn counts_now(&self, expected: &[(&str, u64)], told: &str) {
        let expected: BTreeMap<String, u64> = expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        assert_eq!(self.counted(), expected, "{told}");
    }
}

const HASHED: (&str, u64) = ("HashMilliseconds", 1);

#[tokio::test]
async fn a_login_counts_one_of_accepted_refused_and_limited_whoever_is_meant() {
    let it = Counting::start(&[("LOGIN_ACCOUNT_LIMIT", "3/15m"), ("LOGIN_CLIENT_LIMIT", "12/5m")]).await;
    for username in ["ann", "off", "old"] {
        it.app.sign_up(username).await;
    }
    it.app.operator.set_active("off", false).await;
    it.counts(login("ann", PASSWORD), &[("LoginsAccepted", 1), HASHED]).await;
    for name in ["ann", "off", "nobody"] {
        for _ in 0..3 {
            it.counts(login(name, "Wrong-Horse-42").from("198.51.100.7"), &[("LoginsRefused", 1), HASHED]).await;
        }
        // Over the account's limit, whether the account exists or not and the password is right or wrong.
        it.counts(login(name, PASSWORD).from("198.51.100.7"), &[("LoginsLimited", 1), HASHED]).await;
    }
    it.counts(login("ann", PASSWORD).from("198.51.100.7"), &[("LoginsLimited", 1)]).await;
    it.app.operator.set_password_hash("old", "md5$salt$00000000000000000000000000000000").await;
    it.counts(login("old", PASSWORD), &[("LoginsRefused", 1), ("HashesRefused", 1), HASHED]).await;
    // A malformed login is not counted.
    it.counts(post("/api/login/", &json!({ "username": "ann" })), &[]).await;
    it.counts(request("OPTIONS", "/api/login/"), &[]).await;
}

#[tokio::test]
async fn where_few_are_asked_for_only_those_of_alarms_are_counted() {
    let it = Counting::start(&[("LOGIN_ACCOUNT_LIMIT", "1/15m"), ("METRICS", "few")]).await;
    it.app.sign_up("ann").await;
    it.counts(login("ann", PASSWORD), &[]).await;
    it.counts(login("ann", "Wrong-Horse-42").from("198.51.100.7"), &[("LoginsRefused", 1)]).await;
    it.counts(login("ann", PASSWORD).from("198.51.100.7"), &[("LoginsLimited", 1)]).await;
}

#[tokio::test]
async fn by_default_a_login_adds_a_short_line_to_its_log_where_it_is_refused_and_none_where_it_is_accepted() {
    let it = Counting::start(&[("METRICS", "few")]).await;
    it.app.sign_up("ann").await;
    it.counts(login("ann", PASSWORD), &[]).await;
    it.app.send(login("ann", "Wrong-Horse-42")).await;
    // The time has 13 digits until the year 2286. What else a request logs is held to its bytes in promises/budgets.rs.
    assert_eq!(it.app.metric_lines.lock().unwrap().len(), 198);
}

#[tokio::test]
async fn registrations_and_changes_are_counted_by_their_outcome() {
    let it = Counting::start(&[("REGISTER_CLIENT_LIMIT", "2/1h"), ("CHANGE_ACCOUNT_LIMIT", "4/15m")]).await;
    let register = post("/api/register/", &json!({ "username": "ann", "email": "ann@example.com", "password": PASSWORD }));
    it.counts(register.clone(), &[("Registrations", 1), HASHED]).await;
    it.counts(register.clone(), &[HASHED]).await;
    it.counts(register, &[("RegistrationsLimited", 1)]).await;
    let session = it.app.login("ann", PASSWORD).await;
    let change = |old: &str| post("/api/change_password/", &json!({ "old_password": old, "new_password": NEW_PASSWORD })).token(&session);
    it.counts(change("Wrong-Horse-42"), &[("ChangesRefused", 1), HASHED]).await;
    it.counts(change(PASSWORD), &[("PasswordsChanged", 1), ("HashMilliseconds", 2)]).await;
    // A change that succeeds is counted too and opens no new window.
    for _ in 0..2 {
        it.counts(change("Wrong-Horse-42"), &[("ChangesRefused", 1), HASHED]).await;
    }
    it.counts(change(NEW_PASSWORD), &[("ChangesLimited", 1)]).await;
}

#[tokio::test]
async fn resets_are_counted_from_the_request_to_the_mail_to_the_link() {
    let it = Counting::start(&[("RESET_CLIENT_LIMIT", "2/1h")]).await;
    it.app.sign_up("ann").await;
    for address in [address_of("ann"), address_of("nobody")] {
        it.counts(reset_request(&address), &[("ResetsRequested", 1)]).await;
    }
    it.counts(reset_request(&address_of("ann")), &[("ResetsLimited", 1)]).await;
    it.forget();
    it.app.deliver().await;
    it.counts_now(&[("MailsSent", 1)], "two intents, one account");
    let link = it.app.newest_reset_link(&address_of("ann")).unwrap();
    let confirm = |password: &str| post("/api/password_reset/confirm/", &json!({ "token": link, "password": password }));
    it.counts(validate(&link), &[]).await;
    it.counts(confirm("short"), &[]).await;
    it.counts(confirm(NEW_PASSWORD), &[("ResetsConfirmed", 1), HASHED]).await;
    it.counts(confirm(NEW_PASSWORD), &[("ResetsRefused", 1)]).await;

    it.forget();
    it.app.advance(1);
    it.app.deliver().await;
    it.counts_now(&[("MailsSent", 1)], "the notice");
    let notice = it.app.mailbox.to(&address_of("ann")).pop().unwrap().disavowal_token().unwrap();
    let disavow = post("/api/password_reset/disavow/", &json!({ "token": notice }));
    it.counts(disavow, &[("PasswordsDisavowed", 1)]).await;
    it.app.mailbox.refuse_next(Refuse(400, "MessageRejected"));
    it.app.deliver().await;
    it.counts_now(&[("MailsFailed", 1)], "a mail that SES refuses");
    for (kind, expected) in [("Bounce", "MailsBounced"), ("Complaint", "MailsComplained"), ("Reject", "MailsFailed")] {
        let event = json!({ "detail": { "eventType": kind, "bounce": { "bounceType": "Permanent" } } });
        it.app.feed_back(event).await.unwrap();
        it.counts_now(&[(expected, 1)], kind);
    }
    it.app.feed_back(json!({ "detail": { "eventType": "Bounce", "bounce": { "bounceType": "Transient" } } })).await.unwrap();
    it.counts_now(&[], "what passes");
    it.app.advance(3600);
    it.app.mailbox.refuse_next(Refuse(429, "TooManyRequestsException"));
    it.app.send(reset_request(&address_of("ann"))).await;
    it.forget();
    it.app.deliver().await;
    it.counts_now(&[], "a mail that comes again has not failed");
}

#[tokio::test]
async fn events_are_counted_when_they_are_published_and_when_they_are_given_up() {
    let it = Counting::start(&[("EVENTS", "account")]).await;
    it.app.sign_up("ann").await;
    it.app.sign_up("ben").await;
    it.app.bus.meets([BusFault::Call(500, "InternalException"), BusFault::Entry("MalformedDetail")]);
    it.forget();
    it.app.publish().await;
    it.counts_now(&[], "an event that is tried again");
    it.app.publish().await;
    it.counts_now(&[("EventsPublished", 1), ("EventsFailed", 1)], "one taken and one refused");
}

#[tokio::test]
async fn a_deployment_without_a_name_counts_nothing() {
    let it = Counting::start(&[]).await;
    let nameless = App::start().await;
    nameless.sign_up("ann").await.login().await;
    assert!(nameless.metric_lines.lock().unwrap().is_empty());
    // Other tests of this process use the same recorder, so its remaining counts are written out and discarded.
    it.app.send(request("OPTIONS", "/api/login/")).await;
}

#[test]
fn every_metric_is_documented_and_no_other() {
    let code = include_str!("../../../shared/src/metric.rs");
    let names = code.split("Self(\"").skip(1).filter_map(|rest| rest.split('"').next()).chain(["HashMilliseconds"]);
    let page = include_str!("../../../infra/README.md").split("## Metrics").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(names.collect::<BTreeSet<_>>(), rows.collect::<BTreeSet<_>>());
}

#[tokio::test]
async fn an_account_that_cannot_be_deleted_when_it_is_due_is_counted_each_hour() {
    let it = Counting::start(&[("METRICS", "few")]).await;
    let session = it.app.sign_up("ann").await.login().await;
    it.app.send(doorward_kit::requests::delete_me(&session, PASSWORD)).await;
    let key = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
    let partition = it.app.operator.partition("ann").await;
    let update = it.app.operator.client.update_item().table_name(&it.app.tables.accounts).update_expression("REMOVE created_at");
    update.key("pk", key(partition)).key("sk", key("account".to_owned())).send().await.unwrap();
    it.forget();
    it.app.sweep().await;
    it.counts_now(&[], "nothing is due");
    it.app.advance(3 * 24 * 60 * 60);
    for _ in 0..2 {
        it.app.sweep().await;
        it.counts_now(&[("DeletionsFailed", 1)], "it cannot be read");
    }
}
