//! People with accounts, and what they do with them, in one line each.

use std::time::Duration;

use doorward::config::span;
use serde_json::Value;

use crate::{
    App, Response,
    mailbox::Mail,
    requests::{self, PASSWORD, address_of, post},
};

/// A person with an account.
#[derive(Clone)]
pub struct Person {
    /// The app that has the account.
    pub app: App,
    /// The username.
    pub username: String,
    /// The address.
    pub email: String,
}

impl Person {
    /// Logs in with the usual password; returns the session's token.
    pub async fn login(&self) -> String {
        self.login_with(PASSWORD).await
    }

    /// Logs in with this password; returns the session's token.
    pub async fn login_with(&self, password: &str) -> String {
        self.app.login(&self.username, password).await
    }

    /// Whether one can log in with this password. Asserts that a wrong one gets the usual answer.
    pub async fn logs_in(&self, password: &str) -> bool {
        // Lets minutes pass, so that no limit interferes.
        self.app.clock.advance(span::minutes(20));
        let answer = self.app.send(requests::login(&self.username, password)).await;
        assert!(answer.status == 200 || answer.body == r#"{"error":"Invalid credentials"}"#, "{answer:?}");
        answer.status == 200
    }

    /// Changes the password.
    pub async fn change_password(&self, session: &str, old: &str, new: &str) -> Response {
        self.app.change_password(session, old, new).await
    }

    /// Requests a reset link and runs the mailer; returns the newest link's token.
    pub async fn reset_link(&self) -> String {
        self.app.reset_link(&self.email).await
    }
}

impl App {
    /// Registers an account with the usual address and password. A second passes.
    pub async fn sign_up(&self, username: &str) -> Person {
        let person = Person { app: self.clone(), username: username.to_owned(), email: address_of(username) };
        let answer = self.register(username, &person.email).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        self.advance(1);
        person
    }

    /// The same, and opens the link of the mail that verifies the address.
    pub async fn sign_up_verified(&self, username: &str) -> Person {
        let person = self.sign_up(username).await;
        self.deliver().await;
        for link in self.verification_links(&person.email) {
            assert_eq!(self.send(requests::verify(&link)).await.status, 204);
        }
        person
    }

    /// Registers; the request may be refused.
    pub async fn register(&self, username: &str, email: &str) -> Response {
        self.send(requests::register(username, email)).await
    }

    /// Logs in; returns the session's token.
    pub async fn login(&self, name: &str, password: &str) -> String {
        let answer = self.send(requests::login(name, password)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text("token")
    }

    /// Posts JSON, with this session unless it is empty.
    pub async fn post(&self, path: &str, body: &Value, session: &str) -> Response {
        let request = post(path, body);
        self.send(if session.is_empty() { request } else { request.token(session) }).await
    }

    /// Changes a password.
    pub async fn change_password(&self, session: &str, old: &str, new: &str) -> Response {
        self.send(requests::change_password(session, old, new)).await
    }

    /// Ends a session.
    pub async fn logout(&self, session: &str) -> Response {
        self.send(requests::logout(session)).await
    }

    /// Ends every session of this session's account.
    pub async fn logout_all(&self, session: &str) -> Response {
        self.send(requests::logout_all(session)).await
    }

    /// The sessions that this session sees.
    pub async fn sessions(&self, session: &str) -> Vec<Value> {
        let answer = self.send(requests::sessions(session)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json().as_array().expect("a list").clone()
    }

    /// The id of this session.
    pub async fn session_id(&self, session: &str) -> String {
        let sessions = self.sessions(session).await;
        let own = sessions.iter().find(|seen| seen["is_current"] == true).expect("the list holds the session that asks");
        own["id"].as_str().expect("an id").to_owned()
    }

    /// Ends the sessions with these ids, with this password.
    pub async fn end_sessions(&self, session: &str, ids: &[&str], password: &str) -> Response {
        self.send(requests::end_sessions(session, ids, password)).await
    }

    /// Requests a reset link and runs the mailer; returns the newest link's token.
    pub async fn reset_link(&self, email: &str) -> String {
        assert_eq!(self.send(requests::reset_request(email)).await.status, 200);
        self.deliver().await;
        self.newest_reset_link(email).expect("a reset mail")
    }

    /// The token in the newest reset mail to this address.
    pub fn newest_reset_link(&self, email: &str) -> Option<String> {
        self.mailbox.to(email).iter().rev().find_map(Mail::reset_token)
    }

    /// The tokens in the verification mails to this address, oldest first.
    pub fn verification_links(&self, email: &str) -> Vec<String> {
        self.mailbox.to(email).iter().filter_map(Mail::verification_token).collect()
    }

    /// The number of reset mails that have reached this address.
    pub fn reset_mails(&self, email: &str) -> usize {
        self.mailbox.to(email).iter().filter(|mail| mail.reset_token().is_some()).count()
    }

    /// Validates a reset link.
    pub async fn validate(&self, link: &str) -> Response {
        self.send(requests::validate(link)).await
    }

    /// Uses a reset link.
    pub async fn confirm_reset(&self, link: &str, password: &str) -> Response {
        self.send(requests::confirm_reset(link, password)).await
    }

    /// Lets this many seconds pass.
    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}
