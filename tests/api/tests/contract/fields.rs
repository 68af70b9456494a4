//! Fields: every wrong kind of value in every field of every endpoint.

use doorward_functions::paths;
use doorward_kit::openapi::Document;
use serde_json::{Value, json};

use crate::{CHANGE, CONFIRM, OTHER, PASSWORD, REGISTER, RESET, complaint, generous, good, link, reading};

const REQUIRED: &str = "This field is required.";
const NULL: &str = "This field may not be null.";
const BLANK: &str = "This field may not be blank.";
const NO_STRING: &str = "Not a valid string.";
const NO_NULL_CHARACTERS: &str = "Null characters are not allowed.";
const NO_ADDRESS: &str = "Enter a valid email address.";
const CHARSET: &str = "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.";

/// The kind of text that a field takes.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A username: trimmed, checked for valid characters.
    Username,
    /// An e-mail address: trimmed.
    Email,
    /// Any text, trimmed.
    Text,
    /// The current password: never trimmed.
    Old,
    /// A new password: never trimmed.
    New,
}

/// Every field of every route, and its kind, by the schema that the OpenAPI document gives it.
fn fields() -> impl Iterator<Item = (&'static str, String, Kind)> {
    let kind = |schema: &Value| match schema["$ref"].as_str().and_then(|schema| schema.rsplit('/').next()) {
        Some("Username") => Kind::Username,
        Some("Email") => Kind::Email,
        Some("Password") => Kind::Old,
        Some("NewPassword") => Kind::New,
        _ => Kind::Text,
    };
    let all =
        paths().flat_map(move |path| Document::shared().fields(path).into_iter().map(move |(name, schema)| (path, name, kind(&schema))));
    // The id that djoser's clients send with a token is not needed, and not judged.
    all.filter(|(_, name, _)| name != "uid")
}

/// The messages for this value (as JSON text) in the field; `None` if the field accepts it.
fn messages(path: &str, kind: Kind, value: &str) -> Vec<&'static str> {
    let trimmed = kind == Kind::Username || kind == Kind::Email || kind == Kind::Text;
    let Ok(text) = serde_json::from_str::<String>(value) else {
        return vec![match value {
            "null" => NULL,
            _ if kind == Kind::Email => NO_ADDRESS,
            _ => NO_STRING,
        }];
    };
    let shown = if trimmed { text.trim_matches(|char: char| char.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&char)) } else { &text };
    if shown.is_empty() {
        return vec![BLANK];
    }
    let longest = match kind {
        Kind::Username => Some((150, "Ensure this field has no more than 150 characters.")),
        // Only where an address is set; a reset request does not check its length.
        Kind::Email if path == REGISTER => Some((254, "Ensure this field has no more than 254 characters.")),
        Kind::New => Some((128, "Ensure this field has no more than 128 characters.")),
        _ => None,
    };
    let rules = [
        (kind == Kind::Username && shown.chars().any(|char| !char.is_alphanumeric() && !"@.+-_".contains(char)), CHARSET),
        (longest.is_some_and(|(longest, _)| shown.chars().count() > longest), longest.map_or("", |(_, message)| message)),
        (shown.contains('\0'), NO_NULL_CHARACTERS),
        (kind == Kind::Email, NO_ADDRESS),
    ];
    rules.into_iter().filter_map(|(broken, message)| broken.then_some(message)).collect()
}

/// Values that no field or only some fields accept, as JSON text.
fn values() -> Vec<String> {
    let texts = [
        "",
        "   ",
        "\t\n ",
        "\u{a0}",
        "\u{2028}\u{3000}",
        "\u{1c}\u{1f}",
        "\u{200b}",
        "\u{feff}",
        "\0",
        " \0 ",
        "a\0b",
        "a\u{7}b",
        "a\u{7f}b",
        "pä😀ß-Zürich",
        "<b>&amp;'\"",
        "' OR 1=1; --",
        "a b",
    ];
    let mut values: Vec<String> = texts.iter().map(|text| json!(text).to_string()).collect();
    values.extend([1000, 151, 129].map(|length| json!("#".repeat(length)).to_string()));
    values.push(json!("\0".repeat(151)).to_string());
    values.extend(
        [
            "null",
            "true",
            "false",
            "42",
            "0",
            "-1",
            "-0",
            "1.5",
            "1e999",
            "1E400",
            "123456789012345678901234567890",
            "[]",
            "[\"x\"]",
            "{}",
            "{\"a\":1}",
        ]
        .map(str::to_owned),
    );
    values.push("[".repeat(300) + &"]".repeat(300));
    values
}

/// The body with this value (as JSON text) in the field, or without the field if there is no value.
fn with(good: &Value, field: &str, value: Option<&str>) -> String {
    let others = good.as_object().expect("an object").iter().filter(|(name, _)| *name != field);
    let mut members: Vec<String> = others.map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    members.extend(value.map(|value| format!("{}:{value}", json!(field))));
    format!("{{{}}}", members.join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_is_told_what_is_wrong_with_it() {
    let mut asked = 0;
    for (path, field, kind) in fields() {
        let field = field.as_str();
        asked += 1;
        // Of its own, as a value that is well-formed may be set.
        let app = generous().await;
        let token = app.sign_up("ann").await.login().await;
        let good = good(path, "no-such-token");
        let posted = async |body: String| {
            let request = doorward_kit::request("POST", path).header("Content-Type", "application/json").token(&token);
            app.send(request.body(body)).await
        };
        let answer = posted(with(&good, field, None)).await;
        assert_eq!((answer.status, answer.json()), (400, complaint(field, &[REQUIRED])), "{path}");
        for value in values() {
            let expected = messages(path, kind, &value);
            let answer = posted(with(&good, field, Some(&value))).await;
            if expected.is_empty() {
                // The field is well-formed, so the answer is about an unknown name or token, a wrong password, or the password rules.
                let is_wrong =
                    ["Invalid password.", "Invalid token for given user."].iter().any(|wrong| answer.json() == complaint(field, &[wrong]));
                assert!(
                    kind == Kind::New || answer.status >= 400 && (is_wrong || answer.json().get(field).is_none()),
                    "{path} {field} {value}: {answer:?}"
                );
            } else {
                assert_eq!((answer.status, answer.json()), (400, complaint(field, &expected)), "{path} {field} {value}");
            }
        }
    }
    assert!(asked >= 12, "{asked} fields were found");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_failing_fields_are_reported_together() {
    let app = generous().await;
    app.sign_up("ann").await;
    let token = app.login("ann", PASSWORD).await;
    for path in reading() {
        let fields: Vec<String> = good(path, "x").as_object().expect("an object").keys().cloned().collect();
        for (value, message) in [(Some(Value::Null), NULL), (Some(json!("")), BLANK), (None, REQUIRED)] {
            let body: Value =
                fields.iter().filter_map(|field| Some((field.clone(), value.clone()?))).collect::<serde_json::Map<_, _>>().into();
            let expected: Value = fields.iter().map(|field| (field.clone(), json!([message]))).collect::<serde_json::Map<_, _>>().into();
            let answer = app.post(path, &body, &token).await;
            assert_eq!((answer.status, answer.json()), (400, expected), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_validators_messages_come_with_the_other_fields_errors() {
    let app = generous().await;
    let answer = app.post(REGISTER, &json!({ "username": "a b", "email": "nobody", "password": "123" }), "").await;
    let expected = json!({
        "username": [CHARSET],
        "email": [NO_ADDRESS],
        "password": [
            "This password is too short. It must contain at least 8 characters.",
            "This password is too common.",
            "This password is entirely numeric.",
        ],
    });
    assert_eq!((answer.status, answer.json()), (400, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_too_long_then_null_then_malformed() {
    let app = generous().await;
    let address = |email: String| json!({ "username": "ann", "email": email, "password": PASSWORD });
    let of_length = |length: usize| {
        let labels = format!("{}.", "b".repeat(60)).repeat(3);
        format!("a@{labels}{}.com", "c".repeat(length - 2 - labels.len() - 4))
    };
    const TOO_LONG: &str = "Ensure this field has no more than 254 characters.";
    let answer = app.post(REGISTER, &address(format!("{}\0", "x".repeat(254))), "").await;
    assert_eq!(answer.json(), complaint("email", &[TOO_LONG, NO_NULL_CHARACTERS, NO_ADDRESS]));
    let answer = app.post(REGISTER, &address("é".repeat(255)), "").await;
    assert_eq!(answer.json(), complaint("email", &[TOO_LONG, NO_ADDRESS]));
    let answer = app.post(REGISTER, &address("é".repeat(254)), "").await;
    assert_eq!(answer.json(), complaint("email", &[NO_ADDRESS]));
    // A label has at most 63 characters, so a long address has many labels.
    let longest = format!("{}.{}", of_length(246), "com.org");
    assert_eq!(longest.len(), 254);
    assert_eq!(app.post(REGISTER, &address(format!("b{longest}")), "").await.json(), complaint("email", &[TOO_LONG]));
    assert_eq!(app.post(REGISTER, &address(longest.clone()), "").await.status, 201);
    // A reset request does not check the length.
    assert_eq!(app.post(RESET, &json!({ "email": format!("b{longest}") }), "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_confirm_a_missing_field_beats_the_token_and_the_token_beats_the_password() {
    let app = generous().await;
    app.sign_up("ann").await;
    let link = link(&app, "ann").await;
    let confirm = async |body: Value| {
        let answer = app.post(CONFIRM, &body, "").await;
        (answer.status, answer.json())
    };
    let no_link = json!({ "detail": "The OTP password entered is not valid. Please check and try again." });
    assert_eq!(confirm(json!({ "token": "unknown" })).await, (400, complaint("password", &[REQUIRED])));
    assert_eq!(confirm(json!({ "token": "unknown", "password": "1" })).await, (404, no_link.clone()));
    assert_eq!(confirm(json!({ "token": "unknown", "password": "x".repeat(129) })).await.0, 400);
    assert_eq!(
        confirm(json!({ "token": link, "password": "password" })).await,
        (400, complaint("password", &["This password is too common."]))
    );
    assert_eq!(confirm(json!({ "token": format!("\u{3000}{link}\n"), "password": OTHER })).await, (200, json!({ "status": "OK" })));
    assert_eq!(confirm(json!({ "token": link, "password": "1" })).await, (404, no_link));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_change_fields_beat_the_old_password_and_that_beats_the_validators() {
    let app = generous().await;
    app.sign_up("ann").await;
    let token = app.login("ann", PASSWORD).await;
    let change = async |body: Value| app.post(CHANGE, &body, &token).await.json();
    let wrong = json!({ "error": "Incorrect old password." });
    assert_eq!(change(json!({ "old_password": "wrong" })).await, complaint("new_password", &[REQUIRED]));
    assert_eq!(change(json!({ "old_password": "wrong", "new_password": "1" })).await, wrong);
    assert_eq!(change(json!({ "old_password": "x".repeat(5000), "new_password": OTHER })).await, wrong);
    assert_eq!(change(json!({ "old_password": format!("{PASSWORD} "), "new_password": OTHER })).await, wrong);
    let weak = change(json!({ "old_password": PASSWORD, "new_password": "ann@example.com" })).await;
    assert_eq!(weak, complaint("new_password", &["The password is too similar to the email."]));
}
