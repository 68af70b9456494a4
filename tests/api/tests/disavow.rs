//! "This wasn't me": the link of a notice.

use std::time::Duration;

use doorward::{
    clock::after,
    entropy::Entropy,
    reset::{ResetLink, StoredLink},
    token::{Reset, Token},
};
use doorward_kit::{
    Deployment,
    event::{open, post, request, submit},
    mailbox::Mail,
};
use serde_json::json;

const DISAVOW: &str = "/api/password_reset/disavow/";
const OLD: &str = "the owner's password";
const THEIRS: &str = "the thief's password";

async fn login(deployment: &Deployment, password: &str) -> Option<String> {
    let answer = deployment.send(post("/api/login/", &json!({ "username": "mara", "password": password }))).await;
    (answer.status == 200).then(|| answer.text("token"))
}

async fn change(deployment: &Deployment, session: &str, old: &str, new: &str) -> u16 {
    let body = json!({ "old_password": old, "new_password": new });
    deployment.hand.turn(Duration::from_secs(60));
    deployment.send(post("/api/change_password/", &body).token(session)).await.status
}

async fn mails(deployment: &Deployment) -> Vec<Mail> {
    deployment.deliver().await;
    deployment.mailbox.to("mara@example.com")
}

/// An account whose password somebody else has changed; their session, and the link of the notice.
async fn stolen() -> (Deployment, String, String) {
    let deployment = Deployment::start().await;
    let body = json!({ "username": "mara", "email": "mara@example.com", "password": OLD });
    assert_eq!(deployment.send(post("/api/register/", &body)).await.status, 201);
    let session = login(&deployment, OLD).await.expect("a session");
    assert_eq!(change(&deployment, &session, OLD, THEIRS).await, 200);
    let notice = mails(&deployment).await.pop().expect("a notice");
    assert!(notice.reset_token().is_none());
    (deployment, session, notice.disavowal_token().expect("a link"))
}

async fn disavow(deployment: &Deployment, token: &str) -> u16 {
    deployment.hand.turn(Duration::from_secs(1));
    deployment.send(submit(DISAVOW, &[("token", token)])).await.status
}

async fn holds(deployment: &Deployment, session: &str) -> bool {
    let event = json!({ "type": "TOKEN", "methodArn": "arn:aws:execute-api:eu-central-1:123456789012:a/b/GET/c", "authorizationToken": format!("Token {session}") });
    deployment.authorize(event).await.to_string().contains("\"Allow\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_press_ends_every_session_and_starts_a_reset() {
    let (deployment, session, token) = stolen().await;
    assert!(holds(&deployment, &session).await);
    let page = deployment.send(open(&format!("{DISAVOW}?token={token}"))).await;
    assert!(page.status == 200 && page.body.contains("Secure my account"), "{}", page.body);
    assert_eq!(disavow(&deployment, &token).await, 200);

    assert!(!holds(&deployment, &session).await);
    // Whoever changed the password knows it: it opens nothing until the owner has set another.
    assert_eq!(login(&deployment, THEIRS).await, None);
    let link = mails(&deployment).await.pop().and_then(|mail| mail.reset_token()).expect("a reset link");
    let body = json!({ "token": link, "password": "the owner's next password" });
    deployment.hand.turn(Duration::from_secs(60));
    assert_eq!(deployment.send(post("/api/password_reset/confirm/", &body)).await.status, 200);
    assert!(login(&deployment, "the owner's next password").await.is_some());
    assert_eq!(login(&deployment, THEIRS).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_the_link_any_number_of_times_spends_nothing() {
    let (deployment, session, token) = stolen().await;
    for _ in 0..20 {
        assert_eq!(deployment.send(open(&format!("{DISAVOW}?token={token}"))).await.status, 200);
        assert_eq!(deployment.send(request("HEAD", &format!("{DISAVOW}?token={token}"))).await.status, 200);
    }
    assert!(holds(&deployment, &session).await);
    assert_eq!(mails(&deployment).await.len(), 1);
    assert_eq!(disavow(&deployment, &token).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_once_of_many_simultaneous_presses() {
    let (deployment, _, token) = stolen().await;
    let before = deployment.operator.account("mara").await["epoch"].as_n().unwrap().clone();
    deployment.hand.turn(Duration::from_secs(1));
    let deployment = std::sync::Arc::new(deployment);
    let presses: Vec<_> = (0..12)
        .map(|_| {
            let (deployment, token) = (std::sync::Arc::clone(&deployment), token.clone());
            tokio::spawn(async move { deployment.send(submit(DISAVOW, &[("token", &token)])).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for press in presses {
        statuses.push(press.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200], vec![404; 11]].concat());
    let after = deployment.operator.account("mara").await["epoch"].as_n().unwrap().clone();
    assert_eq!(after.parse::<u64>().unwrap(), before.parse::<u64>().unwrap() + 1);
    assert_eq!(mails(&deployment).await.iter().filter(|mail| mail.reset_token().is_some()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_for_seven_days_and_after_another_change() {
    let (deployment, session, first) = stolen().await;
    assert_eq!(change(&deployment, &session, THEIRS, "the thief's second password").await, 200);
    let second = mails(&deployment).await.pop().and_then(|mail| mail.disavowal_token()).expect("another link");
    deployment.hand.turn(Duration::from_secs(7 * 24 * 3600 - 300));
    assert_eq!(disavow(&deployment, &first).await, 200);
    assert_eq!(login(&deployment, "the thief's second password").await, None);
    // The other link is for another notice and still has its use.
    assert_eq!(deployment.send(open(&format!("{DISAVOW}?token={second}"))).await.status, 200);
    deployment.hand.turn(Duration::from_secs(600));
    assert_eq!(disavow(&deployment, &second).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_link_that_the_thief_may_hold_dies_and_its_cool_down_with_it() {
    let (deployment, _, token) = stolen().await;
    deployment.hand.turn(Duration::from_secs(60));
    deployment.send(post("/api/password_reset/", &json!({ "email": "mara@example.com" }))).await;
    let held = mails(&deployment).await.pop().and_then(|mail| mail.reset_token()).expect("a link");
    assert_eq!(disavow(&deployment, &token).await, 200);
    let fresh = mails(&deployment).await.pop().and_then(|mail| mail.reset_token()).expect("a link");
    assert_ne!(held, fresh);
    let confirm = |token: &str| post("/api/password_reset/confirm/", &json!({ "token": token, "password": "seven quiet lighthouses" }));
    assert_eq!(deployment.send(confirm(&held)).await.status, 404);
    assert_eq!(deployment.send(confirm(&fresh)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_links_end_alike_and_change_nothing() {
    let (deployment, session, token) = stolen().await;
    let reset = token.replacen("dwn_", "dwr_", 1);
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    let used = mails(&deployment).await.len();
    let mut ends = Vec::new();
    for dead in [reset.as_str(), &forged, "nonsense"] {
        let page = deployment.send(open(&format!("{DISAVOW}?token={dead}"))).await;
        let pressed = deployment.send(submit(DISAVOW, &[("token", dead)])).await;
        ends.extend([(page.status, page.body), (pressed.status, pressed.body)]);
    }
    deployment.operator.set_active("mara", false).await;
    let switched_off = deployment.send(submit(DISAVOW, &[("token", &token)])).await;
    ends.push((switched_off.status, switched_off.body));
    deployment.operator.set_active("mara", true).await;
    assert!(ends.iter().all(|end| *end == ends[0]) && ends[0].0 == 404, "{ends:?}");
    assert!(ends[0].1.contains("href=\"../?language=en\""));
    assert!(holds(&deployment, &session).await);
    assert_eq!(mails(&deployment).await.len(), used);
    // A notice's token opens no other door.
    let confirm = json!({ "token": token, "password": "seven quiet lighthouses" });
    assert_eq!(deployment.send(post("/api/password_reset/confirm/", &confirm)).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_cannot_press_the_button() {
    let (deployment, session, token) = stolen().await;
    let mut forged = submit(DISAVOW, &[("token", &token)]);
    forged.headers.retain(|(name, _)| name != "Sec-Fetch-Site");
    assert_eq!(deployment.send(forged).await.status, 403);
    assert!(holds(&deployment, &session).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_tried_twice_has_a_link_that_works() {
    let deployment = Deployment::start().await;
    let body = json!({ "username": "mara", "email": "mara@example.com", "password": OLD });
    assert_eq!(deployment.send(post("/api/register/", &body)).await.status, 201);
    let session = login(&deployment, OLD).await.expect("a session");
    assert_eq!(change(&deployment, &session, OLD, THEIRS).await, 200);
    // The service refuses at first: the try's link was never sent, the next one's works.
    deployment.mailbox.refuse_next(doorward_kit::mailbox::Refuse(429, "TooManyRequestsException"));
    let records = deployment.stream().await;
    let again = once_more(&records);
    deployment.mailer.deliver(records).await;
    assert!(deployment.mailbox.all().is_empty());
    deployment.hand.turn(Duration::from_secs(120));
    deployment.mailer.deliver(again).await;
    let token = deployment.mailbox.all()[0].disavowal_token().expect("a link");
    assert_eq!(disavow(&deployment, &token).await, 200);
    // Only digests are kept.
    for item in deployment.operator.items_of("mara").await {
        assert!(!format!("{item:?}").contains(&token[4..]));
    }
}

/// The same records once more, as the stream brings them.
fn once_more(records: &mailer::Records) -> mailer::Records {
    let copy = |record: &mailer::Record| mailer::Record {
        event_name: record.event_name.clone(),
        dynamodb: mailer::Change {
            keys: mailer::Keys {
                pk: mailer::Text { value: record.dynamodb.keys.pk.value.clone() },
                sk: mailer::Text { value: record.dynamodb.keys.sk.value.clone() },
            },
            sequence_number: record.dynamodb.sequence_number.clone(),
        },
    };
    mailer::Records { records: records.records.iter().map(copy).collect() }
}

#[tokio::test]
async fn the_code_and_the_store_agree_on_which_accounts_can_be_opened() {
    let door = Deployment::start().await;
    for active in [true, false] {
        for (number, password) in [Some("$argon2id$x"), Some("!"), Some("!x"), Some(""), None].into_iter().enumerate() {
            let name = format!("ann-{active}-{number}");
            door.sign_up(&name).await;
            door.operator.set_active(&name, active).await;
            match password {
                Some(password) => door.operator.set_password_hash(&name, password).await,
                None => door.operator.remove(&name, "password").await,
            }
            let account = door.store.account_by_login_name(&name).await.expect("the store answers").expect("an account");
            let now = door.hand.now();
            let digest = Token::<Reset>::generate(account.id, &Entropy::system()).digest();
            let valid_until = after(now, Duration::from_secs(3600));
            let link = ResetLink { digest, requested_at: now, issued_at: now, valid_until, sent: 0, sent_at: None };
            let stored = door.store.store_reset_link(account.id, &link).await.expect("the store answers");
            assert_eq!(stored == StoredLink::Now, account.usable_password().is_some(), "active: {active}, password: {password:?}");
        }
    }
}
