//! Changes of declared fields at once, over the real protocol: each holds, and none brings back what is gone.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use doorward::{
    account::Account,
    lifecycle::{ActivationOutcome, Deleted},
};
use doorward_kit::{
    App, Response,
    app::Observer,
    proxy::{Failure, Gate, When},
    requests::{FIELDS, NEW_PASSWORD, PASSWORD, Request, change_me, change_password, delete_me, me, post},
};
use serde_json::json;

/// An app with an account of this name, and a session of it.
async fn signed_up(app: &App, name: &str) -> String {
    let body = json!({ "username": name, "email": format!("{name}@example.com"), "password": PASSWORD, "company": "Acme" });
    assert_eq!(app.send(post("/api/register/", &body)).await.status, 201);
    app.advance(1);
    app.login(name, PASSWORD).await
}

/// Makes the first request, and the second a little later, with another delay in every round. Returns their statuses.
async fn both(app: &App, round: u64, requests: [Request; 2]) -> [u16; 2] {
    let [first, second] = requests;
    let first = tokio::spawn({
        let app = app.clone();
        async move { app.send_within(first, Duration::from_secs(600)).await.status }
    });
    tokio::time::sleep(Duration::from_micros(round * 7_919 % 40_000)).await;
    let second = app.send_within(second, Duration::from_secs(600)).await.status;
    [first.await.expect("no function panics"), second]
}

/// Changes a field, and lets this happen before the change reaches the store. Returns the answer.
async fn overtaken(app: &App, observer: &Observer, change: Request, by: impl Future<Output = ()>) -> Response {
    let (gate, is_first) = (Gate::default(), AtomicBool::new(true));
    let held = gate.clone();
    observer.store.fail(move |call| {
        let is_held = call.operation == "TransactWriteItems" && is_first.swap(false, Ordering::SeqCst);
        is_held.then(|| (When::Before, Failure::Waits(held.clone())))
    });
    let asked = tokio::spawn({
        let app = app.clone();
        async move { app.send_within(change, Duration::from_secs(600)).await }
    });
    gate.reached().await;
    by.await;
    gate.open();
    asked.await.expect("no function panics")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_fields_that_the_end_of_its_session_overtakes_changes_nothing() {
    type End = fn(&App, Account) -> std::pin::Pin<Box<dyn Future<Output = ()> + '_>>;
    let ends: [End; 3] = [
        |app, account| Box::pin(async move { app.store.end_sessions(account.id, app.clock.now()).await.expect("the store answers") }),
        |app, account| {
            Box::pin(async move {
                let off = app.store.deactivate(account.id, app.clock.now()).await.expect("the store answers");
                assert_eq!(off, ActivationOutcome::Now);
            })
        },
        |app, account| {
            Box::pin(async move {
                let deleted = app.store.delete_account(&account, app.clock.now()).await.expect("the store answers");
                assert_eq!(deleted, Deleted::Now);
            })
        },
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let (app, observer) = App::patiently_observed(&[("PROFILE_FIELDS", FIELDS)]).await;
        let session = signed_up(&app, "anna").await;
        let partition = app.operator.partition("anna").await;
        let account = app.store.account_by_login_name("anna").await.expect("the store answers").expect("an account");
        let answer = overtaken(&app, &observer, change_me("PATCH", &session, &json!({ "company": "Late" })), end(&app, account)).await;
        assert_eq!(answer.status, 401, "{number}: {answer:?}");
        let stored = app.snapshot("accounts").await.remove(&(partition, "profile".to_owned())).map(|profile| profile["f_company"].clone());
        assert_eq!(stored, (number < 2).then(|| "Acme".to_owned()), "{number}");
        app.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_fields_leaves_what_another_has_written_since_it_read_them() {
    let (app, observer) = App::patiently_observed(&[("PROFILE_FIELDS", FIELDS)]).await;
    let session = signed_up(&app, "anna").await;
    let other = async { assert_eq!(app.send(change_me("PATCH", &session, &json!({ "first_name": "Anna", "age": 7 }))).await.status, 200) };
    let answer = overtaken(&app, &observer, change_me("PATCH", &session, &json!({ "age": 8 })), other).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = app.send(me(&session)).await.json();
    assert_eq!((&seen["first_name"], &seen["age"], &seen["company"]), (&json!("Anna"), &json!(8), &json!("Acme")));
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_different_fields_at_once_all_hold() {
    let names: Vec<String> = (0..20).map(|number| format!("field{number}")).collect();
    let fields: Vec<String> = names.iter().map(|name| format!(r#""{name}": {{"type": "integer"}}"#)).collect();
    let app = App::patient(&[("PROFILE_FIELDS", &format!("{{{}}}", fields.join(","))), ("EVENTS", "account")]).await;
    for round in 0..4 {
        let session = signed_up(&app, &format!("anna{round}")).await;
        app.publish().await;
        let answers = app.at_once(names.iter().map(|name| change_me("PATCH", &session, &json!({ name: round + 1 })))).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        let seen = app.send(me(&session)).await.json();
        assert!(names.iter().all(|name| seen[name] == json!(round + 1)), "{seen}");
        assert_eq!(app.waiting_events().await, ["account.updated"; 20]);
    }
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_two_fields_is_never_there_by_half() {
    let app = App::patient(&[("PROFILE_FIELDS", FIELDS)]).await;
    let session = signed_up(&app, "anna").await;
    let asked = (0..32).map(|number| change_me("PATCH", &session, &json!({ "first_name": number.to_string(), "age": number })));
    let answers = app.at_once(asked).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let seen = app.send(me(&session)).await.json();
    assert_eq!(seen["first_name"].as_str(), seen["age"].as_i64().map(|age| age.to_string()).as_deref());
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_fields_brings_nothing_of_a_deleted_account_back() {
    let app = App::patient(&[("PROFILE_FIELDS", FIELDS), ("DELETION_GRACE", "0")]).await;
    for round in 0..24 {
        let name = format!("anna{round}");
        let session = signed_up(&app, &name).await;
        let deleting = app.login(&name, PASSWORD).await;
        let partition = app.operator.partition(&name).await;
        let requests = [delete_me(&deleting, PASSWORD), change_me("PATCH", &session, &json!({ "company": "Late" }))];
        let [deleted, changed] = both(&app, round, requests).await;
        assert!(deleted == 204 && [200, 401].contains(&changed), "{deleted} {changed}");
        // The account is out of use, so nothing changes from here on, also while it is being deleted.
        let late = both(&app, round, [change_me("PUT", &session, &json!({ "company": "Later" })), me(&session)]);
        let ([late, _], ()) = tokio::join!(late, app.sweep());
        assert_eq!(late, 401);
        app.sweep().await;
        let left: Vec<_> = app.snapshot("accounts").await.into_keys().filter(|(pk, _)| *pk == partition).collect();
        assert!(left.is_empty(), "round {round}: {left:?}");
    }
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_fields_and_of_the_password_by_one_session_both_hold() {
    let app = App::patient(&[("PROFILE_FIELDS", FIELDS)]).await;
    for round in 0..16 {
        let session = signed_up(&app, &format!("anna{round}")).await;
        let requests = [change_password(&session, PASSWORD, NEW_PASSWORD), change_me("PATCH", &session, &json!({ "age": 7 }))];
        assert_eq!(both(&app, round, requests).await, [200, 200], "round {round}");
        assert_eq!(app.send(me(&session)).await.json()["age"], 7);
    }
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_a_change_of_the_password_ended_changes_nothing_after_it() {
    let app = App::patient(&[("PROFILE_FIELDS", FIELDS)]).await;
    for round in 0..24 {
        let name = format!("anna{round}");
        let stolen = signed_up(&app, &name).await;
        let owners = app.login(&name, PASSWORD).await;
        let requests = [change_password(&owners, PASSWORD, NEW_PASSWORD), change_me("PATCH", &stolen, &json!({ "company": "Thief" }))];
        let [changed, written] = both(&app, round, requests).await;
        assert!(changed == 200 && [200, 401].contains(&written), "{changed} {written}");
        let company = app.send(me(&owners)).await.json()["company"].clone();
        assert_eq!(company == "Thief", written == 200, "round {round}");
        assert_eq!(app.send(change_me("PATCH", &stolen, &json!({ "company": "Thief" }))).await.status, 401);
    }
    app.assert_sound().await;
}
