//! "This wasn't me": the link of a notice.

use std::time::Duration;

use doorward::{
    caller::Caller,
    clock::after,
    disavow::Disavowed,
    entropy::Entropy,
    lifecycle::ActivationOutcome,
    link::{NewLink, StoredLink},
    outbox::ResetRequest,
    token::{Reset, Token},
};
use doorward_functions::batch::{Change, Keys, Record, Records, Text};
use doorward_kit::{
    App,
    mailbox::Mail,
    requests::{open, post, request, submit},
};
use serde_json::json;

const DISAVOW: &str = "/api/password_reset/disavow/";
const OLD: &str = "the owner's password";
const THEIRS: &str = "the thief's password";

async fn login(app: &App, password: &str) -> Option<String> {
    let answer = app.send(post("/api/login/", &json!({ "username": "mara", "password": password }))).await;
    (answer.status == 200).then(|| answer.text("token"))
}

async fn change(app: &App, session: &str, old: &str, new: &str) -> u16 {
    let body = json!({ "old_password": old, "new_password": new });
    app.clock.advance(Duration::from_secs(60));
    app.send(post("/api/change_password/", &body).token(session)).await.status
}

async fn mails(app: &App) -> Vec<Mail> {
    app.deliver().await;
    app.mailbox.to("mara@example.com")
}

/// An account whose password a thief has changed, the thief's session, and the link of the notice.
async fn stolen() -> (App, String, String) {
    let app = App::start().await;
    let body = json!({ "username": "mara", "email": "mara@example.com", "password": OLD });
    assert_eq!(app.send(post("/api/register/", &body)).await.status, 201);
    let session = login(&app, OLD).await.expect("a session");
    assert_eq!(change(&app, &session, OLD, THEIRS).await, 200);
    let notice = mails(&app).await.pop().expect("a notice");
    assert!(notice.reset_token().is_none());
    (app, session, notice.disavowal_token().expect("a link"))
}

async fn disavow(app: &App, token: &str) -> u16 {
    app.clock.advance(Duration::from_secs(1));
    app.send(submit(DISAVOW, &[("token", token), ("not_me", "on")])).await.status
}

async fn holds(app: &App, session: &str) -> bool {
    let event = json!({ "type": "TOKEN", "methodArn": "arn:aws:execute-api:eu-central-1:123456789012:a/b/GET/c", "authorizationToken": format!("Token {session}") });
    app.authorize(event).await.to_string().contains("\"Allow\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_press_ends_every_session_and_starts_a_reset() {
    let (app, session, token) = stolen().await;
    assert!(holds(&app, &session).await);
    let page = app.send(open(&format!("{DISAVOW}?token={token}"))).await;
    assert!(page.status == 200 && page.body.contains("Secure my account"), "{}", page.body);
    assert_eq!(disavow(&app, &token).await, 303);

    assert!(!holds(&app, &session).await);
    // The thief knows the new password, so it must not work until the owner has set another.
    assert_eq!(login(&app, THEIRS).await, None);
    let link = mails(&app).await.pop().and_then(|mail| mail.reset_token()).expect("a reset link");
    let body = json!({ "token": link, "password": "the owner's next password" });
    app.clock.advance(Duration::from_secs(60));
    assert_eq!(app.send(post("/api/password_reset/confirm/", &body)).await.status, 200);
    assert!(login(&app, "the owner's next password").await.is_some());
    assert_eq!(login(&app, THEIRS).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_the_link_any_number_of_times_spends_nothing() {
    let (app, session, token) = stolen().await;
    for _ in 0..20 {
        assert_eq!(app.send(open(&format!("{DISAVOW}?token={token}"))).await.status, 200);
        assert_eq!(app.send(request("HEAD", &format!("{DISAVOW}?token={token}"))).await.status, 200);
    }
    assert!(holds(&app, &session).await);
    assert_eq!(mails(&app).await.len(), 1);
    assert_eq!(disavow(&app, &token).await, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_once_of_many_simultaneous_presses() {
    let (app, _, token) = stolen().await;
    let before = app.operator.account("mara").await["epoch"].as_n().unwrap().clone();
    app.clock.advance(Duration::from_secs(1));
    let presses: Vec<_> = (0..12)
        .map(|_| {
            let (app, token) = (app.clone(), token.clone());
            tokio::spawn(async move { app.send(submit(DISAVOW, &[("token", &token), ("not_me", "on")])).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for press in presses {
        statuses.push(press.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![303], vec![404; 11]].concat());
    let after = app.operator.account("mara").await["epoch"].as_n().unwrap().clone();
    assert_eq!(after.parse::<u64>().unwrap(), before.parse::<u64>().unwrap() + 1);
    assert_eq!(mails(&app).await.iter().filter(|mail| mail.reset_token().is_some()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_for_seven_days_and_after_another_change() {
    let (app, session, first) = stolen().await;
    app.clock.advance(Duration::from_secs(300));
    assert_eq!(change(&app, &session, THEIRS, "the thief's second password").await, 200);
    let second = mails(&app).await.pop().and_then(|mail| mail.disavowal_token()).expect("another link");
    app.clock.advance(Duration::from_secs(7 * 24 * 3600 - 600));
    assert_eq!(disavow(&app, &first).await, 303);
    assert_eq!(login(&app, "the thief's second password").await, None);
    // The other link was made before the disavowal, so it has ended too.
    assert_eq!(app.send(open(&format!("{DISAVOW}?token={second}"))).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_work_for_longer_than_seven_days() {
    let (app, _, link) = stolen().await;
    app.clock.advance(Duration::from_secs(7 * 24 * 3600 + 300));
    assert_eq!(disavow(&app, &link).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_link_that_the_thief_may_hold_dies_and_its_cool_down_with_it() {
    let (app, _, token) = stolen().await;
    app.clock.advance(Duration::from_secs(60));
    app.send(post("/api/password_reset/", &json!({ "email": "mara@example.com" }))).await;
    let held = mails(&app).await.pop().and_then(|mail| mail.reset_token()).expect("a link");
    assert_eq!(disavow(&app, &token).await, 303);
    let fresh = mails(&app).await.pop().and_then(|mail| mail.reset_token()).expect("a link");
    assert_ne!(held, fresh);
    let confirm = |token: &str| post("/api/password_reset/confirm/", &json!({ "token": token, "password": "seven quiet lighthouses" }));
    assert_eq!(app.send(confirm(&held)).await.status, 404);
    assert_eq!(app.send(confirm(&fresh)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_links_end_alike_and_change_nothing() {
    let (app, session, token) = stolen().await;
    let reset = token.replacen("dwn_", "dwr_", 1);
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    let used = mails(&app).await.len();
    let mut ends = Vec::new();
    for dead in [reset.as_str(), &forged, "nonsense"] {
        let page = app.send(open(&format!("{DISAVOW}?token={dead}"))).await;
        let pressed = app.send(submit(DISAVOW, &[("token", dead), ("not_me", "on")])).await;
        ends.extend([(page.status, page.body), (pressed.status, pressed.body)]);
    }
    app.operator.set_active("mara", false).await;
    let switched_off = app.send(submit(DISAVOW, &[("token", &token), ("not_me", "on")])).await;
    ends.push((switched_off.status, switched_off.body));
    app.operator.set_active("mara", true).await;
    assert!(ends.iter().all(|end| *end == ends[0]) && ends[0].0 == 404, "{ends:?}");
    assert!(ends[0].1.contains("href=\"../?language=en\""));
    assert!(holds(&app, &session).await);
    assert_eq!(mails(&app).await.len(), used);
    // The token of a notice works nowhere else.
    let confirm = json!({ "token": token, "password": "seven quiet lighthouses" });
    assert_eq!(app.send(post("/api/password_reset/confirm/", &confirm)).await.status, 404);
}

/// The fields of the page's form as a robot reads them: name and value of every input, or only of the hidden ones.
fn fields_of(page: &str, hidden_only: bool) -> Vec<(String, String)> {
    let attribute =
        |tag: &str, name: &str| tag.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
    let tags = page.split("<input").skip(1).filter_map(|rest| rest.split('>').next());
    let tags = tags.filter(|tag| !hidden_only || tag.contains("type=\"hidden\""));
    tags.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_that_sends_every_form_behind_a_link_locks_nobody_out() {
    let (app, session, token) = stolen().await;
    let page = app.send(open(&format!("{DISAVOW}?token={token}"))).await.body;
    let before = app.everything().await;
    for (hidden_only, more) in [(true, None), (false, None), (true, Some("")), (true, Some("1")), (true, Some("true")), (true, Some("yes"))]
    {
        let fields = fields_of(&page, hidden_only);
        let mut fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert!(fields.contains(&("token", &token)));
        fields.extend(more.map(|value| ("not_me", value)));
        let refused = app.send(submit(&format!("{DISAVOW}?language=en"), &fields)).await;
        assert_eq!(refused.status, 400, "{fields:?}");
        // A person reads what to do, and the link is in the form still.
        assert!(refused.body.contains("Tick this box to confirm that it wasn’t you.") && refused.body.contains(&token), "{}", refused.body);
        assert!(refused.body.contains("aria-invalid=\"true\"") && !refused.body.contains("checked"), "{}", refused.body);
        // Nor does one that wants no page.
        let mut program = submit(DISAVOW, &fields);
        program.headers.retain(|(name, _)| name != "Accept");
        let refused = app.send(program).await;
        assert_eq!((refused.status, refused.json()), (400, json!({ "not_me": ["This field is required."] })), "{fields:?}");
    }
    assert_eq!(app.everything().await, before, "nothing was asked of the store");
    assert!(holds(&app, &session).await);
    assert_eq!(disavow(&app, &token).await, 303);
    assert!(!holds(&app, &session).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_sends_json_has_ticked_no_box() {
    let (app, session, token) = stolen().await;
    assert_eq!(app.send(post(DISAVOW, &json!({ "token": token }))).await.status, 200);
    assert!(!holds(&app, &session).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_cannot_press_the_button() {
    let (app, session, token) = stolen().await;
    let mut forged = submit(DISAVOW, &[("token", &token), ("not_me", "on")]);
    forged.headers.retain(|(name, _)| name != "Sec-Fetch-Site");
    assert_eq!(app.send(forged).await.status, 403);
    assert!(holds(&app, &session).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_tried_twice_has_a_link_that_works() {
    let app = App::start().await;
    let body = json!({ "username": "mara", "email": "mara@example.com", "password": OLD });
    assert_eq!(app.send(post("/api/register/", &body)).await.status, 201);
    let session = login(&app, OLD).await.expect("a session");
    assert_eq!(change(&app, &session, OLD, THEIRS).await, 200);
    // SES refuses the first attempt, so the link of that attempt was never sent; the next one works.
    app.mailbox.refuse_next(doorward_kit::mailbox::Refuse(429, "TooManyRequestsException"));
    let records = app.stream().await;
    let again = once_more(&records);
    app.mailer.deliver(records).await;
    assert!(app.mailbox.all().is_empty());
    app.clock.advance(Duration::from_secs(120));
    app.mailer.deliver(again).await;
    let token = app.mailbox.all()[0].disavowal_token().expect("a link");
    assert_eq!(disavow(&app, &token).await, 303);
    // Only digests are stored.
    for item in app.operator.items_of("mara").await {
        assert!(!format!("{item:?}").contains(&token[4..]));
    }
}

/// Delivers the same records again, as the stream may do.
fn once_more(records: &Records) -> Records {
    let copy = |record: &Record| Record {
        event_name: record.event_name.clone(),
        dynamodb: Change {
            keys: Keys {
                pk: Text { value: record.dynamodb.keys.pk.value.clone() },
                sk: Text { value: record.dynamodb.keys.sk.value.clone() },
            },
            sequence_number: record.dynamodb.sequence_number.clone(),
        },
    };
    Records { records: records.records.iter().map(copy).collect() }
}

#[tokio::test]
async fn the_code_and_the_store_agree_on_which_accounts_can_be_opened() {
    let app = App::start().await;
    for active in [true, false] {
        for (number, password) in [Some("$argon2id$x"), Some("!"), Some("!x"), Some(""), None].into_iter().enumerate() {
            let name = format!("ann-{active}-{number}");
            app.sign_up(&name).await;
            app.operator.set_active(&name, active).await;
            match password {
                Some(password) => app.operator.set_password_hash(&name, password).await,
                None => app.operator.remove(&name, "password").await,
            }
            let account = app.store.account_by_login_name(&name).await.expect("the store answers").expect("an account");
            let now = app.clock.now();
            let digest = Token::<Reset>::generate(account.id, &Entropy::system()).digest();
            let valid_until = after(now, Duration::from_secs(3600));
            let link = NewLink { digest, requested_at: now, issued_at: now, valid_until };
            let stored = app.store.store_reset_link(&account, &link, None, None).await.expect("the store answers");
            assert_eq!(stored == StoredLink::Now, account.usable_password().is_some(), "active: {active}, password: {password:?}");
        }
    }
}

#[tokio::test]
async fn of_all_the_links_that_were_kept_one_press_works() {
    let (app, mut session, first) = stolen().await;
    let mut kept = vec![first];
    for number in 0..5 {
        let (old, new) = if number % 2 == 0 { (THEIRS, OLD) } else { (OLD, THEIRS) };
        app.clock.advance(Duration::from_secs(3600));
        assert_eq!(change(&app, &session, old, new).await, 200);
        session = login(&app, new).await.expect("a session");
        kept.push(mails(&app).await.pop().and_then(|mail| mail.disavowal_token()).expect("a link"));
    }
    assert!(disavow(&app, &kept[2]).await < 400);
    let reset = mails(&app).await.pop().and_then(|mail| mail.reset_token()).expect("a reset link");
    assert_eq!(app.confirm_reset(&reset, "the owner's next one").await.status, 200);
    let session = login(&app, "the owner's next one").await.expect("a session");
    for link in &kept {
        disavow(&app, link).await;
        assert!(holds(&app, &session).await && login(&app, "the owner's next one").await.is_some());
    }
    // The notice of the owner's latest change contains a link that works.
    mails(&app).await;
    app.clock.advance(Duration::from_secs(3600));
    app.release_held().await;
    let newest = mails(&app).await.iter().rev().find_map(Mail::disavowal_token).expect("a link");
    assert!(disavow(&app, &newest).await < 400);
    assert!(!holds(&app, &session).await);
}

#[tokio::test]
async fn a_link_of_before_does_not_come_back_when_the_account_is_made_active_again() {
    let (app, _, link) = stolen().await;
    let account = app.store.account_by_login_name("mara").await.expect("the store answers").expect("an account");
    app.clock.advance(Duration::from_secs(1));
    app.store.deactivate(account.id, app.clock.now()).await.expect("the store answers");
    app.store.activate(account.id, app.clock.now()).await.expect("the store answers");
    let session = login(&app, THEIRS).await.expect("a session");
    disavow(&app, &link).await;
    assert!(holds(&app, &session).await);
}

#[tokio::test]
async fn a_link_that_has_ended_stays_ended_when_the_account_is_made_inactive_by_a_clock_that_is_behind() {
    let (app, session, first) = stolen().await;
    assert_eq!(change(&app, &session, THEIRS, "the thief's second password").await, 200);
    let second = mails(&app).await.pop().and_then(|mail| mail.disavowal_token()).expect("another link");
    let made_at = app.clock.now();
    assert_eq!(disavow(&app, &first).await, 303);
    let account = app.store.account_by_login_name("mara").await.expect("the store answers").expect("an account");
    // Also in a clock's time before the second link was made, as in that of a command that began before the disavowal.
    let behind = doorward::clock::before(made_at, Duration::from_secs(1));
    assert_eq!(app.store.deactivate(account.id, behind).await.expect("the store answers"), ActivationOutcome::Now);
    assert_eq!(app.store.activate(account.id, app.clock.now()).await.expect("the store answers"), ActivationOutcome::Now);
    assert_eq!(app.send(open(&format!("{DISAVOW}?token={second}"))).await.status, 404);
}

#[tokio::test]
async fn a_disavowal_that_a_change_overtakes_still_leads_to_a_mail() {
    let (app, session, link) = stolen().await;
    app.clock.advance(Duration::from_secs(60));
    let asked_at = app.clock.now();
    let token = Token::parse(&link).expect("a token");
    let read = app.store.disavowal(Some(&token), asked_at).await.expect("the store answers").expect("a link");
    let request = ResetRequest { email: read.account.email.clone(), requested_at: asked_at, caller: Caller::default(), invites: false };
    // The thief changes the password again, after the request of the owner was read.
    assert_eq!(change(&app, &session, THEIRS, "another of the thief's").await, 200);
    assert_eq!(app.store.disavow(&read, request).await.expect("the store answers"), Disavowed::Now);
    assert!(!holds(&app, &session).await && login(&app, "another of the thief's").await.is_none());
    let mails = mails(&app).await;
    assert!(mails.last().expect("a mail").reset_token().is_some(), "the way back in");
}
