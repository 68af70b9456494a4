//! Requests, and the events that a REST API makes of them (format 1.0).

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// The default client address.
pub const CLIENT: &str = "203.0.113.7";

/// A request.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path, with or without a query string.
    pub path: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// The client's address.
    pub client: String,
}

/// A request with this method and path.
pub fn request(method: &str, path: &str) -> Request {
    Request { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: None, client: CLIENT.to_owned() }
}

/// A POST of this JSON.
pub fn post(path: &str, body: &Value) -> Request {
    request("POST", path).header("Content-Type", "application/json").body(body.to_string())
}

/// A POST of these fields as a browser sends a form of one of our pages.
pub fn submit(path: &str, fields: &[(&str, &str)]) -> Request {
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    request("POST", path)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Accept", BROWSER)
        .header("Origin", "null")
        .header("Sec-Fetch-Site", "same-origin")
        .body(body.join("&"))
}

/// The `Accept` header of a browser that opens a page.
pub const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// A browser's request for a page.
pub fn open(path: &str) -> Request {
    request("GET", path).header("Accept", BROWSER)
}

impl Request {
    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With `Authorization: Token …`.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.header("Authorization", &format!("Token {token}"))
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// From this address.
    #[must_use]
    pub fn from(mut self, client: &str) -> Self {
        client.clone_into(&mut self.client);
        self
    }

    /// The event. Bodies are in base64, because of `BinaryMediaTypes: ['*/*']`.
    pub fn event(&self) -> Value {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let query: Vec<(String, String)> =
            query.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let mut headers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in &self.headers {
            headers.entry(name).or_default().push(value);
        }
        let nothing_or = |map: Value| if map.as_object().is_some_and(|map| map.is_empty()) { Value::Null } else { map };
        json!({
            "resource": path,
            "path": path,
            "httpMethod": self.method,
            "headers": headers.iter().map(|(name, values)| ((*name).to_owned(), json!(values.last()))).collect::<serde_json::Map<_, _>>(),
            "multiValueHeaders": headers,
            "queryStringParameters": nothing_or(query.iter().map(|(name, value)| (name.clone(), json!(value))).collect()),
            "multiValueQueryStringParameters": nothing_or(query.iter().map(|(name, value)| (name.clone(), json!([value]))).collect()),
            "pathParameters": null,
            "stageVariables": null,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "abcdef1234",
                "domainName": "abcdef1234.execute-api.eu-central-1.amazonaws.com",
                "httpMethod": self.method,
                "identity": { "sourceIp": self.client, "userAgent": null },
                "path": format!("/v1{path}"),
                "protocol": "HTTP/1.1",
                "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
                "requestTimeEpoch": 1_767_225_600_000_i64,
                "resourceId": "xyz123",
                "resourcePath": path,
                "stage": "v1",
            },
            "body": self.body.as_ref().map(|body| STANDARD.encode(body)),
            "isBase64Encoded": self.body.is_some(),
        })
    }
}

// ---- What people ask for ----

/// The route that validates a reset token.
pub const VALIDATE: &str = "/api/password_reset/validate_token/";
/// The route that confirms an address.
pub const ACTIVATION: &str = "/api/users/activation/";
/// The initial password of everybody.
pub const PASSWORD: &str = "Correct-Horse-42";
/// The new password of everybody.
pub const NEW_PASSWORD: &str = "Battery+Staple%43";

/// The e-mail address that belongs to this username.
pub fn address_of(username: &str) -> String {
    format!("{username}@example.com")
}

/// Registers an account.
pub fn register(username: &str, email: &str) -> Request {
    post("/api/register/", &json!({ "username": username, "email": email, "password": PASSWORD }))
}

/// A login.
pub fn login(name: &str, password: &str) -> Request {
    post("/api/login/", &json!({ "username": name, "password": password }))
}

/// Requests a reset link.
pub fn reset_request(email: &str) -> Request {
    post("/api/password_reset/", &json!({ "email": email }))
}

/// Replaces a password.
pub fn change_password(session: &str, old: &str, new: &str) -> Request {
    post("/api/change_password/", &json!({ "old_password": old, "new_password": new })).token(session)
}

/// Uses a reset link.
pub fn confirm_reset(link: &str, password: &str) -> Request {
    post("/api/password_reset/confirm/", &json!({ "token": link, "password": password }))
}

/// Validates a reset link.
pub fn validate(link: &str) -> Request {
    post(VALIDATE, &json!({ "token": link }))
}

/// Ends a session.
pub fn logout(session: &str) -> Request {
    request("POST", "/api/logout/").token(session)
}

/// Ends every session of this session's account.
pub fn logout_all(session: &str) -> Request {
    request("POST", "/api/logout_all/").token(session)
}

/// Uses "this wasn't me".
pub fn disavow(link: &str) -> Request {
    post("/api/password_reset/disavow/", &json!({ "token": link }))
}

/// Confirms an address.
pub fn verify(link: &str) -> Request {
    post(ACTIVATION, &json!({ "token": link }))
}

/// Requests another link that confirms an address.
pub fn verification_request(email: &str) -> Request {
    post("/api/users/resend_activation/", &json!({ "email": email }))
}

/// Asks for the sessions of this session's account.
pub fn sessions(session: &str) -> Request {
    request("GET", "/api/sessions/").token(session)
}

/// Ends the sessions with these ids.
pub fn end_sessions(session: &str, ids: &[&str], password: &str) -> Request {
    let body = json!({ "sessions": ids, "current_password": password });
    request("DELETE", "/api/sessions/").token(session).header("Content-Type", "application/json").body(body.to_string())
}

/// Asks for this session's account.
pub fn me(session: &str) -> Request {
    request("GET", "/api/users/me/").token(session)
}

/// Asks for everything that is stored about this session's account.
pub fn export(session: &str) -> Request {
    request("GET", "/api/users/me/export/").token(session)
}

/// The declared fields with which djoser's answers were recorded (`PROFILE_FIELDS`). In `credit` only an operator writes.
pub const FIELDS: &str = r#"{
    "first_name": {"type": "text", "max": 150}, "company": {"type": "text", "max": 20, "required": true}, "birthday": {"type": "date"},
    "age": {"type": "integer", "min": 0, "max": 150}, "tier": {"type": "choice", "of": ["free", "pro"], "default": "free"},
    "newsletter": {"type": "bool"}, "credit": {"type": "integer", "default": 0, "write": "operator"}
}"#;

/// A setting of fields of which none is required.
pub const NICKNAME: (&str, &str) =
    ("PROFILE_FIELDS", r#"{"nickname": {"type": "text"}, "plan": {"type": "choice", "of": ["free", "pro"], "default": "free"}}"#);

/// Changes declared fields of this session's account: those that are there with PATCH, all with PUT.
pub fn change_me(method: &str, session: &str, fields: &Value) -> Request {
    request(method, "/api/users/me/").token(session).header("Content-Type", "application/json").body(fields.to_string())
}

/// Gives this session's account another username.
pub fn set_username(session: &str, username: &str, password: &str) -> Request {
    post("/api/users/set_username/", &json!({ "new_username": username, "current_password": password })).token(session)
}

/// Asks for another address of this session's account.
pub fn change_address(session: &str, email: &str, password: &str) -> Request {
    let mut asked = post("/api/users/me/", &json!({ "email": email, "current_password": password })).token(session);
    asked.method = "PATCH".to_owned();
    asked
}

/// Asks for the deletion of this session's account.
pub fn delete_me(session: &str, password: &str) -> Request {
    let body = json!({ "current_password": password });
    request("DELETE", "/api/users/me/").token(session).header("Content-Type", "application/json").body(body.to_string())
}
