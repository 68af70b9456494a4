//! The OpenAPI document is the one that is generated, and agrees with the code: refusals, examples. `wire.rs` checks that it describes every recorded
//! answer, and the test kit that it describes every other that a test gets.

use std::{collections::BTreeMap, fs};

use doorward::{
    fault::Fault,
    http::{Answer, FieldErrors, HeaderValue, Refusal},
};
use doorward_functions::{paths, routes};
use doorward_kit::{
    App, Response,
    openapi::Document,
    requests::{ACTIVATION, VALIDATE, post},
};
use doorward_openapi::{DOCUMENT, document, files};
use serde_json::Value;

#[test]
fn the_document_is_the_one_that_is_generated() {
    let (committed, generated) = (fs::read_to_string(DOCUMENT).expect("a document"), document(&files().expect("descriptions")));
    assert!(generated == Ok(committed), "docs/openapi.json is out of date: run make openapi");
}

#[test]
fn a_description_that_disagrees_with_the_code_or_with_another_is_refused_and_says_where() {
    let described = files().expect("descriptions");
    for (file, from, to, complaint) in [
        ("login", "{\n", "{,", "docs/openapi/login.json: key must be a string"),
        (
            "login",
            r#""/api/login/""#,
            r#""/api/in/""#,
            r#"docs/openapi/login.json describes {"/api/in/"}, and the routes of the function are {"/api/login/"}"#,
        ),
        ("login", r#""post""#, r#""put""#, r#"docs/openapi/login.json describes {"put"} of /api/login/, and its methods are {"post"}"#),
        ("login", r#""summary""#, r#""sumary""#, "docs/openapi/login.json: unknown field `sumary`"),
        ("login", r#""description""#, r#""describes""#, "docs/openapi/login.json, /api/login/: an answer: unknown field `describes`"),
        (
            "logout",
            r#""answers""#,
            r#""errors": { "schema": "X", "examples": {} }, "answers""#,
            "post has a body without errors, or errors without a body",
        ),
        ("disavow", r#""InvalidLink""#, r#""Dead""#, "docs/openapi/disavow.json, /api/password_reset/disavow/: there is no answer Dead"),
        ("password-reset", r#""email": "Email""#, r#""mail": "Email""#, "ResetErrors would be the schema of errors in two sets of fields"),
        ("document", r#""Retry-After""#, r#""Retry""#, "the header retry-after is not described in docs/openapi/document.json"),
        ("schemas", r#""Ok""#, r#""TooLarge""#, "docs/openapi/schemas.json has TooLarge, which is made of a refusal"),
    ] {
        let mut changed = described.clone();
        let text = changed.get_mut(file).expect("a description");
        assert!(text.contains(from), "{file} has {from}");
        *text = text.replace(from, to);
        let refused = document(&changed).expect_err(complaint);
        assert!(refused.contains(complaint), "{refused}");
    }
    let mut without = described.clone();
    without.remove("login");
    assert_eq!(document(&without), Err("docs/openapi/login.json is missing".to_owned()));
    let mut with = described;
    with.insert("log-in".to_owned(), "{}".to_owned());
    assert_eq!(document(&with), Err("docs/openapi/log-in.json describes no endpoint".to_owned()));
}

/// Every refusal there is, and the routes whose POST may give it.
fn refusals() -> Vec<(Refusal, Vec<&'static str>)> {
    let everywhere: Vec<&str> = paths().collect();
    let with_field =
        |field| paths().filter(|path| Document::shared().fields(path).iter().any(|(name, _)| name == field)).collect::<Vec<_>>();
    let bodies: Vec<&str> = paths().filter(|path| Document::shared().example(path).is_some()).collect();
    let protected: Vec<&str> = routes().filter(|routes| routes.protected).flat_map(|routes| routes.paths.iter().copied()).collect();
    let tokens = with_field("token");
    let others: Vec<&str> = tokens.iter().copied().filter(|path| *path != ACTIVATION).collect();
    let field = |name, message: &'static str| Refusal::Fields(FieldErrors::one(name, message));
    vec![
        (Refusal::Unauthenticated("Invalid token."), protected),
        (Refusal::Credentials, vec!["/api/login/"]),
        (Refusal::Unverified, vec!["/api/login/"]),
        (Refusal::Method { method: "PUT".to_owned(), allow: HeaderValue::from_static("POST, OPTIONS") }, everywhere.clone()),
        (Refusal::MediaType("a \"b\"\n".to_owned()), bodies.clone()),
        (Refusal::TooLarge, bodies.clone()),
        (Refusal::Unreadable("why".to_owned()), bodies.clone()),
        (Refusal::NoMultipart("why"), bodies.clone()),
        (Refusal::TooManyFields, bodies.clone()),
        (Refusal::NoObject("null"), bodies.clone()),
        (field("username", "taken"), with_field("username")),
        (field("email", "taken"), with_field("email")),
        (field("password", "weak"), with_field("password")),
        (field("old_password", "missing"), with_field("old_password")),
        (field("new_password", "weak"), with_field("new_password")),
        (field("token", "missing"), tokens),
        (field("new_username", "taken"), with_field("new_username")),
        (field("current_password", "missing"), with_field("current_password")),
        (Refusal::CurrentPassword, with_field("current_password")),
        (Refusal::OldPassword, vec!["/api/change_password/"]),
        (Refusal::Token, others),
        (Refusal::Activation, vec![ACTIVATION]),
        (Refusal::Throttled { retry_after: 1 }, bodies.clone()),
        (Refusal::Throttled { retry_after: 42 }, bodies.clone()),
        (Refusal::Origin, everywhere.clone()),
        (Refusal::RegistrationClosed, vec!["/api/register/"]),
        (Refusal::Fault(Fault::Internal("a cause")), everywhere.clone()),
        (Refusal::Fault(Fault::OutOfTime), everywhere),
    ]
}

#[test]
fn every_refusal_is_in_the_document_where_it_is_given() {
    let document = Document::shared();
    for (refusal, routes) in refusals() {
        let event = Answer::from(&refusal).into_event();
        let headers = event["headers"].as_object().expect("headers").iter();
        let answer = Response {
            status: u16::try_from(event["statusCode"].as_u64().expect("a status")).expect("a status"),
            headers: headers.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect(),
            body: event["body"].as_str().expect("a body").to_owned(),
        };
        for route in routes {
            assert_eq!(document.check("POST", route, &answer), Ok(()), "{}", refusal.code());
        }
    }
}

/// Texts for every pattern. Tests in tests/clients hold the same against the regular expressions of JavaScript and of Python.
const TEXTS: &str = include_str!("../../clients/patterns.json");

#[test]
fn every_pattern_accepts_and_refuses_the_same_texts_in_every_language() {
    let (patterns, texts): (_, BTreeMap<String, Value>) = (Document::shared().patterns(), serde_json::from_str(TEXTS).expect("JSON"));
    assert_eq!(patterns.keys().collect::<Vec<_>>(), texts.keys().collect::<Vec<_>>());
    for (name, pattern) in patterns {
        for (kind, fits) in [("fits", true), ("not", false)] {
            for text in texts[&name][kind].as_array().expect("texts") {
                assert_eq!(pattern.is_valid(text), fits, "{name}: {text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_are_what_they_say() {
    let (document, app) = (Document::shared(), App::start().await);
    let send = async |path: &str, token: &str| {
        let example = document.example(path).unwrap_or_default();
        let answer = app.send(post(path, &example).header("Authorization", &format!("Bearer {token}"))).await;
        assert_eq!(document.check("POST", path, &answer), Ok(()));
        answer
    };
    assert_eq!(send("/api/register/", "").await.status, 201);
    let token = send("/api/login/", "").await.text("token");
    assert_eq!(send("/api/change_password/", &token).await.status, 200);
    assert_eq!(send("/api/users/set_username/", &token).await.status, 400);
    assert_eq!(send("/api/password_reset/", "").await.status, 200);
    assert_eq!(send(VALIDATE, "").await.status, 404);
    assert_eq!(send("/api/password_reset/confirm/", "").await.status, 404);
    assert_eq!(send("/api/password_reset/disavow/", "").await.status, 404);
    assert_eq!(send(ACTIVATION, "").await.status, 400);
    assert_eq!(send("/api/users/resend_activation/", "").await.status, 204);
    assert_eq!(send("/api/logout_all/", &token).await.status, 200);
    assert_eq!(send("/api/logout/", &token).await.status, 401);
}
