//! The contract's rules, as tables over every endpoint: what no recording holds, because Doorward differs on purpose there, and what the recordings
//! hold a sample of. The routes come from the registry and their bodies from the OpenAPI document, so a new route is asked by every table.

mod authorization;
mod bodies;
mod fields;
mod limits;
mod methods;
mod names;
mod passwords;

use doorward_functions::{paths, routes};
use doorward_kit::{App, openapi::Document, requests::VALIDATE};
use serde_json::{Value, json};

/// A password that follows all rules.
const PASSWORD: &str = "Correct-Horse-42";
/// Another one.
const OTHER: &str = "Battery-Staple-77";

const REGISTER: &str = "/api/register/";
const LOGIN: &str = "/api/login/";
const LOGOUT: &str = "/api/logout/";
const LOGOUT_ALL: &str = "/api/logout_all/";
const CHANGE: &str = "/api/change_password/";
const RESET: &str = "/api/password_reset/";
const CONFIRM: &str = "/api/password_reset/confirm/";

/// The routes that require a session.
fn protected() -> impl Iterator<Item = &'static str> {
    routes().filter(|routes| routes.protected).flat_map(|routes| routes.paths.iter().copied())
}

/// The routes that read a body.
fn reading() -> impl Iterator<Item = &'static str> {
    paths().filter(|path| Document::shared().example(path).is_some())
}

/// An app whose accounts may be asked for more than their limits allow otherwise.
async fn generous() -> App {
    App::configured(&[("LOGIN_ACCOUNT_LIMIT", "100000/1m"), ("CHANGE_ACCOUNT_LIMIT", "100000/1m")]).await
}

/// Has a link mailed past every cool-down, and takes its token.
async fn link(app: &App, name: &str) -> String {
    app.advance(20 * 60);
    app.reset_link(&format!("{name}@example.com")).await
}

/// The document's example of a body, for the account `ann`, with this token where it has one.
fn good(path: &str, link: &str) -> Value {
    let mut body = Document::shared().example(path).unwrap_or_else(|| json!({}));
    if let Some(token) = body.get_mut("token") {
        *token = json!(link);
    }
    body
}

/// `{field: [message, …]}`.
fn complaint(field: &str, messages: &[&str]) -> Value {
    json!({ field: messages })
}
