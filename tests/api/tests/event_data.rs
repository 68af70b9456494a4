//! What events say of an account: with `EVENT_DATA=thin` its id, with `full` also its names and the network of the person who did it.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use doorward_kit::{
    App,
    proxy::{Call, Failure, When},
    requests::{NEW_PASSWORD, PASSWORD, address_of, change_password, confirm_reset, disavow, login, logout_all, register, reset_request},
    secrets::{Secret, found},
};
use serde_json::{Value, json};

const FROM: &str = "198.51.100.7";
const NETWORK: &str = "198.51.100.0/24";

/// The data of the events that waited, by type. No two of a type may have waited. Nothing that waited held an address.
async fn told(app: &App) -> Vec<(String, Value)> {
    for ((partition, _), item) in app.snapshot("outbox").await {
        assert!(!partition.starts_with("event#") || !format!("{item:?}").contains('@'), "{item:?}");
    }
    let before = app.bus.details().len();
    assert!(app.publish().await.failures.is_empty());
    let mut told: Vec<_> = app
        .bus
        .details()
        .split_off(before)
        .into_iter()
        .map(|event| (event["type"].as_str().unwrap().to_owned(), event["data"].clone()))
        .collect();
    told.sort_by(|one, other| one.0.cmp(&other.0));
    told
}

fn of(kind: &str, data: Value) -> (String, Value) {
    (kind.to_owned(), data)
}

#[tokio::test]
async fn a_full_event_tells_the_names_as_they_are_when_it_is_published_and_the_network_where_it_is_known() {
    let (app, observer) = App::observed(&[("EVENTS", "all"), ("EVENT_DATA", "full")]).await;
    assert_eq!(app.send(register("ann", &address_of("ann")).from(FROM)).await.status, 201);
    let ann = app.store.account_by_login_name("ann").await.unwrap().unwrap();
    let (id, names) = (ann.id.to_string(), json!({ "username": "ann", "email": address_of("ann") }));
    let named = |more: Value| {
        let mut data = json!({ "account_id": id });
        for part in [&names, &more] {
            data.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        }
        data
    };
    let (from, nothing) = (json!({ "network": NETWORK }), json!({}));
    assert_eq!(told(&app).await, [of("account.created", named(from.clone()))]);
    app.advance(1);
    let session = app.send(login("ann", PASSWORD).from(FROM)).await.text("token");
    assert_eq!(told(&app).await, [of("session.opened", named(from.clone()))]);
    app.send(change_password(&session, PASSWORD, NEW_PASSWORD).from(FROM)).await;
    assert_eq!(told(&app).await, [of("password.changed", named(from.clone()))]);
    app.deliver().await;
    let not_me = app.mailbox.to(ann.email.as_str()).pop().unwrap().disavowal_token().unwrap();
    app.send(logout_all(&session).from(FROM)).await;
    assert_eq!(told(&app).await, [of("session.ended", named(json!({ "all": true })))]);
    app.advance(1);
    app.send(reset_request(ann.email.as_str()).from(FROM)).await;
    app.deliver().await;
    let link = app.newest_reset_link(ann.email.as_str()).unwrap();
    assert_eq!(told(&app).await, [of("password.reset_requested", named(nothing.clone()))], "a stranger may have asked");
    app.send(confirm_reset(&link, PASSWORD).from(FROM)).await;
    assert_eq!(told(&app).await, [of("password.reset", named(from.clone()))]);
    app.send(disavow(&not_me).from(FROM)).await;
    assert_eq!(told(&app).await, [of("password.disavowed", named(from))]);

    // The hash of the account never leaves the table for an event.
    app.store.deactivate(ann.id, app.clock.now()).await.unwrap();
    observer.store.forget();
    told(&app).await;
    let reads: Vec<Call> = observer
        .store
        .calls()
        .into_iter()
        .filter(|call| call.request["TableName"] == json!(app.tables.accounts) && call.operation == "GetItem")
        .collect();
    assert_eq!(reads.len(), 1);
    assert_eq!(reads[0].request["ProjectionExpression"], "pk, sk, username, email");

    let text = app.bus.entries().iter().map(Value::to_string).collect::<String>();
    let hash = app.operator.account("ann").await["password"].as_s().unwrap().clone();
    let secrets = [
        Secret::text("hash", &hash),
        Secret::token("session", &session),
        Secret::digest("session", &session),
        Secret::token("link", &link),
        Secret::digest("link", &link),
    ];
    assert!(found(&text, &secrets).is_empty(), "{text}");

    app.store.delete_account(&ann, app.clock.now()).await.unwrap();
    assert_eq!(told(&app).await, [of("account.deleted", json!({ "account_id": id }))], "nothing of it is left to tell");
}

#[tokio::test]
async fn a_thin_event_tells_the_id_alone_and_its_publisher_reads_no_account() {
    let (app, observer) = App::observed(&[("EVENTS", "all")]).await;
    app.send(register("ann", &address_of("ann")).from(FROM)).await;
    let id = app.store.account_by_login_name("ann").await.unwrap().unwrap().id.to_string();
    observer.store.forget();
    assert_eq!(told(&app).await, [of("account.created", json!({ "account_id": id }))]);
    assert!(observer.store.calls().iter().all(|call| !call.request.to_string().contains(&app.tables.accounts)));
}

#[tokio::test]
async fn an_event_costs_two_units_in_a_transaction_and_one_in_a_batch_and_a_unit_of_each_kind_to_be_published() {
    let mut costs = Vec::new();
    for (events, data) in [("none", "thin"), ("all", "thin"), ("all", "full")] {
        let (app, observer) = App::observed(&[("EVENTS", events), ("EVENT_DATA", data)]).await;
        let session = app.sign_up("ann").await.login().await;
        app.publish().await;
        let mut spent = [(0.0, 0.0); 3];
        observer.store.forget();
        assert_eq!(app.send(login("ann", PASSWORD)).await.status, 200);
        spent[0] = observer.store.units();
        observer.store.forget();
        assert_eq!(app.send(change_password(&session, PASSWORD, NEW_PASSWORD)).await.status, 200);
        spent[1] = observer.store.units();
        observer.store.forget();
        app.publish().await;
        spent[2] = observer.store.units();
        costs.push(spent);
    }
    let [none, thin, full] = costs[..] else { unreachable!() };
    let more = |one: usize| (thin[one].0 - none[one].0, thin[one].1 - none[one].1);
    assert_eq!([more(0), more(1)], [(1.0, 0.0), (2.0, 0.0)], "a login and a change");
    assert_eq!([none[2], thin[2], full[2]], [(0.0, 0.0), (2.0, 2.0), (2.0, 4.0)], "both events are published");
    assert_eq!(full[..2], thin[..2], "what events say costs nothing where they are written");
}

#[tokio::test]
async fn a_full_event_whose_account_is_not_read_waits_and_is_told_later_under_its_id() {
    let (app, observer) = App::observed(&[("EVENTS", "account"), ("EVENT_DATA", "full")]).await;
    app.sign_up("ann").await;
    let accounts = json!(app.tables.accounts);
    observer.store.fail(move |call: &Call| {
        let is_read = call.operation == "GetItem" && call.request["TableName"] == accounts;
        is_read.then(|| (When::After, Failure::code(400, "AccessDeniedException")))
    });
    assert_eq!(app.publish().await.failures.len(), 1);
    observer.store.forget();
    assert_eq!((app.bus.entries().len(), app.waiting_events().await), (0, vec!["account.created".to_owned()]));
    assert_eq!(told(&app).await[0].1["username"], "ann");
    assert_eq!(app.waiting_events().await, [""; 0]);
}
