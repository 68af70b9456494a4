//! Bodies: sizes, media types, JSON, forms.

use doorward_kit::{App, request, requests::post};
use serde_json::{Value, json};

use crate::{CHANGE, CONFIRM, LOGIN, OTHER, PASSWORD, REGISTER, RESET, VALIDATE, generous, good, link, reading};

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=x";
const JSON: &str = "application/json";

/// A fixture with an account and a session of it.
async fn signed_in() -> (App, String) {
    let app = generous().await;
    app.sign_up("ann").await;
    let token = app.login("ann", PASSWORD).await;
    (app, token)
}

async fn send(app: &App, token: &str, path: &str, content_type: Option<&str>, body: impl Into<Vec<u8>>) -> (u16, Value) {
    let asked = request("POST", path).token(token).body(body);
    let answer = app.send(content_type.iter().fold(asked, |asked, value| asked.header("Content-Type", value))).await;
    (answer.status, answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_above_256_kib_is_413_before_it_is_parsed() {
    let (app, token) = signed_in().await;
    for path in reading() {
        for content_type in [Some(JSON), Some(FORM), Some(MULTIPART), Some("text/plain"), None] {
            let too_large = (413, json!({ "detail": "Request body too large." }));
            assert_eq!(send(&app, &token, path, content_type, vec![b'{'; 256 * 1024 + 1]).await, too_large, "{path}");
            assert_ne!(send(&app, &token, path, content_type, vec![b'{'; 256 * 1024]).await.0, 413, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_another_media_type_is_415_and_no_body_is_no_fields() {
    let (app, token) = signed_in().await;
    for path in reading() {
        let missing = send(&app, &token, path, Some(JSON), "{}").await;
        assert_eq!(missing.0, 400);
        for other in [
            "",
            "text/plain",
            "text/json",
            "json",
            "application/xml",
            "application/vnd.api+json",
            "application/jsonp",
            "multipart/mixed; boundary=x",
            "multipart/form-datax; boundary=x",
            "TEXT/Plain; charset=utf-8",
            ";",
            "application/json, text/plain",
        ] {
            let refused = (415, json!({ "detail": format!("Unsupported media type \"{other}\" in request.") }));
            assert_eq!(send(&app, &token, path, Some(other), "{}").await, refused, "{path}");
            assert_eq!(send(&app, &token, path, Some(other), "").await, missing, "{path}");
        }
        assert_eq!(send(&app, &token, path, None, "{}").await, (415, json!({ "detail": "Unsupported media type \"\" in request." })));
        assert_eq!(send(&app, &token, path, None, "").await, missing);
        for same in ["APPLICATION/JSON", "application/json;", "application/json ; charset=utf-8", "Application/Json;a=b;c"] {
            assert_eq!(send(&app, &token, path, Some(same), " {}\r\n\t").await, missing, "{path}");
        }
        for same in ["APPLICATION/X-WWW-FORM-URLENCODED", "application/x-www-form-urlencoded; charset=UTF-8"] {
            assert_eq!(send(&app, &token, path, Some(same), "other=1").await, missing, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_json_is_400_with_a_reason() {
    let (app, token) = signed_in().await;
    let malformed: [&[u8]; 24] = [
        b"{",
        b"}",
        b"x",
        b" ",
        b"\r\n",
        b"{} x",
        b"{}{}",
        b"{,}",
        b"{\"a\":1,}",
        b"{'a':1}",
        b"{a:1}",
        b"NaN",
        b"{\"a\":NaN}",
        b"[-Infinity]",
        b"{\"a\":01}",
        b"{\"a\":\"\\x\"}",
        b"{\"a\":\"\n\"}",
        b"{\"a\":\"",
        b"{}//",
        b"\xef\xbb\xbf{}",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\\ud800\"}",
        b"[[\"\\udfff\"]]",
        b"\xff\xfe{\0}\0",
    ];
    for path in reading() {
        for body in malformed {
            let (status, answer) = send(&app, &token, path, Some(JSON), body).await;
            let detail = answer["detail"].as_str().unwrap_or_default();
            assert!(status == 400 && detail.starts_with("JSON parse error - ") && detail.len() > 19, "{path} {body:?}: {status} {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_json_value_that_is_no_object_is_told_what_it_is() {
    let (app, token) = signed_in().await;
    let kinds = [
        ("[]", "list"),
        ("[{}]", "list"),
        ("\"x\"", "str"),
        ("1", "int"),
        ("-0", "int"),
        ("1.0", "float"),
        ("1e3", "float"),
        ("true", "bool"),
        (" false ", "bool"),
    ];
    for path in reading() {
        for (body, kind) in kinds {
            let expected = json!({ "non_field_errors": [format!("Invalid data. Expected a dictionary, but got {kind}.")] });
            assert_eq!(send(&app, &token, path, Some(JSON), body).await, (400, expected), "{path} {body}");
        }
        assert_eq!(send(&app, &token, path, Some(JSON), "null").await, (400, json!({ "non_field_errors": ["No data provided"] })));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_do_everywhere_what_json_does() {
    let app = generous().await;
    let form = async |path: &str, token: &str, body: &str| send(&app, token, path, Some(FORM), body).await;
    let registered =
        form(REGISTER, "", "username=nobody&x=1&username=a%6En+%C3%A9&username=bob&email=bob%40example.com&password=Correct-Horse-42")
            .await;
    assert_eq!(registered, (201, json!({ "username": "bob", "email": "bob@example.com" })));
    let (status, login) = form(LOGIN, "", "username=+bob+&password=Correct-Horse-42").await;
    assert_eq!(status, 200);
    let token = login["token"].as_str().expect("a token");
    assert_eq!(form(CHANGE, token, "old_password=Correct-Horse-42&new_password=Battery+Staple%2077").await.0, 200);
    assert_eq!(form(RESET, "", "email=bob%40example.com").await.0, 200);
    let link = link(&app, "bob").await;
    assert_eq!(form(VALIDATE, "", &format!("token={link}")).await.0, 200);
    assert_eq!(form(CONFIRM, "", &format!("token=%20{link}+&password=%FF%zz-{OTHER}")).await.0, 200);
    // Malformed bytes became U+FFFD, and a malformed escape stayed as it was.
    app.login("bob", &format!("\u{fffd}%zz-{OTHER}")).await;
    for body in ["email", "email=", "email=%20&", "email=x%40y.zz&email="] {
        assert_eq!(form(RESET, "", body).await, (400, json!({ "email": ["This field may not be blank."] })), "{body}");
    }
    assert_eq!(form(RESET, "", "email=a%00b").await.1["email"][0], "Null characters are not allowed.");
    for body in ["&&&", "=", "Email=a%40b.co", "{\"email\":\"a@b.co\"}", "email;x=1"] {
        assert_eq!(form(RESET, "", body).await, (400, json!({ "email": ["This field is required."] })), "{body}");
    }
}

/// A multipart body of these fields.
fn parts(fields: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    fields.iter().map(part).collect::<String>() + "--x--\r\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn multipart_forms_do_everywhere_what_json_does() {
    let app = generous().await;
    let form = async |path: &str, token: &str, fields: &[(&str, &str)]| send(&app, token, path, Some(MULTIPART), parts(fields)).await;
    let names = [("username", "nobody"), ("x", "1"), ("username", " b\u{f6}b\r\n"), ("email", "bob@example.com"), ("password", PASSWORD)];
    assert_eq!(form(REGISTER, "", &names).await, (201, json!({ "username": "b\u{f6}b", "email": "bob@example.com" })));
    let (status, login) = form(LOGIN, "", &[("username", "bob@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(status, 200);
    let token = login["token"].as_str().expect("a token");
    assert_eq!(form(CHANGE, token, &[("old_password", PASSWORD), ("new_password", " Battery Staple\r\n77 ")]).await.0, 200);
    assert_eq!(form(RESET, "", &[("email", "bob@example.com")]).await.0, 200);
    let link = link(&app, "bob").await;
    assert_eq!(form(VALIDATE, "", &[("token", &link)]).await.0, 200);
    assert_eq!(form(CONFIRM, "", &[("token", &format!(" {link}\r\n")), ("password", OTHER)]).await.0, 200);
    app.login("bob@example.com", OTHER).await;
    assert_eq!(form(RESET, "", &[("email", " ")]).await, (400, json!({ "email": ["This field may not be blank."] })));
    assert_eq!(form(RESET, "", &[("email", "a\0b")]).await.1["email"][0], "Null characters are not allowed.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_multipart_body_that_cannot_be_taken_apart_is_400_with_a_reason() {
    let (app, token) = signed_in().await;
    let part = |header: &str| format!("--x\r\n{header}\r\n\r\n1\r\n");
    for path in reading() {
        let missing = send(&app, &token, path, Some(JSON), "{}").await;
        for body in [parts(&[]), part("Content-Disposition: form-data"), parts(&[]).replace("\r\n", "\n"), "garbage".to_owned()] {
            assert_eq!(send(&app, &token, path, Some(MULTIPART), body).await, missing, "{path}");
        }
        for (content_type, body) in
            [("multipart/form-data", parts(&[])), ("multipart/form-data; boundary=", parts(&[])), (MULTIPART, part(&"x".repeat(1024)))]
        {
            let (status, answer) = send(&app, &token, path, Some(content_type), body).await;
            let detail = answer["detail"].as_str().unwrap_or_default();
            assert!(status == 400 && detail.starts_with("Multipart form parse error - ") && detail.len() > 29, "{path}: {status} {answer}");
        }
        let many = (400, json!({ "detail": "Too many fields." }));
        assert_eq!(send(&app, &token, path, Some(MULTIPART), parts(&[("a", ""); 1001])).await, many, "{path}");
        assert_eq!(send(&app, &token, path, Some(MULTIPART), parts(&[("a", ""); 1000])).await, missing, "{path}");
    }
}

/// Names, addresses and passwords of 250 KiB, of characters that become many when they are normalized. Normalizing asserts that nothing is so long.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_normalized_before_its_length_is_looked_at() {
    let (app, token) = signed_in().await;
    for filling in ["\u{FDFA}", "A\u{301}"] {
        let long = filling.repeat(250 * 1024 / filling.len());
        for value in [long.clone(), format!("{long}@example.com"), format!("a@{long}.com")] {
            for path in reading() {
                let example = good(path, "dwr_x");
                for name in example.as_object().expect("fields").keys() {
                    let mut body = example.clone();
                    body[name] = json!(value);
                    let (status, answer) = send(&app, &token, path, Some(JSON), body.to_string()).await;
                    assert!(status < 500, "{path} {name}: {status} {answer}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_come_in_the_order_of_the_fields_and_not_of_the_alphabet() {
    let (app, token) = signed_in().await;
    for (path, fields) in [
        (REGISTER, &["username", "email", "password"][..]),
        (LOGIN, &["username", "password"]),
        (CHANGE, &["old_password", "new_password"]),
        (CONFIRM, &["password", "token"]),
    ] {
        let answer = app.send(post(path, &json!({})).token(&token)).await;
        let places: Vec<usize> = fields.iter().map(|field| answer.body.find(&format!("\"{field}\":[")).expect("a complaint")).collect();
        assert!(answer.status == 400 && places.is_sorted(), "{path}: {}", answer.body);
    }
    let taken = app.send(post(REGISTER, &json!({ "username": "ann", "email": "ann@example.com", "password": PASSWORD }))).await;
    assert!(taken.body.starts_with("{\"username\":"), "{}", taken.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_string_is_never_data_and_unknown_names_are_ignored() {
    let (app, _) = signed_in().await;
    let answer = app.send(request("POST", "/api/password_reset/?email=ann@example.com")).await;
    assert_eq!(answer.json(), json!({ "email": ["This field is required."] }));
    let answer = send(
        &app,
        "",
        LOGIN,
        Some(JSON),
        format!("{{\"username\":\"x\",\"is_staff\":[{{}}],\"\":1,\"username\":\"ann\",\"password\":\"{PASSWORD}\"}}"),
    )
    .await;
    assert_eq!(answer.0, 200);
}
