//! The life of an account that README shows, on a deployed stack.

use std::time::{Duration, Instant};

use doorward::entropy::Entropy;
use doorward_functions::routes;
use doorward_kit::{
    mailbox::RESET_LINK,
    requests::{post, request},
    scenario::Stage,
};
use doorward_stack_tests::{Stack, variable};
use serde_json::json;

/// Maximum time until a mail arrives on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A name that no other test on the same stack uses.
fn fresh(name: &str) -> (String, String) {
    let name = format!("{name}{}", u64::from_le_bytes(Entropy::system().bytes()));
    (name.clone(), format!("{name}@example.com"))
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_forgot_a_password_gets_back_in_and_old_tokens_do_not() {
    let stack = Stack::of_environment();
    let (username, email) = fresh("ada");
    let first = "Correct-Horse-42";

    let answer = stack.send(post("/api/register/", &json!({ "username": username, "email": email, "password": first }))).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let token = stack.send(post("/api/login/", &json!({ "username": username, "password": first }))).await.text("token");

    let second = "Battery-Staple-77";
    let change = post("/api/change_password/", &json!({ "old_password": first, "new_password": second })).token(&token);
    assert_eq!(stack.send(change).await.status, 200);

    let asked_at = Instant::now();
    assert_eq!(stack.send(post("/api/password_reset/", &json!({ "email": email }))).await.status, 200);
    let link = loop {
        let mails = stack.mails_to(&email).await;
        let link = mails.iter().find_map(|mail| mail.text.split_whitespace().find(|word| word.contains(RESET_LINK)).map(str::to_owned));
        if let Some(link) = link {
            break link;
        }
        assert!(asked_at.elapsed() < PATIENCE, "no mail within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };

    // The link in the mail opens, and opening it does not use it up.
    for _ in 0..2 {
        let page = stack.fetch(&link, request("GET", "/")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert!(page.body.contains("<form"), "{}", page.body);
    }

    // The page's form, posted as by a browser without JavaScript.
    let (address, query) = link.split_once('?').expect("a token");
    let third = "Third-Password-9";
    let form = request("POST", "/")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Accept", "text/html,application/xhtml+xml")
        .header("Origin", "null")
        .header("Sec-Fetch-Site", "same-origin")
        .body(format!("{query}&password={third}"));
    let sent_on = stack.fetch(address, form.clone()).await;
    assert_eq!(sent_on.status, 303, "{}", sent_on.body);
    let page = request("GET", "/").header("Accept", "text/html,application/xhtml+xml");
    let page = stack.fetch(&format!("{address}{}", sent_on.headers["location"]), page).await;
    assert_eq!((page.status, page.headers["content-type"].as_str()), (200, "text/html; charset=utf-8"), "{}", page.body);
    assert_eq!(stack.fetch(address, form).await.status, 404, "the link is spent");

    let refused = stack.send(post("/api/logout/", &json!({})).token(&token)).await;
    assert_eq!((refused.status, refused.body.as_str()), (401, r#"{"detail":"Invalid token."}"#));
    let again = stack.send(post("/api/login/", &json!({ "username": email, "password": third }))).await;
    assert_eq!(again.status, 200, "{}", again.body);

    // Besides the link there was a notice of the first change. That of the second waits, because it came within five minutes of the first.
    let notices = stack.mails(&email, 2).await.into_iter().filter(|mail| mail.disavowal_token().is_some()).count();
    assert_eq!(notices, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_the_registry_is_deployed_and_offers_its_methods() {
    let stack = Stack::of_environment();
    for (routes, path) in routes().flat_map(|routes| routes.paths.iter().map(move |path| (routes, *path))) {
        for path in [path, path.trim_end_matches('/')] {
            let answer = stack.send(request("OPTIONS", path)).await;
            assert_eq!((answer.status, answer.headers["allow"].as_str()), (204, routes.allow().to_str().expect("text")), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_works_with_and_without_its_slash_and_what_is_no_route_is_a_json_404() {
    let stack = Stack::of_environment();
    for path in ["/api/login", "/api/login/"] {
        assert_eq!(stack.send(post(path, &json!({}))).await.status, 400, "{path}");
    }
    for path in ["/", "/api/", "/api/login/x", "/api/loginx"] {
        let answer = stack.send(request("GET", path)).await;
        assert_eq!((answer.status, answer.json()), (404, json!({ "detail": "Not found." })), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_api_of_ones_own_knows_who_asks() {
    let stack = Stack::of_environment();
    let example = doorward_stack_tests::deploy_protected_api();
    let (username, email) = fresh("grace");
    let password = "Correct-Horse-42";
    stack.send(post("/api/register/", &json!({ "username": username, "email": email, "password": password }))).await;
    let token = stack.send(post("/api/login/", &json!({ "username": username, "password": password }))).await.text("token");

    let url = format!("{}/notes", example.trim_end_matches('/'));
    let bearer = format!("Bearer {token}");
    let answer = stack.fetch(&url, request("GET", "/").header("Authorization", &bearer)).await;
    assert_eq!((answer.status, answer.json()["username"].as_str()), (200, Some(username.as_str())), "{}", answer.body);
    let known = answer.json();
    assert_eq!(
        known.as_object().map(|known| known.keys().map(String::as_str).collect::<Vec<_>>()),
        Some(vec!["account_id", "notes", "username", "verified"])
    );

    // A browser asks first whether its page may, without credentials.
    for (origin, allowed) in [("https://app.doorward.internal", true), ("https://evil.internal", false)] {
        let preflight = request("OPTIONS", "/")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "GET")
            .header("Access-Control-Request-Headers", "authorization");
        let answer = stack.fetch(&url, preflight).await;
        assert_eq!(
            answer.headers.get("access-control-allow-origin").is_some_and(|allowed| allowed == origin),
            allowed,
            "{origin}: {answer:?}"
        );
        let answer = stack.fetch(&url, request("GET", "/").header("Authorization", &bearer).header("Origin", origin)).await;
        assert_eq!(
            answer.headers.get("access-control-allow-origin").is_some_and(|allowed| allowed == origin),
            allowed,
            "{origin}: {answer:?}"
        );
    }

    for stranger in [Some("Bearer dws_nonsense"), None] {
        let mut asked = request("GET", "/");
        if let Some(header) = stranger {
            asked = asked.header("Authorization", header);
        }
        let answer = stack.fetch(&url, asked).await;
        assert!(matches!(answer.status, 401 | 403), "{}: {}", answer.status, answer.body);
    }

    // The session ends there at once too.
    assert_eq!(stack.send(post("/api/logout/", &json!({})).token(&token)).await.status, 200);
    let answer = stack.fetch(&url, request("GET", "/").header("Authorization", &bearer)).await;
    assert!(matches!(answer.status, 401 | 403), "{}: {}", answer.status, answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_variables_of_a_stack_are_all_there() {
    for name in ["API_URL", "MAIL_URL", "AWS_ENDPOINT_URL", "AWS_REGION", "ACCOUNTS_TABLE", "OUTBOX_TABLE", "LIMITS_TABLE"] {
        assert!(!variable(name).is_empty());
    }
}
