//! Somebody with an account, and what they ask of the functions.

use std::{sync::Arc, time::Duration};

use crate::{
    Deployment, Response,
    deeds::{self, PASSWORD, address_of},
    event::Request,
};

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
        Self { username: name.to_owned(), email: address_of(name) }
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
        deeds::registration(&self.username, &self.email)
    }

    /// Logs in with this password.
    pub fn login(&self, password: &str) -> Request {
        deeds::login(&self.username, password)
    }

    /// Asks for a reset link.
    pub fn wish(&self) -> Request {
        deeds::reset(&self.email)
    }

    /// Opens a session.
    pub async fn session(&self, deployment: &Deployment) -> String {
        deployment.send(self.login(PASSWORD)).await.text("token")
    }

    /// Asks for a reset link and finds it in the mailbox.
    pub async fn link(&self, deployment: &Deployment) -> String {
        deployment.reset_token(&self.email).await
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

impl Deployment {
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
