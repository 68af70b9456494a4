//! The webhook: what is posted, and which answers are taken for an acceptance. That its signature is that of the published libraries is seen in
//! `tests/stack/test_events.py`, and with the specification's example in `shared/src/webhook`.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use doorward::{
    config::{Settings, span},
    entropy::Entropy,
    store::{Store, Tables},
};
use doorward_functions::{Function as _, Handler as _, Webhook, Wiring};
use doorward_kit::{App, receiver::Receiver, time::TestClock};
use serde_json::{Value, json};

const SECRETS: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The function, for a receiver at this URL.
fn function(url: &str, clock: &TestClock) -> Webhook {
    let pairs = [("WEBHOOK_URL", url), ("WEBHOOK_SECRET", SECRETS), ("WEBHOOK_PRIVATE", "yes")];
    let settings = Settings::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let store = Store::new(doorward_kit::place::client_of("http://localhost:1"), Tables::default(), Entropy::system());
    let mut wiring = Wiring::new(settings, store, clock.clock(), Entropy::system());
    let function = Webhook::new(&mut wiring);
    wiring.finish().unwrap();
    function
}

/// The messages that the rule of the bus puts into the queue for these events.
fn messages(details: &[Value]) -> Value {
    let message = |(number, detail): (usize, &Value)| {
        let envelope = json!({ "id": "another", "source": "doorward", "detail-type": detail["type"], "detail": detail });
        json!({ "messageId": format!("m{number}"), "body": envelope.to_string() })
    };
    json!({ "Records": details.iter().enumerate().map(message).collect::<Vec<_>>() })
}

async fn undelivered(function: &Webhook, messages: &Value) -> Vec<String> {
    let answer = function.handle(serde_json::from_value(messages.clone()).unwrap(), span::seconds(15)).await.unwrap();
    let answer = serde_json::to_value(&answer).unwrap();
    answer["batchItemFailures"].as_array().unwrap().iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_event_is_posted_as_it_is_with_its_id_at_every_try_until_a_status_of_2xx() {
    let app = App::configured(&[("EVENTS", "all")]).await;
    app.sign_up("ann").await.login().await;
    app.publish().await;
    let details = app.bus.details();
    let (receiver, url) = Receiver::open().await;
    let function = function(&url, &app.clock);
    let messages = messages(&details);
    for (status, accepts) in [
        (500, false),
        (429, false),
        (410, false),
        (404, false),
        (301, false),
        (307, false),
        (304, false),
        (200, true),
        (204, true),
        (299, true),
    ] {
        receiver.answers(status);
        app.advance(900);
        let left = undelivered(&function, &messages).await;
        assert_eq!(left, if accepts { vec![] } else { vec!["m0".to_owned(), "m1".to_owned()] }, "{status}");
        let mut posted = receiver.posted();
        posted.sort_by_key(|posted| details.iter().position(|detail| detail["id"] == posted.id.as_str()));
        assert_eq!(posted.len(), 2);
        for (posted, detail) in posted.iter().zip(&details) {
            assert_eq!((json!(posted.id), serde_json::from_str::<Value>(&posted.body).unwrap()), (detail["id"].clone(), detail.clone()));
            assert_eq!(posted.timestamp, app.clock.now().as_second().to_string(), "of the try");
            let signatures: Vec<&str> = posted.signature.split(' ').collect();
            assert!(signatures.len() == 2 && signatures.iter().all(|one| one.starts_with("v1,") && one.len() == 47), "{signatures:?}");
        }
    }
}

#[tokio::test]
async fn one_message_that_cannot_be_read_or_delivered_stops_no_other() {
    let app = App::configured(&[("EVENTS", "account")]).await;
    app.sign_up("ann").await;
    app.publish().await;
    let (receiver, url) = Receiver::open().await;
    let function = function(&url, &app.clock);
    let mut messages = messages(&app.bus.details());
    for body in ["", "no JSON", "{}", r#"{"detail":{}}"#, r#"{"detail":{"id":7}}"#] {
        messages["Records"].as_array_mut().unwrap().push(json!({ "messageId": body, "body": body }));
    }
    assert_eq!(undelivered(&function, &messages).await, ["", "no JSON", "{}", r#"{"detail":{}}"#, r#"{"detail":{"id":7}}"#]);
    assert_eq!(receiver.posted().len(), 1);
    assert_eq!(undelivered(&function, &json!({})).await, [""; 0]);
    let sample: Value = serde_json::from_str(include_str!("../../../events/webhook.json")).unwrap();
    assert_eq!(undelivered(&function, &sample).await, [""; 0]);
    assert_eq!(receiver.posted()[0].id, "01941f29-7c00-7000-8000-000000000001");
}
