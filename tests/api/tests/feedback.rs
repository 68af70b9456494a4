//! Bounces and complaints: an account whose address does not take mail is marked, and clients see no difference.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use doorward_kit::{
    App,
    proxy::{Failure, When},
    requests::{NEW_PASSWORD, PASSWORD, address_of, login, reset_request},
};
use serde_json::{Value, json};

/// The sample event of `events/`, about a mail that was sent to this address just now.
pub fn bounce(app: &App, address: &str) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../../events/mail-feedback.json")).unwrap();
    event["detail"]["bounce"]["bouncedRecipients"][0]["emailAddress"] = json!(address);
    event["detail"]["mail"]["timestamp"] = json!(app.clock.now().to_string());
    event
}

fn complaint(app: &App, address: &str) -> Value {
    let mail = json!({ "timestamp": app.clock.now().to_string() });
    let complaint = json!({ "complainedRecipients": [{ "emailAddress": address }], "complaintFeedbackType": "abuse" });
    json!({ "detail-type": "Email Complaint Received", "detail": { "eventType": "Complaint", "mail": mail, "complaint": complaint } })
}

async fn mark(app: &App) -> Option<&'static str> {
    let account = app.store.account_by_login_name("ann").await.unwrap().unwrap();
    account.undeliverable.map(|(why, _)| why.as_str())
}

#[tokio::test]
async fn a_permanent_bounce_or_a_complaint_marks_the_account_of_the_address() {
    let app = App::start().await;
    app.sign_up("ann").await;
    app.sign_up("ben").await;
    let others = app.operator.items_of("ben").await;
    app.feed_back(bounce(&app, "ANN@Example.com")).await.unwrap();
    assert_eq!(mark(&app).await, Some("bounced"));
    app.feed_back(complaint(&app, "ann@example.com")).await.unwrap();
    assert_eq!(mark(&app).await, Some("complained"));
    assert_eq!(app.operator.items_of("ben").await, others);
}

#[tokio::test]
async fn what_passes_or_is_nobodys_or_no_such_event_changes_nothing() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let before = app.everything().await;
    let mut passing = bounce(&app, "ann@example.com");
    passing["detail"]["bounce"]["bounceType"] = json!("Transient");
    let mut undetermined = passing.clone();
    undetermined["detail"]["bounce"]["bounceType"] = json!("Undetermined");
    let mut timeless = bounce(&app, "ann@example.com");
    timeless["detail"]["mail"]["timestamp"] = json!("yesterday");
    let mut rejected = bounce(&app, "ann@example.com");
    rejected["detail"]["eventType"] = json!("Reject");
    let empty = json!({ "detail": { "eventType": "Bounce", "bounce": { "bounceType": "Permanent", "bouncedRecipients": [{}] } } });
    let sample = serde_json::from_str(include_str!("../../../events/mail-feedback.json")).unwrap();
    for event in
        [passing, undetermined, timeless, rejected, empty, json!({}), sample, bounce(&app, "nobody@example.com"), bounce(&app, "x")]
    {
        app.feed_back(event).await.unwrap();
    }
    assert_eq!(app.everything().await, before);
}

#[tokio::test]
async fn a_marked_account_is_answered_and_mailed_like_any_other_and_a_reset_by_mail_takes_the_mark_away() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let unmarked = app.send(reset_request(&address_of("nobody"))).await;
    let stale = bounce(&app, "ann@example.com");
    app.advance(1);
    app.feed_back(bounce(&app, "ann@example.com")).await.unwrap();
    assert_eq!(app.send(login("ann", PASSWORD)).await.status, 200);
    assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
    assert_eq!(mark(&app).await, Some("bounced"), "whoever is signed in has read no mail");
    assert_eq!(app.send(reset_request(&address_of("ann"))).await, unmarked);
    app.advance(60);
    let link = app.reset_link(&address_of("ann")).await;
    assert_eq!(app.confirm_reset(&link, PASSWORD).await.status, 200);
    assert_eq!(mark(&app).await, None);
    // A late bounce of an older mail says nothing about the present.
    app.feed_back(stale).await.unwrap();
    assert_eq!(mark(&app).await, None);
    app.advance(1);
    app.feed_back(bounce(&app, "ann@example.com")).await.unwrap();
    assert_eq!(mark(&app).await, Some("bounced"));
}

#[tokio::test]
async fn an_event_that_the_store_could_not_take_comes_again() {
    let (app, observer) = App::observed(&[]).await;
    app.sign_up("ann").await;
    let event = bounce(&app, "ann@example.com");
    for number in [0, 1] {
        observer.store.forget();
        observer.store.fail(move |call| (call.number == number).then(|| (When::Before, Failure::code(400, "AccessDeniedException"))));
        assert!(app.feed_back(event.clone()).await.is_err());
        observer.store.forget();
        assert_eq!(mark(&app).await, None);
    }
    app.feed_back(event).await.unwrap();
    assert_eq!(mark(&app).await, Some("bounced"));
}
