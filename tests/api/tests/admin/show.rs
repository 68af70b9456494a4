//! `admin show`: what became of an account's mail, whether logins are limited, and its sessions; as text and as JSON.

use std::time::Duration;

use doorward::{config::Settings, entropy::Entropy};
use doorward_admin::{Admin, Arguments, Terminal};
use doorward_kit::{
    App,
    app::REQUEST_ID,
    mailbox::Refuse,
    proxy::{Call, Failure, When},
    requests::{NEW_PASSWORD, PASSWORD, address_of, export, login, reset_request},
    secrets::{Secret, found},
};
use serde_json::{Value, json};

use crate::{done, line};

/// What `show --json` prints.
pub async fn shown(app: &App, name: &str) -> Value {
    serde_json::from_str(&done(app, &["show", name, "--json"]).await).unwrap()
}

/// The lines that say what became of mail.
fn history(shown: &str) -> Vec<String> {
    shown.lines().filter_map(|line| line.strip_prefix("history")).map(|line| line.trim().to_owned()).collect()
}

#[tokio::test]
async fn what_was_asked_for_mailed_suppressed_and_refused_is_told_with_the_reason_and_the_time() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    app.reset_link(&address_of("ann")).await;
    for _ in 0..4 {
        app.advance(10);
        app.send(reset_request(&address_of("ann"))).await;
        app.deliver().await;
    }
    app.advance(60);
    app.mailbox.refuse_next(Refuse(400, "MessageRejected"));
    app.send(reset_request(&address_of("ann"))).await;
    app.deliver().await;
    // Within ten seconds it would replace the request, as the link has ended.
    app.advance(10);
    app.change_password(&session, PASSWORD, NEW_PASSWORD).await;
    let told = done(&app, &["show", "ann"]).await;
    let key = done(&app, &["mail", "failed"]).await.lines().next().unwrap().to_owned();
    let (asked, tried) = (format!("request {REQUEST_ID}"), "`mail retry");
    assert_eq!(
        history(&told),
        [
            format!("2026-01-01T12:00:01Z reset link: sent, SES message 1; asked for at 2026-01-01T12:00:01Z, {asked}"),
            format!(
                "2026-01-01T12:00:41Z reset link: not sent, because a link that works was sent shortly before (4 times, this is the last); asked for at \
                 2026-01-01T12:00:41Z, {asked}"
            ),
            format!(
                "2026-01-01T12:01:41Z reset link: failed: MessageRejected, tried 1 times; {tried} {key}` sends it again; asked for at 2026-01-01T12:01:41Z"
            ),
            "2026-01-01T12:01:51Z notice of a change: waits to be sent; asked for at 2026-01-01T12:01:51Z".to_owned(),
        ],
        "{told}"
    );
    app.deliver().await;
    assert!(history(&done(&app, &["show", "ann"]).await)[3].contains("notice of a change: sent, SES message 1"));
    let mail = shown(&app, "ann").await["mail"].clone();
    let outcomes: Vec<&Value> = mail.as_array().unwrap().iter().map(|mail| &mail["outcome"]).collect();
    assert_eq!(outcomes, ["sent", "suppressed", "failed", "sent"]);
    assert_eq!((&mail[1]["times"], &mail[1]["detail"], &mail[2]["key"]), (&json!(4), &json!("cooling down"), &json!(key)));
}

#[tokio::test]
async fn a_program_is_shown_the_document_that_the_owner_gets_from_the_export() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    app.send(login("ann", "Wrong-Horse-42")).await;
    app.reset_link(&address_of("ann")).await;
    let mut own = app.send(export(&session)).await.json();
    // Which of the sessions asks is known to the owner only.
    own["sessions"][0]["is_current"] = json!(false);
    assert_eq!(shown(&app, "ann").await["personal_data"], own);
    assert_eq!((&own["account"]["username"], own["counters"].as_array().unwrap().len()), (&json!("ann"), 2));
    app.operator.set_active("ann", false).await;
    assert_eq!(shown(&app, "ann").await["personal_data"]["account"]["active"], false, "of an account that nobody can log in to as well");
}

#[tokio::test]
async fn what_became_of_mail_is_in_no_table_that_the_function_for_resets_may_read() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    app.send(reset_request(&address_of("nobody"))).await;
    let link = app.reset_link(&address_of("ann")).await;
    let outbox = format!("{:?}", app.snapshot("outbox").await);
    assert!(!outbox.contains("sent") && !outbox.contains("cooling"), "{outbox}");
    let record = app.operator.item(&app.operator.partition("ann").await, "mail").await.unwrap();
    let secrets = [
        Secret::text("address", &address_of("ann")),
        Secret::token("link", &link),
        Secret::digest("link", &link),
        Secret::token("session", &session),
    ];
    assert_eq!(found(&format!("{record:?}"), &secrets), []);
    assert!(record.contains_key("expires_at"));
}

#[tokio::test]
async fn a_record_that_cannot_be_written_keeps_no_mail_back() {
    let (app, observer) = App::observed(&[]).await;
    app.sign_up("ann").await;
    app.send(reset_request(&address_of("ann"))).await;
    observer.store.forget();
    let is_record = |call: &Call| call.request.to_string().contains("\"mail\"");
    observer.store.fail(move |call| is_record(call).then(|| (When::Before, Failure::code(400, "AccessDeniedException"))));
    assert_eq!(app.deliver().await.failures, []);
    assert!(observer.store.calls().iter().any(is_record), "the record was tried");
    observer.store.forget();
    assert_eq!(app.reset_mails(&address_of("ann")), 1);
    assert_eq!(history(&done(&app, &["show", "ann"]).await), [""; 0]);
}

#[tokio::test]
async fn logins_are_limited_from_a_network_until_a_time_and_unlock_ends_that_at_once() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    assert_eq!(line(&done(&app, &["show", "ann"]).await, "logins"), "not limited");
    app.send(login("ann", "Wrong-Horse-42")).await;
    for _ in 0..10 {
        app.send(login("ann", "Wrong-Horse-42").from("198.51.100.9")).await;
    }
    let told = done(&app, &["show", "ann"]).await;
    assert_eq!(
        line(&told, "logins"),
        "1 of 10 tries until 2026-01-01T12:15:00Z from 203.0.113.0/24; limited until 2026-01-01T12:15:00Z from networks that it does not know"
    );
    assert!(!told.contains("198.51.100.9") && !told.contains("203.0.113.7"), "a network and no address: {told}");
    assert_eq!(app.send(login("ann", PASSWORD).from("192.0.2.1")).await.status, 401, "from wherever the stranger might be");
    let unlocked = done(&app, &["unlock", "ann"]).await;
    assert!(unlocked.starts_with("Logins were limited until 2026-01-01T12:15:00Z."), "{unlocked}");
    assert_eq!(app.send(login("ann", PASSWORD).from("192.0.2.1")).await.status, 200);
    assert_eq!(line(&done(&app, &["show", "ann"]).await, "logins"), "not limited");
    assert!(app.lets_pass(&session).await, "and nothing else changed");
    assert!(done(&app, &["unlock", "ann"]).await.starts_with("Logins were not limited."));
}

#[tokio::test]
async fn sessions_that_a_switch_has_ended_are_not_shown_as_open() {
    let app = App::start().await;
    app.sign_up("ann").await.login().await;
    app.reset_link(&address_of("ann")).await;
    app.clock.advance(Duration::from_secs(60));
    app.login("ann", PASSWORD).await;
    let variables = [("SESSIONS_NOT_BEFORE", "2026-01-01T12:00:30Z")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let admin = Admin::new(&mut Settings::from_pairs(variables), app.store.clone(), app.clock.clock(), Entropy::system());
    let arguments = <Arguments as clap::Parser>::try_parse_from(["doorward-admin", "show", "ann", "--json"]).unwrap();
    let mut out = Vec::new();
    admin.run(arguments.command, Terminal { out: &mut out, ask: &mut |_| Ok(String::new()), json: true }).await.unwrap();
    let told: Value = serde_json::from_slice(&out).unwrap();
    let session = json!({ "created_at": "2026-01-01T12:01:01Z", "valid_until": "2026-01-31T12:01:01Z", "network": "203.0.113.0/24", "browser": null });
    assert_eq!(told["sessions"], json!([session]));
    assert_eq!((&told["reset_link_until"], &told["state"]), (&Value::Null, &json!("active")));
    assert_eq!(shown(&app, "ann").await["sessions"].as_array().unwrap().len(), 2, "without the switch");
}

#[tokio::test]
async fn every_command_says_in_json_what_it_says_in_words() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let commands: [&[&str]; 12] = [
        &["show", "ann"],
        &["list"],
        &["count"],
        &["create", "ben", "ben@example.org"],
        &["deactivate", "ann"],
        &["activate", "ann"],
        &["end-sessions", "ann"],
        &["unlock", "ann"],
        &["reset", "ann"],
        &["mail", "failed"],
        &["mail", "retry", "--all"],
        &["disavow", "ann", "--yes"],
    ];
    let more: [&[&str]; 3] =
        [&["set-email", "ann", "ann@example.net", "--yes"], &["set-username", "ann", "anna", "--yes"], &["delete", "anna", "--yes"]];
    let file = std::env::temp_dir().join(format!("doorward-json-{}", std::process::id()));
    std::fs::write(&file, r#"{"username": "cleo", "email": "cleo@example.org", "password": "md5$a$b"}"#).unwrap();
    let import: &[&str] = &["import", file.to_str().unwrap(), "--without-password"];
    for command in commands.iter().chain(&more).chain([&import]) {
        let printed = done(&app, &[command, &["--json"][..]].concat()).await;
        assert!(!printed.is_empty(), "{command:?}");
        for line in printed.lines() {
            let facts: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{command:?}: {line}"));
            assert!(facts.is_object(), "{command:?}: {line}");
        }
    }
}
