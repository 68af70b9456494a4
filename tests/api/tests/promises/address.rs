//! Promise 18: an address is verified only by the link of a mail to it.

use doorward::{account::EmailAddress, lifecycle::Renamed, store::Store};
use doorward_kit::{
    App,
    mailbox::Refuse,
    requests::{
        ACTIVATION, BROWSER, NEW_PASSWORD, PASSWORD, address_of, login, open, post, register, request, submit, verification_request, verify,
    },
};
use serde_json::{Value, json};

const DAY: u64 = 24 * 60 * 60;

/// An app that mails verification links.
async fn asking(verification: &str) -> App {
    App::configured(&[("ADDRESS_VERIFICATION", verification), ("EVENTS", "account")]).await
}

/// Registers ann, and takes the link that she is mailed.
async fn link(app: &App) -> String {
    app.sign_up("ann").await;
    app.deliver().await;
    newest(app)
}

fn newest(app: &App) -> String {
    app.verification_links(&address_of("ann")).pop().expect("a verification mail")
}

async fn is_verified(app: &App) -> bool {
    let account = app.store.account_by_login_name("ann").await.expect("the store answers").expect("an account");
    account.verified_at.is_some()
}

async fn set_email(store: &Store, app: &App, email: &str) {
    let account = store.account_by_login_name("ann").await.expect("the store answers").expect("an account");
    let email = EmailAddress::parse(email).expect("an address");
    assert_eq!(store.set_email(&account, &email, app.clock.now()).await.expect("the store answers"), Renamed::Now);
}

async fn assert_dead(app: &App, link: &str) {
    let answer = app.send(verify(link)).await;
    assert_eq!((answer.status, answer.json()), (400, json!({ "token": ["Invalid token for given user."] })));
    let page = app.send(open(&format!("{ACTIVATION}?token={link}"))).await;
    assert!(page.status == 400 && page.body.contains("This link doesn’t work"), "{page:?}");
}

#[tokio::test]
async fn who_registers_is_mailed_a_link_that_verifies_the_address_once_and_is_kept_out_of_nothing() {
    let app = asking("optional").await;
    let link = link(&app).await;
    let [mail] = &app.mailbox.to(&address_of("ann"))[..] else { panic!("one mail") };
    assert!(mail.subject == "Confirm your e-mail address for Doorward" && mail.html.contains(&link));
    let session = app.login("ann", PASSWORD).await;
    let context = |answer: Value| answer["context"]["verified"].clone();
    let question = json!({ "version": "2.0", "headers": { "authorization": format!("Token {session}") } });
    assert_eq!(context(app.authorize(question.clone()).await), false);
    let answer = app.send(verify(&link)).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert!(is_verified(&app).await);
    assert_eq!(context(app.authorize(question).await), true, "the session goes on");
    // People click twice.
    let before = app.everything_but_limits().await;
    for _ in 0..2 {
        assert_eq!(app.send(verify(&link)).await.status, 204);
        let page = app.send(open(&format!("{ACTIVATION}?token={link}"))).await;
        assert!(page.status == 200 && page.body.contains("Thank you"), "{page:?}");
    }
    assert_eq!(app.everything_but_limits().await, before);
    assert_eq!(app.waiting_events().await, ["account.created", "account.verified"]);
    app.assert_sound().await;
}

#[tokio::test]
async fn without_verification_nobody_is_mailed_when_registering() {
    let app = asking("none").await;
    app.sign_up("ann").await;
    app.deliver().await;
    assert!(app.mailbox.all().is_empty());
    assert!(!is_verified(&app).await);
}

#[tokio::test]
async fn djosers_clients_send_an_id_besides_and_a_token_that_is_none_is_refused() {
    let app = asking("optional").await;
    let link = link(&app).await;
    for wrong in ["x", "dwr_x", &link.replace("dwv_", "dwr_"), &format!("{}A", &link[..link.len() - 1])] {
        if wrong != link {
            assert_dead(&app, wrong).await;
        }
    }
    let missing = app.send(post(ACTIVATION, &json!({ "uid": "MQ" }))).await;
    assert_eq!((missing.status, missing.json()), (400, json!({ "token": ["This field is required."] })));
    assert!(!is_verified(&app).await);
    assert_eq!(app.send(post(ACTIVATION, &json!({ "uid": "MQ", "token": link }))).await.status, 204);
    assert!(is_verified(&app).await);
}

#[tokio::test]
async fn opening_a_verification_link_spends_nothing_however_often_and_names_the_account() {
    let app = asking("optional").await;
    let link = link(&app).await;
    let before = app.everything_but_limits().await;
    for method in ["GET", "HEAD", "OPTIONS", "GET"] {
        let page = app.send(request(method, &format!("{ACTIVATION}?token={link}")).header("Accept", BROWSER)).await;
        assert!(page.status < 300, "{method}: {page:?}");
        assert!(method != "GET" || page.body.contains("<bdi>ann</bdi>"), "{page:?}");
    }
    assert_eq!(app.everything_but_limits().await, before);
    assert!(!is_verified(&app).await);
    assert_eq!(app.send(verify(&link)).await.status, 204);
}

#[tokio::test]
async fn a_robot_that_sends_every_form_behind_a_link_verifies_nothing() {
    let app = asking("mandatory").await;
    let link = link(&app).await;
    let before = app.everything_but_limits().await;
    for more in [None, Some(""), Some("1"), Some("true"), Some("yes")] {
        let fields: Vec<(&str, &str)> = [("token", &*link)].into_iter().chain(more.map(|value| ("mine", value))).collect();
        let refused = app.send(submit(&format!("{ACTIVATION}?language=en"), &fields)).await;
        // A person reads what to do and for which account, and the link is in the form still.
        let words = ["Tick this box to confirm that the account and the address are yours.", "<bdi>ann</bdi>", &link];
        assert!(refused.status == 400 && words.iter().all(|words| refused.body.contains(words)), "{fields:?}: {refused:?}");
        assert!(refused.body.contains("aria-invalid=\"true\"") && !refused.body.contains("checked"), "{refused:?}");
        // Nor does one that wants no page.
        let mut program = submit(ACTIVATION, &fields);
        program.headers.retain(|(name, _)| name != "Accept");
        let refused = app.send(program).await;
        assert_eq!((refused.status, refused.json()), (400, json!({ "mine": ["This field is required."] })), "{fields:?}");
    }
    assert_eq!(app.everything_but_limits().await, before);
    // A form that says which account it is for is not believed, and a dead link is one with and without the box.
    let named = app.send(submit(ACTIVATION, &[("token", &link), ("username", "evil")])).await;
    assert!(named.status == 400 && !named.body.contains("evil"), "{named:?}");
    for fields in [&[("token", "dwv_x")][..], &[("token", "dwv_x"), ("mine", "on")], &[("mine", "on")]] {
        let dead = app.send(submit(ACTIVATION, fields)).await;
        assert!(dead.status == 400 && dead.body.contains("This link doesn’t work"), "{fields:?}: {dead:?}");
    }
    assert!(!is_verified(&app).await);
    assert_eq!(app.send(submit(ACTIVATION, &[("token", &link), ("mine", "on")])).await.status, 303);
    assert!(is_verified(&app).await);
    // Without the box, a link that was used is not asked for again.
    assert_eq!(app.send(submit(ACTIVATION, &[("token", &link)])).await.status, 303);
}

#[tokio::test]
async fn only_the_newest_verification_link_works_and_the_former_one_until_it_is_sent() {
    let app = asking("optional").await;
    let older = link(&app).await;
    app.advance(60);
    app.mailbox.refuse_next(Refuse(429, "TooManyRequestsException"));
    assert_eq!(app.send(verification_request(&address_of("ann"))).await.status, 204);
    let records = app.stream().await;
    app.mailer.deliver(records.clone()).await;
    let page = app.send(open(&format!("{ACTIVATION}?token={older}"))).await;
    assert_eq!(page.status, 200, "SES could not take the newer one");
    app.advance(1);
    app.mailer.deliver(records).await;
    let newer = newest(&app);
    assert_ne!(older, newer);
    assert_dead(&app, &older).await;
    assert!(!is_verified(&app).await);
    assert_eq!(app.send(verify(&newer)).await.status, 204);
    assert_dead(&app, &older).await;
    app.assert_sound().await;
}

#[tokio::test]
async fn a_verification_link_expires_to_the_second_though_the_store_still_has_it() {
    let app = asking("optional").await;
    let link = link(&app).await;
    app.advance(7 * DAY - 1);
    assert_eq!(app.send(open(&format!("{ACTIVATION}?token={link}"))).await.status, 200);
    app.advance(1);
    assert_dead(&app, &link).await;
    assert!(app.operator.item(&app.operator.partition("ann").await, "verify").await.is_some(), "TTL has not come by");
    assert!(!is_verified(&app).await);
    // Another one is sent at once.
    app.send(verification_request(&address_of("ann"))).await;
    app.deliver().await;
    assert_eq!(app.send(verify(&newest(&app))).await.status, 204);
}

#[tokio::test]
async fn a_verification_link_ends_with_its_address_and_with_an_account_that_is_switched_off() {
    let app = asking("optional").await;
    let link = link(&app).await;
    let store = app.store.clone();
    set_email(&store, &app, "ann@new.example").await;
    assert_dead(&app, &link).await;
    assert!(!is_verified(&app).await);
    app.send(verification_request("ann@new.example")).await;
    app.deliver().await;
    let link = app.verification_links("ann@new.example").pop().expect("a mail to the new address");
    let id = store.account_by_login_name("ann").await.expect("the store answers").expect("an account").id;
    store.deactivate(id, app.clock.now()).await.expect("the store answers");
    assert_dead(&app, &link).await;
    store.activate(id, app.clock.now()).await.expect("the store answers");
    assert_dead(&app, &link).await;
    assert!(!is_verified(&app).await);
}

#[tokio::test]
async fn another_address_is_not_verified_because_the_former_one_was() {
    let app = asking("optional").await;
    let link = link(&app).await;
    assert_eq!(app.send(verify(&link)).await.status, 204);
    set_email(&app.store.clone(), &app, "ann@new.example").await;
    assert!(!is_verified(&app).await);
    assert_dead(&app, &link).await;
    app.assert_sound().await;
}

/// It is about the mailbox, which a new password does not change.
#[tokio::test]
async fn a_verification_link_outlives_a_change_of_the_password_and_the_end_of_all_sessions() {
    let app = asking("optional").await;
    let link = link(&app).await;
    let session = app.login("ann", PASSWORD).await;
    assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
    assert_eq!(app.logout_all(&session).await.status, 200);
    assert_eq!(app.send(verify(&link)).await.status, 204);
}

#[tokio::test]
async fn a_reset_link_verifies_the_address_as_well_and_the_other_link_is_no_event_then() {
    let app = asking("mandatory").await;
    let link = link(&app).await;
    let reset = app.reset_link(&address_of("ann")).await;
    assert_eq!(app.confirm_reset(&reset, NEW_PASSWORD).await.status, 200);
    assert!(is_verified(&app).await);
    app.login("ann", NEW_PASSWORD).await;
    let before = app.waiting_events().await;
    assert_eq!(app.send(verify(&link)).await.status, 204);
    assert_eq!(app.waiting_events().await, before);
}

#[tokio::test]
async fn where_verification_is_mandatory_only_who_knows_the_password_is_told_that_it_is_missing() {
    let app = asking("mandatory").await;
    let link = link(&app).await;
    let wrong = app.send(login("ann", "Wrong-Horse-42")).await;
    assert_eq!((wrong.status, wrong.json()), (401, json!({ "error": "Invalid credentials" })));
    let before = app.everything_but_limits().await;
    for name in ["ann", "ann@example.com"] {
        let refused = app.send(login(name, PASSWORD)).await;
        assert_eq!((refused.status, refused.json()), (401, json!({ "error": "E-mail is not verified." })), "{name}");
        assert!(!refused.headers.contains_key("www-authenticate"));
    }
    assert_eq!(app.everything_but_limits().await, before, "no session was opened");
    assert_eq!(app.send(verify(&link)).await.status, 204);
    app.login("ann", PASSWORD).await;
}

#[tokio::test]
async fn nobody_is_mailed_for_an_address_that_is_verified_or_nobodys_and_mail_goes_to_the_address_as_stored() {
    let app = asking("optional").await;
    assert_eq!(app.register("ann", "Ann.O'Neil@Example.com").await.status, 201);
    app.deliver().await;
    app.advance(60);
    for address in ["nobody@example.com", "ANN.o'neil@EXAMPLE.com"] {
        assert_eq!(app.send(verification_request(address)).await.status, 204);
    }
    app.deliver().await;
    let to: Vec<String> = app.mailbox.all().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["Ann.O'Neil@Example.com"; 2]);
    let link = app.verification_links("Ann.O'Neil@Example.com").pop().expect("a link");
    assert_eq!(app.send(verify(&link)).await.status, 204);
    app.advance(DAY);
    app.send(verification_request("ann.o'neil@example.com")).await;
    app.deliver().await;
    assert_eq!(app.mailbox.all().len(), 2);
}

#[tokio::test]
async fn whoever_asks_for_somebody_elses_links_all_day_causes_eight_mails_and_the_newest_link_works() {
    let app = asking("optional").await;
    link(&app).await;
    let mut sent_at = vec![0];
    for minute in 1..=24 * 60 {
        app.advance(60);
        let before = app.verification_links(&address_of("ann")).len();
        app.send(verification_request(&address_of("ann"))).await;
        app.deliver().await;
        if app.verification_links(&address_of("ann")).len() > before {
            sent_at.push(minute);
        }
    }
    assert_eq!(sent_at, [0, 1, 6, 21, 81, 441, 801, 1161]);
    assert_eq!(app.send(verify(&newest(&app))).await.status, 204);
}

#[tokio::test]
async fn nothing_that_whoever_registers_types_is_in_a_verification_mail() {
    let app = asking("optional").await;
    let mut asked = register("www.evil-prize.example", &address_of("ann"));
    for header in ["Host", "X-Forwarded-Host", "Referer", "User-Agent", "Accept-Language", "X-Forwarded-For"] {
        asked = asked.header(header, "https://evil.example/?x=<b>");
    }
    assert_eq!(app.send(asked).await.status, 201);
    app.deliver().await;
    let [mail] = &app.mailbox.to(&address_of("ann"))[..] else { panic!("one mail") };
    for part in [&mail.subject, &mail.text, &mail.html, &mail.from] {
        assert!(!part.contains("evil") && !part.contains("<b>"), "{part}");
    }
    assert_eq!(mail.text.matches("http").count(), 1);
    assert!(mail.text.contains("https://accounts.example.com/api/users/activation/?token=dwv_"), "{}", mail.text);
}
