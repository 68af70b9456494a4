//! An account that asks to be deleted: out of use at once, taken back by its owner or gone for good.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use doorward::{
    account::Account,
    caller::Caller,
    config::Settings,
    deletion_request::{DeletionGrace, DeletionRequested},
    lifecycle::{ActivationOutcome, Deleted},
    token::{Session, Token},
};
use doorward_kit::{
    App,
    app::Observer,
    person::Person,
    proxy::{Call, Failure, When},
    requests::{
        NEW_PASSWORD, PASSWORD, Request, address_of, change_me, confirm_reset, delete_me, disavow, login, me, open, post, reset_request,
        submit,
    },
    secrets::{Secret, found},
    store::lines,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// The declared fields.
const FIELDS: &str = r#"{"company": {"type": "text"}}"#;
const DAY: u64 = 24 * 60 * 60;
const DISAVOW: &str = "/api/password_reset/disavow/";

/// The days of grace that this text configures.
fn grace(text: &str) -> DeletionGrace {
    DeletionGrace::configured(&mut Settings::from_pairs([("DELETION_GRACE".to_owned(), text.to_owned())]))
}

async fn account(app: &App, name: &str) -> Account {
    app.store.account_by_login_name(name).await.unwrap().unwrap()
}

/// Asks for the deletion of this person's account.
pub async fn leaves(person: &Person, text: &str) {
    leaves_with(person, &person.login().await, text).await;
}

/// Asks for it with this session.
async fn leaves_with(person: &Person, session: &str, text: &str) {
    let (app, account) = (&person.app, account(&person.app, &person.username).await);
    let session = Token::<Session>::parse(session).unwrap().digest();
    let left = app.store.request_deletion(&account, &session, grace(text), Caller::default(), app.clock.now()).await.unwrap();
    assert_eq!(left, DeletionRequested::Now);
}

/// The token in the link of the newest notice to this person.
pub async fn link(person: &Person) -> String {
    person.app.deliver().await;
    person.app.mailbox.to(&person.email).iter().rev().find_map(doorward_kit::mailbox::Mail::disavowal_token).expect("a notice")
}

/// Whether there is an account of this name.
pub async fn exists(app: &App, name: &str) -> bool {
    app.store.account_by_login_name(name).await.unwrap().is_some()
}

#[tokio::test]
async fn an_account_that_asks_to_be_deleted_is_out_of_use_at_once_and_gone_when_the_days_of_grace_are_over() {
    let app = App::configured(&[("EVENTS", "account")]).await;
    let ann = app.sign_up("ann").await;
    let session = ann.login().await;
    let reset = ann.reset_link().await;
    app.publish().await;
    let asked = app.send(delete_me(&session, PASSWORD)).await;
    assert_eq!((asked.status, asked.body.as_str()), (204, ""));
    assert_eq!(app.waiting_events().await, ["account.deactivated"]);
    assert!(!app.lets_pass(&session).await);
    assert_eq!(app.send(login("ann", PASSWORD)).await.status, 401);
    assert_eq!(app.confirm_reset(&reset, NEW_PASSWORD).await.status, 404);
    // Its names are its own until it is gone.
    assert_eq!(app.register("ann", "other@example.com").await.status, 400);
    let told = app.mailbox.to(&ann.email).len();
    app.send(reset_request(&ann.email)).await;
    app.deliver().await;
    let mails = app.mailbox.to(&ann.email).split_off(told);
    assert_eq!(mails.len(), 1, "a notice, and no reset link");
    assert_eq!(mails[0].subject, "Your Doorward account will be deleted");
    assert!(mails[0].text.contains("4 January 2026, 12:00 UTC") && mails[0].disavowal_token().is_some(), "{}", mails[0].text);

    app.advance(3 * DAY - 60);
    app.sweep().await;
    assert!(exists(&app, "ann").await, "not a minute before its time");
    app.assert_sound().await;
    app.publish().await;
    app.advance(60);
    app.sweep().await;
    assert!(!exists(&app, "ann").await);
    assert_eq!(app.waiting_events().await, ["account.deleted"]);
    app.assert_sound().await;
    assert_eq!(app.register("ann", &ann.email).await.status, 201, "its names are free");
    app.sweep().await;
    assert!(exists(&app, "ann").await);
}

/// Everything that an account can leave in the tables, and what of it must not be found after a deletion.
async fn with_everything(app: &App) -> (Person, Vec<Secret>) {
    let ann = app.sign_up("ann-of-the-tables").await;
    app.advance(3600);
    let session = ann.login().await;
    app.send(login(&ann.username, "Wrong-Horse-42")).await;
    app.send(login(&ann.username, PASSWORD).from("198.51.100.7")).await;
    ann.change_password(&session, PASSWORD, NEW_PASSWORD).await;
    app.deliver().await;
    // Another change within minutes is held.
    app.advance(61);
    ann.change_password(&session, NEW_PASSWORD, PASSWORD).await;
    app.deliver().await;
    app.advance(61);
    let reset = ann.reset_link().await;
    app.advance(61);
    let id = account(app, &ann.username).await.id.to_string();
    assert_eq!(app.send(change_me("PATCH", &session, &json!({ "company": "Acme of the tables" }))).await.status, 200);
    let mut secrets = vec![
        Secret::text("field", "Acme of the tables"),
        Secret::text("name", &ann.username),
        Secret::text("address", &ann.email),
        Secret::text("id", &id),
    ];
    secrets.push(Secret::text("digest of the address", &URL_SAFE_NO_PAD.encode(Sha256::digest(&ann.email))));
    let mails = app.mailbox.to(&ann.email);
    let notices = mails.iter().filter_map(doorward_kit::mailbox::Mail::disavowal_token);
    secrets.extend(notices.chain([session, reset]).map(|token| Secret::digest("token", &token)));
    app.send(reset_request(&ann.email)).await;
    leaves(&ann, "3d").await;
    secrets.push(Secret::digest("link of the deletion", &link(&ann).await));
    (ann, secrets)
}

/// What of these secrets is in any table.
async fn left_of(app: &App, secrets: &[Secret]) -> Vec<String> {
    lines(&app.everything().await).iter().flat_map(|line| found(line, secrets)).map(|secret| format!("{secret:?}")).collect()
}

#[tokio::test]
async fn nothing_of_a_deleted_account_is_in_any_table() {
    let app = App::configured(&[("PROFILE_FIELDS", FIELDS)]).await;
    let (_, secrets) = with_everything(&app).await;
    assert!(!left_of(&app, &secrets).await.is_empty(), "they are found while it is there");
    app.advance(3 * DAY);
    app.sweep().await;
    assert_eq!(left_of(&app, &secrets).await, [""; 0]);
    app.assert_sound().await;
}

#[tokio::test]
async fn a_deletion_that_is_killed_before_or_after_any_call_is_finished_by_the_next_hour() {
    let mut killed = 0;
    let (app, observer): (App, Observer) = App::observed(&[("PROFILE_FIELDS", FIELDS)]).await;
    let (ann, secrets) = with_everything(&app).await;
    app.advance(3 * DAY);
    let (start, starts_at) = (app.items().await, app.clock.now());
    for when in [When::Before, When::After] {
        for number in 0.. {
            app.replace(&app.items().await, &start).await;
            app.clock.set(starts_at);
            observer.store.forget();
            // Nothing is written after this call, as if the function had been stopped.
            observer.store.fail(move |call: &Call| {
                let dies = call.number >= number;
                let at = if call.number == number { when } else { When::Before };
                dies.then(|| (at, Failure::code(400, "AccessDeniedException")))
            });
            app.sweep().await;
            let reached = observer.store.calls().iter().any(|call| call.number == number);
            observer.store.forget();
            let has_begun = exists(&app, &ann.username).await && account(&app, &ann.username).await.deletion.unwrap().has_begun;
            if has_begun {
                // From here on nothing brings it back.
                let id = account(&app, &ann.username).await.id;
                assert_eq!(app.store.activate(id, app.clock.now()).await.unwrap(), ActivationOutcome::BeingDeleted);
            }
            app.advance(3600);
            app.sweep().await;
            assert!(!exists(&app, &ann.username).await, "call {number} {when:?}");
            assert_eq!(left_of(&app, &secrets).await, [""; 0], "call {number} {when:?}");
            app.assert_sound().await;
            if !reached {
                break;
            }
            killed += 1;
        }
    }
    assert!(killed >= 50, "{killed}");
}

#[tokio::test]
async fn the_link_of_the_notice_takes_the_account_back_until_it_is_deleted() {
    for (days, text) in [(0, "3d"), (2, "3d"), (29, "30d"), (6, "1h")] {
        let app = App::configured(&[("EVENTS", "account")]).await;
        let ann = app.sign_up("ann").await;
        let session = ann.login().await;
        leaves(&ann, text).await;
        let token = link(&ann).await;
        app.publish().await;
        // Where nobody swept, because the function did not run, it can be taken back later as well.
        app.advance(days * DAY + 3599);
        let page = app.send(open(&format!("{DISAVOW}?token={token}"))).await;
        assert!(page.status == 200 && page.body.contains("your account is kept and won’t be deleted on"), "{}", page.body);
        let done = app.send(submit(DISAVOW, &[("token", &token), ("not_me", "on")])).await;
        assert_eq!(done.status, 303, "after {days} days of {text}");
        assert_eq!(app.waiting_events().await, ["account.activated", "password.disavowed"]);
        assert!(app.send(open(&format!("{DISAVOW}?done=1"))).await.body.contains("it is kept"));
        // The password that asked for the deletion is out of use. The mailbox has the way back in.
        assert!(!app.lets_pass(&session).await);
        assert!(!ann.logs_in(PASSWORD).await);
        app.deliver().await;
        let reset = app.newest_reset_link(&ann.email).expect("a reset link");
        assert_eq!(app.send(confirm_reset(&reset, NEW_PASSWORD)).await.status, 200);
        assert!(ann.logs_in(NEW_PASSWORD).await);
        app.advance(31 * DAY);
        app.sweep().await;
        assert!(ann.logs_in(NEW_PASSWORD).await, "nothing of the deletion is left");
        assert_eq!(app.send(disavow(&token)).await.status, 404);
        app.assert_sound().await;
    }
}

#[tokio::test]
async fn a_thief_who_changes_the_password_and_then_has_the_account_deleted_is_undone_by_the_first_notice() {
    let app = App::start().await;
    let ann = app.sign_up("ann").await;
    let session = ann.login().await;
    assert_eq!(ann.change_password(&session, PASSWORD, "Thiefs-Own-46").await.status, 200);
    let first = link(&ann).await;
    app.advance(DAY);
    leaves_with(&ann, &session, "3d").await;
    let second = link(&ann).await;
    assert_ne!(first, second);
    app.advance(DAY);
    assert_eq!(app.send(disavow(&first)).await.status, 200);
    assert!(!ann.logs_in("Thiefs-Own-46").await);
    assert_eq!(app.send(disavow(&second)).await.status, 404, "it ended with the first");
    app.advance(2 * DAY);
    app.sweep().await;
    assert!(exists(&app, "ann").await);
    app.assert_sound().await;
}

#[tokio::test]
async fn an_account_that_an_operator_switches_off_is_not_opened_by_a_link_and_not_deleted() {
    let app = App::start().await;
    let ann = app.sign_up("ann").await;
    leaves(&ann, "3d").await;
    let token = link(&ann).await;
    let id = account(&app, "ann").await.id;
    assert_eq!(app.store.deactivate(id, app.clock.now()).await.unwrap(), ActivationOutcome::Now);
    app.assert_sound().await;
    assert_eq!(app.send(open(&format!("{DISAVOW}?token={token}"))).await.status, 404);
    assert_eq!(app.send(disavow(&token)).await.status, 404);
    app.advance(3 * DAY);
    app.sweep().await;
    let off = account(&app, "ann").await;
    assert!(!off.active && off.deletion.is_none());
    // Neither does the link work after the operator has switched it on again.
    assert_eq!(app.store.activate(id, app.clock.now()).await.unwrap(), ActivationOutcome::Now);
    assert_eq!(app.send(disavow(&token)).await.status, 404);
    assert!(ann.logs_in(PASSWORD).await);
}

#[tokio::test]
async fn an_operator_who_activates_an_account_calls_its_deletion_off() {
    let app = App::start().await;
    let ann = app.sign_up("ann").await;
    let session = ann.login().await;
    leaves(&ann, "3d").await;
    let id = account(&app, "ann").await.id;
    assert_eq!(app.store.activate(id, app.clock.now()).await.unwrap(), ActivationOutcome::Now);
    app.assert_sound().await;
    assert!(!app.lets_pass(&session).await && ann.logs_in(PASSWORD).await);
    // The notice that was still under way would say what is not true any more.
    app.deliver().await;
    assert_eq!(app.mailbox.to(&ann.email).len(), 0);
    app.advance(3 * DAY);
    app.sweep().await;
    assert!(ann.logs_in(PASSWORD).await);
    // Asked again, the new deletion has its own time.
    leaves(&ann, "3d").await;
    app.advance(3 * DAY - 3600);
    app.sweep().await;
    assert!(exists(&app, "ann").await);
    app.advance(3600);
    app.sweep().await;
    assert!(!exists(&app, "ann").await);
}

#[tokio::test]
async fn an_operator_deletes_an_account_that_waits_for_its_deletion() {
    let app = App::start().await;
    let (ann, secrets) = with_everything(&app).await;
    let account = account(&app, &ann.username).await;
    assert_eq!(app.store.delete_account(&account, app.clock.now()).await.unwrap(), Deleted::Now);
    assert_eq!(left_of(&app, &secrets).await, [""; 0]);
    app.assert_sound().await;
}

/// A request for another password, which an account that waits for its deletion must not answer.
fn change(session: &str) -> Request {
    post("/api/change_password/", &json!({ "old_password": PASSWORD, "new_password": NEW_PASSWORD })).token(session)
}

#[tokio::test]
async fn a_session_that_has_asked_for_the_deletion_can_do_nothing_more() {
    let app = App::start().await;
    let ann = app.sign_up("ann").await;
    let session = ann.login().await;
    leaves(&ann, "3d").await;
    let before = app.everything_but_limits().await;
    for asked in [change(&session), doorward_kit::requests::logout_all(&session), doorward_kit::requests::sessions(&session)] {
        assert_eq!(app.send(asked).await.status, 401);
    }
    assert_eq!(app.register(&ann.username, &address_of("other")).await.status, 400);
    assert_eq!(app.everything_but_limits().await, before);
}

#[tokio::test]
async fn a_deletion_needs_the_password_and_a_refused_one_changes_nothing() {
    let app = App::start().await;
    let ann = app.sign_up("ann").await;
    let session = ann.login().await;
    let before = app.everything_but_limits().await;
    let without = doorward_kit::request("DELETE", "/api/users/me/").token(&session);
    let empty = without.clone().header("Content-Type", "application/json").body("{}");
    for (asked, status, told) in [
        (delete_me(&session, "Wrong-Horse-42"), 400, json!({ "current_password": ["Invalid password."] })),
        (without, 400, json!({ "current_password": ["This field is required."] })),
        (empty, 400, json!({ "current_password": ["This field is required."] })),
        (delete_me("dws_nonsense", PASSWORD), 401, json!({ "detail": "Invalid token." })),
    ] {
        let answer = app.send(asked).await;
        assert_eq!((answer.status, answer.json()), (status, told));
    }
    assert_eq!(app.everything_but_limits().await, before);
    // The tries count with those of a change of the password.
    for _ in 0..9 {
        assert_eq!(ann.change_password(&session, "Wrong-Horse-42", NEW_PASSWORD).await.status, 400);
    }
    assert_eq!(app.send(delete_me(&session, PASSWORD)).await.status, 429);
    assert_eq!(app.send(me(&session)).await.status, 200);
}

#[tokio::test]
async fn without_days_of_grace_an_account_is_deleted_within_the_hour_and_no_link_is_mailed() {
    let app = App::configured(&[("DELETION_GRACE", "0")]).await;
    let ann = app.sign_up("ann").await;
    assert_eq!(app.send(delete_me(&ann.login().await, PASSWORD)).await.status, 204);
    app.deliver().await;
    assert_eq!(app.mailbox.to(&ann.email).len(), 0);
    app.sweep().await;
    assert!(!exists(&app, "ann").await);
    app.assert_sound().await;
}
