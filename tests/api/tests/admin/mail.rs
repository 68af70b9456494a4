//! Mail that failed: listed, and driven once more.

use doorward_kit::{
    Deployment,
    deeds::{NEW_PASSWORD, PASSWORD, address_of, reset},
    mailbox::Refuse,
};

use crate::{done, refused};

#[tokio::test]
async fn mail_that_failed_is_listed_and_driven_once_more_however_old_it_is() {
    let door = Deployment::start().await;
    let session = door.newcomer("ann").await;
    for asked in [1, 2] {
        door.mailbox.refuse_next(Refuse(400, "MessageRejected"));
        if asked == 1 {
            door.change(&session, PASSWORD, NEW_PASSWORD).await
        } else {
            door.send(reset(&address_of("ann"))).await
        };
        door.deliver().await;
        door.pass(1);
    }
    door.mailbox.refuse_next(Refuse(429, "TooManyRequestsException"));
    door.pass(60);
    door.send(reset(&address_of("ann"))).await;
    door.deliver().await;
    // Too late for the mailer, were it asked for then.
    door.pass(2 * 3600);
    let listed = done(&door, &["mail", "failed"]).await;
    let ids: Vec<String> = listed.lines().filter(|line| line.contains('#')).map(str::to_owned).collect();
    assert_eq!(ids.len(), 3, "{listed}");
    assert!(
        listed.contains("notice of a change to ann@example.com, failed: MessageRejected at 2026-01-01T12:00:01Z, tried 1 times"),
        "{listed}"
    );
    assert!(listed.contains("reset link to ann@example.com, comes again: TooManyRequestsException"), "{listed}");
    assert!(listed.ends_with("2 failed for good, 1 come again by themselves.\n"), "{listed}");
    // What comes again by itself is not sent twice.
    refused(&door, &["mail", "retry", &ids[2]]).await;
    refused(&door, &["mail", "retry", "nonsense"]).await;
    done(&door, &["mail", "retry", &ids[0]]).await;
    refused(&door, &["mail", "retry", &ids[0]]).await;
    assert!(done(&door, &["mail", "retry", "--all"]).await.ends_with("1 mails are on their way.\n"));
    assert_eq!(door.deliver().await.failures, []);
    let mails = door.mailbox.to(&address_of("ann"));
    assert_eq!(mails.len(), 2);
    let notice = mails.iter().find(|mail| mail.disavowal_token().is_some()).unwrap();
    assert!(notice.text.contains("12:00"), "it says when the password was changed: {}", notice.text);
    assert_eq!(door.validate(&door.newest_reset_token(&address_of("ann")).unwrap()).await.status, 200);
    assert!(done(&door, &["mail", "failed"]).await.ends_with("0 failed for good, 1 come again by themselves.\n"));
}

#[tokio::test]
async fn a_notice_that_the_version_before_left_is_sent_and_driven_once_more() {
    let door = Deployment::start().await;
    let session = door.newcomer("ann").await;
    for fails in [false, true] {
        let (old, new) = if fails { (NEW_PASSWORD, PASSWORD) } else { (PASSWORD, NEW_PASSWORD) };
        door.change(&session, old, new).await;
        let records = door.stream().await;
        let keys = &records.records.last().unwrap().dynamodb.keys;
        let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
        let update =
            door.operator.client.update_item().table_name("outbox").key("pk", text(&keys.pk.value)).key("sk", text(&keys.sk.value));
        update.update_expression("REMOVE changed_at").send().await.unwrap();
        if fails {
            door.mailbox.refuse_next(Refuse(400, "MessageRejected"));
        }
        assert_eq!(door.mailer.deliver(records).await.failures, []);
        door.pass(5 * 60);
    }
    assert_eq!(door.mailbox.all().len(), 1);
    done(&door, &["mail", "retry", "--all"]).await;
    door.deliver().await;
    let [_, second] = &door.mailbox.all()[..] else { panic!("two notices") };
    assert!(second.text.contains("12:05"), "when it was changed: {}", second.text);
}
