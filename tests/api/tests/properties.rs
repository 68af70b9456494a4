//! Every request, however odd, gets a documented answer: never a 5xx, never a panic.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use doorward_functions::paths;
use doorward_kit::{
    App, Response,
    openapi::Document,
    requests::{post, request},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// One app for every case; what a case leaves behind is part of the next one's world.
struct World {
    runtime: Runtime,
    app: App,
    token: String,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime");
    let (app, token) = runtime.block_on(async {
        let settings = [("ALLOWED_ORIGINS", "https://app.example.com"), ("TRUSTED_PROXY_HOPS", "1")];
        let app = App::configured(&settings).await;
        let body = json!({ "username": "ann", "email": "ann@example.com", "password": "Correct-Horse-42" });
        assert_eq!(app.send(post("/api/register/", &body)).await.status, 201);
        let token = app.send(post("/api/login/", &body)).await.text("token");
        (app, token)
    });
    World { runtime, app, token }
});

/// Any text, often one that has a meaning somewhere.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,30}", any::<String>(), "[ -~]{0,60}", Just("\0".to_owned()), Just(String::new()), "[\\[\\]{}:/@?#%&=;, .a0-]{0,30}"]
}

/// A header's value as a gateway writes it into an event: without line breaks.
fn header_text() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.chars().filter(|char| !char.is_control() || *char == '\t').collect())
}

/// A header that some code reads, or any other.
fn header() -> impl Strategy<Value = (String, String)> {
    let known = |name: &'static str, values: &'static [&'static str]| {
        (Just(name.to_owned()), prop_oneof![proptest::sample::select(values).prop_map(str::to_owned), header_text()])
    };
    prop_oneof![
        known(
            "Content-Type",
            &["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json;charset", "/"]
        ),
        known("Authorization", &["Token", "Token x", "Bearer a b", "Basic eDp5", "Token \u{ff}", "TOKEN\t"]),
        known("Host", &["", "a b", "[::1", "evil.example:99999", "user@host", "ho\u{f6}st", "a/b?c#d"]),
        known("X-Forwarded-Proto", &["", "javascript", "http,https", ":", "a b"]),
        known("X-Forwarded-For", &["", ",,,", "6.6.6.6, 7.7.7.7", "::1,[::1]:1", "unknown"]),
        known("X-Forwarded-Host", &["evil.example", ""]),
        known("X-Forwarded-Port", &["0", "99999999", "x"]),
        known("Origin", &["null", "https://app.example.com", "https://evil.example", "https://app.example.com.evil.example", ""]),
        known("Accept", &["text/html", "text/html;q=0", "*/*", "application/json", ",,;"]),
        known("Accept-Language", &["de", "fr;q=0.9, en", "*", ";;q=x", "x-\u{ff}"]),
        known("User-Agent", &["Firefox/1 on iPhone", "<b>"]),
        known("Sec-Fetch-Site", &["same-origin", "cross-site"]),
        known("Content-Length", &["-1", "0", "99999999999999999999"]),
        known("Transfer-Encoding", &["chunked"]),
        ("[A-Za-z][A-Za-z0-9-]{0,20}", header_text()),
    ]
}

/// A body: any bytes, or nearly a valid one.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        text().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        proptest::sample::select(vec![json!(null), json!(true), json!([]), json!({}), json!([[{ "a": null }]])]),
    ];
    let name = prop_oneof![
        6 => proptest::sample::select(vec!["username", "email", "password", "token", "old_password", "new_password"]).prop_map(str::to_owned),
        1 => text(),
    ];
    let object = proptest::collection::hash_map(name, value, 0..4).prop_map(|fields| json!(fields).to_string().into_bytes());
    let form = "((username|email|password|token)=([a-z@.+%0-9]|%[0-9a-fA-F]{2}){0,20}&?){0,4}".prop_map(String::into_bytes);
    prop_oneof![4 => object, 2 => form, 2 => proptest::collection::vec(any::<u8>(), 0..200), 1 => text().prop_map(String::into_bytes)]
}

/// A method with any token as its name.
fn method() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just("POST".to_owned()),
        3 => proptest::sample::select(vec!["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "post"]).prop_map(str::to_owned),
        1 => "[A-Za-z!#$%&'*+.^_`|~-]{1,12}",
    ]
}

/// What follows a route's path: nothing, a slash or a query.
fn tail() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just("/".to_owned()), "/?\\?[a-z]{1,5}=[ -~]{0,20}", "/?\\?token=\\PC{0,20}"]
}

/// The same request as an event of format 2.0.
fn second_format(event: &Value, body: Option<&[u8]>) -> Value {
    let headers: serde_json::Map<String, Value> = event["multiValueHeaders"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, values)| (name.to_lowercase(), values.as_array().and_then(|values| values.last()).cloned().unwrap_or_default()))
        .collect();
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": event["path"], "rawQueryString": "token=%ff&token=x&&=",
        "headers": headers,
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "bad host/", "domainPrefix": "a", "requestId": "r", "routeKey": "$default", "stage": "$default",
            "time": "01/Jan/2026:12:00:00 +0000", "timeEpoch": 1_767_225_600_000_i64,
            "http": { "method": event["httpMethod"], "path": event["path"], "protocol": "HTTP/1.1", "sourceIp": "not an address", "userAgent": "x" },
        },
        "body": body.map(|body| STANDARD.encode(body)), "isBase64Encoded": body.is_some(),
    })
}

/// Asserts that the document describes the answer, and that it is not a 5xx.
fn is_documented(method: &str, path: &str, answer: &Response) -> Result<(), TestCaseError> {
    prop_assert!(answer.status < 500, "{answer:?}");
    prop_assert_eq!(&answer.headers["cache-control"], "no-store");
    prop_assert_eq!(Document::shared().check(method, path, answer), Ok(()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_request_gets_a_documented_answer(
        route in proptest::sample::select(paths().collect::<Vec<_>>()),
        (method, tail) in (method(), tail()),
        headers in proptest::collection::vec(header(), 0..5),
        body in proptest::option::of(body()),
        (json, signed_in, second) in (any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        let mut asked = request(&method, &format!("{}{tail}", route.trim_end_matches('/')));
        if json {
            asked = asked.header("content-type", "application/json");
        }
        if signed_in && !route.contains("logout") {
            asked = asked.token(&WORLD.token);
        }
        for (name, value) in &headers {
            asked = asked.header(name, value);
        }
        asked.body.clone_from(&body);
        let event = asked.event();
        let event = if second { second_format(&event, body.as_deref()) } else { event };
        let answer = WORLD.runtime.block_on(WORLD.app.answer(route, event));
        is_documented(&method, route, &Response::of(&answer))?;
    }

    #[test]
    fn any_path_and_context_in_an_event_is_answered(
        route in proptest::sample::select(paths().collect::<Vec<_>>()),
        (path, domain, address, stage) in (text(), text(), text(), text()),
        (name, value) in (text(), text()),
        encoded in any::<bool>(),
    ) {
        let mut event = post(route, &json!({ "email": "nobody@example.com" })).event();
        event["path"] = json!(path);
        event["requestContext"]["domainName"] = json!(domain);
        event["requestContext"]["identity"]["sourceIp"] = json!(address);
        event["requestContext"]["stage"] = json!(stage);
        event["requestContext"]["path"] = json!(path);
        event["queryStringParameters"] = json!({ (name.clone()): value });
        event["multiValueQueryStringParameters"] = json!({ (name): [value] });
        event["isBase64Encoded"] = json!(encoded);
        if !encoded {
            event["body"] = json!(value);
        }
        let answer = Response::of(&WORLD.runtime.block_on(WORLD.app.answer(route, event)));
        is_documented("POST", route, &answer)?;
    }

    #[test]
    fn what_is_no_event_of_a_gateway_is_answered_too(event in prop_oneof![
        text().prop_map(Value::from),
        Just(json!({})),
        Just(json!({ "version": "2.0" })),
        Just(json!({ "httpMethod": "POST", "path": null, "headers": null })),
        text().prop_map(|text| {
            let mut event = post("/api/login/", &json!({})).event();
            event["body"] = json!(format!("{text}!")); // not base64, although the event says so
            event
        }),
        text().prop_map(|text| json!({ "httpMethod": text, "path": "/", "headers": { "a": text }, "requestContext": {} })),
    ]) {
        let answer = WORLD.runtime.block_on(WORLD.app.answer("/api/login", event));
        let status = answer["statusCode"].as_u64().unwrap_or_default();
        prop_assert!((400..500).contains(&status), "{answer}");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
        prop_assert!(body.is_object(), "{answer}");
    }
}
