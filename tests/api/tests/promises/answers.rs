//! Promise 10: the headers of every answer, and the web pages that may make requests.

use doorward_kit::{
    App, Response,
    proxy::{Failure, When},
    requests::{NEW_PASSWORD, PASSWORD, Request, login, post, request, reset_request},
};
use serde_json::{Value, json};

const OURS: &str = "https://abcdef1234.execute-api.eu-central-1.amazonaws.com";
const APP: &str = "https://app.example.com";

/// The security headers that an answer lacks.
fn lacks(answer: &Response) -> Vec<&'static str> {
    // A page is referred to by its origin, so that browsers say whose form they send; its address, which holds the token, stays out either way.
    let is_page = answer.headers.get("content-type").is_some_and(|content_type| content_type.starts_with("text/html"));
    let always = [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", if is_page { "strict-origin" } else { "no-referrer" }),
        ("x-frame-options", "DENY"),
        ("strict-transport-security", "max-age=63072000; includeSubDomains"),
    ];
    always.iter().filter(|(name, value)| answer.headers.get(*name).is_none_or(|is| is != value)).map(|(name, _)| *name).collect()
}

#[tokio::test]
async fn every_answer_forbids_keeping_sniffing_framing_and_referring() {
    let (app, observer) = App::observed(&[("VALIDATE_CLIENT_LIMIT", "1/5m")]).await;
    let session = app.sign_up("ann").await.login().await;
    let leaving = app.sign_up("leo").await.login().await;
    let token = app.reset_link("ann@example.com").await;
    let page = format!("/api/password_reset/confirm/?token={token}");
    let validate = || doorward_kit::requests::validate("x");
    let requests: Vec<(u16, Request)> = vec![
        (201, post("/api/register/", &json!({ "username": "bob", "email": "bob@example.com", "password": PASSWORD }))),
        (400, post("/api/register/", &json!({}))),
        (200, login("ann", PASSWORD)),
        (401, login("ann", NEW_PASSWORD)),
        (400, request("POST", "/api/login/").header("Content-Type", "application/json").body("{")),
        (415, request("POST", "/api/login/").header("Content-Type", "text/plain").body("x")),
        (413, request("POST", "/api/login/").header("Content-Type", "application/json").body(vec![b' '; 300_000])),
        (405, request("GET", "/api/login/")),
        (204, request("OPTIONS", "/api/login/")),
        (403, login("ann", PASSWORD).header("Origin", "https://evil.example")),
        (401, request("POST", "/api/logout/")),
        (200, request("GET", "/api/sessions/").token(&session)),
        (200, request("HEAD", "/api/sessions/").token(&session)),
        (400, request("DELETE", "/api/sessions/").token(&session)),
        (200, request("GET", "/api/users/me/").token(&session)),
        (200, request("HEAD", "/api/users/me/").token(&session)),
        (200, request("GET", "/api/users/me/export/").token(&session)),
        (200, request("HEAD", "/api/users/me/export/").token(&session)),
        (400, request("POST", "/api/users/set_username/").token(&session)),
        (204, doorward_kit::requests::set_username(&session, "anne", PASSWORD)),
        (204, doorward_kit::requests::set_username(&session, "ann", PASSWORD)),
        (200, request("PUT", "/api/users/me/").token(&session)),
        (200, request("PATCH", "/api/users/me/").token(&session)),
        (415, request("PATCH", "/api/users/me/").token(&session).header("Content-Type", "text/plain").body("x")),
        (400, request("DELETE", "/api/users/me/").token(&session)),
        (204, doorward_kit::requests::delete_me(&leaving, PASSWORD)),
        (403, request("DELETE", "/api/sessions/").token(&session).header("Origin", "https://evil.example")),
        (200, reset_request("ann@example.com")),
        (404, validate()),
        (429, validate()),
        (200, request("GET", &page)),
        (200, request("HEAD", &page)),
        (404, request("GET", "/api/password_reset/confirm/?token=x")),
        (400, post("/api/password_reset/confirm/", &json!({ "token": token, "password": "short" })).header("Accept", "text/html")),
        (200, post("/api/password_reset/confirm/", &json!({ "token": token, "password": NEW_PASSWORD })).header("Accept", "text/html")),
        (401, request("POST", "/api/logout_all/").token(&session)),
    ];
    for (status, asked) in requests {
        let shown = format!("{} {}", asked.method, asked.path);
        let answer = app.send(asked).await;
        assert_eq!(answer.status, status, "{shown} {answer:?}");
        assert_eq!(lacks(&answer), [""; 0], "{shown} {status}");
    }
    // The store fails: it refuses every call, and then it cannot be reached.
    for failure in [Failure::code(400, "AccessDeniedException"), Failure::Drops] {
        observer.store.fail(move |_| Some((When::Before, failure.clone())));
        let answer = app.send(login("ann", PASSWORD)).await;
        assert_eq!((answer.status, lacks(&answer)), (503, vec![]), "{answer:?}");
    }
}

#[tokio::test]
async fn an_event_that_no_gateway_sends_is_answered_like_any_other() {
    let app = App::start().await;
    for event in [json!({}), json!({ "httpMethod": 7 }), json!([])] {
        let answer = Response::of(&app.answer("/api/login/", event).await);
        assert_eq!((answer.status, lacks(&answer)), (400, vec![]), "{answer:?}");
    }
}

#[tokio::test]
async fn pages_are_html_that_loads_nothing_runs_only_its_own_and_keeps_its_token_from_the_next_address() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let token = app.reset_link("ann@example.com").await;
    let page = app.send(request("GET", &format!("/api/password_reset/confirm/?token={token}"))).await;
    // Styles and scripts are listed by their digests, so nothing injected runs and nothing is loaded.
    let policy = &page.headers["content-security-policy"];
    for directive in ["default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "script-src 'sha256-"] {
        assert!(policy.contains(directive), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'), "{policy}");
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let fetched = ["src=\"http", "href=\"http", "src=\"//", "@import", "action=\"http"];
    assert!(page.body.contains("action=\"?language=en\"") && !fetched.iter().any(|fetch| page.body.contains(fetch)), "{}", page.body);
    let odd = request("GET", "/api/password_reset/confirm/?token=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").header("Accept", "text/html");
    let odd = app.send(odd).await;
    assert!(odd.status == 404 && !odd.body.contains("alert(1)"), "{}", odd.body);
}

async fn posted(app: &App, headers: &[(&str, &str)]) -> Response {
    let asked = headers.iter().fold(login("ann", PASSWORD), |asked, (name, value)| asked.header(name, value));
    app.send(asked).await
}

#[tokio::test]
async fn a_post_from_a_page_that_is_neither_ours_nor_listed_is_refused() {
    let app = App::configured(&[(
        "ALLOWED_ORIGINS",
        "HTTPS://App.example.com:443, http://localhost:3000, capacitor://localhost, chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    )])
    .await;
    app.sign_up("ann").await;
    for headers in [
        &[][..],
        &[("Origin", OURS)],
        &[("Origin", APP)],
        &[("Origin", "http://localhost:3000")],
        &[("Origin", "capacitor://localhost")],
        &[("Origin", "chrome-extension://abcdefghijklmnopabcdefghijklmnop")],
        // A form of our own page behind a proxy with any name; the browser's Fetch Metadata vouches for it.
        &[("Origin", "https://accounts.example.net"), ("Sec-Fetch-Site", "same-origin")],
        &[("Origin", "null"), ("Sec-Fetch-Site", "same-origin")],
    ] {
        assert_eq!(posted(&app, headers).await.status, 200, "{headers:?}");
    }
    let logins = app.hasher.evaluations();
    for headers in [
        &[("Origin", "https://evil.example")][..],
        &[("Origin", "null")],
        &[("Origin", "null"), ("Sec-Fetch-Site", "cross-site")],
        &[("Origin", "null"), ("Sec-Fetch-Site", "same-site")],
        &[("Origin", "null"), ("Sec-Fetch-Site", "none")],
        &[("Origin", "")],
        &[("Origin", "https://app.example.com.evil.example")],
        &[("Origin", "https://app.example.com:8443")],
        &[("Origin", "http://app.example.com")],
        &[("Origin", "HTTPS://APP.EXAMPLE.COM")],
        &[("Origin", "https://localhost")],
        &[("Origin", "capacitor://localhost:1")],
        &[("Origin", "ionic://localhost")],
        &[("Origin", "http://App.example.com")],
        &[("Origin", "https://accounts.example.com"), ("Host", "accounts.example.com")],
        &[("Origin", "https://evil.example"), ("X-Forwarded-Host", "evil.example")],
    ] {
        let refused = posted(&app, headers).await;
        assert_eq!((refused.status, refused.json()), (403, json!({ "detail": "Origin not allowed." })), "{headers:?}");
        assert!(!refused.headers.contains_key("access-control-allow-origin"));
    }
    assert_eq!(app.hasher.evaluations(), logins, "refused before anything is looked at");
}

#[tokio::test]
async fn only_a_listed_page_may_read_answers_refusals_included() {
    let app = App::configured(&[("ALLOWED_ORIGINS", APP)]).await;
    let read_by = |answer: &Response| answer.headers.get("access-control-allow-origin").cloned();
    let refused = posted(&app, &[("Origin", APP)]).await;
    assert_eq!((refused.status, read_by(&refused)), (401, Some(APP.to_owned())));
    assert_eq!(refused.headers["vary"], "Origin");
    assert_eq!(refused.headers["access-control-allow-credentials"], "true");
    for header in ["Retry-After", "WWW-Authenticate", "x-amzn-Remapped-WWW-Authenticate"] {
        assert!(refused.headers["access-control-expose-headers"].split(", ").any(|exposed| exposed == header), "{header}");
    }
    assert_eq!(posted(&app, &[]).await.headers["vary"], "Origin");

    let asks = |origin: &str| {
        request("OPTIONS", "/api/login/")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization,content-type,x-csrftoken,sentry-trace,baggage")
    };
    let leave = app.send(asks(APP)).await;
    assert_eq!(leave.headers["access-control-allow-headers"], "authorization,content-type,x-csrftoken,sentry-trace,baggage");
    assert_eq!(leave.headers["access-control-allow-methods"], "POST, OPTIONS");
    assert_eq!(leave.headers["access-control-allow-credentials"], "true");
    assert_eq!(leave.headers["vary"], "Origin, Access-Control-Request-Headers");
    assert_eq!((leave.status, read_by(&leave)), (204, Some(APP.to_owned())));
    let odd = request("OPTIONS", "/api/login/").header("Origin", APP).header("Access-Control-Request-Headers", "x y, <b>");
    assert_eq!(app.send(odd).await.headers["access-control-allow-headers"], "Authorization, Content-Type");
    let no_leave = app.send(asks("https://evil.example")).await;
    assert!(!no_leave.headers.keys().any(|name| name.starts_with("access-control-")));

    let closed = App::start().await;
    assert_eq!(read_by(&posted(&closed, &[("Origin", OURS)]).await), None, "with no list nobody else reads");
}

#[tokio::test]
async fn a_page_of_ours_may_post_under_the_name_that_a_proxy_gives_it() {
    let named = App::configured(&[("PUBLIC_URL", "https://Accounts.example.net:443/v1")]).await;
    named.sign_up("ann").await;
    assert_eq!(posted(&named, &[("Origin", "https://accounts.example.net")]).await.status, 200);
    assert_eq!(posted(&named, &[("Origin", OURS)]).await.status, 200);
    for foreign in ["https://accounts.example.net:8443", "http://accounts.example.net", "https://accounts.example.net.evil.example", "null"]
    {
        assert_eq!(posted(&named, &[("Origin", foreign)]).await.status, 403, "{foreign}");
    }
    // It is one of our own pages, so no other page needs permission to read it.
    assert!(!posted(&named, &[("Origin", "https://accounts.example.net")]).await.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_foreign_page_cannot_use_up_what_its_visitor_may_open() {
    let app = App::configured(&[("ALLOWED_ORIGINS", APP), ("CONFIRM_CLIENT_LIMIT", "3/5m")]).await;
    let open = |destination: &str, site: &str| {
        let asked = request("GET", "/api/password_reset/confirm/?token=x").header("Accept", "image/avif,image/webp,*/*;q=0.8");
        asked.header("Sec-Fetch-Site", site).header("Sec-Fetch-Dest", destination)
    };
    for destination in ["image", "iframe", "empty", "script", "object", ""] {
        for _ in 0..2 {
            let refused = app.send(open(destination, "cross-site")).await;
            assert_eq!((refused.status, refused.json()), (403, json!({ "detail": "Origin not allowed." })), "{destination}");
        }
    }
    // A person may come from another site, as from a mailbox; a listed page may ask.
    assert_eq!(app.send(open("document", "cross-site")).await.status, 404);
    assert_eq!(app.send(open("empty", "cross-site").header("Origin", APP)).await.status, 404);
    assert_eq!(app.send(open("image", "none")).await.status, 404);
    assert_eq!(app.send(open("document", "cross-site")).await.status, 429);
}

#[tokio::test]
async fn registration_can_be_closed_and_nothing_else_closes_with_it() {
    let place = doorward_kit::place::Place::fresh().await;
    let open = App::over(&place, &[]).await;
    open.sign_up("ann").await;
    let closed = App::over(&place, &[("REGISTRATION", "closed")]).await;
    let before = closed.everything().await;
    for body in [json!({ "username": "bob", "email": "bob@example.com", "password": PASSWORD }), json!({}), Value::Null] {
        let refused = closed.send(post("/api/register/", &body)).await;
        assert_eq!((refused.status, refused.json()), (403, json!({ "detail": "Registration is closed." })));
    }
    assert_eq!(closed.everything().await, before);
    closed.login("ann", PASSWORD).await;
}
