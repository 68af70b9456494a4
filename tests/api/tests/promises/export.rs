//! An account's export: everything that is stored about it, for its owner.

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use doorward::outbox::ResetRequest;
use doorward_kit::{
    App, Response,
    mailbox::Refuse,
    proxy::{Failure, Gate, When},
    requests::{NEW_PASSWORD, PASSWORD, address_of, export, login, logout, register, request, reset_request, set_username},
    secrets::{Secret, found},
};
use serde_json::{Value, json};

const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";
const STRANGER: &str = "198.51.100.66";

async fn exported(app: &App, session: &str) -> Response {
    let answer = app.send(export(session)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// A part of an export.
fn part<'a>(file: &'a Value, section: &str) -> &'a Vec<Value> {
    file[section].as_array().unwrap_or_else(|| panic!("{section} of {file}"))
}

#[tokio::test]
async fn an_export_says_everything_that_is_stored_about_an_account_and_why_the_rest_is_left_out() {
    let app = App::configured(&[("ADDRESS_VERIFICATION", "optional"), ("EVENTS", "account")]).await;
    let asked = register("ann", "ann@example.com").header("Accept-Language", "de").header("User-Agent", FIREFOX);
    assert_eq!(app.send(asked).await.status, 201);
    app.deliver().await;
    app.publish().await;
    app.advance(1);
    let session = app.send(login("ann", PASSWORD).header("User-Agent", FIREFOX)).await.text("token");
    let answer = exported(&app, &session).await;
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"account.json\"");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let id = app.operator.partition("ann").await.replace("account#", "");
    let text = answer.body.replace(&id, "the account's id").replace(&app.session_id(&session).await, "the session's id");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    insta::assert_snapshot!(serde_json::to_string_pretty(&file).expect("JSON"), @r#"
    {
      "account": {
        "active": true,
        "created_at": "2026-01-01T12:00:00Z",
        "email": "ann@example.com",
        "id": "the account's id",
        "language": "de",
        "networks": {
          "203.0.113.0/24": "2026-01-01T12:00:00Z"
        },
        "password_changed_at": "2026-01-01T12:00:00Z",
        "session_epoch": 1,
        "username": "ann"
      },
      "address_requests": [],
      "counters": [
        {
          "attempts": 1,
          "kept_until": "2026-01-03T00:00:00Z",
          "of": "exports",
          "since": "2026-01-01T00:00:00Z"
        }
      ],
      "events": [],
      "exported_at": "2026-01-01T12:00:01Z",
      "former_addresses": [],
      "imported_tokens": [],
      "left_out": {
        "account.email_folded": "the same name once more, in the form in which it is looked up",
        "account.password": "a hash of the password, against which it could be guessed",
        "account.username_folded": "the same name once more, in the form in which it is looked up",
        "account.verified_by": "a digest of a token, which grants no access and contains no personal data",
        "counters.attempt": "a random number that identifies a repeated write",
        "links.digest": "a digest of a token, which grants no access and contains no personal data",
        "links.pending_digest": "a digest of a token, which grants no access and contains no personal data",
        "requests_for_links.address": "who asked may be somebody else; the mail tells its reader",
        "requests_for_links.browser": "who asked may be somebody else; the mail tells its reader",
        "requests_for_links.email_folded": "the same name once more, in the form in which it is looked up",
        "requests_for_links.language": "who asked may be somebody else; the mail tells its reader",
        "requests_for_links.request_id": "who asked may be somebody else; the mail tells its reader",
        "requests_for_links.worker": "a random number of the process that is at work on the mail",
        "sessions.epoch": "it only decides whether the session is over, which is shown"
      },
      "links": [
        {
          "issued_at": "2026-01-01T12:00:00Z",
          "kept_until": "2026-01-08T12:00:00Z",
          "mails": 1,
          "purpose": "confirmation of the address",
          "requested_at": "2026-01-01T12:00:00Z",
          "sent_at": "2026-01-01T12:00:00Z",
          "valid_until": "2026-01-08T12:00:00Z"
        }
      ],
      "mail_rate": [],
      "mails": [
        {
          "entries_ever": 1,
          "kept_until": "2026-01-31T12:00:00Z",
          "record": [
            {
              "done_at": "2026-01-01T12:00:00Z",
              "kind": "verify",
              "request_id": "8c9a7d2e-1f3b-4c5d-9e8f-0a1b2c3d4e5f",
              "requested_at": "2026-01-01T12:00:00Z",
              "sent": "1",
              "times": 1
            }
          ]
        }
      ],
      "notices": [],
      "pending_addresses": [],
      "profile": [],
      "requests_for_links": [
        {
          "attempts": 1,
          "done_at": "2026-01-01T12:00:00Z",
          "kept_until": "2026-01-02T12:00:00Z",
          "outcome": "handled",
          "purpose": "confirmation of the address",
          "requested_at": "2026-01-01T12:00:00Z"
        }
      ],
      "sessions": [
        {
          "created_at": "2026-01-01T12:00:01Z",
          "expires_at": "2026-01-31T12:00:01Z",
          "id": "the session's id",
          "ip": "203.0.113.0/24",
          "is_current": true,
          "is_over": false,
          "kept_until": "2026-01-31T12:00:01Z",
          "user_agent": "Firefox on Windows"
        }
      ]
    }
    "#);
    let head = app.send(request("HEAD", "/api/users/me/export/").token(&session)).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn nothing_that_opens_an_account_or_is_about_somebody_else_is_in_its_export() {
    let app = App::configured(&[("ADDRESS_VERIFICATION", "optional"), ("EVENTS", "all")]).await;
    let bob = app.sign_up("bob").await.login().await;
    let other = app.sign_up("ann").await.login().await;
    app.deliver().await;
    let confirmation = app.verification_links(&address_of("ann")).pop().expect("a link");
    let session = app.login("ann", PASSWORD).await;
    assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
    app.deliver().await;
    let not_me = app.mailbox.to(&address_of("ann")).pop().and_then(|mail| mail.disavowal_token()).expect("a link");
    app.advance(1);
    let link = app.reset_link(&address_of("ann")).await;
    // A link that is stored beside another, because the mail service does not take its mail.
    app.advance(16 * 60);
    app.mailbox.refuse_next(Refuse(429, "TooManyRequestsException"));
    app.send(reset_request(&address_of("ann"))).await;
    app.deliver().await;
    let answer = exported(&app, &session).await;
    let file = answer.json();
    let links: Vec<&Value> = part(&file, "links").iter().map(|link| &link["purpose"]).collect();
    assert_eq!(links, ["this wasn't me", "new password", "confirmation of the address"]);
    assert_eq!((part(&file, "sessions").len(), part(&file, "notices").len()), (2, 1), "{file}");
    let is_over = |session: &&Value| session["is_over"] == true && session["is_current"] == false;
    assert_eq!(part(&file, "sessions").iter().filter(is_over).count(), 1, "that the change has ended");

    let tokens = [("session", &session), ("other", &other), ("reset", &link), ("disavowal", &not_me), ("confirmation", &confirmation)];
    let mut secrets: Vec<Secret> =
        tokens.into_iter().flat_map(|(name, token)| [Secret::token(name, token), Secret::digest(name, token)]).collect();
    for item in app.operator.items_of("ann").await {
        for (name, value) in
            item.iter().filter(|(name, _)| ["password", "digest", "pending_digest", "verified_by"].contains(&name.as_str()))
        {
            secrets.push(Secret::text(name, value.as_s().expect("text")));
        }
    }
    assert!(secrets.len() >= 14, "{}", secrets.len());
    secrets.extend([PASSWORD, NEW_PASSWORD, "bob"].map(|text| Secret::text(text, text)));
    assert_eq!(found(&answer.body, &secrets), []);
    assert_eq!(exported(&app, &bob).await.json()["account"]["username"], "bob");
    let nobody = app.send(request("GET", "/api/users/me/export/")).await;
    assert_eq!((nobody.status, nobody.json()), (401, json!({ "detail": "Authentication credentials were not provided." })));
}

#[tokio::test]
async fn an_export_shows_what_waits_and_what_was_counted_and_not_who_asked_for_a_link() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    for number in 0..3 {
        app.send(login("ann", "Wrong-Horse-42").from(STRANGER)).await;
        assert_eq!(app.change_password(&session, "Wrong-Horse-42", NEW_PASSWORD).await.status, 400, "{number}");
    }
    app.send(set_username(&session, "anna", PASSWORD)).await;
    app.send(reset_request("ANN@example.com").from(STRANGER).header("User-Agent", FIREFOX).header("Accept-Language", "fr")).await;
    let answer = exported(&app, &session).await;
    let file = answer.json();
    let notice = &part(&file, "notices")[0];
    assert_eq!(
        (&notice["change"], &notice["email"], &notice["ip"]),
        (&json!("renamed"), &json!("ann@example.com"), &json!("203.0.113.0/24"))
    );
    let waiting = &part(&file, "requests_for_links")[0];
    assert_eq!((&waiting["purpose"], &waiting["requested_at"]), (&json!("new password"), &json!("2026-01-01T12:00:01Z")));
    let counted: Vec<Value> =
        part(&file, "counters").iter().map(|window| json!([window["of"], window["attempts"], window["since"]])).collect();
    for window in [
        json!(["logins", 3, "2026-01-01T12:00:00Z"]),
        json!(["passwords asked for once more", 4, "2026-01-01T12:00:00Z"]),
        json!(["changes of the username", 1, "2026-01-01T00:00:00Z"]),
        json!(["exports", 1, "2026-01-01T00:00:00Z"]),
    ] {
        assert!(counted.contains(&window), "{window} of {counted:?}");
    }
    // Somebody else may have registered with the address of the person who asks for a link. What the mail tells that person is nobody else's business.
    for told in ["198.51.100", "Firefox", "\"fr\""] {
        assert!(!answer.body.contains(told), "{told}");
    }
    assert_eq!(file["left_out"]["requests_for_links.address"], "who asked may be somebody else; the mail tells its reader");
    // An operator who invites has no address, and a request under a former address is still about the account.
    let account = app.store.account_by_login_name("anna").await.expect("the store answers").expect("an account");
    let invitation = ResetRequest {
        email: account.email.clone(),
        requested_at: app.clock.now(),
        caller: doorward::caller::Caller::default(),
        invites: true,
    };
    app.store.request_reset_at_once(account.id, &invitation).await.expect("the store answers");
    let new = doorward::account::EmailAddress::parse("ann@new.example").expect("an address");
    app.store.set_email(&account, &new, app.clock.now()).await.expect("the store answers");
    let file = exported(&app, &session).await.json();
    assert_eq!(part(&file, "requests_for_links").len(), 2, "{file}");
    let former = &part(&file, "former_addresses")[0];
    assert_eq!((&former["email"], &former["until"]), (&json!("ann@example.com"), &json!("2026-01-01T12:00:01Z")));
    assert_eq!(file["account"]["email"], "ann@new.example");
}

#[tokio::test]
async fn a_masked_export_shows_no_address_whole() {
    let app = App::configured(&[("OWN_ACCOUNT", "masked")]).await;
    assert_eq!(app.register("Carl@example.com", "carl@example.com").await.status, 201);
    app.advance(1);
    let session = app.login("carl@example.com", PASSWORD).await;
    assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
    app.send(reset_request("carl@example.com")).await;
    let account = app.store.account_by_login_name("carl@example.com").await.expect("the store answers").expect("an account");
    let new = doorward::account::EmailAddress::parse("charles@example.net").expect("an address");
    app.store.set_email(&account, &new, app.clock.now()).await.expect("the store answers");
    let answer = exported(&app, &session).await;
    let file = answer.json();
    assert_eq!((&file["account"]["email"], &file["account"]["username"]), (&json!("c•••@example.net"), &json!("C•••@example.com")));
    assert_eq!(part(&file, "former_addresses")[0]["email"], "c•••@example.com");
    assert!(part(&file, "notices").len() == 2 && part(&file, "requests_for_links").len() == 1, "{file}");
    let text = answer.body.to_lowercase();
    assert!(!text.contains("carl") && !text.contains("charles"), "{text}");
}

#[tokio::test]
async fn an_account_is_exported_ten_times_a_day_at_most_and_a_client_exports_twenty_times_an_hour() {
    let app = App::configured(&[("RESET_CLIENT_LIMIT", "20/1h")]).await;
    let [ann, bob] = [app.sign_up("ann").await.login().await, app.sign_up("bob").await.login().await];
    for number in 0..10 {
        exported(&app, &ann).await;
        let elsewhere = export(&bob).from(&format!("198.51.100.{number}"));
        assert_eq!(app.send(elsewhere).await.status, 200);
    }
    // From anywhere, and by HEAD as well.
    let again = request("HEAD", "/api/users/me/export/").token(&ann).from(STRANGER);
    for refused in [app.send(export(&bob)).await, app.send(again).await] {
        assert_eq!((refused.status, &*refused.headers["retry-after"]), (429, "43198"));
    }
    for _ in 0..9 {
        assert_eq!(app.send(export(&bob)).await.headers["retry-after"], "43198");
    }
    // The client is over its own limit now, whoever asks.
    let eve = app.sign_up("eve").await.login().await;
    assert_eq!(app.send(export(&eve)).await.headers["retry-after"], "3597");
    app.advance(24 * 60 * 60);
    exported(&app, &ann).await;
}

#[tokio::test]
async fn a_session_that_ends_while_it_exports_gets_no_file() {
    let (app, observer) = App::patiently_observed(&[]).await;
    let mine = app.sign_up("ann").await.login().await;
    for (number, expected) in [(0, 401), (1, 200), (2, 401)] {
        let session = if number == 1 { mine.clone() } else { app.login("ann", if number == 2 { NEW_PASSWORD } else { PASSWORD }).await };
        let (gate, asked) = (Gate::default(), export(&session));
        let held = gate.clone();
        observer.store.forget();
        observer.store.fail(move |call| (call.operation == "Query").then(|| (When::Before, Failure::Waits(held.clone()))));
        let asking = tokio::spawn({
            let app = app.clone();
            async move { app.send(asked).await }
        });
        gate.reached().await;
        match number {
            // It is ended by itself, goes over to a new password, or ends with all the others.
            0 => assert_eq!(app.send(logout(&session)).await.status, 200),
            1 => assert_eq!(app.change_password(&mine, PASSWORD, NEW_PASSWORD).await.status, 200),
            _ => assert_eq!(app.logout_all(&mine).await.status, 200),
        }
        observer.store.heal();
        gate.open();
        let answer = asking.await.expect("no function panics");
        assert_eq!(answer.status, expected, "{number}: {answer:?}");
        if expected == 200 {
            let current = |session: &&Value| session["is_current"] == true && session["is_over"] == false;
            assert_eq!(part(&answer.json(), "sessions").iter().filter(current).count(), 1);
        }
    }
}

#[tokio::test]
async fn an_account_with_more_sessions_than_an_answer_has_room_for_gets_its_file_and_is_told_how_many_more_there_are() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let item = app.operator.items_of("ann").await.into_iter().find(|item| item["sk"].as_s().is_ok_and(|sort| sort.starts_with("session#")));
    let item = item.expect("a session");
    // Its own session comes after all of them in the order of the keys.
    let copies: Vec<WriteRequest> = (0..5_000)
        .map(|number| {
            let mut copy = item.clone();
            copy.insert("sk".to_owned(), AttributeValue::S(format!("session#---{number:040}")));
            let put = PutRequest::builder().set_item(Some(copy)).build().expect("an item");
            WriteRequest::builder().put_request(put).build()
        })
        .collect();
    for batch in copies.chunks(25) {
        let written = app.operator.client.batch_write_item().request_items(&app.tables.accounts, batch.to_vec());
        written.send().await.expect("the store answers");
    }
    let answer = exported(&app, &session).await;
    let file = answer.json();
    assert_eq!((part(&file, "sessions").len(), &file["further"]), (5_000, &json!({ "sessions": 1 })));
    // Lambda's answers have at most 6 MB.
    assert!(answer.body.len() < 2_000_000, "{}", answer.body.len());
}
