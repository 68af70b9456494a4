//! Promise 20: a change of address can be taken back from the old mailbox, whoever made it, and takes effect only when the new mailbox confirms it.

use doorward::account::Account;
use doorward_kit::{
    App, Response,
    mailbox::{Mail, Refuse},
    requests::{
        ACTIVATION, NEW_PASSWORD, PASSWORD, address_of, change_address, disavow, login, me, open, post, register, request, reset_request,
        set_username, submit, verify,
    },
};
use serde_json::{Value, json};

const DAY: u64 = 24 * 60 * 60;
const NEW: &str = "ann@new.example";
const PAGE: &str = "/api/password_reset/disavow/";

/// An app whose mailer confirms addresses, and an account that has a session.
async fn signed_up(settings: &[(&str, &str)]) -> (App, String) {
    let settings = [settings, &[("ADDRESS_VERIFICATION", "optional"), ("EVENTS", "account")]].concat();
    let app = App::configured(&settings).await;
    let session = app.sign_up_verified("ann").await.login().await;
    app.advance(1);
    (app, session)
}

async fn account(app: &App) -> Account {
    app.store.account(id(app).await).await.expect("the store answers").expect("an account")
}

/// The id of the only account that is not another's.
async fn id(app: &App) -> doorward::account::AccountId {
    let facts = app.snapshot("accounts").await;
    let ids = facts.values().filter(|item| item.get("sk").is_some_and(|sort| sort == "account"));
    ids.min_by_key(|item| item["created_at"].clone()).expect("an account")["pk"].trim_start_matches("account#").parse().expect("an id")
}

/// Asks for an address, and lets the mailer run.
async fn ask(app: &App, session: &str, email: &str, password: &str) -> Response {
    let answer = app.send(change_address(session, email, password)).await;
    app.deliver().await;
    app.advance(1);
    answer
}

fn link_to(app: &App, email: &str) -> String {
    app.verification_links(email).pop().expect("a link")
}

/// Changes the address and confirms the change.
async fn change(app: &App, session: &str, email: &str, password: &str) {
    assert_eq!(ask(app, session, email, password).await.status, 200);
    assert_eq!(app.send(verify(&link_to(app, email))).await.status, 204);
    app.deliver().await;
    app.advance(1);
}

/// The newest "this wasn't me" link that was mailed to this address.
fn undo_of(app: &App, email: &str) -> String {
    app.mailbox.to(email).iter().rev().find_map(Mail::disavowal_token).expect("a notice with a link")
}

async fn assert_dead(app: &App, link: &str) {
    let answer = app.send(verify(link)).await;
    assert_eq!((answer.status, answer.json()), (400, json!({ "token": ["Invalid token for given user."] })));
    assert_eq!(app.send(open(&format!("{ACTIVATION}?token={link}"))).await.status, 400);
}

#[tokio::test]
async fn an_address_is_changed_when_its_new_mailbox_confirms_it_and_the_old_one_is_told_twice() {
    let (app, session) = signed_up(&[]).await;
    let old = address_of("ann");
    let answer = ask(&app, &session, "Ann@New.example", PASSWORD).await;
    assert_eq!((answer.status, &answer.json()["email"], &answer.json()["pending_email"]), (200, &json!(old), &json!("Ann@New.example")));
    let seen = app.send(me(&session)).await.json();
    assert_eq!((&seen["email"], &seen["pending_email"], &seen["verified"]), (&json!(old), &json!("Ann@New.example"), &json!(true)));
    assert!(account(&app).await.email.as_str() == old, "a typing error locks nobody out");
    let [mail] = &app.mailbox.to("Ann@New.example")[..] else { panic!("one mail") };
    assert!(mail.subject == "Confirm your e-mail address for Doorward" && mail.text.contains("is going to use this e-mail address"));
    let told = app.mailbox.to(&old).pop().expect("a notice");
    assert!(told.subject == "Another e-mail address for your Doorward account" && !told.text.contains("New.example"), "{told:?}");

    let link = link_to(&app, "Ann@New.example");
    let page = app.send(open(&format!("{ACTIVATION}?token={link}"))).await;
    assert!(page.status == 200 && page.body.contains("<bdi>ann</bdi>"), "{page:?}");
    assert_eq!(app.send(submit(ACTIVATION, &[("token", &link)])).await.status, 400, "a robot");
    assert_eq!(app.send(submit(ACTIVATION, &[("token", &link), ("mine", "on")])).await.status, 303);
    app.deliver().await;
    let told = app.mailbox.to(&old).pop().expect("a notice");
    assert!(told.subject == "The e-mail address of your Doorward account was changed" && !told.text.contains("New.example"), "{told:?}");
    let seen = app.send(me(&session)).await.json();
    assert_eq!((&seen["email"], seen.get("pending_email"), &seen["verified"]), (&json!("Ann@New.example"), None, &json!(true)));
    // People click twice.
    assert_eq!(app.send(verify(&link)).await.status, 204);
    assert_eq!(app.send(open(&format!("{ACTIVATION}?token={link}"))).await.status, 200);
    assert_eq!(app.waiting_events().await, ["account.created", "account.verified", "address.changed"]);
    app.login("ANN@new.example", PASSWORD).await;
    assert_eq!(app.send(login(&old, PASSWORD)).await.status, 401);
    app.assert_sound().await;
}

#[tokio::test]
async fn what_is_no_change_of_the_address_asks_for_none_and_what_is_wrong_is_answered_as_drf_answers() {
    let (app, session) = signed_up(&[]).await;
    let before = app.everything_but_limits().await;
    let patch = |body: Value| {
        let mut asked = post("/api/users/me/", &body).token(&session);
        asked.method = "PATCH".to_owned();
        asked
    };
    for body in [json!({}), json!({ "email": "ANN@example.com" }), json!({ "username": "x" })] {
        assert_eq!(app.send(patch(body.clone())).await.status, 200, "{body}");
    }
    for (body, refusal) in [
        (json!({ "email": NEW }), json!({ "current_password": ["This field is required."] })),
        (json!({ "email": "x" }), json!({ "email": ["Enter a valid email address."], "current_password": ["This field is required."] })),
        (json!({ "email": "", "current_password": PASSWORD }), json!({ "email": ["This field may not be blank."] })),
        (json!({ "email": null, "current_password": PASSWORD }), json!({ "email": ["This field may not be null."] })),
        (json!({ "email": NEW, "current_password": "Wrong-Horse-42" }), json!({ "current_password": ["Invalid password."] })),
        (
            json!({ "email": format!("{}@example.com", "x".repeat(300)), "current_password": PASSWORD }),
            json!({ "email": ["Ensure this field has no more than 254 characters.", "Enter a valid email address."] }),
        ),
    ] {
        let refused = app.send(patch(body.clone())).await;
        assert_eq!((refused.status, refused.json()), (400, refusal), "{body}");
    }
    assert_eq!(app.everything_but_limits().await, before, "nothing stored and nothing mailed");
    // Where nobody confirms addresses, the address is a field that can only be read.
    let app = App::start().await;
    let answer = app.send(change_address(&app.sign_up("ann").await.login().await, NEW, "Wrong-Horse-42")).await;
    assert_eq!((answer.status, answer.json().get("pending_email")), (200, None));
    assert!(account(&app).await.email.as_str() == address_of("ann"));
}

#[tokio::test]
async fn with_a_masked_account_the_new_address_is_masked_too_and_what_was_shown_is_no_change() {
    let (app, session) = signed_up(&[("OWN_ACCOUNT", "masked")]).await;
    let answer = ask(&app, &session, NEW, PASSWORD).await.json();
    assert_eq!((&answer["email"], &answer["pending_email"]), (&json!("a•••@example.com"), &json!("a•••@new.example")));
    assert_eq!(app.send(change_address(&session, "a•••@example.com", "")).await.status, 200);
    for guess in ["ann@example.com", "eve@example.com"] {
        let refused = ask(&app, &session, guess, "Wrong-Horse-42").await;
        assert_eq!(refused.body, r#"{"current_password":["Invalid password."]}"#, "guessed by a session alone: {guess}");
    }
    assert_eq!(app.send(change_address(&session, "ann@example.com", PASSWORD)).await.status, 200);
}

#[tokio::test]
async fn opening_the_link_of_a_change_spends_nothing_only_the_newest_works_and_a_mail_comes_once() {
    let (app, session) = signed_up(&[]).await;
    ask(&app, &session, NEW, PASSWORD).await;
    let older = link_to(&app, NEW);
    let before = app.everything_but_limits().await;
    for method in ["GET", "HEAD", "GET"] {
        assert_eq!(app.send(request(method, &format!("{ACTIVATION}?token={older}"))).await.status, 200);
    }
    assert_eq!(app.everything_but_limits().await, before);
    app.mailbox.refuse_next(Refuse(429, "TooManyRequestsException"));
    assert_eq!(app.send(change_address(&session, NEW, PASSWORD)).await.status, 200);
    assert_dead(&app, &older).await;
    let records = app.stream().await;
    app.mailer.deliver(records.clone()).await;
    app.advance(1);
    for _ in 0..2 {
        app.mailer.deliver(records.clone()).await;
    }
    assert_eq!(app.verification_links(NEW).len(), 2, "once for each request");
    assert_dead(&app, &older).await;
    assert_eq!(app.send(verify(&link_to(&app, NEW))).await.status, 204);
    app.assert_sound().await;
}

#[tokio::test]
async fn the_link_of_a_change_expires_to_the_second_though_the_store_still_has_it() {
    let (app, session) = signed_up(&[]).await;
    let asked = app.clock.now();
    ask(&app, &session, NEW, PASSWORD).await;
    let link = link_to(&app, NEW);
    app.clock.set(doorward::clock::after(asked, std::time::Duration::from_secs(DAY - 1)));
    assert_eq!(app.send(open(&format!("{ACTIVATION}?token={link}"))).await.status, 200);
    assert!(app.send(me(&session)).await.json().get("pending_email").is_some());
    app.advance(1);
    assert_dead(&app, &link).await;
    assert!(app.send(me(&session)).await.json().get("pending_email").is_none());
    assert!(account(&app).await.email.as_str() == address_of("ann"));
}

#[tokio::test]
async fn the_link_of_a_change_dies_with_any_change_of_the_password_and_with_all_sessions() {
    for how in ["change", "reset", "disavow", "end", "switched off", "set-email"] {
        let (app, session) = signed_up(&[]).await;
        let reset = app.reset_link(&address_of("ann")).await;
        ask(&app, &session, NEW, PASSWORD).await;
        let link = link_to(&app, NEW);
        let status = match how {
            "change" => app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status,
            "reset" => app.confirm_reset(&reset, NEW_PASSWORD).await.status,
            "disavow" => app.send(disavow(&undo_of(&app, &address_of("ann")))).await.status,
            "end" => app.logout_all(&session).await.status,
            "switched off" => {
                let id = id(&app).await;
                app.store.deactivate(id, app.clock.now()).await.expect("the store answers");
                app.store.activate(id, app.clock.now()).await.expect("the store answers");
                200
            }
            _ => {
                let email = doorward::account::EmailAddress::parse("ann@third.example").expect("an address");
                app.store.set_email(&account(&app).await, &email, app.clock.now()).await.expect("the store answers");
                200
            }
        };
        assert_eq!(status, 200, "{how}");
        assert_dead(&app, &link).await;
        assert!(account(&app).await.email.as_str() != NEW, "{how}");
        app.assert_sound().await;
    }
}

#[tokio::test]
async fn a_change_is_taken_back_from_the_old_mailbox_and_the_password_with_it() {
    let (app, session) = signed_up(&[]).await;
    let old = address_of("ann");
    change(&app, &session, NEW, PASSWORD).await;
    let undo = undo_of(&app, &old);
    let page = app.send(open(&format!("{PAGE}?token={undo}"))).await;
    assert!(page.body.contains("Did someone else change the e-mail address") && page.body.contains("gets back the address"), "{page:?}");
    app.advance(7 * DAY - 60);
    assert_eq!(app.send(disavow(&undo)).await.status, 200);
    let account = account(&app).await;
    assert!(account.email.as_str() == old && account.verified_at.is_some() && account.former.is_empty());
    assert!(!app.lets_pass(&session).await, "sessions end");
    for name in ["ann", &old, NEW] {
        assert_eq!(app.send(login(name, PASSWORD)).await.status, 401, "the password is out of use");
    }
    app.deliver().await;
    let link = app.newest_reset_link(&old).expect("a reset link to the old address");
    assert_eq!(app.newest_reset_link(NEW), None);
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
    app.login(&old, NEW_PASSWORD).await;
    assert_eq!(app.send(register("eve", NEW)).await.status, 201, "the other address is free again");
    app.assert_sound().await;
}

#[tokio::test]
async fn after_the_days_of_an_undo_its_link_is_dead_and_the_old_address_anybodys() {
    let (app, session) = signed_up(&[("ADDRESS_UNDO", "2d")]).await;
    let old = address_of("ann");
    change(&app, &session, NEW, PASSWORD).await;
    let undo = undo_of(&app, &old);
    app.advance(2 * DAY - 60);
    let taken = app.send(register("eve", &old)).await;
    assert_eq!((taken.status, taken.json()), (400, json!({ "email": ["user with this email already exists."] })));
    app.advance(60);
    assert_eq!(app.send(disavow(&undo)).await.status, 404);
    assert_eq!(app.send(register("eve", &old)).await.status, 201);
    // The next change looks after what is over.
    let session = app.login("ann", PASSWORD).await;
    change(&app, &session, "ann@third.example", PASSWORD).await;
    let former: Vec<String> = account(&app).await.former.iter().map(|former| former.email.as_str().to_owned()).collect();
    assert_eq!(former, [NEW]);
    app.assert_sound().await;
}

#[tokio::test]
async fn without_days_for_an_undo_the_old_address_is_free_at_once_and_its_links_are_dead() {
    let (app, session) = signed_up(&[("ADDRESS_UNDO", "0")]).await;
    let old = address_of("ann");
    ask(&app, &session, NEW, PASSWORD).await;
    let asked = undo_of(&app, &old);
    assert_eq!(app.send(verify(&link_to(&app, NEW))).await.status, 204);
    app.deliver().await;
    let told = app.mailbox.to(&old).pop().expect("a notice");
    assert!(told.subject.contains("was changed") && told.disavowal_token().is_none(), "{told:?}");
    assert_eq!(app.send(disavow(&asked)).await.status, 404, "the mailbox is not the account's any more");
    assert_eq!(app.send(register("eve", &old)).await.status, 201);
    app.assert_sound().await;
}

#[tokio::test]
async fn a_former_address_is_no_name_gets_no_reset_link_and_an_older_link_is_dead() {
    let (app, session) = signed_up(&[]).await;
    let old = address_of("ann");
    let reset = app.reset_link(&old).await;
    ask(&app, &session, NEW, PASSWORD).await;
    let link = link_to(&app, NEW);
    // A request is under way while the address changes.
    app.advance(60 * 60);
    let session = app.login("ann", PASSWORD).await;
    assert_eq!(app.send(reset_request(&old)).await.status, 200);
    let late = app.stream().await;
    assert_eq!(app.send(verify(&link)).await.status, 204);
    let mails = app.reset_mails(&old);
    app.mailer.deliver(late).await;
    app.send(reset_request(&old)).await;
    app.deliver().await;
    assert_eq!(app.reset_mails(&old), mails);
    assert_eq!(app.confirm_reset(&reset, NEW_PASSWORD).await.status, 404);
    assert_eq!(app.send(login(&old, PASSWORD)).await.status, 401);
    assert!(app.lets_pass(&session).await, "sessions go on");
    // Another account cannot have it by a change either, and is not told.
    let other = app.sign_up_verified("ben").await.login().await;
    assert_eq!(ask(&app, &other, &old, PASSWORD).await.status, 200);
    assert!(app.verification_links(&old).len() == 1, "that of the registration");
    app.assert_sound().await;
}

#[tokio::test]
async fn nothing_is_mailed_to_an_address_that_is_anothers_and_who_asks_sees_no_difference() {
    let (app, session) = signed_up(&[]).await;
    app.sign_up_verified("ben").await;
    let before = app.mailbox.to(&address_of("ben")).len();
    let answer = ask(&app, &session, &address_of("ben"), PASSWORD).await;
    assert_eq!((answer.status, &answer.json()["pending_email"]), (200, &json!(address_of("ben"))));
    assert_eq!(app.mailbox.to(&address_of("ben")).len(), before);
    app.advance(60);
    assert_eq!(app.send(me(&session)).await.json()["pending_email"], json!(address_of("ben")));
    let deliveries = app.store.deliveries(id(&app).await).await.expect("the store answers");
    let without = deliveries.len();
    assert_eq!(ask(&app, &session, NEW, PASSWORD).await.status, 200);
    let deliveries = app.store.deliveries(id(&app).await).await.expect("the store answers");
    // The record of an account's mail is its owner's to see, so it has the notice and not what became of the link.
    assert!(deliveries.len() <= without + 1, "{deliveries:?}");
}

#[tokio::test]
async fn a_username_that_is_the_address_follows_it_and_comes_back_with_it() {
    let (app, session) = signed_up(&[]).await;
    let old = address_of("ann");
    assert_eq!(app.send(set_username(&session, &old, PASSWORD)).await.status, 204);
    let refused = ask(&app, &session, "o'neil@new.example", PASSWORD).await;
    assert_eq!(refused.json(), json!({ "email": ["Your username is your e-mail address, and this address cannot be a username."] }));
    change(&app, &session, NEW, PASSWORD).await;
    assert!(account(&app).await.username.as_str() == NEW);
    app.assert_sound().await;
    assert_eq!(app.send(disavow(&undo_of(&app, &old))).await.status, 200);
    let account = account(&app).await;
    assert!(account.username.as_str() == old && account.email.as_str() == old);
    app.assert_sound().await;
}

#[tokio::test]
async fn an_address_comes_back_though_it_cannot_be_the_username_that_was_the_other_address() {
    let app = App::configured(&[("ADDRESS_VERIFICATION", "optional")]).await;
    assert_eq!(app.register("ann", "o'neil@example.com").await.status, 201);
    let session = app.login("ann", PASSWORD).await;
    change(&app, &session, NEW, PASSWORD).await;
    assert_eq!(app.send(set_username(&session, NEW, PASSWORD)).await.status, 204);
    assert_eq!(app.send(disavow(&undo_of(&app, "o'neil@example.com"))).await.status, 200);
    let account = account(&app).await;
    assert!(account.email.as_str() == "o'neil@example.com" && !account.username.as_str().contains('@'));
    app.assert_sound().await;
}

#[tokio::test]
async fn at_most_five_former_addresses_are_kept_and_five_changes_a_day_are_asked_for() {
    let (app, mut session) = signed_up(&[("ADDRESS_UNDO", "30d")]).await;
    for number in 0..5 {
        app.advance(DAY);
        session = app.login("ann", PASSWORD).await;
        change(&app, &session, &format!("ann{number}@new.example"), PASSWORD).await;
    }
    let refused = ask(&app, &session, NEW, PASSWORD).await;
    assert_eq!(
        (refused.status, refused.json()),
        (400, json!({ "email": ["The address was changed too often. Try again in a few days."] }))
    );
    assert_eq!(account(&app).await.former.len(), 5);
    app.assert_sound().await;
    // The first mailbox takes all of them back.
    app.advance(DAY);
    let first = app.mailbox.to(&address_of("ann")).iter().rev().find_map(Mail::disavowal_token).expect("a link");
    assert_eq!(app.send(disavow(&first)).await.status, 200);
    assert!(account(&app).await.email.as_str() == address_of("ann") && account(&app).await.former.is_empty());
    app.assert_sound().await;

    let (app, session) = signed_up(&[]).await;
    for _ in 0..5 {
        assert_eq!(ask(&app, &session, NEW, PASSWORD).await.status, 200);
    }
    assert_eq!(ask(&app, &session, "ann@third.example", PASSWORD).await.status, 429);
    let other = app.sign_up_verified("ben").await.login().await;
    assert_eq!(ask(&app, &other, NEW, PASSWORD).await.status, 429, "nor is one mailbox mailed oftener, by however many accounts");
}

#[tokio::test]
async fn an_address_that_is_taken_again_by_its_own_account_leaves_nothing_behind() {
    let (app, session) = signed_up(&[]).await;
    let old = address_of("ann");
    change(&app, &session, NEW, PASSWORD).await;
    change(&app, &session, &old, PASSWORD).await;
    app.assert_sound().await;
    let to_new = undo_of(&app, NEW);
    change(&app, &session, "ann@third.example", PASSWORD).await;
    app.assert_sound().await;
    assert_eq!(app.send(disavow(&to_new)).await.status, 200, "the second mailbox takes back what came after it");
    let account = account(&app).await;
    assert!(account.email.as_str() == NEW && account.former.len() == 1);
    app.assert_sound().await;
}
