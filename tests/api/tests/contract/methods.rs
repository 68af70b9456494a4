//! Methods, both spellings of a route, and what comes before a body is read.

use doorward_kit::request;
use serde_json::json;

use crate::{CONFIRM, LOGOUT, PASSWORD, PROTECTED, RESET, ROUTES, Stand, VALIDATE};

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_is_not_the_routes_is_405_with_allow() {
    let stand = Stand::start().await;
    stand.register("ann").await;
    let token = stand.login("ann", PASSWORD).await;
    for path in ROUTES {
        let allow = match path {
            CONFIRM => "GET, HEAD, POST, OPTIONS",
            RESET | VALIDATE => "POST, OPTIONS",
            _ => "OPTIONS, POST",
        };
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "post", "X"] {
            if path == CONFIRM && ["GET", "HEAD"].contains(&method) {
                continue;
            }
            // Whatever the body: it is not looked at.
            for body in ["", "{", &"x".repeat(300_000)] {
                let answer = stand.send(request(method, path).token(&token).header("Content-Type", "text/plain").body(body)).await;
                assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, allow), "{method} {path}");
                match method {
                    "HEAD" => assert_eq!(answer.body, ""),
                    _ => assert_eq!(answer.json(), json!({ "detail": format!("Method \"{method}\" not allowed.") })),
                }
                if PROTECTED.contains(&path) {
                    let answer = stand.send(request(method, path).body(body)).await;
                    assert_eq!((answer.status, answer.headers["www-authenticate"].as_str()), (401, "Token"), "{method} {path}");
                }
            }
        }
        let answer = stand.send(request("OPTIONS", path)).await;
        assert_eq!((answer.status, answer.headers["allow"].as_str(), answer.body.as_str()), (204, allow, ""));
    }
    assert_eq!(stand.send(request("POST", LOGOUT).token(&token)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_answers_with_and_without_its_trailing_slash() {
    let stand = Stand::start().await;
    stand.register("ann").await;
    for path in ROUTES {
        let token = stand.login("ann", PASSWORD).await;
        let slashed = stand.post(path, &json!({}), &token).await;
        // What ends sessions has ended the one that asked.
        let token = stand.login("ann", PASSWORD).await;
        let plain = stand.send(doorward_kit::event::post(path.trim_end_matches('/'), &json!({})).token(&token)).await;
        assert_eq!(slashed, plain, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_that_it_is_not_to_be_kept() {
    let stand = Stand::start().await;
    for path in ROUTES {
        for method in ["GET", "POST", "PUT", "OPTIONS"] {
            let answer = stand.send(request(method, path)).await;
            assert_eq!(answer.headers["cache-control"], "no-store", "{method} {path}");
            assert!(!answer.headers.contains_key("set-cookie"));
        }
    }
}
