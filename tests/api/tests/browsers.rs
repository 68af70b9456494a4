//! Who gets a page, by which name and from what kind of link: programs, old browsers, mail programs.

use doorward_kit::{
    App, Response,
    requests::{open, post, request, submit, validate},
};
use serde_json::json;

const ASK: &str = "/api/password_reset/";
const CONFIRM: &str = "/api/password_reset/confirm/";
const DISAVOW: &str = "/api/password_reset/disavow/";
const PASSWORD: &str = "seven quiet lighthouses";

/// The default `Accept` header of Java's HttpURLConnection.
const JAVA: &str = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2";

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_json_or_likes_it_better_gets_json() {
    let app = App::start().await;
    app.sign_up("mara").await;
    let is_json = |answer: &Response| answer.headers["content-type"] == "application/json";
    let is_html = |answer: &Response| answer.headers["content-type"] == "text/html; charset=utf-8";
    for accept in [JAVA, "text/html", "application/json, text/html;q=0.5", "*/*"] {
        for (path, body) in
            [(CONFIRM, json!({ "token": "x", "password": PASSWORD })), (ASK, json!({ "email": "x" })), (DISAVOW, json!({ "token": "x" }))]
        {
            let answer = app.send(post(path, &body).header("Accept", accept)).await;
            assert!(is_json(&answer) && answer.status >= 400, "{path} {accept}: {answer:?}");
        }
    }
    for accept in ["application/json", "application/json, text/html;q=0.9", "text/html;q=0.5, */*", "*/*", ""] {
        let mut form = submit(CONFIRM, &[("token", "x"), ("password", PASSWORD), ("again", "else")]);
        form.headers.retain(|(name, _)| name != "Accept");
        let answer = app.send(form.header("Accept", accept)).await;
        assert!(is_json(&answer) && answer.status == 404, "{accept}: {answer:?}");
        let opened = app.send(request("GET", &format!("{CONFIRM}?token=x")).header("Accept", accept)).await;
        assert!(is_json(&opened) && opened.status == 404, "{accept}: {opened:?}");
    }
    for accept in [JAVA, "text/html;q=0.5, application/json;q=0.5"] {
        let opened = app.send(request("GET", &format!("{CONFIRM}?token=x")).header("Accept", accept)).await;
        assert!(is_html(&opened) && opened.status == 404, "{accept}: {opened:?}");
    }
    // A multipart form is a form too.
    let parts = "--x\r\nContent-Disposition: form-data; name=email\r\n\r\nmara@example.com\r\n--x--\r\n";
    let multipart =
        request("POST", ASK).header("Content-Type", "multipart/form-data; boundary=x").header("Accept", "text/html").body(parts);
    assert_eq!(app.send(multipart).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_opens_whatever_a_mail_program_made_of_it() {
    let app = App::start().await;
    app.sign_up("mara").await;
    let token = app.reset_link("mara@example.com").await;
    for query in [
        "?token=T ",
        "?token= T",
        "?token=T\r\n",
        "?token=T.",
        "?token=T)",
        "?token=T>",
        "?token=\"T\"",
        "?token=3DT",
        "?token=T%20",
        "?token=T%2520",
        "?token=%22T%22.",
        "?token=T&utm_source=mail",
        "?token=T?utm_source=mail",
        "?utm=x&amp;token=T",
        "?amp;token=T",
        "?token=T-",
        "?token=&x=T",
    ] {
        let page = app.send(open(&format!("{CONFIRM}{}", query.replace('T', &token)))).await;
        assert_eq!(page.status, 200, "{query}");
        assert!(page.body.contains(&format!("name=\"token\" value=\"{token}\"")), "{query}: {}", page.body);
    }
    let (start, end) = token.split_at(30);
    assert_eq!(app.send(open(&format!("{CONFIRM}?token={start}\r\n{end}"))).await.status, 200);
    let cut = app.send(open(&format!("{CONFIRM}?token={}", &token[..token.len() - 1]))).await;
    assert!(cut.status == 404 && cut.body.contains("expired, been used already or be incomplete"), "{}", cut.body);
    // The API is as strict as it was recorded, white space aside.
    assert_eq!(app.send(validate(&format!(" {token} "))).await.status, 200);
    assert_eq!(app.send(validate(&format!("{token}."))).await.status, 404);
}

/// Safari up to 16.3 sends no Fetch Metadata, and by our referrer policy a true Origin.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_without_fetch_metadata_sends_our_forms_under_every_name_that_we_have() {
    let app = App::configured(&[("TRUSTED_PROXY_HOPS", "1"), ("PUBLIC_URL", "https://accounts.example.net/")]).await;
    let sent = |origin: &str, host: &str| {
        let mut form = submit(ASK, &[("email", "mara@example.com")]);
        form.headers.retain(|(name, _)| !["Sec-Fetch-Site", "Origin"].contains(&name.as_str()));
        let form = form.header("Origin", origin);
        if host.is_empty() { form } else { form.header("X-Forwarded-Host", host) }
    };
    let gateway = "https://abcdef1234.execute-api.eu-central-1.amazonaws.com";
    for (origin, host) in [
        (gateway, ""),
        (gateway, "app.example.org"),
        ("https://accounts.example.net", ""),
        ("https://app.example.org", "app.example.org"),
        ("https://app.example.org", "App.example.org, 10.0.0.1"),
        ("https://app.example.org:8443", "app.example.org:8443"),
    ] {
        assert_eq!(app.send(sent(origin, host)).await.status, 303, "{origin} {host}");
    }
    for (origin, host) in [
        ("null", ""),
        ("null", "null"),
        ("https://evil.example", ""),
        ("https://evil.example", "app.example.org"),
        ("http://app.example.org", "app.example.org"),
        ("https://app.example.org", "evil.example, app.example.org"),
        ("https://", ""),
    ] {
        assert_eq!(app.send(sent(origin, host)).await.status, 403, "{origin} {host}");
    }
    // Without a proxy of ours anybody may have written that header.
    let app = App::start().await;
    assert_eq!(app.send(sent("https://app.example.org", "app.example.org")).await.status, 403);
    // A name in another script is ours like any.
    let mut event = sent("https://konto.xn--mnchen-3ya.example", "").event();
    event["requestContext"]["domainName"] = json!("konto.xn--mnchen-3ya.example");
    assert_eq!(Response::of(&app.answer(ASK, event).await).status, 303);
}
