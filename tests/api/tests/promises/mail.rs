//! Promises 8 and 10: mail is not lost, and says nothing that a stranger typed.

use doorward_kit::{
    Deployment,
    deeds::{NEW_PASSWORD, PASSWORD, address_of, reset},
    mailbox::Refuse,
    store::lines_of,
};
use serde_json::json;

async fn outbox(door: &Deployment) -> Vec<String> {
    lines_of(&door.operator.client, "outbox").await
}

#[tokio::test]
async fn a_change_and_a_reset_each_leave_one_notice_with_no_confirm_link_and_a_refused_one_none() {
    let door = Deployment::start().await;
    let session = door.newcomer("ann").await;
    door.change(&session, "Wrong-Horse-42", NEW_PASSWORD).await;
    door.change(&session, PASSWORD, "short").await;
    assert_eq!(outbox(&door).await, [""; 0]);
    door.change(&session, PASSWORD, NEW_PASSWORD).await;
    door.pass(1);
    let token = door.reset_token(&address_of("ann")).await;
    door.confirm(&token, "Another-Horse-44").await;
    door.confirm(&token, "Another-Horse-45").await;
    door.deliver().await;
    let notices: Vec<_> = door.mailbox.to(&address_of("ann")).into_iter().filter(|mail| mail.subject.contains("was changed")).collect();
    assert_eq!(notices.len(), 2);
    for notice in notices {
        // Its only links say "this wasn't me"; none sets a password.
        let links = notice.text.matches("https://").count();
        assert_eq!((links, notice.text.matches("/api/password_reset/disavow/?token=dwn_").count()), (1, 1), "{notice:?}");
        assert!(!notice.html.contains("confirm") && notice.reset_token().is_none(), "{notice:?}");
    }
}

#[tokio::test]
async fn requests_in_one_cool_down_window_leave_one_intent() {
    let door = Deployment::start().await;
    for number in 0..5 {
        door.send(reset("ANN@example.com").from(&format!("198.51.100.{number}"))).await;
    }
    assert_eq!(outbox(&door).await.len(), 1);
    door.pass(60);
    door.send(reset("ann@EXAMPLE.com")).await;
    assert_eq!(outbox(&door).await.len(), 2);
}

#[tokio::test]
async fn what_the_mail_service_refuses_for_good_stays_fourteen_days_and_what_passes_comes_again() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    door.mailbox.refuse_next(Refuse(400, "MessageRejected"));
    door.send(reset(&address_of("ann"))).await;
    let records = door.stream().await;
    assert_eq!(door.mailer.deliver(records).await.failures, []);
    let [entry] = &outbox(&door).await[..] else { panic!("one entry") };
    let now = door.hand.now().as_second();
    for kept in ["attempts=1", "outcome=MessageRejected", &format!("expires_at={}", now + 14 * 24 * 60 * 60), "email=ann@example.com"] {
        assert!(entry.split('\u{1f}').any(|attribute| attribute == kept), "{kept} in {entry}");
    }
    assert!(entry.contains("failed_at="));

    door.pass(60);
    door.mailbox.refuse_next(Refuse(429, "TooManyRequestsException"));
    door.send(reset(&address_of("ann"))).await;
    assert_eq!(door.deliver().await.failures.len(), 1, "asked for again");
    assert_eq!(door.reset_mails(&address_of("ann")), 0);
}

#[tokio::test]
async fn what_is_done_keeps_no_address() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    for address in [address_of("ann"), address_of("nobody")] {
        door.send(reset(&address)).await;
    }
    door.deliver().await;
    for entry in outbox(&door).await {
        assert!(entry.contains("done_at=") && !entry.contains('@') && !entry.contains("203.0.113.7"), "{entry}");
    }
}

#[tokio::test]
async fn marks_and_deletions_on_the_stream_send_nothing() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    door.send(reset(&address_of("ann"))).await;
    let mut records = door.stream().await;
    for record in &mut records.records {
        record.event_name = "MODIFY".to_owned();
    }
    door.mailer.deliver(records).await;
    assert_eq!(door.mailbox.all(), []);
}

#[tokio::test]
async fn nothing_that_a_stranger_typed_is_in_a_mail_and_the_link_is_ours() {
    let door = Deployment::configured(&[("PRODUCT_NAME", "Ann's <Shop> & Co+")]).await;
    door.sign_up("ann").await;
    let evil = "https://evil.example/?x=<b>";
    let mut asked = reset("Ann@Example.com");
    for header in [
        "Host",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "Forwarded",
        "Origin",
        "Referer",
        "User-Agent",
        "Accept-Language",
        "X-Forwarded-For",
        "Cookie",
    ] {
        asked = asked.header(header, evil);
    }
    // The page's own word, so that the request comes through at all.
    door.send(asked.header("Sec-Fetch-Site", "same-origin")).await;
    door.deliver().await;
    let [mail] = &door.mailbox.all()[..] else { panic!("one mail") };
    for part in [&mail.subject, &mail.text, &mail.html, &mail.from, &mail.to] {
        assert!(!part.contains("evil") && !part.contains("<b>"), "{part}");
    }
    assert_eq!(mail.to, "ann@example.com", "as stored, not as asked");
    assert!(mail.html.contains("Ann&#x27;s &lt;Shop&gt; &amp; Co+"), "{}", mail.html);
    assert!(mail.text.contains("Ann's <Shop> & Co+"));
    for (part, links) in [(mail.text.clone(), 1), (mail.html.replace("&#x2f;", "/"), 3)] {
        assert_eq!(part.matches("http").count(), links);
        assert_eq!(part.matches("https://accounts.example.com/api/password_reset/confirm/?token=dwr_").count(), links);
    }
    assert_eq!(mail.subject.lines().count(), 1);
}

#[tokio::test]
async fn an_address_with_a_line_break_is_none_and_reaches_no_header() {
    let door = Deployment::start().await;
    for address in [
        "ann@example.com\nBcc: eve@evil.example",
        "ann@example.com\r\n\r\nhello",
        "ann@example.com,eve@evil.example",
        "Ann <ann@example.com>",
    ] {
        assert_eq!(door.send(reset(address)).await.json(), json!({ "email": ["Enter a valid email address."] }), "{address:?}");
        let refused = door.register_as("ann", address).await;
        assert_eq!(refused.json(), json!({ "email": ["Enter a valid email address."] }), "{address:?}");
    }
    assert_eq!(door.everything_but_limits().await, [""; 0]);
}

#[tokio::test]
async fn an_address_stored_is_no_longer_than_an_address() {
    // Characters that no mail server sees count too: what is stored is bounded, whatever is typed.
    let door = Deployment::start().await;
    let padded = format!("ann@exa{}mple.com", "\u{FE0F}".repeat(50_000));
    door.send(reset(&padded)).await;
    let longest = door.everything().await.iter().map(String::len).max();
    assert!(longest.is_none_or(|longest| longest < 4096), "{longest:?}");
}
