//! Limits: 429, and how long to wait.

use std::time::Duration;

use doorward_kit::event::post;
use serde_json::json;

use crate::{CHANGE, LOGIN, OTHER, PASSWORD, READING, REGISTER, RESET, Stand, VALIDATE};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_too_often_is_told_when_to_come_back() {
    let limits = ["REGISTER", "LOGIN", "CHANGE", "RESET", "VALIDATE", "CONFIRM"].map(|name| (format!("{name}_CLIENT_LIMIT"), "3/1m"));
    let settings: Vec<(&str, &str)> = limits.iter().map(|(name, limit)| (name.as_str(), *limit)).collect();
    for path in READING {
        let stand = Stand::with(&settings).await;
        stand.register("ann").await;
        let token = stand.login("ann", PASSWORD).await;
        stand.deployment.hand.turn(Duration::from_secs(60 + 18));
        let ask = async |client: &str| {
            let body = match path {
                REGISTER => json!({ "username": "ann", "email": "ann@example.com", "password": PASSWORD }),
                LOGIN => json!({ "username": "nobody", "password": "wrong" }),
                CHANGE => json!({ "old_password": "wrong", "new_password": OTHER }),
                RESET => json!({ "email": "nobody@example.com" }),
                VALIDATE => json!({ "token": "x" }),
                _ => json!({ "token": "x", "password": OTHER }),
            };
            stand.send(post(path, &body).token(&token).from(client)).await
        };
        // What is refused before the limit is not counted by it.
        for _ in 0..5 {
            assert_eq!(stand.send(post(path, &json!({})).token(&token)).await.status, 400);
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
        // A wrong field is still told first, another client is not meant, and time heals.
        assert_eq!(stand.send(post(path, &json!({})).token(&token)).await.status, 400);
        assert_ne!(ask("203.0.113.8").await.status, 429, "{path}");
        stand.deployment.hand.turn(Duration::from_secs(41));
        assert_eq!(ask("203.0.113.7").await.json()["detail"], "Request was throttled. Expected available in 1 second.");
        stand.deployment.hand.turn(Duration::from_secs(1));
        assert_ne!(ask("203.0.113.7").await.status, 429, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_beyond_an_accounts_limit_answer_like_wrong_ones() {
    let stand = Stand::with(&[("LOGIN_ACCOUNT_LIMIT", "3/1m")]).await;
    stand.register("ann").await;
    let login = async |name: &str, password: &str| stand.post(LOGIN, &json!({ "username": name, "password": password }), "").await;
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
    let stand = Stand::with(&[("CHANGE_ACCOUNT_LIMIT", "2/1m")]).await;
    stand.register("ann").await;
    let token = stand.login("ann", PASSWORD).await;
    let change = async |old: &str| stand.post(CHANGE, &json!({ "old_password": old, "new_password": OTHER }), &token).await;
    assert_eq!(change("wrong").await.json(), json!({ "error": "Incorrect old password." }));
    assert_eq!(change("wrong").await.status, 400);
    let answer = change(PASSWORD).await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (429, "60"));
}
