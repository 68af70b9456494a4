//! The questions that somebody on call is asked, and the command that answers each.

use doorward_kit::{
    App,
    mailbox::Refuse,
    requests::{NEW_PASSWORD, PASSWORD, address_of, login, reset_request},
};
use serde_json::json;

use crate::{done, line, show::shown};

/// What a person is told when they say that they never got the mail.
async fn why_no_mail(app: &App) -> String {
    let told = done(app, &["show", "ann"]).await;
    told.lines().rfind(|line| line.starts_with("history")).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn i_never_got_the_mail() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let ask = || app.send(reset_request(&address_of("ann")));
    assert_eq!(why_no_mail(&app).await, "", "nothing was asked for under this address");
    ask().await;
    assert!(why_no_mail(&app).await.contains("waits to be sent"), "the mailer does not run");
    app.mailbox.refuse_next(Refuse(429, "TooManyRequestsException"));
    app.deliver().await;
    assert!(why_no_mail(&app).await.contains("failed: TooManyRequestsException, tried 1 times; comes again"), "SES is busy");
    app.advance(10);
    app.mailbox.refuse_next(Refuse(400, "MessageRejected"));
    ask().await;
    app.deliver().await;
    assert!(why_no_mail(&app).await.contains("failed: MessageRejected"), "SES refuses it");
    done(&app, &["mail", "retry", "--all"]).await;
    app.deliver().await;
    let sent = why_no_mail(&app).await;
    assert!(sent.contains("reset link: sent, SES message 1"), "it was sent, so it is in the spam folder or on its way: {sent}");
    app.advance(10);
    ask().await;
    app.deliver().await;
    assert!(why_no_mail(&app).await.contains("a link that works was sent shortly before"), "it was asked for too often");
    app.operator.set_active("ann", false).await;
    app.advance(10);
    ask().await;
    app.deliver().await;
    assert!(why_no_mail(&app).await.contains("the account is deactivated or has no password"));
    app.operator.set_active("ann", true).await;
    let recipients = json!([{ "emailAddress": address_of("ann") }]);
    let event = json!({ "eventType": "Bounce", "mail": { "timestamp": app.clock.now().to_string() },
        "bounce": { "bounceType": "Permanent", "bouncedRecipients": recipients } });
    app.feed_back(json!({ "detail": event })).await.unwrap();
    assert!(line(&done(&app, &["show", "ann"]).await, "mail").starts_with("bounced"), "the mailbox does not take it");
    assert!(done(&app, &["list", "--undeliverable"]).await.contains("ann@example.com  active, bounced"));
}

#[tokio::test]
async fn i_am_locked_out_and_is_somebody_guessing() {
    let app = App::start().await;
    app.sign_up("ann").await;
    for _ in 0..10 {
        app.send(login("ann", "Wrong-Horse-42").from("198.51.100.9")).await;
    }
    let logins = shown(&app, "ann").await["logins"].clone();
    let limited = json!({ "network": null, "tries": 10, "allowed": 10, "limited": true, "until": "2026-01-01T12:15:00Z" });
    assert_eq!(logins, json!([limited]), "since when, until when, and from where");
    done(&app, &["unlock", "ann"]).await;
    assert_eq!(app.send(login("ann", PASSWORD).from("198.51.100.9")).await.status, 200);
}

#[tokio::test]
async fn somebody_has_my_account() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    done(&app, &["disavow", "ann", "--yes"]).await;
    assert!(!app.lets_pass(&session).await && app.send(login("ann", PASSWORD)).await.status == 401);
    // The mailbox is lost too.
    done(&app, &["set-email", "ann", "ann@new.example", "--yes"]).await;
    done(&app, &["disavow", "ann", "--yes"]).await;
    app.advance(1);
    app.deliver().await;
    let link = app.newest_reset_link("ann@new.example").unwrap();
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
    app.login("ann", NEW_PASSWORD).await;
}

#[tokio::test]
async fn delete_me_and_what_do_you_know_of_me_and_who_registered_in_the_last_hour() {
    let app = App::start().await;
    app.sign_up("ann").await.login().await;
    app.advance(2 * 3600);
    app.sign_up("ben").await;
    assert!(done(&app, &["list", "--newest", "--since", "1h"]).await.contains("ben@example.com"));
    assert!(done(&app, &["count", "--since", "1h"]).await.contains("1 accounts: 1 active"));
    let known = shown(&app, "ann").await;
    assert_eq!((&known["email"], known["sessions"].as_array().unwrap().len()), (&json!("ann@example.com"), 1));
    done(&app, &["delete", "ann", "--yes"]).await;
    let left = format!("{:?}", app.everything().await);
    assert!(!left.contains("ann") && left.contains("ben"), "{left}");
}
