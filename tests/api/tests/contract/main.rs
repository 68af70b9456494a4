//! The contract's rules, as tables over every endpoint: what no recording holds, because Doorward differs on purpose there, and what the recordings
//! hold a sample of. Every answer is also held against the OpenAPI document.

mod authorization;
mod bodies;
mod fields;
mod limits;
mod methods;
mod names;
mod passwords;

use std::time::Duration;

use doorward_kit::{
    Deployment, Response,
    event::{Request, post},
    openapi::Document,
};
use serde_json::{Value, json};

/// A password that every validator likes.
const PASSWORD: &str = "Correct-Horse-42";
/// Another.
const OTHER: &str = "Battery-Staple-77";

const REGISTER: &str = "/api/register/";
const LOGIN: &str = "/api/login/";
const LOGOUT: &str = "/api/logout/";
const LOGOUT_ALL: &str = "/api/logout_all/";
const CHANGE: &str = "/api/change_password/";
const RESET: &str = "/api/password_reset/";
const VALIDATE: &str = "/api/password_reset/validate_token/";
const CONFIRM: &str = "/api/password_reset/confirm/";

/// Every route.
const ROUTES: [&str; 8] = [REGISTER, LOGIN, LOGOUT, LOGOUT_ALL, CHANGE, RESET, VALIDATE, CONFIRM];
/// The routes that ask for a token.
const PROTECTED: [&str; 3] = [LOGOUT, LOGOUT_ALL, CHANGE];
/// The routes that read a body.
const READING: [&str; 6] = [REGISTER, LOGIN, CHANGE, RESET, VALIDATE, CONFIRM];

/// A deployment, and the document its answers are held against.
struct Stand {
    deployment: Deployment,
    document: Document,
}

impl Stand {
    async fn start() -> Self {
        // Every table asks one account for more than its limits allow.
        Self::with(&[("LOGIN_ACCOUNT_LIMIT", "100000/1m"), ("CHANGE_ACCOUNT_LIMIT", "100000/1m")]).await
    }

    async fn with(settings: &[(&str, &str)]) -> Self {
        Self { deployment: Deployment::configured(settings).await, document: Document::read() }
    }

    async fn send(&self, request: Request) -> Response {
        let (method, path) = (request.method.clone(), request.path.clone());
        let answer = self.deployment.send(request).await;
        assert_eq!(self.document.check(&method, &path, &answer), Ok(()), "the OpenAPI document");
        answer
    }

    /// Posts JSON, with this session where the route asks for one.
    async fn post(&self, path: &str, body: &Value, token: &str) -> Response {
        let request = post(path, body);
        self.send(if PROTECTED.contains(&path) { request.token(token) } else { request }).await
    }

    /// Makes an account `<name>@example.com`.
    async fn register(&self, name: &str) {
        let body = json!({ "username": name, "email": format!("{name}@example.com"), "password": PASSWORD });
        assert_eq!(self.send(post(REGISTER, &body)).await.status, 201);
    }

    /// Opens a session.
    async fn login(&self, name: &str, password: &str) -> String {
        self.send(post(LOGIN, &json!({ "username": name, "password": password }))).await.text("token")
    }

    /// Has a link mailed, and takes its token.
    async fn link(&self, name: &str) -> String {
        let address = format!("{name}@example.com");
        // Past every cool-down.
        self.deployment.hand.turn(Duration::from_secs(20 * 60));
        assert_eq!(self.send(post(RESET, &json!({ "email": address }))).await.status, 200);
        self.deployment.deliver().await;
        let mails = self.deployment.mailbox.to(&address);
        mails.iter().rev().find_map(|mail| mail.reset_token()).expect("a reset mail")
    }

    /// A body that the route accepts, for the account `ann`.
    fn good(path: &str, link: &str) -> Value {
        match path {
            REGISTER => json!({ "username": "new", "email": "new@example.com", "password": PASSWORD }),
            LOGIN => json!({ "username": "ann", "password": PASSWORD }),
            CHANGE => json!({ "old_password": PASSWORD, "new_password": OTHER }),
            RESET => json!({ "email": "ann@example.com" }),
            VALIDATE => json!({ "token": link }),
            CONFIRM => json!({ "password": OTHER, "token": link }),
            _ => json!({}),
        }
    }
}

/// `{field: [message, …]}`.
fn complaint(field: &str, messages: &[&str]) -> Value {
    json!({ field: messages })
}
