//! Bounces and complaints: an account whose address is dead is marked, and nothing that a client sees changes.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use doorward_kit::{
    Deployment,
    deeds::{NEW_PASSWORD, PASSWORD, address_of, login, reset},
    proxy::{Failure, When},
};
use serde_json::{Value, json};

/// The sample of `events/`, of a mail to this address that was sent now.
fn bounce(door: &Deployment, address: &str) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../../events/mail-feedback.json")).unwrap();
    event["detail"]["bounce"]["bouncedRecipients"][0]["emailAddress"] = json!(address);
    event["detail"]["mail"]["timestamp"] = json!(door.hand.now().to_string());
    event
}

fn complaint(door: &Deployment, address: &str) -> Value {
    let mail = json!({ "timestamp": door.hand.now().to_string() });
    let complaint = json!({ "complainedRecipients": [{ "emailAddress": address }], "complaintFeedbackType": "abuse" });
    json!({ "detail-type": "Email Complaint Received", "detail": { "eventType": "Complaint", "mail": mail, "complaint": complaint } })
}

async fn mark(door: &Deployment) -> Option<&'static str> {
    let account = door.store.account_by_login_name("ann").await.unwrap().unwrap();
    account.undeliverable.map(|(why, _)| why.as_str())
}

#[tokio::test]
async fn a_permanent_bounce_or_a_complaint_marks_the_account_of_the_address() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    door.sign_up("ben").await;
    let others = door.operator.items_of("ben").await;
    door.feed_back(bounce(&door, "ANN@Example.com")).await.unwrap();
    assert_eq!(mark(&door).await, Some("bounced"));
    door.feed_back(complaint(&door, "ann@example.com")).await.unwrap();
    assert_eq!(mark(&door).await, Some("complained"));
    assert_eq!(door.operator.items_of("ben").await, others);
}

#[tokio::test]
async fn what_passes_or_is_nobodys_or_no_such_event_changes_nothing() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    let before = door.everything().await;
    let mut passing = bounce(&door, "ann@example.com");
    passing["detail"]["bounce"]["bounceType"] = json!("Transient");
    let mut undetermined = passing.clone();
    undetermined["detail"]["bounce"]["bounceType"] = json!("Undetermined");
    let mut timeless = bounce(&door, "ann@example.com");
    timeless["detail"]["mail"]["timestamp"] = json!("yesterday");
    let mut rejected = bounce(&door, "ann@example.com");
    rejected["detail"]["eventType"] = json!("Reject");
    let empty = json!({ "detail": { "eventType": "Bounce", "bounce": { "bounceType": "Permanent", "bouncedRecipients": [{}] } } });
    let sample = serde_json::from_str(include_str!("../../../events/mail-feedback.json")).unwrap();
    for event in
        [passing, undetermined, timeless, rejected, empty, json!({}), sample, bounce(&door, "nobody@example.com"), bounce(&door, "x")]
    {
        door.feed_back(event).await.unwrap();
    }
    assert_eq!(door.everything().await, before);
}

#[tokio::test]
async fn a_marked_account_is_answered_and_mailed_like_any_other_and_a_reset_by_mail_takes_the_mark_away() {
    let door = Deployment::start().await;
    let session = door.newcomer("ann").await;
    let unmarked = door.send(reset(&address_of("nobody"))).await;
    let stale = bounce(&door, "ann@example.com");
    door.pass(1);
    door.feed_back(bounce(&door, "ann@example.com")).await.unwrap();
    assert_eq!(door.send(login("ann", PASSWORD)).await.status, 200);
    assert_eq!(door.change(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
    assert_eq!(mark(&door).await, Some("bounced"), "whoever is signed in has read no mail");
    assert_eq!(door.send(reset(&address_of("ann"))).await, unmarked);
    door.pass(60);
    let link = door.reset_token(&address_of("ann")).await;
    assert_eq!(door.confirm(&link, PASSWORD).await.status, 200);
    assert_eq!(mark(&door).await, None);
    // A bounce of before that comes late says nothing about today.
    door.feed_back(stale).await.unwrap();
    assert_eq!(mark(&door).await, None);
    door.pass(1);
    door.feed_back(bounce(&door, "ann@example.com")).await.unwrap();
    assert_eq!(mark(&door).await, Some("bounced"));
}

#[tokio::test]
async fn an_event_that_the_store_could_not_take_comes_again() {
    let (door, observer) = Deployment::observed(&[]).await;
    door.sign_up("ann").await;
    let event = bounce(&door, "ann@example.com");
    for number in [0, 1] {
        observer.store.forget();
        observer.store.fail(move |call| (call.number == number).then(|| (When::Before, Failure::code(400, "AccessDeniedException"))));
        assert!(door.feed_back(event.clone()).await.is_err());
        observer.store.forget();
        assert_eq!(mark(&door).await, None);
    }
    door.feed_back(event).await.unwrap();
    assert_eq!(mark(&door).await, Some("bounced"));
}
