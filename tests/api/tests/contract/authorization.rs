//! The Authorization header, and the sessions that a logout ends.

use doorward_kit::requests::{post, request};
use serde_json::{Value, json};

use crate::{CHANGE, LOGIN, LOGOUT, LOGOUT_ALL, OTHER, PASSWORD, REGISTER, RESET, VALIDATE, generous, link, protected};

const NOT_PROVIDED: &str = "Authentication credentials were not provided.";
const NO_CREDENTIALS: &str = "Invalid token header. No credentials provided.";
const SPACES: &str = "Invalid token header. Token string should not contain spaces.";
const NO_TEXT: &str = "Invalid token header. Token string should not contain invalid characters.";
const INVALID: &str = "Invalid token.";

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_signs_nobody_in_is_told_why() {
    let app = generous().await;
    app.sign_up("ann").await;
    let token = app.login("ann", PASSWORD).await;
    let mut cases: Vec<(Option<String>, &str)> = vec![(None, NOT_PROVIDED)];
    for header in [
        "",
        " ",
        "Basic YW5uOnB3",
        "Digest a=b",
        "Toke T",
        "Tokens T",
        "Bearers T",
        "Token=T",
        "Token:T",
        "Token: T",
        "T",
        "\"Token\" T",
        "Token,T",
        "Token\u{a0}T",
        "ApiKey T",
    ] {
        cases.push((Some(header.replace('T', &token).replace(&format!("{token}oke"), "Toke")), NOT_PROVIDED));
    }
    for keyword in ["Token", "token", "TOKEN", "Bearer", "bEARER"] {
        cases.extend(["", " ", "\t"].map(|end| (Some(format!("{keyword}{end}")), NO_CREDENTIALS)));
        cases.extend(["a b", "T x", "x T", "T T T"].map(|words| (Some(format!("{keyword} {}", words.replace('T', &token))), SPACES)));
        let (upper, lower) = (token.to_uppercase(), token.to_lowercase());
        let wrong =
            ["abc", "%41", "null", "'", &format!("\"{token}\""), &format!("{token}x"), &format!("x{token}"), &upper, &lower, &token[..60]];
        cases.extend(wrong.map(|wrong| (Some(format!("{keyword} {wrong}")), INVALID)));
        cases.push((Some(format!("{keyword} t\u{f6}k")), NO_TEXT));
    }
    for path in protected() {
        for (header, detail) in &cases {
            for method in ["POST", "GET", "DELETE"] {
                let request = request(method, path).header("Content-Type", "text/plain").body("{");
                let answer = app.send(header.iter().fold(request, |request, value| request.header("Authorization", value))).await;
                assert_eq!((answer.status, answer.json()), (401, json!({ "detail": detail })), "{method} {path} {header:?}");
                assert_eq!(answer.headers["www-authenticate"], "Token");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_keywords_in_any_case_with_any_white_space_sign_in() {
    let app = generous().await;
    app.sign_up("ann").await;
    let token = app.login("ann", PASSWORD).await;
    for header in ["Token T", "token T", "TOKEN T", "Bearer T", "bearer   T", "Token\tT", "  Token \t T  "] {
        let header = header.replace('T', "\u{0}").replace("\u{0}oken", "Token").replace("\u{0}OKEN", "TOKEN").replace('\u{0}', &token);
        let answer = app.send(post(CHANGE, &json!({})).header("Authorization", &header)).await;
        assert_eq!(answer.status, 400, "{header:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_ignored_where_none_is_asked_for() {
    let app = generous().await;
    app.sign_up("ann").await;
    for header in ["Token", "Token a b", "Token unknown", "Bearer \u{ff}", "Basic x"] {
        let sent = async |path: &str, body: Value| app.send(post(path, &body).header("Authorization", header)).await.status;
        assert_eq!(sent(REGISTER, json!({})).await, 400);
        assert_eq!(sent(LOGIN, json!({ "username": "ann", "password": PASSWORD })).await, 200);
        assert_eq!(sent(RESET, json!({ "email": "ann@example.com" })).await, 200);
        assert_eq!(sent(VALIDATE, json!({ "token": "x" })).await, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_ends_one_session_and_logout_all_ends_all() {
    let app = generous().await;
    for name in ["ann", "bob"] {
        app.sign_up(name).await;
    }
    let sessions = [app.login("ann", PASSWORD).await, app.login("ann", PASSWORD).await, app.login("ann", PASSWORD).await];
    let bobs = app.login("bob", PASSWORD).await;
    let is_open = async |token: &str| app.post(CHANGE, &json!({}), token).await.status == 400;
    // The body is ignored, even if it is malformed.
    let ignored = request("POST", LOGOUT).header("Content-Type", "application/json").token(&sessions[0]).body(vec![0xff; 300_000]);
    let answer = app.send(ignored).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "message": "Successfully logged out." })));
    assert!(!is_open(&sessions[0]).await && is_open(&sessions[1]).await && is_open(&sessions[2]).await);
    let answer = app.send(request("POST", LOGOUT_ALL).token(&sessions[1]).body("{")).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "message": "Successfully logged out." })));
    assert!(!is_open(&sessions[1]).await && !is_open(&sessions[2]).await && is_open(&bobs).await);
    assert!(is_open(&app.login("ann", PASSWORD).await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_account_and_pauses_while_that_is_switched_off() {
    let app = generous().await;
    app.sign_up("ann").await;
    let token = app.login("ann", PASSWORD).await;
    let detail = async || app.post(LOGOUT_ALL, &json!({}), &token).await.json()["detail"].clone();
    app.operator.set_active("ann", false).await;
    assert_eq!(detail().await, "User inactive or deleted.");
    app.operator.set_active("ann", true).await;
    assert_eq!(app.post(CHANGE, &json!({}), &token).await.status, 400);
    app.operator.delete_user("ann").await;
    assert_eq!(detail().await, INVALID);
    // The names are free again, but the old session does not belong to the new account.
    app.sign_up("ann").await;
    assert_eq!(detail().await, INVALID);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_leaves_the_session_that_made_it_and_a_reset_none() {
    let app = generous().await;
    app.sign_up("ann").await;
    let (mine, other) = (app.login("ann", PASSWORD).await, app.login("ann", PASSWORD).await);
    let changed = app.post(CHANGE, &json!({ "old_password": PASSWORD, "new_password": OTHER }), &mine).await;
    assert_eq!((changed.status, changed.json()), (200, json!({ "message": "Password changed successfully." })));
    assert_eq!(app.post(CHANGE, &json!({}), &mine).await.status, 400);
    assert_eq!(app.post(CHANGE, &json!({}), &other).await.json(), json!({ "detail": INVALID }));
    let link = link(&app, "ann").await;
    assert_eq!(app.post(crate::CONFIRM, &json!({ "token": link, "password": PASSWORD }), "").await.status, 200);
    assert_eq!(app.post(CHANGE, &json!({}), &mine).await.json(), json!({ "detail": INVALID }));
}
