//! Methods, both spellings of a route, and the checks that precede reading a body.

use doorward_functions::{paths, routes};
use doorward_kit::request;
use serde_json::json;

use crate::{LOGOUT, PASSWORD, generous};

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_is_not_the_routes_is_405_with_allow() {
    let app = generous().await;
    app.sign_up("ann").await;
    let token = app.login("ann", PASSWORD).await;
    for (routes, path) in routes().flat_map(|routes| routes.paths.iter().map(move |path| (routes, *path))) {
        let allow = routes.allow();
        let allow = allow.to_str().expect("names of methods");
        assert!(allow.ends_with(", OPTIONS"), "{allow}");
        let others = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "post", "X"];
        for method in others.into_iter().filter(|other| routes.methods.iter().all(|method| method != *other)) {
            // The body does not matter, because it is not read.
            for body in ["", "{", &"x".repeat(300_000)] {
                let answer = app.send(request(method, path).token(&token).header("Content-Type", "text/plain").body(body)).await;
                assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, allow), "{method} {path}");
                match method {
                    "HEAD" => assert_eq!(answer.body, ""),
                    _ => assert_eq!(answer.json(), json!({ "detail": format!("Method \"{method}\" not allowed.") })),
                }
                if routes.protected {
                    let answer = app.send(request(method, path).body(body)).await;
                    assert_eq!((answer.status, answer.headers["www-authenticate"].as_str()), (401, "Token"), "{method} {path}");
                }
            }
        }
        let answer = app.send(request("OPTIONS", path)).await;
        assert_eq!((answer.status, answer.headers["allow"].as_str(), answer.body.as_str()), (204, allow, ""));
    }
    assert_eq!(app.send(request("POST", LOGOUT).token(&token)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_answers_with_and_without_its_trailing_slash() {
    let app = generous().await;
    app.sign_up("ann").await;
    for path in paths() {
        let token = app.login("ann", PASSWORD).await;
        let slashed = app.post(path, &json!({}), &token).await;
        // Requests that end sessions have ended their own.
        let token = app.login("ann", PASSWORD).await;
        let plain = app.send(doorward_kit::requests::post(path.trim_end_matches('/'), &json!({})).token(&token)).await;
        assert_eq!(slashed, plain, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_that_it_is_not_to_be_kept() {
    let app = generous().await;
    for path in paths() {
        for method in ["GET", "POST", "PUT", "OPTIONS"] {
            let answer = app.send(request(method, path)).await;
            assert_eq!(answer.headers["cache-control"], "no-store", "{method} {path}");
            assert!(!answer.headers.contains_key("set-cookie"));
        }
    }
}
