//! Registration that does not tell who has an account (`Registration=silent`).

use std::collections::BTreeMap;

use doorward_kit::{
    App, Response,
    changes::changes,
    place::Place,
    proxy::{Failure, When},
    requests::{
        NEW_PASSWORD, PASSWORD, Request, address_of, change_address, login, post, register, reset_request, verification_request, verify,
    },
};
use serde_json::json;

use super::enumeration::{Seen, seen};

const SILENT: [(&str, &str); 3] = [("REGISTRATION", "silent"), ("ADDRESS_VERIFICATION", "mandatory"), ("EVENTS", "account")];
/// The password of somebody who registers with another's address.
const SECOND: &str = "Second-Horse-43";
const THIEF: &str = "198.51.100.66";

fn second(username: &str, email: &str) -> Request {
    post("/api/register/", &json!({ "username": username, "email": email, "password": SECOND })).from(THIEF)
}

/// An answer, with these texts as the same words whatever they are.
fn in_words(answer: &Response, username: &str, email: &str) -> (u16, String) {
    (answer.status, answer.body.replace(email, "ADDRESS").replace(username, "USERNAME"))
}

/// Accounts whose addresses are taken: verified, not verified, switched off, and without a password. All names have the same length.
async fn taken(app: &App) -> [&'static str; 4] {
    for name in ["anna", "benn", "ivan", "none"] {
        assert_eq!(app.send(register(name, &address_of(name))).await.status, 201);
    }
    app.deliver().await;
    let link = app.verification_links(&address_of("anna")).pop().expect("a link");
    assert_eq!(app.send(verify(&link)).await.status, 204);
    app.operator.set_active("ivan", false).await;
    app.operator.remove("none", "password").await;
    // So that the owners are told of what comes.
    app.advance(2 * 60 * 60);
    app.mailbox.forget();
    ["anna", "benn", "ivan", "none"]
}

#[tokio::test]
async fn registering_looks_and_costs_the_same_whoever_has_the_address() {
    let (app, observer) = App::observed(&SILENT).await;
    let taken = taken(&app).await;
    for by_address in [false, true] {
        let mut all: Vec<Seen> = Vec::new();
        for (number, name) in ["nobo"].iter().chain(&taken).enumerate() {
            // With the address as the username it is another free one.
            let email = address_of(if by_address && *name == "nobo" { "free" } else { name });
            let username = if by_address { email.clone() } else { format!("new{number}") };
            let mut one = seen(&app, &observer, second(&username, &email)).await;
            let (status, body) = in_words(&one.answer, &username, &email);
            assert_eq!(status, 201, "{name}: {body}");
            one.answer.body = body;
            all.push(one);
        }
        assert!(all.iter().all(|one| *one == all[0]), "{by_address}: {all:#?}");
        let operations: Vec<&str> = all[0].calls.iter().filter_map(|call| call.split(' ').next()).collect();
        assert_eq!((operations.join(" ").as_str(), all[0].hashes), ("UpdateItem BatchGetItem TransactWriteItems", 1));
    }
}

/// All that somebody who has registered can ask afterwards, in words that are the same for every address.
async fn asked_afterwards(app: &App, username: &str, email: &str) -> Vec<(u16, String)> {
    let another = format!("{username}2");
    let requests = [
        second(username, email),
        second(&username.to_uppercase(), &format!("other.{email}")),
        login(username, SECOND).from(THIEF),
        login(email, SECOND).from(THIEF),
        login(username, "Wrong-Horse-42").from(THIEF),
        login(email, "Wrong-Horse-42").from(THIEF),
        second(username, email),
        second(&another, email),
        login(&another, SECOND).from(THIEF),
        verification_request(email).from(THIEF),
        reset_request(email).from(THIEF),
        login(email, SECOND).from(THIEF),
    ];
    let mut answers = Vec::new();
    for asked in requests {
        answers.push(in_words(&app.send(asked).await, username, email));
        app.deliver().await;
        app.advance(20);
    }
    answers
}

#[tokio::test]
async fn whoever_registers_learns_nothing_about_the_address_by_what_is_asked_afterwards() {
    let app = App::configured(&SILENT).await;
    let taken = taken(&app).await;
    let free = asked_afterwards(&app, "newname0", &address_of("nobo")).await;
    let statuses: Vec<u16> = free.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [201, 400, 401, 401, 401, 401, 400, 201, 401, 204, 200, 401]);
    assert_eq!(free[1].1, r#"{"username":["A user with that username already exists."]}"#);
    assert!(free.iter().filter(|(status, _)| *status == 401).all(|(_, body)| body == r#"{"error":"Invalid credentials"}"#));
    for (number, name) in taken.iter().enumerate() {
        assert_eq!(asked_afterwards(&app, &format!("newname{}", number + 1), &address_of(name)).await, free, "{name}");
    }
    // The owner's password is the one that it was, and opens the account.
    app.login("anna", PASSWORD).await;
}

#[tokio::test]
async fn a_username_that_is_the_address_tells_no_more_than_the_address_and_takes_nobodys_login() {
    let app = App::configured(&SILENT).await;
    taken(&app).await;
    let mut answers = Vec::new();
    for name in ["free", "anna"] {
        let email = address_of(name);
        for asked in [second(&email, &email), second(&email, &email), login(&email, SECOND)] {
            answers.push(in_words(&app.send(asked).await, &email, &email));
        }
    }
    assert_eq!(answers[..3], answers[3..]);
    assert_eq!(answers.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [201, 201, 401, 201, 201, 401]);
    app.login(&address_of("anna"), PASSWORD).await;
    // An account whose username is its address.
    assert_eq!(app.send(register("carl@example.com", "carl@example.com")).await.status, 201);
    app.deliver().await;
    let link = app.verification_links("carl@example.com").pop().expect("a link");
    assert_eq!(app.send(verify(&link)).await.status, 204);
    assert_eq!(app.send(second("carl@example.com", "carl@example.com")).await.status, 201);
    app.advance(1);
    app.login("carl@example.com", PASSWORD).await;
}

#[tokio::test]
async fn the_owner_of_an_address_is_told_once_a_day_that_there_is_an_account_and_nobody_else_is_told() {
    let app = App::configured(&SILENT).await;
    let names = taken(&app).await;
    let from = |username: &str, name: &str| second(username, &address_of(name)).header("Accept-Language", "fr");
    for (number, name) in names.iter().enumerate() {
        for again in 0..3 {
            assert_eq!(app.send(from(&format!("thief{number}{again}"), name)).await.status, 201);
            app.deliver().await;
            app.advance(60);
        }
    }
    let told: BTreeMap<&str, usize> = names.iter().map(|name| (*name, app.mailbox.to(&address_of(name)).len())).collect();
    // Nobody can log in to the other two.
    assert_eq!(told, BTreeMap::from([("anna", 1), ("benn", 1), ("ivan", 0), ("none", 0)]));
    assert_eq!(app.mailbox.all().len(), 2, "no mail to an address at which none arrives");
    let mail = app.mailbox.to(&address_of("anna")).pop().expect("a mail");
    assert!(mail.text.contains("https://accounts.example.com/api/password_reset/\n"), "{}", mail.text);
    assert!(mail.text.contains(THIEF) && mail.html.contains(THIEF));
    for text in [&mail.text, &mail.html, &mail.subject] {
        assert!(!text.contains("token=") && !text.contains("dw") && !text.contains("thief") && !text.contains(SECOND), "{text}");
    }
    // The mail is in the account's language, which has none, and not in that of who typed the address.
    assert_eq!(mail.subject, "You already have a Doorward account");
    app.advance(24 * 60 * 60);
    assert_eq!(app.send(from("thief99", "anna")).await.status, 201);
    // The request, and the notice that it leaves.
    app.deliver().await;
    app.deliver().await;
    assert_eq!(app.mailbox.to(&address_of("anna")).len(), 2, "the next day");
    // An account that is younger than an hour: its owner has just registered, and sends the form twice.
    assert_eq!(app.send(register("dora", &address_of("dora"))).await.status, 201);
    assert_eq!(app.send(from("thief98", "dora")).await.status, 201);
    app.deliver().await;
    assert_eq!(app.mailbox.to(&address_of("dora")).len(), 1);
    assert_eq!(app.verification_links(&address_of("dora")).len(), 1);
}

#[tokio::test]
async fn a_placeholder_account_cannot_be_used_whatever_is_configured_later_and_is_deleted_whole() {
    let place = Place::fresh().await;
    let app = App::over(&place, &SILENT).await;
    taken(&app).await;
    assert_eq!(app.send(second("newname", &address_of("anna"))).await.status, 201);
    app.deliver().await;
    app.advance(1);
    let nobody = app.store.account_by_login_name("newname").await.expect("the store answers").expect("an account");
    assert_eq!(nobody.email.as_str(), format!("{}@registered.invalid", nobody.id));
    assert!(nobody.usable_password().is_none() && nobody.verified_at.is_none());
    let relaxed = App::over(&place, &[("ADDRESS_VERIFICATION", "none")]).await;
    relaxed.advance(3 * 60 * 60);
    for password in [SECOND, PASSWORD, "!", ""] {
        assert_ne!(relaxed.send(login("newname", password)).await.status, 200, "{password}");
    }
    relaxed.login("anna", PASSWORD).await;
    app.publish().await;
    app.store.delete_account(&nobody, app.clock.now()).await.expect("the store answers");
    app.publish().await;
    let mut left = app.everything_but_limits().await;
    // What asked for the mail to the address is left for a day, under its owner's address and without that of who asked.
    left.retain(|(partition, _), item| !partition.starts_with("verify#") || item.contains_key("email") || item.contains_key("address"));
    let left = format!("{left:?}");
    assert!(!left.contains("newname") && !left.contains(&nobody.id.to_string()) && !left.contains("registered.invalid"), "{left}");
}

#[tokio::test]
async fn of_many_registrations_of_one_address_at_once_one_is_its_account_and_one_mail_is_sent() {
    let app = App::configured(&SILENT).await;
    let email = address_of("anna");
    let answers = app.at_once((0..12).map(|number| second(&format!("racer{number}"), &email))).await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    app.deliver().await;
    app.deliver().await;
    assert_eq!((app.mailbox.all().len(), app.mailbox.to(&email).len()), (1, 1));
    let accounts = app.snapshot("accounts").await;
    let with = |address: &str| accounts.values().filter(|item| item.get("email").is_some_and(|email| email.ends_with(address))).count();
    assert_eq!((with(&email), with("@registered.invalid")), (1, 11));
    // The link is the account's that has the address, and its password is the one that was chosen for it.
    let link = app.verification_links(&email).pop().expect("a link");
    assert_eq!(app.send(verify(&link)).await.status, 204);
    app.advance(1);
    app.login(&email, SECOND).await;
    let racers = app.at_once((0..12).map(|number| login(&format!("racer{number}"), SECOND))).await;
    assert_eq!(racers.iter().filter(|answer| answer.status == 200).count(), 1);
}

#[tokio::test]
async fn a_former_address_that_is_kept_for_its_account_looks_like_any_other_and_is_anybodys_afterwards() {
    let settings = [&SILENT[..], &[("ADDRESS_UNDO", "2d")]].concat();
    let (app, observer) = App::observed(&settings).await;
    let session = app.sign_up_verified("ann").await.login().await;
    app.advance(1);
    let old = address_of("ann");
    let moves = async |to: &str| {
        assert_eq!(app.send(change_address(&session, to, PASSWORD)).await.status, 200);
        app.deliver().await;
        let link = app.verification_links(to).pop().expect("a link");
        assert_eq!(app.send(verify(&link)).await.status, 204);
        app.deliver().await;
    };
    moves("ann@new.example").await;
    let mut all: Vec<Seen> = Vec::new();
    for (username, seconds, mails) in [("eve", 2 * 24 * 60 * 60 - 60, 0), ("mia", 60, 1)] {
        app.advance(seconds);
        app.mailbox.forget();
        let mut one = seen(&app, &observer, second(username, &old)).await;
        one.answer.body = in_words(&one.answer, username, &old).1;
        app.deliver().await;
        assert_eq!((one.answer.status, app.mailbox.to(&old).len()), (201, mails), "{username}");
        all.push(one);
    }
    assert_eq!(all[0], all[1]);
    // The next change forgets the address whose days are over.
    moves("ann@third.example").await;
    app.assert_sound().await;
}

#[tokio::test]
async fn whichever_call_of_a_silent_registration_fails_nothing_is_half_done_and_the_answer_is_the_same() {
    for (number, when) in (0..3).flat_map(|number| [(number, When::Before), (number, When::After)]) {
        let mut left = Vec::new();
        for name in ["nobo", "anna"] {
            let (app, observer) = App::observed(&SILENT).await;
            taken(&app).await;
            let before = app.everything_but_limits().await;
            observer.store.forget();
            observer.store.fail(move |call| (call.number == number).then(|| (when, Failure::code(400, "AccessDeniedException"))));
            let answer = app.send(second("newname", &address_of(name))).await;
            assert_eq!(answer.status, 503, "{name} {number} {when:?}");
            left.push((changes(&before, &app.everything_but_limits().await), answer.body));
        }
        assert_eq!(left[0], left[1], "{number} {when:?}");
        let made = ["+account", "+email claim", "+event", "+request", "+username claim"];
        let is_made = number == 2 && matches!(when, When::After);
        assert_eq!(left[0].0, if is_made { made.map(str::to_owned).to_vec() } else { vec![] }, "{number} {when:?}");
    }
}

#[tokio::test]
async fn a_mailer_that_is_killed_while_it_tells_of_a_registration_tells_once() {
    for number in 0..12 {
        for when in [When::Before, When::After] {
            let (app, observer) = App::observed(&SILENT).await;
            taken(&app).await;
            assert_eq!(app.send(second("newname", &address_of("anna"))).await.status, 201);
            observer.store.forget();
            observer.store.fail(move |call| (call.number >= number).then(|| (when, Failure::code(400, "AccessDeniedException"))));
            let records = app.stream().await;
            app.mailer.deliver(records.clone()).await;
            observer.store.forget();
            // The lease of the one that died has ended.
            app.advance(100);
            app.mailer.deliver(records).await;
            app.deliver().await;
            app.deliver().await;
            assert_eq!(app.mailbox.to(&address_of("anna")).len(), 1, "{number} {when:?}");
        }
    }
}

#[tokio::test]
async fn where_registration_is_silent_a_login_before_the_link_was_opened_is_refused_like_a_wrong_password() {
    let (app, observer) = App::observed(&SILENT).await;
    assert_eq!(app.send(register("anna", &address_of("anna"))).await.status, 201);
    let wrong = seen(&app, &observer, login("anna", NEW_PASSWORD)).await;
    let right = seen(&app, &observer, login("anna", PASSWORD)).await;
    assert_eq!(right, wrong);
    assert_eq!((right.answer.status, right.answer.body.as_str()), (401, r#"{"error":"Invalid credentials"}"#));
    app.deliver().await;
    let link = app.verification_links(&address_of("anna")).pop().expect("a link");
    assert_eq!(app.send(verify(&link)).await.status, 204);
    app.advance(1);
    app.login("anna", PASSWORD).await;
}
