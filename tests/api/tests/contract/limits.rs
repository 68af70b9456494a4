//! Limits: the answer 429, and the time to wait.

use doorward_kit::{App, requests::post};
use serde_json::json;

use crate::{CHANGE, LOGIN, OTHER, PASSWORD, good, reading};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_too_often_is_told_when_to_come_back() {
    let limits = ["REGISTER", "LOGIN", "CHANGE", "RESET", "VALIDATE", "CONFIRM"].map(|name| (format!("{name}_CLIENT_LIMIT"), "3/1m"));
    let settings: Vec<(&str, &str)> = limits.iter().map(|(name, limit)| (name.as_str(), *limit)).collect();
    for path in reading() {
        let app = App::configured(&settings).await;
        app.sign_up("ann").await;
        let token = app.login("ann", PASSWORD).await;
        app.advance(60 + 17);
        let ask = async |client: &str| app.send(post(path, &good(path, "x")).token(&token).from(client)).await;
        // A request that is refused before the limit does not count.
        for _ in 0..5 {
            assert_eq!(app.send(post(path, &json!({})).token(&token)).await.status, 400);
        }
        for _ in 0..3 {
            assert_ne!(ask("203.0.113.7").await.status, 429, "{path}");
        }
        let answer = ask("203.0.113.7").await;
        assert_eq!(
            (answer.status, answer.json()),
            (429, json!({ "detail": "Request was throttled. Expected available in 42 seconds." })),
            "{path}"
        );
        assert_eq!(answer.headers["retry-after"], "42");
        // Field errors still come first, other clients are not affected, and the limit ends with its window.
        assert_eq!(app.send(post(path, &json!({})).token(&token)).await.status, 400);
        assert_ne!(ask("203.0.113.8").await.status, 429, "{path}");
        app.advance(41);
        assert_eq!(ask("203.0.113.7").await.json()["detail"], "Request was throttled. Expected available in 1 second.");
        app.advance(1);
        assert_ne!(ask("203.0.113.7").await.status, 429, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_beyond_an_accounts_limit_answer_like_wrong_ones() {
    let app = App::configured(&[("LOGIN_ACCOUNT_LIMIT", "3/1m")]).await;
    app.sign_up("ann").await;
    let login = async |name: &str, password: &str| app.post(LOGIN, &json!({ "username": name, "password": password }), "").await;
    let known = login("ann", "wrong").await;
    let unknown = login("nobody", "wrong").await;
    assert_eq!((known.status, known.json()), (401, json!({ "error": "Invalid credentials" })));
    assert!(!known.headers.contains_key("www-authenticate"));
    for _ in 0..4 {
        assert_eq!((login("ann", "wrong").await, login("nobody", "wrong").await), (known.clone(), unknown.clone()));
    }
    assert_eq!(known, unknown);
    assert_eq!(login("ann", PASSWORD).await, known, "the right password is not looked at any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_a_session_may_not_guess_its_password_without_bound() {
    let app = App::configured(&[("CHANGE_ACCOUNT_LIMIT", "2/1m")]).await;
    app.sign_up("ann").await;
    let token = app.login("ann", PASSWORD).await;
    let change = async |old: &str| app.post(CHANGE, &json!({ "old_password": old, "new_password": OTHER }), &token).await;
    assert_eq!(change("wrong").await.json(), json!({ "error": "Incorrect old password." }));
    assert_eq!(change("wrong").await.status, 400);
    let answer = change(PASSWORD).await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (429, "59"));
}
