//! Promises 2 and 3: the reset request learns nothing; a link works once, until it expires, and only the newest works.

use doorward::{
    account::EmailAddress,
    caller::Caller,
    entropy::Entropy,
    outbox::{ChangeKind, Notice},
    password::StoredPassword,
    reset::Spent,
    token::{Reset, Token},
};
use doorward_kit::{
    Deployment,
    deeds::{NEW_PASSWORD, PASSWORD, address_of, login, reset},
    event::{post, request},
};
use serde_json::json;

const NOT_VALID: &str = "The OTP password entered is not valid. Please check and try again.";

#[tokio::test]
async fn a_reset_link_works_once() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    let token = door.reset_token(&address_of("ann")).await;
    assert_eq!(door.validate(&token).await.status, 200);
    assert_eq!(door.confirm(&token, NEW_PASSWORD).await.status, 200);
    for _ in 0..2 {
        let again = door.confirm(&token, "Another-Horse-44").await;
        assert_eq!((again.status, again.json()), (404, json!({ "detail": NOT_VALID })));
    }
    assert_eq!(door.validate(&token).await.status, 404);
    assert_eq!(door.send(login("ann", NEW_PASSWORD)).await.status, 200);
    assert_eq!(door.send(login("ann", PASSWORD)).await.status, 401);
    assert_eq!(door.send(login("ann", "Another-Horse-44")).await.status, 401);
}

#[tokio::test]
async fn a_reset_link_expires_to_the_second_though_the_store_still_has_it() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    let token = door.reset_token(&address_of("ann")).await;
    door.pass(3599);
    assert_eq!(door.validate(&token).await.status, 200);
    door.pass(1);
    assert_eq!(door.validate(&token).await.status, 404);
    assert_eq!(door.confirm(&token, NEW_PASSWORD).await.status, 404);
    assert!(door.operator.item(&door.operator.partition("ann").await, "reset").await.is_some(), "TTL has not come by");
    assert_eq!(door.send(login("ann", PASSWORD)).await.status, 200);
}

#[tokio::test]
async fn a_link_that_expires_while_the_password_is_hashed_is_not_spent() {
    // The condition of the transaction decides, not the read before it.
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    let token = Token::<Reset>::parse(&door.reset_token(&address_of("ann")).await).expect("a token");
    let read_at = door.hand.now();
    let (_, link) = door.store.reset_link(token.account()).await.expect("the store answers");
    assert!(link.expect("a link").is_live(read_at));
    door.pass(3600);
    let password = StoredPassword::stored("$argon2id$new".to_owned());
    let notice = Notice {
        id: Entropy::system().uuid(read_at),
        account: token.account(),
        email: EmailAddress::parse(&address_of("ann")).expect("an address"),
        kind: ChangeKind::Reset,
        changed_at: read_at,
        caller: Caller::default(),
    };
    let spent = door.store.spend_reset(token.account(), &token.digest(), &password, &notice, door.hand.now()).await;
    assert_eq!(spent.expect("the store answers"), Spent::NotValid);
    assert_eq!(door.send(login("ann", PASSWORD)).await.status, 200);
}

#[tokio::test]
async fn only_the_newest_reset_link_works() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    let older = door.reset_token(&address_of("ann")).await;
    door.pass(60);
    let newer = door.reset_token(&address_of("ann")).await;
    assert_ne!(older, newer);
    assert_eq!(door.confirm(&older, NEW_PASSWORD).await.status, 404);
    assert_eq!(door.confirm(&newer, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_reset_link_dies_with_any_change_of_the_password() {
    let door = Deployment::start().await;
    let session = door.newcomer("ann").await;
    let token = door.reset_token(&address_of("ann")).await;
    assert_eq!(door.change(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
    assert_eq!(door.validate(&token).await.status, 404);
    assert_eq!(door.confirm(&token, "Another-Horse-44").await.status, 404);
    assert_eq!(door.send(login("ann", NEW_PASSWORD)).await.status, 200);
}

#[tokio::test]
async fn a_link_asked_for_before_a_change_is_never_made_after_it() {
    let door = Deployment::start().await;
    let session = door.newcomer("ann").await;
    door.send(reset(&address_of("ann"))).await;
    door.pass(1);
    assert_eq!(door.change(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
    door.deliver().await;
    assert_eq!(door.reset_mails(&address_of("ann")), 0);
    assert!(door.operator.item(&door.operator.partition("ann").await, "reset").await.is_none());
}

#[tokio::test]
async fn a_request_that_comes_late_does_not_replace_the_link_of_a_newer_one() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    door.send(reset(&address_of("ann"))).await;
    let late = door.stream().await;
    door.pass(60);
    let newer = door.reset_token(&address_of("ann")).await;
    // The cool-down is over when the late one is brought, so nothing but its age speaks against it.
    door.pass(20 * 60);
    door.mailer.deliver(late).await;
    assert_eq!(door.reset_mails(&address_of("ann")), 1);
    assert_eq!(door.confirm(&newer, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn opening_a_reset_link_spends_nothing_however_often() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    let token = door.reset_token(&address_of("ann")).await;
    let before = door.everything_but_limits().await;
    for method in ["GET", "HEAD", "OPTIONS", "GET"] {
        let page = door.send(request(method, &format!("/api/password_reset/confirm/?token={token}")).header("Accept", "text/html")).await;
        assert!(page.status < 300, "{method}: {page:?}");
    }
    assert_eq!(door.everything_but_limits().await, before);
    assert_eq!(door.confirm(&token, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_refused_new_password_spends_nothing() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    let token = door.reset_token(&address_of("ann")).await;
    let before = door.everything_but_limits().await;
    for refused in ["password", "short", "12345678901", "ann@example.com", &"x".repeat(129), ""] {
        assert_eq!(door.confirm(&token, refused).await.status, 400, "{refused}");
    }
    assert_eq!(door.everything_but_limits().await, before);
    assert_eq!(door.confirm(&token, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn the_cool_down_grows_and_a_link_is_live_whenever_a_request_is_suppressed() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    let address = address_of("ann");
    let mut sent_at = Vec::new();
    // Two hours of somebody asking every minute.
    for minute in 0..120 {
        let before = door.reset_mails(&address);
        door.send(reset(&address)).await;
        door.deliver().await;
        if door.reset_mails(&address) > before {
            sent_at.push(minute);
        }
        let newest = door.newest_reset_token(&address).expect("a link");
        assert_eq!(door.validate(&newest).await.status, 200, "minute {minute}");
        door.pass(60);
    }
    assert_eq!(sent_at, [0, 1, 6, 21, 36, 51, 66, 81, 96, 111]);
}

#[tokio::test]
async fn a_cool_down_never_outlives_the_link() {
    let door = Deployment::configured(&[("RESET_LIFETIME", "10m"), ("RESET_COOL_DOWN", "1h")]).await;
    door.sign_up("ann").await;
    door.reset_token(&address_of("ann")).await;
    door.pass(9 * 60);
    door.send(reset(&address_of("ann"))).await;
    door.deliver().await;
    assert_eq!(door.reset_mails(&address_of("ann")), 1);
    door.pass(60);
    let token = door.reset_token(&address_of("ann")).await;
    assert_eq!(door.reset_mails(&address_of("ann")), 2);
    assert_eq!(door.confirm(&token, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_flood_of_requests_leaves_the_owners_newest_link_alive() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    let owners = door.reset_token(&address_of("ann")).await;
    for number in 0..120 {
        door.send(reset(&address_of("ann")).from(&format!("198.51.100.{number}"))).await;
    }
    door.deliver().await;
    door.pass(59);
    door.send(reset(&address_of("ann")).from("198.51.100.200")).await;
    door.deliver().await;
    assert_eq!(door.reset_mails(&address_of("ann")), 1);
    assert_eq!(door.confirm(&owners, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn accounts_that_cannot_log_in_get_no_link_and_their_links_do_not_work() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    let token = door.reset_token(&address_of("ann")).await;
    door.operator.set_active("ann", false).await;
    assert_eq!((door.validate(&token).await.status, door.confirm(&token, NEW_PASSWORD).await.status), (404, 404));
    door.pass(120);
    door.send(reset(&address_of("ann"))).await;
    door.operator.set_active("ann", true).await;
    door.operator.set_password_hash("ann", "!").await;
    assert_eq!((door.validate(&token).await.status, door.confirm(&token, NEW_PASSWORD).await.status), (404, 404));
    door.deliver().await;
    assert_eq!(door.reset_mails(&address_of("ann")), 1);
}

#[tokio::test]
async fn a_reset_link_is_no_session_and_a_session_no_reset_link() {
    let door = Deployment::start().await;
    let session = door.newcomer("ann").await;
    let token = door.reset_token(&address_of("ann")).await;
    assert!(!door.lets_pass(&token).await && !door.lets_pass(&token.replacen("dwr_", "dws_", 1)).await);
    for not_one in [session.clone(), session.replacen("dws_", "dwr_", 1)] {
        assert_eq!(door.confirm(&not_one, NEW_PASSWORD).await.status, 404);
    }
    let answer = door.send(post("/api/change_password/", &json!({})).token(&token)).await;
    assert_eq!(answer.json(), json!({ "detail": "Invalid token." }));
}

#[tokio::test]
async fn a_reset_request_writes_the_same_for_an_address_that_nobody_has() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    let mut written = Vec::new();
    for address in ["ann@example.com", "eve@example.com"] {
        let before = door.everything().await;
        let answer = door.send(reset(address)).await;
        let after = door.everything().await;
        let new: Vec<String> = after.into_iter().filter(|item| !before.contains(item)).map(|item| item.replace(address, "…")).collect();
        let shapes: Vec<Vec<String>> = new.iter().map(|item| doorward_kit::store::attribute_names(item)).collect();
        written.push((answer, shapes));
    }
    assert_eq!(written[0], written[1]);
    assert_eq!(written[0].1.len(), 2, "a limit's window and an intent");
}
