//! Promise 12: the list of an account's sessions is the truth, and others than the asking one end only with the password.

use aws_sdk_dynamodb::types::AttributeValue;
use doorward_kit::{
    App, Response,
    place::Place,
    proxy::{Failure, Gate, When},
    requests::{NEW_PASSWORD, PASSWORD, end_sessions, login, request, sessions},
};
use serde_json::{Value, json};

const HOME: &str = "203.0.113.7";
const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// The ids in a list, the newest first.
fn ids(list: &[Value]) -> Vec<String> {
    list.iter().map(|session| session["id"].as_str().expect("an id").to_owned()).collect()
}

async fn opened(app: &App, agent: &str, client: &str) -> String {
    app.advance(1);
    app.send(login("ann", PASSWORD).header("User-Agent", agent).from(client)).await.text("token")
}

/// Asks for the end of sessions with this body.
async fn asked_to_end(app: &App, token: &str, body: &Value) -> Response {
    app.send(request("DELETE", "/api/sessions/").token(token).header("Content-Type", "application/json").body(body.to_string())).await
}

#[tokio::test]
async fn the_list_says_where_an_account_is_logged_in_in_words_of_ours() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let first = opened(&app, FIREFOX, HOME).await;
    let second = opened(&app, "visit https://evil.example now", "2001:db8:1:2::7").await;
    let list = app.sessions(&first).await;
    let [newest, oldest] = [&list[0], &list[1]];
    assert_eq!(list.len(), 2);
    assert_eq!(
        *oldest,
        json!({ "id": oldest["id"], "user_agent": "Firefox on Windows", "ip": "203.0.113.0/24", "created_at": 1_767_268_802,
            "last_seen_at": null, "is_current": true, "expires_at": "2026-01-31T12:00:02Z" })
    );
    assert_eq!(
        *newest,
        json!({ "id": newest["id"], "user_agent": null, "ip": "2001:db8:1::/48", "created_at": 1_767_268_803,
            "last_seen_at": null, "is_current": false, "expires_at": "2026-01-31T12:00:03Z" })
    );
    // Each session sees the same, and which of them asks.
    let seen = app.sessions(&second).await;
    assert_eq!(ids(&seen), ids(&list));
    assert_eq!((&seen[0]["is_current"], &seen[1]["is_current"]), (&json!(true), &json!(false)));
    assert_ne!(ids(&list)[0], ids(&list)[1]);
}

#[tokio::test]
async fn an_id_of_the_list_opens_nothing_and_is_no_part_of_what_is_stored() {
    let app = App::start().await;
    let token = app.sign_up("ann").await.login().await;
    let id = app.session_id(&token).await;
    let stored = format!("{:?}", app.everything().await);
    assert!(!stored.contains(&id));
    for text in [id.clone(), format!("dws_{id}"), format!("{}{id}", &token[..token.len() - id.len()])] {
        assert!(!app.lets_pass(&text).await, "{text}");
    }
}

#[tokio::test]
async fn a_session_of_an_earlier_version_is_listed_without_its_place() {
    let app = App::start().await;
    let token = app.sign_up("ann").await.login().await;
    let item = app.operator.items_of("ann").await.into_iter().find(|item| item["sk"].as_s().is_ok_and(|sort| sort.starts_with("session#")));
    let mut item = item.expect("a session");
    item.retain(|name, _| name != "network" && name != "browser");
    let put = app.operator.client.put_item().table_name(&app.tables.accounts).set_item(Some(item));
    put.send().await.expect("the store answers");
    let list = app.sessions(&token).await;
    assert_eq!((&list[0]["user_agent"], &list[0]["ip"], list.len()), (&Value::Null, &Value::Null, 1));
}

#[tokio::test]
async fn others_end_only_with_the_password_and_the_asking_one_without() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let [mine, other, third] = [opened(&app, "", HOME).await, opened(&app, "", HOME).await, opened(&app, "", HOME).await];
    let [own, others, last] = [app.session_id(&mine).await, app.session_id(&other).await, app.session_id(&third).await];
    let before = app.everything_but_limits().await;
    let wrong = app.end_sessions(&mine, &[&others], "Wrong-Horse-42").await;
    assert_eq!((wrong.status, wrong.json()), (400, json!({ "current_password": ["Invalid password."] })));
    for without in
        [json!({ "sessions": [others] }), json!({ "sessions": [own, others] }), json!({ "sessions": ["never-there-0000000000"] })]
    {
        let refused = asked_to_end(&app, &mine, &without).await;
        assert_eq!((refused.status, refused.json()), (400, json!({ "current_password": ["This field is required."] })), "{without}");
    }
    assert_eq!(app.everything_but_limits().await, before);
    assert!(app.lets_pass(&other).await);

    let left = app.end_sessions(&mine, &[&others, "never-there-0000000000", &others], PASSWORD).await;
    assert_eq!((left.status, ids(left.json().as_array().expect("a list"))), (200, vec![last.clone(), own.clone()]));
    assert!(!app.lets_pass(&other).await && app.lets_pass(&mine).await && app.lets_pass(&third).await);
    // To end what is over is no error.
    assert_eq!(app.end_sessions(&mine, &[&others], PASSWORD).await.status, 200);
    let left = asked_to_end(&app, &mine, &json!({ "sessions": [own] })).await;
    assert_eq!((left.status, ids(left.json().as_array().expect("a list"))), (200, vec![last]));
    assert!(!app.lets_pass(&mine).await && app.lets_pass(&third).await);
    assert_eq!(app.send(sessions(&mine)).await.status, 401);
}

#[tokio::test]
async fn nobody_ends_the_sessions_of_another_account() {
    let app = App::start().await;
    let ann = app.sign_up("ann").await.login().await;
    let bob = app.sign_up("bob").await.login().await;
    let anns = app.session_id(&ann).await;
    assert_eq!(app.end_sessions(&bob, &[&anns], PASSWORD).await.status, 200, "it is no session of his, and so it is over");
    assert!(app.lets_pass(&ann).await && app.lets_pass(&bob).await);
    assert_eq!(app.sessions(&bob).await.len(), 1);
}

#[tokio::test]
async fn what_a_request_to_end_sessions_lacks_is_told_field_by_field() {
    let app = App::start().await;
    let token = app.sign_up("ann").await.login().await;
    let before = app.everything_but_limits().await;
    let many: Vec<String> = (0..26).map(|number| format!("{number:022}")).collect();
    for (sessions, told) in [
        (json!(null), "This field may not be null."),
        (json!("x"), "Expected a list of items."),
        (json!({}), "Expected a list of items."),
        (json!(7), "Expected a list of items."),
        (json!([]), "This list may not be empty."),
        (json!([7]), "Not a valid string."),
        (json!(["x", ["x"]]), "Not a valid string."),
        (json!(many), "Ensure this field has no more than 25 elements."),
    ] {
        let refused = asked_to_end(&app, &token, &json!({ "sessions": sessions, "current_password": PASSWORD })).await;
        assert_eq!((refused.status, refused.json()), (400, json!({ "sessions": [told] })), "{sessions}");
    }
    let refused = asked_to_end(&app, &token, &json!({})).await;
    let told = json!({ "sessions": ["This field is required."], "current_password": ["This field is required."] });
    assert_eq!((refused.status, refused.json()), (400, told));
    // A form has no lists.
    let form = request("DELETE", "/api/sessions/").token(&token).header("Content-Type", "application/x-www-form-urlencoded");
    let refused = app.send(form.body(format!("sessions=x&current_password={PASSWORD}"))).await;
    assert_eq!((refused.status, refused.json()), (400, json!({ "sessions": ["Expected a list of items."] })));
    assert_eq!(app.everything_but_limits().await, before);
    assert_eq!(asked_to_end(&app, &token, &json!({ "sessions": many[..25], "current_password": PASSWORD })).await.status, 200);
}

#[tokio::test]
async fn guesses_at_the_end_of_sessions_and_at_a_change_count_together() {
    let app = App::start().await;
    let token = app.sign_up("ann").await.login().await;
    let id = app.session_id(&app.login("ann", PASSWORD).await).await;
    for _ in 0..5 {
        assert_eq!(app.change_password(&token, "Wrong-Horse-42", NEW_PASSWORD).await.status, 400);
        assert_eq!(app.end_sessions(&token, &[&id], "Wrong-Horse-42").await.status, 400);
    }
    // The tenth was the last, with either, even with the right password.
    let hashes = app.hasher.evaluations();
    assert_eq!(app.end_sessions(&token, &[&id], PASSWORD).await.status, 429);
    assert_eq!(app.change_password(&token, PASSWORD, NEW_PASSWORD).await.status, 429);
    assert_eq!(app.hasher.evaluations(), hashes);
    let limited = App::configured(&[("CHANGE_CLIENT_LIMIT", "1/5m")]).await;
    let token = limited.sign_up("bob").await.login().await;
    assert_eq!(limited.change_password(&token, "Wrong-Horse-42", NEW_PASSWORD).await.status, 400);
    assert_eq!(limited.end_sessions(&token, &["never-there-0000000000"], PASSWORD).await.status, 429);
}

/// The sessions that somebody holds, with their ids.
type Held = Vec<(String, String)>;

/// One step of a history: something that opens or ends sessions.
async fn step(app: &App, held: &mut Held, number: u64, password: &mut &'static str) {
    let any = usize::try_from(number / 7).expect("small") % held.len().max(1);
    let live = held.get(any).cloned().filter(|_| !held.is_empty());
    match (number % 7, live) {
        (0..=2, _) | (_, None) => {
            let token = app.login("ann", password).await;
            let id = app.session_id(&token).await;
            held.push((token, id));
        }
        (3, Some((token, _))) => drop(app.logout(&token).await),
        (4, Some((token, _))) if app.lets_pass(&token).await => {
            let new = if *password == PASSWORD { NEW_PASSWORD } else { PASSWORD };
            assert_eq!(app.change_password(&token, password, new).await.status, 200);
            *password = new;
        }
        (5, Some((_, id))) => {
            let token = app.login("ann", password).await;
            assert_eq!(app.end_sessions(&token, &[&id], password).await.status, 200);
            app.logout(&token).await;
        }
        _ => app.advance(5 * 60 * 60),
    }
}

#[tokio::test]
async fn what_is_listed_passes_and_what_passes_is_listed() {
    let mut number: u64 = 20_260_101;
    let (mut ended, mut most) = (0, 0);
    for history in 0..4 {
        let place = Place::fresh().await;
        // A session lives for a day, and in some histories the emergency switch has ended the first hours.
        let settings = [("SESSION_LIFETIME", "1d"), ("CHANGE_ACCOUNT_LIMIT", "1000/15m")];
        let app = App::over(&place, &settings).await;
        let switched = App::over(&place, &[&settings[..], &[("SESSIONS_NOT_BEFORE", "2026-01-01T12:03:00Z")]].concat()).await;
        app.sign_up("ann").await;
        let (mut held, mut password) = (Held::new(), PASSWORD);
        for _ in 0..14 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            step(&app, &mut held, number >> 33, &mut password).await;
            app.advance(20);
            switched.clock.set(app.clock.now());
            let asked = if history % 2 == 0 { &app } else { &switched };
            let mut passing = Vec::new();
            for (token, id) in &held {
                if asked.lets_pass(token).await {
                    passing.push((token.clone(), id.clone()));
                }
            }
            ended += held.len() - passing.len();
            most = most.max(passing.len());
            for (token, _) in &passing {
                let mut listed = ids(&asked.sessions(token).await);
                let mut expected: Vec<String> = passing.iter().map(|(_, id)| id.clone()).collect();
                listed.sort();
                expected.sort();
                assert_eq!(listed, expected);
            }
        }
    }
    assert!(ended > 10 && most > 2, "the histories are of some use: {ended} {most}");
}

#[tokio::test]
async fn a_session_that_changes_the_password_while_it_asks_sees_what_is_true_afterwards() {
    let (app, observer) = App::patiently_observed(&[]).await;
    let token = app.sign_up("ann").await.login().await;
    let other = app.login("ann", PASSWORD).await;
    for (asked, says) in [(sessions(&token), 200), (end_sessions(&token, &["never-there-0000000000"], NEW_PASSWORD), 400)] {
        let (gate, ids_before) = (Gate::default(), app.session_id(&token).await);
        let held = gate.clone();
        observer.store.forget();
        observer.store.fail(move |call| (call.operation == "Query").then(|| (When::Before, Failure::Waits(held.clone()))));
        let asking = tokio::spawn({
            let app = app.clone();
            async move { app.send(asked).await }
        });
        gate.reached().await;
        let [old, new] = if says == 200 { [PASSWORD, NEW_PASSWORD] } else { [NEW_PASSWORD, PASSWORD] };
        assert_eq!(app.change_password(&token, old, new).await.status, 200);
        observer.store.heal();
        gate.open();
        let answer = asking.await.expect("no function panics");
        assert_eq!(answer.status, says, "{answer:?}");
        match says {
            200 => assert_eq!(ids(answer.json().as_array().expect("a list")), [ids_before]),
            _ => assert_eq!(answer.json(), json!({ "current_password": ["Invalid password."] })),
        }
        assert!(!app.lets_pass(&other).await && app.lets_pass(&token).await);
    }
}

#[tokio::test]
async fn the_end_of_a_session_that_a_change_overtakes_ends_nothing_and_says_so() {
    let (app, observer) = App::patiently_observed(&[]).await;
    let mine = app.sign_up("ann").await.login().await;
    let other = app.login("ann", PASSWORD).await;
    let asked = end_sessions(&mine, &[&app.session_id(&other).await], PASSWORD);
    let gate = Gate::default();
    let held = gate.clone();
    observer
        .store
        .fail(move |call| call.request.to_string().contains("\"ConditionCheck\"").then(|| (When::Before, Failure::Waits(held.clone()))));
    let asking = tokio::spawn({
        let app = app.clone();
        async move { app.send(asked).await }
    });
    gate.reached().await;
    // The password that was asked for is no longer the account's, and its session is over.
    assert_eq!(app.change_password(&other, PASSWORD, NEW_PASSWORD).await.status, 200);
    observer.store.heal();
    gate.open();
    assert_eq!(asking.await.expect("no function panics").status, 401);
    assert!(app.lets_pass(&other).await && !app.lets_pass(&mine).await);
}

#[tokio::test]
async fn an_account_with_many_sessions_sees_all_of_them() {
    let app = App::start().await;
    let token = app.sign_up("ann").await.login().await;
    let item = app.operator.items_of("ann").await.into_iter().find(|item| item["sk"].as_s().is_ok_and(|sort| sort.starts_with("session#")));
    let item = item.expect("a session");
    for number in 0..300 {
        let mut copy = item.clone();
        copy.insert("sk".to_owned(), AttributeValue::S(format!("session#{number:043}")));
        // As large as it takes for a second page of a megabyte.
        copy.insert("padding".to_owned(), AttributeValue::S("x".repeat(4_000)));
        let put = app.operator.client.put_item().table_name(&app.tables.accounts).set_item(Some(copy));
        put.send().await.expect("the store answers");
    }
    assert_eq!(app.sessions(&token).await.len(), 301);
    let own = app.session_id(&token).await;
    let others: Vec<String> = ids(&app.sessions(&token).await).into_iter().filter(|id| *id != own).collect();
    assert_eq!(app.send(end_sessions(&token, &[&others[0], &others[299]], PASSWORD)).await.status, 200);
    assert_eq!(app.sessions(&token).await.len(), 299);
}
