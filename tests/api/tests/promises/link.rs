//! Promises 2 and 3: the reset request learns nothing. A link works once, until it expires, and only the newest works.

use doorward::{
    account::EmailAddress,
    caller::Caller,
    client::Client,
    entropy::Entropy,
    lifecycle::Renamed,
    outbox::{ChangeKind, Notice},
    password::StoredPassword,
    reset::Spent,
    token::{Reset, Token},
};
use doorward_kit::{
    App,
    mailbox::Refuse,
    proxy::{Failure, Gate, When},
    requests::{NEW_PASSWORD, PASSWORD, address_of, login, post, request, reset_request},
};
use serde_json::json;

const NOT_VALID: &str = "The OTP password entered is not valid. Please check and try again.";

#[tokio::test]
async fn a_reset_link_works_once() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let token = app.reset_link(&address_of("ann")).await;
    assert_eq!(app.validate(&token).await.status, 200);
    assert_eq!(app.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
    for _ in 0..2 {
        let again = app.confirm_reset(&token, "Another-Horse-44").await;
        assert_eq!((again.status, again.json()), (404, json!({ "detail": NOT_VALID })));
    }
    assert_eq!(app.validate(&token).await.status, 404);
    assert_eq!(app.send(login("ann", NEW_PASSWORD)).await.status, 200);
    assert_eq!(app.send(login("ann", PASSWORD)).await.status, 401);
    assert_eq!(app.send(login("ann", "Another-Horse-44")).await.status, 401);
}

#[tokio::test]
async fn a_reset_link_expires_to_the_second_though_the_store_still_has_it() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let token = app.reset_link(&address_of("ann")).await;
    app.advance(3599);
    assert_eq!(app.validate(&token).await.status, 200);
    app.advance(1);
    assert_eq!(app.validate(&token).await.status, 404);
    assert_eq!(app.confirm_reset(&token, NEW_PASSWORD).await.status, 404);
    assert!(app.operator.item(&app.operator.partition("ann").await, "reset").await.is_some(), "TTL has not come by");
    assert_eq!(app.send(login("ann", PASSWORD)).await.status, 200);
}

#[tokio::test]
async fn a_link_that_expires_while_the_password_is_hashed_is_not_spent() {
    // The condition of the transaction decides, not the read before it.
    let app = App::start().await;
    app.sign_up("ann").await;
    let token = Token::<Reset>::parse(&app.reset_link(&address_of("ann")).await).expect("a token");
    let read_at = app.clock.now();
    let (_, link) = app.store.reset_link(token.account()).await.expect("the store answers");
    assert!(link.expect("a link").is_in_use(read_at));
    app.advance(3600);
    let password = StoredPassword::stored("$argon2id$new".to_owned());
    let client = Client::seen("192.0.2.1".parse().expect("an address"), &[], 0);
    let notice = Notice {
        id: Entropy::system().uuid(read_at),
        account: token.account(),
        email: EmailAddress::parse(&address_of("ann")).expect("an address"),
        kind: ChangeKind::Reset,
        changed_at: read_at,
        caller: Caller::default(),
    };
    let spent = app.store.spend_reset(token.account(), &token.digest(), client, &password, &notice, app.clock.now()).await;
    assert_eq!(spent.expect("the store answers"), Spent::NotValid);
    assert_eq!(app.send(login("ann", PASSWORD)).await.status, 200);
}

#[tokio::test]
async fn only_the_newest_reset_link_works() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let older = app.reset_link(&address_of("ann")).await;
    app.advance(60);
    let newer = app.reset_link(&address_of("ann")).await;
    assert_ne!(older, newer);
    assert_eq!(app.confirm_reset(&older, NEW_PASSWORD).await.status, 404);
    assert_eq!(app.confirm_reset(&newer, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_reset_link_dies_with_any_change_of_the_password() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let token = app.reset_link(&address_of("ann")).await;
    assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
    assert_eq!(app.validate(&token).await.status, 404);
    assert_eq!(app.confirm_reset(&token, "Another-Horse-44").await.status, 404);
    assert_eq!(app.send(login("ann", NEW_PASSWORD)).await.status, 200);
}

#[tokio::test]
async fn a_link_asked_for_before_a_change_is_never_made_after_it() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    app.send(reset_request(&address_of("ann"))).await;
    app.advance(1);
    assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
    app.deliver().await;
    assert_eq!(app.reset_mails(&address_of("ann")), 0);
    assert!(app.operator.item(&app.operator.partition("ann").await, "reset").await.is_none());
}

#[tokio::test]
async fn a_request_that_comes_late_does_not_replace_the_link_of_a_newer_one() {
    let app = App::start().await;
    app.sign_up("ann").await;
    app.send(reset_request(&address_of("ann"))).await;
    let late = app.stream().await;
    app.advance(60);
    let newer = app.reset_link(&address_of("ann")).await;
    // The cool-down is over when the late request is delivered, so only its age speaks against it.
    app.advance(20 * 60);
    app.mailer.deliver(late).await;
    assert_eq!(app.reset_mails(&address_of("ann")), 1);
    assert_eq!(app.confirm_reset(&newer, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn opening_a_reset_link_spends_nothing_however_often() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let token = app.reset_link(&address_of("ann")).await;
    let before = app.everything_but_limits().await;
    for method in ["GET", "HEAD", "OPTIONS", "GET"] {
        let page = app.send(request(method, &format!("/api/password_reset/confirm/?token={token}")).header("Accept", "text/html")).await;
        assert!(page.status < 300, "{method}: {page:?}");
    }
    assert_eq!(app.everything_but_limits().await, before);
    assert_eq!(app.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_refused_new_password_spends_nothing() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let token = app.reset_link(&address_of("ann")).await;
    let before = app.everything_but_limits().await;
    for refused in ["password", "short", "12345678901", "ann@example.com", &"x".repeat(129), ""] {
        assert_eq!(app.confirm_reset(&token, refused).await.status, 400, "{refused}");
    }
    assert_eq!(app.everything_but_limits().await, before);
    assert_eq!(app.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn the_cool_down_grows_and_a_link_is_live_whenever_a_request_is_suppressed() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let address = address_of("ann");
    let mut sent_at = Vec::new();
    // Somebody asks every minute for two hours.
    for minute in 0..120 {
        let before = app.reset_mails(&address);
        app.send(reset_request(&address)).await;
        app.deliver().await;
        if app.reset_mails(&address) > before {
            sent_at.push(minute);
        }
        let newest = app.newest_reset_link(&address).expect("a link");
        assert_eq!(app.validate(&newest).await.status, 200, "minute {minute}");
        app.advance(60);
    }
    assert_eq!(sent_at, [0, 1, 6, 21, 51, 81, 111]);
}

#[tokio::test]
async fn a_cool_down_never_outlives_the_link() {
    let app = App::configured(&[("RESET_LIFETIME", "10m"), ("RESET_COOL_DOWN", "1h")]).await;
    app.sign_up("ann").await;
    app.reset_link(&address_of("ann")).await;
    app.advance(9 * 60);
    app.send(reset_request(&address_of("ann"))).await;
    app.deliver().await;
    assert_eq!(app.reset_mails(&address_of("ann")), 1);
    app.advance(60);
    let token = app.reset_link(&address_of("ann")).await;
    assert_eq!(app.reset_mails(&address_of("ann")), 2);
    assert_eq!(app.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_flood_of_requests_leaves_the_owners_newest_link_alive() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let owners = app.reset_link(&address_of("ann")).await;
    for number in 0..120 {
        app.send(reset_request(&address_of("ann")).from(&format!("198.51.100.{number}"))).await;
    }
    app.deliver().await;
    app.advance(59);
    app.send(reset_request(&address_of("ann")).from("198.51.100.200")).await;
    app.deliver().await;
    assert_eq!(app.reset_mails(&address_of("ann")), 1);
    assert_eq!(app.confirm_reset(&owners, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn accounts_that_cannot_log_in_get_no_link_and_their_links_do_not_work() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let token = app.reset_link(&address_of("ann")).await;
    app.operator.set_active("ann", false).await;
    assert_eq!((app.validate(&token).await.status, app.confirm_reset(&token, NEW_PASSWORD).await.status), (404, 404));
    app.advance(120);
    app.send(reset_request(&address_of("ann"))).await;
    app.operator.set_active("ann", true).await;
    app.operator.set_password_hash("ann", "!").await;
    assert_eq!((app.validate(&token).await.status, app.confirm_reset(&token, NEW_PASSWORD).await.status), (404, 404));
    app.deliver().await;
    assert_eq!(app.reset_mails(&address_of("ann")), 1);
}

#[tokio::test]
async fn a_reset_link_is_no_session_and_a_session_no_reset_link() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let token = app.reset_link(&address_of("ann")).await;
    assert!(!app.lets_pass(&token).await && !app.lets_pass(&token.replacen("dwr_", "dws_", 1)).await);
    for not_one in [session.clone(), session.replacen("dws_", "dwr_", 1)] {
        assert_eq!(app.confirm_reset(&not_one, NEW_PASSWORD).await.status, 404);
    }
    let answer = app.send(post("/api/change_password/", &json!({})).token(&token)).await;
    assert_eq!(answer.json(), json!({ "detail": "Invalid token." }));
}

#[tokio::test]
async fn a_reset_request_writes_the_same_for_an_address_that_nobody_has() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let mut written = Vec::new();
    for address in ["ann@example.com", "eve@example.com"] {
        let before = app.everything().await;
        let answer = app.send(reset_request(address)).await;
        let after = app.everything().await;
        let new = after.into_iter().filter(|(key, item)| before.get(key) != Some(item));
        let shapes: Vec<Vec<String>> = new.map(|(_, item)| item.into_keys().collect()).collect();
        written.push((answer, shapes));
    }
    assert_eq!(written[0], written[1]);
    assert_eq!(written[0].1.len(), 2, "a limit's window and an intent");
}

#[tokio::test]
async fn under_constant_asking_by_strangers_each_link_works_for_half_of_its_life_at_least() {
    for (lifetime, minutes) in [("1h", 30), ("10m", 5), ("4h", 120)] {
        let app = App::configured(&[("RESET_LIFETIME", lifetime)]).await;
        app.sign_up("ann").await;
        let address = address_of("ann");
        let (mut mailed, mut shortest) = (Vec::new(), u32::MAX);
        for minute in 0..6 * minutes {
            let before = app.reset_mails(&address);
            app.send(reset_request(&address).from(&format!("198.51.100.{}", minute % 250))).await;
            app.deliver().await;
            if app.reset_mails(&address) > before {
                mailed.push(minute);
            }
            app.advance(60);
        }
        // The first mails are closer together, for an owner who does not find the first one.
        for pair in mailed.windows(2).skip(3) {
            shortest = shortest.min(pair[1] - pair[0]);
        }
        assert_eq!(shortest, minutes, "{lifetime}: {mailed:?}");
    }
}

#[tokio::test]
async fn a_link_works_until_the_mail_service_has_accepted_the_next_one() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let owners = app.reset_link(&address_of("ann")).await;
    for refusal in [Refuse(429, "TooManyRequestsException"), Refuse(400, "MessageRejected")] {
        app.advance(20 * 60);
        app.send(reset_request(&address_of("ann"))).await;
        app.mailbox.refuse_next(refusal);
        app.deliver().await;
        assert_eq!(app.reset_mails(&address_of("ann")), 1);
        assert_eq!(app.validate(&owners).await.status, 200, "what was mailed before still works");
    }
    app.advance(10 * 60);
    let newer = app.reset_link(&address_of("ann")).await;
    assert_ne!(owners, newer);
    assert_eq!(app.validate(&owners).await.status, 404);
    assert_eq!(app.confirm_reset(&newer, NEW_PASSWORD).await.status, 200);
    assert_eq!(app.confirm_reset(&newer, PASSWORD).await.status, 404, "once");
}

#[tokio::test]
async fn a_mailed_link_works_though_its_mailer_died_before_it_was_marked() {
    let (app, observer) = App::observed(&[]).await;
    app.sign_up("ann").await;
    let first = app.reset_link(&address_of("ann")).await;
    app.advance(5 * 60);
    app.send(reset_request(&address_of("ann"))).await;
    // Every write to the account's link after the mail was accepted fails.
    let mailbox = app.mailbox.clone();
    observer.store.fail(move |call| {
        let marks = call.operation == "UpdateItem" && mailbox.all().len() == 2;
        marks.then(|| (When::Before, Failure::code(500, "InternalServerError")))
    });
    app.deliver().await;
    observer.store.heal();
    let second = app.newest_reset_link(&address_of("ann")).expect("a link");
    assert_ne!(first, second);
    assert_eq!(app.validate(&second).await.status, 200);
    assert_eq!(app.confirm_reset(&second, NEW_PASSWORD).await.status, 200);
    assert_eq!(app.confirm_reset(&first, PASSWORD).await.status, 404, "spending one spends both");
}

#[tokio::test]
async fn an_owner_whose_link_has_ended_gets_another_at_once() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let mut password = PASSWORD;
    for (round, next) in [NEW_PASSWORD, PASSWORD, NEW_PASSWORD].into_iter().enumerate() {
        let link = app.reset_link(&address_of("ann")).await;
        app.clock.advance(std::time::Duration::from_millis(2));
        if round % 2 == 0 {
            assert_eq!(app.confirm_reset(&link, next).await.status, 200);
        } else {
            let session = app.login("ann", password).await;
            assert_eq!(app.change_password(&session, password, next).await.status, 200);
            assert_eq!(app.validate(&link).await.status, 404);
        }
        password = next;
        app.clock.advance(std::time::Duration::from_millis(2));
        assert_eq!(app.reset_mails(&address_of("ann")), round + 1);
    }
}

#[tokio::test]
async fn a_link_that_the_emergency_switch_ended_holds_no_mail_back() {
    let place = doorward_kit::place::Place::fresh().await;
    let before = App::over(&place, &[]).await;
    before.sign_up("ann").await;
    let ended = before.reset_link(&address_of("ann")).await;
    let pulled = App::over(&place, &[("SESSIONS_NOT_BEFORE", "2026-01-01T12:00:10Z"), ("RESET_COOL_DOWN", "1h")]).await;
    pulled.advance(20);
    pulled.stream().await;
    assert_eq!(pulled.validate(&ended).await.status, 404);
    let link = pulled.reset_link(&address_of("ann")).await;
    assert_eq!(pulled.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
}

/// The mailer has looked the account up, and its owner gets another address before the link is stored.
#[tokio::test]
async fn a_reset_link_never_goes_to_an_address_that_is_no_longer_the_accounts() {
    let (app, observer) = App::patiently_observed(&[]).await;
    app.sign_up("ann").await;
    app.send(reset_request(&address_of("ann"))).await;
    app.advance(1);
    let held = Gate::default();
    let waits = held.clone();
    observer.store.forget();
    observer.store.fail(move |call| (call.operation == "TransactWriteItems").then(|| (When::Before, Failure::Waits(waits.clone()))));
    let mailer = app.clone();
    let delivering = tokio::spawn(async move { mailer.deliver().await });
    held.reached().await;
    observer.store.forget();
    let account = app.store.account_by_login_name("ann").await.expect("the store answers").expect("an account");
    let email = EmailAddress::parse("ann@new.example").expect("an address");
    assert_eq!(app.store.set_email(&account, &email, app.clock.now()).await.expect("the store answers"), Renamed::Now);
    held.open();
    delivering.await.expect("the mailer does not panic");
    assert_eq!(app.reset_mails(&address_of("ann")), 0, "the mailbox that was the account's until a moment ago");
    assert_eq!(app.reset_mails("ann@new.example"), 0, "nobody asked for a link there");
    assert!(app.operator.item(&app.operator.partition("ann").await, "reset").await.is_none());
}
