//! Somebody with an account, and what they ask of the functions.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use crate::{
    Deployment, Response,
    event::{Request, post},
};

/// The password of everybody at first.
pub const PASSWORD: &str = "Correct-Horse-42";
/// The password that a change or a reset sets where a test names no other.
pub const NEW_PASSWORD: &str = "Battery-Staple-43";

/// Somebody with an account.
#[derive(Clone)]
pub struct Person {
    /// The username.
    pub username: String,
    /// The address.
    pub email: String,
}

impl Person {
    /// Somebody of this name, whose address begins with it.
    pub fn named(name: &str) -> Self {
        Self { username: name.to_owned(), email: format!("{name}@example.org") }
    }

    /// Somebody of this name who has just made an account. A second goes by.
    pub async fn registered(deployment: &Deployment, name: &str) -> Self {
        let person = Self::named(name);
        let answer = deployment.send(person.registration()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        deployment.hand.turn(Duration::from_secs(1));
        person
    }

    /// Makes the account.
    pub fn registration(&self) -> Request {
        post("/api/register/", &json!({ "username": self.username, "email": self.email, "password": PASSWORD }))
    }

    /// Logs in with this password.
    pub fn login(&self, password: &str) -> Request {
        post("/api/login/", &json!({ "username": self.username, "password": password }))
    }

    /// Asks for a reset link.
    pub fn wish(&self) -> Request {
        post("/api/password_reset/", &json!({ "email": self.email }))
    }

    /// Opens a session.
    pub async fn session(&self, deployment: &Deployment) -> String {
        deployment.send(self.login(PASSWORD)).await.text("token")
    }

    /// Asks for a reset link and finds it in the mailbox.
    pub async fn link(&self, deployment: &Deployment) -> String {
        let answer = deployment.send(self.wish()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        deployment.deliver().await;
        let mails = deployment.mailbox.to(&self.email);
        mails.last().and_then(crate::mailbox::Mail::reset_token).expect("a mail with a link")
    }

    /// Whether this password logs in. A wrong one says nothing else.
    pub async fn logs_in(&self, deployment: &Deployment, password: &str) -> bool {
        // Minutes go by, so that no window of a limit is in the way.
        deployment.hand.turn(Duration::from_secs(20 * 60));
        let answer = deployment.send(self.login(password)).await;
        assert!(answer.status == 200 || answer.body == r#"{"error":"Invalid credentials"}"#, "{answer:?}");
        answer.status == 200
    }
}

/// Replaces the old password with this one.
pub fn change(session: &str, new: &str) -> Request {
    post("/api/change_password/", &json!({ "old_password": PASSWORD, "new_password": new })).token(session)
}

/// Spends a reset link.
pub fn confirm(link: &str, password: &str) -> Request {
    post("/api/password_reset/confirm/", &json!({ "token": link, "password": password }))
}

/// Asks whether a reset link works.
pub fn validate(link: &str) -> Request {
    post("/api/password_reset/validate_token/", &json!({ "token": link }))
}

/// Ends a session.
pub fn logout(session: &str) -> Request {
    post("/api/logout/", &json!({})).token(session)
}

/// Ends every session of whoever holds this one.
pub fn logout_all(session: &str) -> Request {
    post("/api/logout_all/", &json!({})).token(session)
}

impl Deployment {
    /// Whether a session is valid, as the authorizer sees it.
    pub async fn signs_in(&self, session: &str) -> bool {
        let question = json!({ "version": "2.0", "headers": { "authorization": format!("Token {session}") } });
        self.authorize(question).await["isAuthorized"] == true
    }

    /// The answers to these requests, all asked at once. They wait for each other's hashes, which functions on Lambda do not, so each has ten minutes.
    pub async fn at_once(self: &Arc<Self>, requests: impl IntoIterator<Item = Request>) -> Vec<Response> {
        let ask = |request| {
            let deployment = Arc::clone(self);
            tokio::spawn(async move { deployment.send_within(request, Duration::from_secs(600)).await })
        };
        let asked: Vec<_> = requests.into_iter().map(ask).collect();
        let mut answers = Vec::new();
        for asked in asked {
            answers.push(asked.await.expect("no function panics"));
        }
        answers
    }
}
