//! Admin commands for failed mail: list and retry.

use doorward_kit::{
    App,
    mailbox::Refuse,
    requests::{NEW_PASSWORD, PASSWORD, address_of, change_address, reset_request, verify},
};

use crate::{done, refused};

#[tokio::test]
async fn mail_that_failed_is_listed_and_driven_once_more_however_old_it_is() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    for asked in [1, 2] {
        app.mailbox.refuse_next(Refuse(400, "MessageRejected"));
        if asked == 1 {
            app.change_password(&session, PASSWORD, NEW_PASSWORD).await
        } else {
            app.send(reset_request(&address_of("ann"))).await
        };
        app.deliver().await;
        app.advance(1);
    }
    app.mailbox.refuse_next(Refuse(429, "TooManyRequestsException"));
    app.advance(60);
    app.send(reset_request(&address_of("ann"))).await;
    app.deliver().await;
    let listed = done(&app, &["mail", "failed"]).await;
    let ids: Vec<String> = listed.lines().filter(|line| line.contains('#')).map(str::to_owned).collect();
    assert_eq!(ids.len(), 3, "{listed}");
    assert!(
        listed.contains("notice of a change to ann@example.com, failed: MessageRejected at 2026-01-01T12:00:01Z, tried 1 times"),
        "{listed}"
    );
    assert!(listed.contains("reset link to ann@example.com, comes again: TooManyRequestsException"), "{listed}");
    assert!(listed.ends_with("2 failed for good, 1 come again by themselves.\n"), "{listed}");
    // Mail that is retried anyway is not sent twice.
    refused(&app, &["mail", "retry", &ids[2]]).await;
    // After an hour the stream no longer delivers the record, whether the mailer could mark that or not, and the mailer would refuse it as too old.
    app.advance(2 * 3600);
    let listed = done(&app, &["mail", "failed"]).await;
    assert!(listed.ends_with("3 failed for good, 0 come again by themselves.\n"), "{listed}");
    refused(&app, &["mail", "retry", "nonsense"]).await;
    done(&app, &["mail", "retry", &ids[0]]).await;
    refused(&app, &["mail", "retry", &ids[0]]).await;
    assert!(done(&app, &["mail", "retry", "--all"]).await.ends_with("2 mails are on their way.\n"));
    assert_eq!(app.deliver().await.failures, []);
    let mails = app.mailbox.to(&address_of("ann"));
    assert_eq!(mails.len(), 2);
    let notice = mails.iter().find(|mail| mail.disavowal_token().is_some()).unwrap();
    assert!(notice.text.contains("12:00"), "it says when the password was changed: {}", notice.text);
    assert_eq!(app.validate(&app.newest_reset_link(&address_of("ann")).unwrap()).await.status, 200);
    assert!(done(&app, &["mail", "failed"]).await.ends_with("0 failed for good, 0 come again by themselves.\n"));
}

#[tokio::test]
async fn an_invitation_that_failed_is_one_when_it_is_sent_again() {
    let app = App::start().await;
    app.mailbox.refuse_next(Refuse(400, "MessageRejected"));
    done(&app, &["create", "ann", "ann@example.com"]).await;
    app.advance(1);
    app.deliver().await;
    assert_eq!(app.mailbox.all(), []);
    app.advance(1);
    done(&app, &["mail", "retry", "--all"]).await;
    app.deliver().await;
    assert_eq!(app.mailbox.all().pop().unwrap().subject, "Choose a password for Doorward");
}

#[tokio::test]
async fn a_notice_that_the_version_before_left_is_sent_and_driven_once_more() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    for fails in [false, true] {
        let (old, new) = if fails { (NEW_PASSWORD, PASSWORD) } else { (PASSWORD, NEW_PASSWORD) };
        app.change_password(&session, old, new).await;
        let records = app.stream().await;
        let keys = &records.records.last().unwrap().dynamodb.keys;
        let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
        let update = app
            .operator
            .client
            .update_item()
            .table_name(&app.tables.outbox)
            .key("pk", text(&keys.pk.value))
            .key("sk", text(&keys.sk.value));
        update.update_expression("REMOVE changed_at").send().await.unwrap();
        if fails {
            app.mailbox.refuse_next(Refuse(400, "MessageRejected"));
        }
        assert_eq!(app.mailer.deliver(records).await.failures, []);
        app.advance(5 * 60);
    }
    assert_eq!(app.mailbox.all().len(), 1);
    app.advance(15 * 60);
    done(&app, &["mail", "retry", "--all"]).await;
    app.deliver().await;
    let [_, second] = &app.mailbox.all()[..] else { panic!("two notices") };
    assert!(second.text.contains("12:05"), "when it was changed: {}", second.text);
}

#[tokio::test]
async fn the_link_of_a_change_of_the_address_that_failed_is_mailed_and_works_when_it_is_sent_again() {
    let app = App::configured(&[("ADDRESS_VERIFICATION", "optional")]).await;
    let session = app.sign_up_verified("ann").await.login().await;
    app.advance(1);
    assert_eq!(app.send(change_address(&session, "ann@new.example", PASSWORD)).await.status, 200);
    for _ in 0..2 {
        app.mailbox.refuse_next(Refuse(400, "MessageRejected"));
        app.mailbox.refuse_next(Refuse(400, "MessageRejected"));
        app.deliver().await;
        app.advance(2 * 3600);
        done(&app, &["mail", "retry", "--all"]).await;
        app.assert_sound().await;
    }
    app.deliver().await;
    let link = app.verification_links("ann@new.example").pop().expect("a link");
    assert_eq!(app.send(verify(&link)).await.status, 204);
    app.assert_sound().await;
}
