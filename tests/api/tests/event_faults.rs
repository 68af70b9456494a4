//! Publishing events while the store or the bus fails: none is lost, and one that is published again has the same id.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::{collections::BTreeSet, time::Duration};

use clap::Parser as _;
use doorward::{config::Settings, config::span, entropy::Entropy};
use doorward_admin::{Admin, Arguments, Failure as Refusal, Terminal};
use doorward_kit::{
    App,
    app::Observer,
    bus::BusFault,
    proxy::{Call, Failure, When},
    requests::{NEW_PASSWORD, PASSWORD},
};
use serde_json::Value;

/// The number of events that [`with_events`] leaves.
const EVENTS: usize = 3;

/// An app in which two accounts have left events.
async fn with_events() -> (App, Observer) {
    let (app, observer) = App::observed(&[("EVENTS", "account")]).await;
    let session = app.sign_up("ann").await.login().await;
    app.sign_up("ben").await;
    assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
    assert_eq!(app.waiting_events().await.len(), EVENTS);
    observer.store.forget();
    (app, observer)
}

/// The ids of the events that wait.
async fn ids(app: &App) -> BTreeSet<String> {
    app.snapshot("outbox").await.into_keys().filter(|(partition, _)| partition.starts_with("event#")).map(|(_, sort)| sort).collect()
}

/// The ids of the events that the bus has.
fn published(app: &App) -> BTreeSet<String> {
    app.bus.details().iter().map(|detail| detail["id"].as_str().unwrap().to_owned()).collect()
}

async fn types(app: &App, command: &[&str]) -> (String, Result<(), Refusal>) {
    let admin = Admin::new(&mut Settings::from_pairs([]), app.store.clone(), app.clock.clock(), Entropy::system());
    let arguments = Arguments::try_parse_from([&["doorward-admin"], command].concat()).unwrap();
    let mut out = Vec::new();
    let mut ask = |_: &str| Err(std::io::Error::other("no terminal"));
    let done = admin.run(arguments.command, Terminal { out: &mut out, ask: &mut ask, json: arguments.json }).await;
    (String::from_utf8(out).unwrap(), done)
}

#[tokio::test]
async fn whichever_call_to_the_store_fails_every_event_is_published_and_deleted_in_the_end() {
    for when in [When::Before, When::After] {
        for number in 0.. {
            let (app, observer) = with_events().await;
            let wanted = ids(&app).await;
            observer.store.fail(move |call: &Call| (call.number == number).then(|| (when, Failure::code(400, "AccessDeniedException"))));
            let report = app.publish().await;
            let met = observer.store.calls().iter().any(|call| call.number == number);
            observer.store.forget();
            if !met {
                assert!(number > EVENTS, "each event is read and all are deleted");
                assert!(report.failures.is_empty());
                break;
            }
            assert!(!report.failures.is_empty(), "{number} {when:?}");
            assert!(app.publish().await.failures.is_empty());
            assert_eq!(published(&app), wanted, "{number} {when:?}: the same ids, however often");
            assert_eq!(ids(&app).await, BTreeSet::new(), "{number} {when:?}");
        }
    }
}

#[tokio::test]
async fn whatever_the_bus_does_an_event_waits_until_it_was_taken() {
    for fault in [
        BusFault::Call(500, "InternalException"),
        BusFault::Call(400, "ResourceNotFoundException"),
        BusFault::Call(400, "AccessDeniedException"),
        BusFault::Entry("ThrottlingException"),
        BusFault::Entry("NotAuthorizedForSourceException"),
        BusFault::Answer,
    ] {
        let (app, _observer) = with_events().await;
        let wanted = ids(&app).await;
        app.bus.meets([fault.clone()]);
        let failed = app.publish().await.failures.len();
        assert_eq!(failed, if matches!(fault, BusFault::Entry(_)) { 1 } else { EVENTS }, "{fault:?}");
        assert_eq!(ids(&app).await.len(), failed, "{fault:?}");
        assert!(app.publish().await.failures.is_empty(), "{fault:?}");
        assert_eq!((published(&app), ids(&app).await), (wanted, BTreeSet::new()), "{fault:?}");
        let twice = if matches!(fault, BusFault::Answer) { 2 * EVENTS } else { EVENTS };
        assert_eq!(app.bus.entries().len(), twice, "{fault:?}: only a lost answer repeats events");
    }
}

#[tokio::test]
async fn an_event_that_the_bus_refuses_stops_no_other_and_is_published_again_by_an_operator_under_its_id() {
    let (app, _observer) = with_events().await;
    let wanted = ids(&app).await;
    app.bus.meets([BusFault::Entry("MalformedDetail")]);
    assert!(app.publish().await.failures.is_empty());
    assert_eq!(app.bus.entries().len(), EVENTS - 1);
    app.publish().await;
    assert_eq!(app.bus.entries().len(), EVENTS - 1, "what is given up waits for the operator");
    let (listed, done) = types(&app, &["events", "failed", "--json"]).await;
    done.unwrap();
    let failed: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!((&failed["reason"], listed.lines().count()), (&Value::from("MalformedDetail"), 2));
    assert!(types(&app, &["events", "retry", "notice#x/y"]).await.1.is_err());
    let key = failed["key"].as_str().unwrap();
    types(&app, &["events", "retry", key]).await.1.unwrap();
    // Two operators do not publish it twice.
    assert!(types(&app, &["events", "retry", key]).await.1.is_err());
    assert!(app.publish().await.failures.is_empty());
    assert_eq!((published(&app), app.bus.entries().len()), (wanted, EVENTS));
    types(&app, &["events", "retry", "--all"]).await.1.unwrap();
    assert_eq!(types(&app, &["events", "failed"]).await.0, "0 events were not published.\n");
}

#[tokio::test]
async fn an_event_is_tried_for_a_day_and_then_marked_and_one_that_nobody_tried_is_listed_too() {
    let (app, _observer) = with_events().await;
    let wanted = ids(&app).await;
    app.clock.advance(span::hours(23) - Duration::from_secs(10));
    app.bus.meets([BusFault::Call(500, "InternalException"), BusFault::Call(500, "InternalException")]);
    assert_eq!(app.publish().await.failures.len(), EVENTS);
    assert_eq!(app.store.failed_events(app.clock.now()).await.unwrap(), []);
    app.clock.advance(Duration::from_secs(20));
    // The stream does not announce them for much longer.
    assert!(app.publish().await.failures.is_empty());
    let failed = app.store.failed_events(app.clock.now()).await.unwrap();
    assert_eq!(failed.iter().map(|event| event.id.to_string()).collect::<BTreeSet<_>>(), wanted);
    assert!(failed.iter().all(|event| event.given_up.as_ref().is_some_and(|(reason, _)| reason == "InternalException")));

    // The function was stopped for more than a day.
    let (app, _observer) = with_events().await;
    app.clock.advance(span::hours(25));
    assert!(types(&app, &["events", "failed"]).await.0.contains("never published"));
    let wanted = ids(&app).await;
    types(&app, &["events", "retry", "--all"]).await.1.unwrap();
    app.publish().await;
    assert_eq!(published(&app), wanted);
}
