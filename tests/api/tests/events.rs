//! Events: which operations leave which, and that nobody else can cause any.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::{collections::BTreeSet, sync::Arc};

use clap::Parser as _;
use doorward::{
    account::{EmailAddress, Username},
    caller::Caller,
    client::Client,
    config::Settings,
    entropy::Entropy,
    event::EventKind,
    outbox::{ChangeKind, Kind, Notice},
    password::StoredPassword,
    reset::Spent,
    token::Token,
};
use doorward_admin::{Admin, Arguments, Terminal};
use doorward_kit::{
    App,
    person::Person,
    requests::{
        ACTIVATION, NEW_PASSWORD, PASSWORD, Request, address_of, change_address, change_me, change_password, confirm_reset, delete_me,
        disavow, end_sessions, login, logout, logout_all, post, register, request, reset_request, validate, verification_request, verify,
    },
};
use serde_json::{Value, json};

/// The declared fields.
const FIELDS: &str = r#"{"age": {"type": "integer", "min": 0}}"#;

/// The events of the default, and those that are only recorded with `all`.
const OF_SESSIONS: [&str; 2] = ["session.opened", "session.ended"];

/// An app whose events are published as soon as they are looked at.
struct Told {
    app: App,
    records: &'static str,
    seen: BTreeSet<String>,
}

impl Told {
    async fn recording(records: &'static str) -> Self {
        Self {
            app: App::configured(&[("EVENTS", records), ("ADDRESS_VERIFICATION", "optional"), ("PROFILE_FIELDS", FIELDS)]).await,
            records,
            seen: BTreeSet::new(),
        }
    }

    /// Asserts which events were left since the last time, of those that would be with `all`.
    async fn tells(&mut self, of: &str, all: &[&str]) {
        let mut expected: Vec<&str> = all.to_vec();
        expected.retain(|kind| match self.records {
            "none" => false,
            "account" => !OF_SESSIONS.contains(kind),
            _ => true,
        });
        expected.sort_unstable();
        assert_eq!(self.app.waiting_events().await, expected, "{of}, EVENTS={}", self.records);
        self.seen.extend(expected.into_iter().map(str::to_owned));
        assert!(self.app.publish().await.failures.is_empty());
        assert_eq!(self.app.waiting_events().await, [""; 0], "published events are deleted");
        self.app.advance(1);
    }

    async fn asks(&mut self, status: u16, asked: Request, all: &[&str]) {
        let of = format!("{} {} {:?}", asked.method, asked.path, asked.body.as_deref().map(String::from_utf8_lossy));
        let answer = self.app.send(asked).await;
        assert_eq!(answer.status, status, "{of}: {answer:?}");
        self.tells(&of, all).await;
    }

    async fn delivers(&mut self, of: &str, all: &[&str]) {
        self.app.deliver().await;
        self.tells(of, all).await;
    }

    async fn logs_in(&mut self, password: &str) -> String {
        let token = self.app.login("ann", password).await;
        self.tells("login", &["session.opened"]).await;
        token
    }
}

#[tokio::test]
async fn every_operation_leaves_exactly_its_events_and_a_refused_one_none() {
    for records in ["none", "account", "all"] {
        let mut it = Told::recording(records).await;
        let (ann, address) = ("ann", address_of("ann"));
        it.asks(400, post("/api/register/", &json!({ "username": ann, "email": address, "password": "short" })), &[]).await;
        it.asks(201, register(ann, &address), &["account.created"]).await;
        it.asks(400, register(ann, &address), &[]).await;
        it.delivers("the verification mail", &[]).await;
        let verification = it.app.verification_links(&address).pop().unwrap();
        it.asks(200, request("GET", &format!("{ACTIVATION}?token={verification}")), &[]).await;
        it.asks(400, verify("dwv_nonsense"), &[]).await;
        it.asks(204, verify(&verification), &["account.verified"]).await;
        it.asks(204, verify(&verification), &[]).await;
        it.asks(204, verification_request(&address), &[]).await;
        it.delivers("a request for what is verified", &[]).await;
        it.asks(401, login(ann, "Wrong-Horse-42"), &[]).await;
        it.asks(401, login("nobody", PASSWORD), &[]).await;
        let session = it.logs_in(PASSWORD).await;
        it.asks(400, change_password(&session, "Wrong-Horse-42", NEW_PASSWORD), &[]).await;
        it.asks(200, change_password(&session, PASSWORD, NEW_PASSWORD), &["password.changed"]).await;
        it.delivers("the notice", &[]).await;
        let not_me = it.app.mailbox.to(&address).pop().unwrap().disavowal_token().unwrap();
        it.asks(401, change_password("dws_nonsense", PASSWORD, NEW_PASSWORD), &[]).await;
        it.asks(200, logout(&session), &["session.ended"]).await;
        it.asks(401, logout(&session), &[]).await;
        let session = it.logs_in(NEW_PASSWORD).await;
        let other = it.logs_in(NEW_PASSWORD).await;
        let other = it.app.session_id(&other).await;
        it.asks(400, end_sessions(&session, &[&other], "Wrong-Horse-42"), &[]).await;
        it.asks(200, end_sessions(&session, &[&other], NEW_PASSWORD), &["session.ended"]).await;
        it.asks(200, end_sessions(&session, &[&other], NEW_PASSWORD), &[]).await;
        it.asks(200, logout_all(&session), &["session.ended"]).await;
        // The request itself is no event, whoever has the address; the link is.
        it.asks(200, reset_request("stranger@example.com"), &[]).await;
        it.delivers("a request for an address of nobody", &[]).await;
        it.asks(200, reset_request(&address), &[]).await;
        it.delivers("a request of an owner", &["password.reset_requested"]).await;
        let link = it.app.newest_reset_link(&address).unwrap();
        it.app.advance(11);
        it.asks(200, reset_request(&address), &[]).await;
        it.delivers("a request within the cool-down", &[]).await;
        it.asks(200, validate(&link), &[]).await;
        it.asks(404, confirm_reset("dwr_nonsense", PASSWORD), &[]).await;
        it.asks(200, request("GET", &format!("/api/password_reset/confirm/?token={link}")), &[]).await;
        it.asks(200, confirm_reset(&link, PASSWORD), &["password.reset"]).await;
        it.asks(404, confirm_reset(&link, PASSWORD), &[]).await;
        it.asks(200, disavow(&not_me), &["password.disavowed"]).await;
        it.asks(404, disavow(&not_me), &[]).await;
        it.delivers("the link after a disavowal", &["password.reset_requested"]).await;
        it.delivers("a login in between", &[]).await;
        let link = it.app.newest_reset_link(&address).unwrap();
        it.asks(200, confirm_reset(&link, NEW_PASSWORD), &["password.reset"]).await;
        let session = it.logs_in(NEW_PASSWORD).await;
        it.asks(200, change_me("PATCH", &session, &json!({ "age": 7 })), &["account.updated"]).await;
        it.asks(200, change_me("PATCH", &session, &json!({ "age": 7 })), &[]).await;
        it.asks(400, change_me("PATCH", &session, &json!({ "age": -7 })), &[]).await;
        it.asks(400, delete_me(&session, "Wrong-Horse-42"), &[]).await;
        it.asks(400, change_address(&session, "ann@other.example", "Wrong-Horse-42"), &[]).await;
        it.asks(200, change_address(&session, "ann@other.example", NEW_PASSWORD), &[]).await;
        it.delivers("the link of the change", &[]).await;
        let change = it.app.verification_links("ann@other.example").pop().unwrap();
        it.asks(204, verify(&change), &["address.changed"]).await;
        it.asks(204, verify(&change), &[]).await;
        it.delivers("the notice of the change", &[]).await;
        let undo = it.app.mailbox.to(&address).pop().unwrap().disavowal_token().unwrap();
        it.app.advance(1);
        it.asks(200, disavow(&undo), &["address.changed", "password.disavowed"]).await;
        it.delivers("the link after the change was taken back", &["password.reset_requested"]).await;
        let link = it.app.newest_reset_link(&address).unwrap();
        it.asks(200, confirm_reset(&link, NEW_PASSWORD), &["password.reset"]).await;
        let session = it.logs_in(NEW_PASSWORD).await;
        it.asks(204, delete_me(&session, NEW_PASSWORD), &["account.deactivated"]).await;
        it.delivers("the notice of the deletion", &[]).await;
        let keep = it.app.mailbox.to(&address).iter().rev().find_map(doorward_kit::mailbox::Mail::disavowal_token).unwrap();
        it.asks(200, disavow(&keep), &["account.activated", "password.disavowed"]).await;
        it.app.sweep().await;
        it.tells("an hour with nothing due", &[]).await;
        by_an_operator(&mut it).await;
        let told: BTreeSet<String> = it.app.bus.entries().iter().map(|entry| entry["DetailType"].as_str().unwrap().to_owned()).collect();
        assert_eq!(told, it.seen);
        if records == "all" {
            assert_eq!(told, EventKind::ALL.iter().map(|kind| kind.name().to_owned()).collect(), "every kind has an operation here");
        }
        it.app.assert_sound().await;
    }
}

/// An operator exports accounts, or one.
async fn exports(app: &App, more: &[&str]) {
    let file = std::env::temp_dir().join(format!("doorward-told-{}", Entropy::system().uuid(app.clock.now())));
    let admin = Admin::new(&mut Settings::from_pairs([]), app.store.clone(), app.clock.clock(), Entropy::system());
    let arguments = Arguments::try_parse_from([&["doorward-admin", "export", file.to_str().unwrap()], more].concat()).unwrap();
    let (mut out, mut ask) = (Vec::new(), |_: &str| Err(std::io::Error::other("no terminal")));
    admin.run(arguments.command, Terminal { out: &mut out, ask: &mut ask, json: false }).await.unwrap();
    std::fs::remove_file(file).unwrap();
}

/// What an operator does to an account by the commands.
async fn by_an_operator(it: &mut Told) {
    let (store, now) = (it.app.store.clone(), it.app.clock.now());
    let ann = store.account_by_login_name("ann").await.unwrap().unwrap();
    store.deactivate(ann.id, now).await.unwrap();
    it.tells("deactivate", &["account.deactivated"]).await;
    store.deactivate(ann.id, now).await.unwrap();
    it.tells("deactivate an inactive account", &[]).await;
    store.activate(ann.id, now).await.unwrap();
    it.tells("activate", &["account.activated"]).await;
    store.activate(ann.id, now).await.unwrap();
    it.tells("activate an active account", &[]).await;
    store.set_email(&ann, &EmailAddress::parse("ann@new.example").unwrap(), now).await.unwrap();
    it.tells("set-email", &["address.changed"]).await;
    let ann = store.account(ann.id).await.unwrap().unwrap();
    store.set_username(&ann, &Username::parse("anna").unwrap(), now).await.unwrap();
    it.tells("set-username", &["account.updated"]).await;
    exports(&it.app, &[]).await;
    it.tells("export", &["accounts.exported"]).await;
    exports(&it.app, &["--who", "anna"]).await;
    it.tells("export --who", &["accounts.exported"]).await;
    store.end_sessions(ann.id, now).await.unwrap();
    it.tells("end-sessions", &["session.ended"]).await;
    let ann = store.account(ann.id).await.unwrap().unwrap();
    store.delete_account(&ann, now).await.unwrap();
    it.tells("delete", &["account.deactivated", "account.deleted"]).await;
    store.delete_account(&ann, now).await.unwrap();
    store.activate(ann.id, now).await.unwrap();
    store.deactivate(ann.id, now).await.unwrap();
    store.end_sessions(ann.id, now).await.unwrap();
    it.tells("what is done to an account that is gone", &[]).await;
}

#[tokio::test]
async fn an_event_says_which_account_and_what_and_when_and_has_the_id_of_its_item() {
    let app = App::configured(&[("EVENTS", "all")]).await;
    let session = app.sign_up("ann").await.login().await;
    app.logout_all(&session).await;
    let account = app.operator.partition("ann").await.replace("account#", "");
    let waiting = app.snapshot("outbox").await;
    app.publish().await;
    for entry in app.bus.entries() {
        assert_eq!((&entry["Source"], &entry["EventBusName"]), (&json!("doorward"), &json!("doorward")));
    }
    let details = app.bus.details();
    let ids: BTreeSet<&str> = details.iter().map(|detail| detail["id"].as_str().unwrap()).collect();
    assert_eq!(ids, waiting.keys().map(|(_, sort)| sort.as_str()).collect());
    let told = |kind: &str| details.iter().find(|detail| detail["type"] == kind).unwrap().clone();
    let without_id = |mut detail: Value| {
        detail.as_object_mut().unwrap().remove("id");
        detail
    };
    let data = json!({ "account_id": account });
    assert_eq!(
        without_id(told("account.created")),
        json!({ "type": "account.created", "timestamp": "2026-01-01T12:00:00Z", "data": data })
    );
    assert_eq!(told("session.opened")["data"], data);
    assert_eq!(told("session.ended")["data"], json!({ "account_id": account, "all": true }));
    assert_eq!(details.len(), 3);
}

#[tokio::test]
async fn a_mail_that_comes_again_makes_another_link_and_no_other_event() {
    let app = App::configured(&[("EVENTS", "account")]).await;
    let ann = app.sign_up("ann").await;
    app.publish().await;
    app.send(reset_request(&ann.email)).await;
    let records = app.stream().await;
    for refused in [true, true, false] {
        if refused {
            app.mailbox.refuse_next(doorward_kit::mailbox::Refuse(429, "TooManyRequestsException"));
        }
        assert_eq!(app.mailer.deliver(records.clone()).await.failures.is_empty(), !refused);
        app.advance(100);
    }
    assert_eq!(app.waiting_events().await, ["password.reset_requested"]);
    assert!(app.newest_reset_link(&ann.email).is_some());
}

#[tokio::test]
async fn events_are_no_mail_and_the_template_keeps_them_from_the_mailer() {
    let app = App::configured(&[("EVENTS", "all")]).await;
    let _: Person = app.sign_up("ann").await;
    let before = app.everything().await;
    assert!(app.mailer.deliver(app.event_records().await).await.failures.is_empty());
    assert_eq!(app.everything().await, before);
    assert!(app.mailbox.all().is_empty());

    let template = include_str!("../../../infra/template.yaml");
    let (_, mailer) = template.split_once("\n  Mailer:\n").unwrap();
    let filter = mailer.lines().find(|line| line.contains("FilterCriteria")).unwrap();
    for kind in [Kind::Reset, Kind::Notice, Kind::Verify] {
        assert!(filter.contains(&format!(r#"{{"prefix":"{}#"}}"#, kind.as_str())), "{filter}");
    }
    assert!(!filter.contains("event#"), "{filter}");
    let (_, events) = template.split_once("\n  EventPublisher:\n").unwrap();
    assert!(events.lines().find(|line| line.contains("FilterCriteria")).unwrap().contains(r#"{"prefix":"event#"}"#));
}

/// The requests themselves are raced in races.rs, where each computes a hash. Here a thousand use the link at once.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_who_use_a_link_at_once_one_leaves_an_event() {
    let app = App::patient(&[("EVENTS", "account")]).await;
    let ann = app.sign_up("ann").await;
    let link = Token::parse(&ann.reset_link().await).unwrap();
    app.publish().await;
    let account = app.store.account_by_login_name("ann").await.unwrap().unwrap();
    let now = app.clock.now();
    let password = Arc::new(StoredPassword::stored("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$dGFn".to_owned()));
    let spend = |_| {
        let (app, account, link, password) = (app.clone(), account.clone(), link.digest(), Arc::clone(&password));
        let notice = Notice {
            id: Entropy::system().uuid(now),
            account: account.id,
            email: account.email.clone(),
            kind: ChangeKind::Reset,
            changed_at: now,
            caller: Caller::default(),
        };
        tokio::spawn(
            async move { app.store.spend_reset(account.id, &link, Client::at([192, 0, 2, 1].into()), &password, &notice, now).await },
        )
    };
    let spent: Vec<_> = (0..1000).map(spend).collect();
    let mut won = 0;
    for one in spent {
        // Who is kept waiting by the others for too long is told so, and has changed nothing.
        won += usize::from(matches!(one.await.unwrap(), Ok(Spent::Now)));
    }
    assert_eq!(won, 1);
    assert_eq!(app.waiting_events().await, ["password.reset"]);
}
