//! Promises 4 and 5: a changed password ends sessions at once. Session tokens are random and expire.

use doorward_kit::{
    App, Response,
    proxy::{Failure, Gate, When},
    requests::{NEW_PASSWORD, PASSWORD, address_of, post, request},
};
use serde_json::json;

async fn three_sessions(app: &App) -> [String; 3] {
    app.sign_up("ann").await;
    [app.login("ann", PASSWORD).await, app.login("ann", PASSWORD).await, app.login("ann", PASSWORD).await]
}

async fn alive(app: &App, sessions: &[String; 3]) -> [bool; 3] {
    [app.lets_pass(&sessions[0]).await, app.lets_pass(&sessions[1]).await, app.lets_pass(&sessions[2]).await]
}

/// The answer of a protected endpoint to a token, which changes nothing if the token is valid.
async fn asks(app: &App, authorization: &str) -> Response {
    app.send(post("/api/change_password/", &json!({})).header("Authorization", authorization)).await
}

#[tokio::test]
async fn a_change_ends_all_sessions_but_the_one_that_made_it() {
    let app = App::start().await;
    let sessions = three_sessions(&app).await;
    assert_eq!(alive(&app, &sessions).await, [true; 3]);
    assert_eq!(app.change_password(&sessions[1], PASSWORD, NEW_PASSWORD).await.status, 200);
    assert_eq!(alive(&app, &sessions).await, [false, true, false]);
    let refused = asks(&app, &format!("Token {}", sessions[0])).await;
    assert_eq!((refused.status, refused.json()), (401, json!({ "detail": "Invalid token." })));
    assert_eq!(asks(&app, &format!("Token {}", sessions[1])).await.status, 400);
}

#[tokio::test]
async fn a_reset_ends_every_session() {
    let app = App::start().await;
    let sessions = three_sessions(&app).await;
    let token = app.reset_link(&address_of("ann")).await;
    assert_eq!(alive(&app, &sessions).await, [true; 3], "asking for a link ends nothing");
    assert_eq!(app.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
    assert_eq!(alive(&app, &sessions).await, [false; 3]);
}

#[tokio::test]
async fn logout_ends_one_session_and_logout_all_ends_all() {
    let app = App::start().await;
    let sessions = three_sessions(&app).await;
    assert_eq!(app.logout(&sessions[0]).await.status, 200);
    assert_eq!(alive(&app, &sessions).await, [false, true, true]);
    assert_eq!(app.logout(&sessions[0]).await.status, 401, "ended is ended");
    assert_eq!(app.logout_all(&sessions[1]).await.status, 200);
    assert_eq!(alive(&app, &sessions).await, [false; 3]);
    let fresh = app.login("ann", PASSWORD).await;
    assert!(app.lets_pass(&fresh).await);
}

#[tokio::test]
async fn ending_ones_sessions_ends_nobody_elses() {
    let app = App::start().await;
    let (ann, bob) = (app.sign_up("ann").await.login().await, app.sign_up("bob").await.login().await);
    app.change_password(&ann, PASSWORD, NEW_PASSWORD).await;
    app.logout_all(&ann).await;
    assert!(!app.lets_pass(&ann).await && app.lets_pass(&bob).await);
}

#[tokio::test]
async fn a_session_expires_thirty_days_after_its_login_however_much_it_is_used() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let day = 24 * 60 * 60;
    for _ in 0..29 {
        app.advance(day);
        assert!(app.lets_pass(&session).await);
    }
    let before = app.everything().await;
    app.advance(day - 1);
    assert!(app.lets_pass(&session).await);
    assert_eq!(app.everything().await, before, "a check writes nothing");
    app.advance(1);
    assert!(!app.lets_pass(&session).await);
    assert_eq!(asks(&app, &format!("Token {session}")).await.json(), json!({ "detail": "Invalid token." }));
}

#[tokio::test]
async fn the_answer_says_when_the_session_expires() {
    let app = App::configured(&[("SESSION_LIFETIME", "1h")]).await;
    app.sign_up("ann").await;
    let answer = app.send(doorward_kit::requests::login("ann", PASSWORD)).await;
    assert_eq!(answer.text("expires_at"), "2026-01-01T13:00:01Z");
    app.advance(3600);
    assert!(!app.lets_pass(&answer.text("token")).await);
}

#[tokio::test]
async fn the_emergency_switch_ends_sessions_and_links_older_than_it() {
    let place = doorward_kit::place::Place::fresh().await;
    let before = App::over(&place, &[]).await;
    let session = before.sign_up("ann").await.login().await;
    let link = before.reset_link(&address_of("ann")).await;
    let pulled = App::over(&place, &[("SESSIONS_NOT_BEFORE", "2026-01-01T12:04:00Z")]).await;
    pulled.advance(10);
    assert!(before.lets_pass(&session).await && before.validate(&link).await.status == 200);
    assert!(!pulled.lets_pass(&session).await);
    assert_eq!(asks(&pulled, &format!("Token {session}")).await.status, 401);
    assert_eq!((pulled.validate(&link).await.status, pulled.confirm_reset(&link, NEW_PASSWORD).await.status), (404, 404));
    pulled.advance(600);
    let fresh = pulled.login("ann", PASSWORD).await;
    assert!(pulled.lets_pass(&fresh).await);
}

#[tokio::test]
async fn token_and_bearer_are_the_same_in_any_case() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let answers = [format!("Token {session}"), format!("Bearer {session}"), format!("bEaReR \t {session} ")];
    for header in &answers {
        assert_eq!(asks(&app, header).await, asks(&app, &answers[0]).await);
        let question = json!({ "version": "2.0", "headers": { "Authorization": header } });
        assert_eq!(app.authorize(question).await["isAuthorized"], true);
    }
    assert_eq!(asks(&app, &answers[0]).await.status, 400, "signed in, and told which fields are missing");
    let mangled: String = session.chars().map(|char| if char.is_lowercase() { char.to_ascii_uppercase() } else { char }).collect();
    assert_eq!(asks(&app, &format!("Token {mangled}")).await.status, 401, "the token itself has a case");
}

#[tokio::test]
async fn every_login_has_a_session_of_its_own_with_256_random_bits() {
    let app = App::start().await;
    let sessions = three_sessions(&app).await;
    let mut secrets: Vec<Vec<u8>> = sessions.iter().map(|session| doorward_kit::store::token_bytes(session)[16..].to_vec()).collect();
    assert!(secrets.iter().all(|secret| secret.len() == 32));
    secrets.dedup();
    assert_eq!(secrets.len(), 3);
}

#[tokio::test]
async fn a_session_read_under_an_older_epoch_opens_nothing_though_its_item_is_there() {
    // A login that raced a change leaves a session of the previous epoch.
    let app = App::start().await;
    let sessions = three_sessions(&app).await;
    app.change_password(&sessions[0], PASSWORD, NEW_PASSWORD).await;
    let items = app.operator.items_of("ann").await;
    let left = items.iter().filter(|item| item["sk"].as_s().is_ok_and(|key| key.starts_with("session#"))).count();
    assert_eq!(left, 3, "nothing has cleared them away");
    assert_eq!(alive(&app, &sessions).await, [true, false, false]);
}

#[tokio::test]
async fn an_account_switched_off_signs_nobody_in() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    app.operator.set_active("ann", false).await;
    assert!(!app.lets_pass(&session).await);
    assert_eq!(asks(&app, &format!("Token {session}")).await.json(), json!({ "detail": "User inactive or deleted." }));
    assert_eq!(app.send(request("POST", "/api/logout_all/").token(&session)).await.status, 401);
}

const DAY: u64 = 24 * 60 * 60;

/// The day that is stored with the only session of ann.
async fn seen_on(app: &App) -> Option<String> {
    let items = app.operator.items_of("ann").await;
    let session = items.into_iter().find(|item| item["sk"].as_s().is_ok_and(|sort| sort.starts_with("session#")))?;
    session.get("seen_on").map(|day| day.as_n().expect("a number").clone())
}

#[tokio::test]
async fn a_session_that_is_not_used_for_the_configured_days_ends_to_the_day_and_one_that_is_used_does_not() {
    let app = App::configured(&[("SESSION_IDLE", "3d"), ("SESSION_LIFETIME", "365d")]).await;
    let used = app.sign_up("ann").await.login().await;
    let unused = app.sign_up("bob").await.login().await;
    for _ in 0..3 {
        app.advance(DAY);
        assert!(app.lets_pass(&used).await);
    }
    // At noon of the third day after the login, and until its end.
    app.advance(DAY / 2 - 60);
    let place = app.sessions(&unused).await;
    assert_eq!((place.len(), &place[0]["last_seen_at"]), (1, &json!(1_767_484_800)), "seen on that day, 2026-01-04");
    app.advance(3 * DAY);
    assert!(app.lets_pass(&unused).await);
    app.advance(4 * DAY);
    for (token, status) in [(&used, 401), (&unused, 401)] {
        assert_eq!(app.send(doorward_kit::requests::sessions(token)).await.status, status);
        assert!(!app.lets_pass(token).await);
    }
    let fresh = app.login("ann", PASSWORD).await;
    assert_eq!(app.sessions(&fresh).await.len(), 1, "the list has the same rule");
}

#[tokio::test]
async fn a_check_writes_once_a_day_and_only_where_idle_sessions_end() {
    let (app, observer) = App::observed(&[("SESSION_IDLE", "30d")]).await;
    let token = app.sign_up("ann").await.login().await;
    let checks = async || {
        observer.store.forget();
        for _ in 0..3 {
            assert!(app.lets_pass(&token).await);
        }
        observer.store.calls().iter().filter(|call| call.writes()).count()
    };
    assert_eq!((checks().await, seen_on(&app).await.as_deref()), (0, Some("20454")), "the login has noted its day");
    app.advance(DAY);
    assert_eq!((checks().await, seen_on(&app).await.as_deref()), (1, Some("20455")));
    app.clock.set("2026-01-01T23:59:59Z".parse().expect("an instant"));
    assert_eq!((checks().await, seen_on(&app).await.as_deref()), (0, Some("20455")), "a clock that is behind notes nothing");

    let off = App::start().await;
    off.sign_up("ann").await.login().await;
    assert_eq!(seen_on(&off).await, None);
}

#[tokio::test]
async fn a_use_that_cannot_be_noted_changes_no_answer() {
    let (app, observer) = App::observed(&[("SESSION_IDLE", "30d")]).await;
    let token = app.sign_up("ann").await.login().await;
    app.advance(DAY);
    observer.store.fail(|call| call.writes().then(|| (When::Before, Failure::code(400, "AccessDeniedException"))));
    assert!(app.lets_pass(&token).await);
    assert_eq!(app.sessions(&token).await.len(), 1);
}

#[tokio::test]
async fn noting_a_use_does_not_revive_a_session_that_has_ended_in_the_meantime() {
    let (app, observer) = App::patiently_observed(&[("SESSION_IDLE", "30d")]).await;
    let token = app.sign_up("ann").await.login().await;
    app.advance(DAY);
    let gate = Gate::default();
    let held = gate.clone();
    observer.store.forget();
    observer.store.fail(move |call| (call.number == 1).then(|| (When::Before, Failure::Waits(held.clone()))));
    let checking = tokio::spawn({
        let (app, token) = (app.clone(), token.clone());
        async move { app.lets_pass(&token).await }
    });
    gate.reached().await;
    assert_eq!(app.logout(&token).await.status, 200);
    gate.open();
    assert!(checking.await.expect("no function panics"), "it began before the session ended");
    assert_eq!(seen_on(&app).await, None, "there is no item");
    assert!(!app.lets_pass(&token).await);
}

#[tokio::test]
async fn a_session_of_before_counts_as_used_on_the_day_of_its_login() {
    let place = doorward_kit::place::Place::fresh().await;
    let before = App::over(&place, &[]).await;
    let token = before.sign_up("ann").await.login().await;
    let switched_on = App::over(&place, &[("SESSION_IDLE", "2d")]).await;
    switched_on.advance(2 * DAY);
    assert!(switched_on.lets_pass(&token).await);
    let late = App::over(&place, &[("SESSION_IDLE", "1d")]).await;
    late.advance(4 * DAY);
    assert!(!late.lets_pass(&token).await, "its use two days ago was noted, and is more than a day old");
}

#[tokio::test]
async fn the_authorizer_tells_of_an_account_what_a_parameter_names_and_nothing_else() {
    let asked = json!({ "version": "2.0" });
    for (parameter, told) in
        [("", vec![]), ("email", vec!["email"]), ("password_changed_at, date_joined", vec!["date_joined", "password_changed_at"])]
    {
        let app = App::configured(&[("AUTHORIZER_CONTEXT", parameter)]).await;
        app.sign_up("ann").await;
        let token = app.login("ann", PASSWORD).await;
        let mut question = asked.clone();
        question["headers"] = json!({ "authorization": format!("Token {token}") });
        let answer = app.authorize(question).await;
        let context = answer["context"].as_object().expect("a context");
        let besides: Vec<&str> =
            context.keys().map(String::as_str).filter(|key| !["account_id", "username", "verified"].contains(key)).collect();
        assert_eq!(besides, told, "{answer}");
        let expected = |key: &str| if key == "email" { "ann@example.com" } else { "2026-" };
        assert!(told.iter().all(|key| context[*key].as_str().is_some_and(|fact| fact.starts_with(expected(key)))), "{answer}");
    }
}
