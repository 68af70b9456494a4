//! The hourly look for accounts whose deletion is due: against what calls one off, with what it cannot delete, and without time.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use doorward_kit::{App, requests::disavow};

use crate::leaving::{exists, leaves, link};

#[tokio::test(flavor = "multi_thread")]
async fn of_a_deletion_that_is_due_and_the_link_that_calls_it_off_one_happens() {
    let app = App::patient(&[]).await;
    let (mut kept, mut gone) = (0, 0);
    for round in 0..24 {
        let ann = app.sign_up(&format!("ann{round}")).await;
        leaves(&ann, "1h").await;
        let token = link(&ann).await;
        app.advance(3600);
        let sweeping = {
            let app = app.clone();
            tokio::spawn(async move { app.sweep().await })
        };
        tokio::time::sleep(Duration::from_micros(300 * (round % 12))).await;
        let undone = app.send_within(disavow(&token), Duration::from_secs(600)).await;
        sweeping.await.unwrap();
        app.sweep().await;
        assert_eq!(exists(&app, &ann.username).await, undone.status == 200, "round {round}: {undone:?}");
        if undone.status == 200 { kept += 1 } else { gone += 1 }
    }
    assert!(kept + gone == 24, "{kept} {gone}");
    app.assert_sound().await;
}

#[tokio::test]
async fn what_cannot_be_deleted_is_counted_and_does_not_stop_the_others() {
    let app = App::start().await;
    let mut people = Vec::new();
    for number in 0..6 {
        people.push(app.sign_up(&format!("ann{number}")).await);
        leaves(&people[number], "1h").await;
    }
    let text = |text: &str| AttributeValue::S(text.to_owned());
    // An item of the list that nobody can read, and an account that nobody can.
    let junk = app.operator.client.put_item().table_name(&app.tables.accounts).item("pk", text("sweep#0"));
    junk.item("sk", text("2026-01-01T00:00:00.000Z")).send().await.unwrap();
    let partition = app.operator.partition("ann2").await;
    let break_it =
        app.operator.client.update_item().table_name(&app.tables.accounts).key("pk", text(&partition)).key("sk", text("account"));
    break_it.update_expression("REMOVE created_at").send().await.unwrap();
    app.advance(3600);
    app.sweep().await;
    for person in &people {
        let left = app.operator.client.get_item().table_name(&app.tables.accounts);
        let claim = left.key("pk", text(&format!("username#{}", person.username))).key("sk", text("claim")).send().await.unwrap();
        assert_eq!(claim.item.is_some(), person.username == "ann2", "{}", person.username);
    }
}

#[tokio::test]
async fn a_list_that_has_no_time_left_comes_first_some_other_hour() {
    let app = App::start().await;
    let ann = app.sign_up("ann").await;
    leaves(&ann, "1h").await;
    app.advance(3600);
    app.sweep_within(Duration::ZERO).await;
    assert!(exists(&app, "ann").await);
    app.sweep().await;
    assert!(!exists(&app, "ann").await);
}
