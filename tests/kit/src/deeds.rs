//! What people do with accounts: as requests, and in one line each.

use serde_json::json;

use crate::{
    Deployment,
    event::{Request, Response, post, request},
};

/// The password that everybody begins with.
pub const PASSWORD: &str = "Correct-Horse-42";
/// The password that everybody changes to.
pub const NEW_PASSWORD: &str = "Battery+Staple%43";

/// The e-mail address of whoever has this username.
pub fn address_of(username: &str) -> String {
    format!("{username}@example.com")
}

/// Makes an account.
pub fn registration(username: &str, email: &str) -> Request {
    post("/api/register/", &json!({ "username": username, "email": email, "password": PASSWORD }))
}

/// A login.
pub fn login(name: &str, password: &str) -> Request {
    post("/api/login/", &json!({ "username": name, "password": password }))
}

/// A wish for a reset link.
pub fn reset(email: &str) -> Request {
    post("/api/password_reset/", &json!({ "email": email }))
}

/// Replaces a password.
pub fn change(session: &str, old: &str, new: &str) -> Request {
    post("/api/change_password/", &json!({ "old_password": old, "new_password": new })).token(session)
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
    request("POST", "/api/logout/").token(session)
}

/// Ends every session of whoever holds this one.
pub fn logout_all(session: &str) -> Request {
    request("POST", "/api/logout_all/").token(session)
}

impl Deployment {
    /// Registers, whether it works or not.
    pub async fn register_as(&self, username: &str, email: &str) -> Response {
        self.send(registration(username, email)).await
    }

    /// Makes an account with the usual address and password.
    pub async fn sign_up(&self, username: &str) {
        let answer = self.register_as(username, &address_of(username)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        self.pass(1);
    }

    /// Logs in: a session's token.
    pub async fn sign_in(&self, name: &str, password: &str) -> String {
        let answer = self.send(login(name, password)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text("token")
    }

    /// Makes an account and logs in.
    pub async fn newcomer(&self, username: &str) -> String {
        self.sign_up(username).await;
        self.sign_in(username, PASSWORD).await
    }

    /// The same, from this address.
    pub async fn newcomer_from(&self, username: &str, client: &str) -> String {
        assert_eq!(self.send(registration(username, &address_of(username)).from(client)).await.status, 201);
        self.pass(1);
        self.send(login(username, PASSWORD).from(client)).await.text("token")
    }

    /// Whether the authorizer lets a token's holder pass.
    pub async fn lets_pass(&self, token: &str) -> bool {
        let question = json!({ "version": "2.0", "headers": { "authorization": format!("Token {token}") } });
        self.authorize(question).await["isAuthorized"] == true
    }

    /// Changes a password.
    pub async fn change(&self, token: &str, old: &str, new: &str) -> Response {
        self.send(change(token, old, new)).await
    }

    /// Ends a session.
    pub async fn log_out(&self, token: &str) -> Response {
        self.send(logout(token)).await
    }

    /// Ends every session.
    pub async fn log_out_everywhere(&self, token: &str) -> Response {
        self.send(logout_all(token)).await
    }

    /// Asks for a reset link and has the mailer send what there is: the newest link's token.
    pub async fn reset_token(&self, email: &str) -> String {
        assert_eq!(self.send(reset(email)).await.status, 200);
        self.deliver().await;
        self.newest_reset_token(email).expect("a reset mail")
    }

    /// The token in the newest reset mail to this address.
    pub fn newest_reset_token(&self, email: &str) -> Option<String> {
        self.mailbox.to(email).iter().rev().find_map(crate::mailbox::Mail::reset_token)
    }

    /// How many reset mails have reached this address.
    pub fn reset_mails(&self, email: &str) -> usize {
        self.mailbox.to(email).iter().filter(|mail| mail.reset_token().is_some()).count()
    }

    /// Asks whether a reset link works.
    pub async fn validate(&self, token: &str) -> Response {
        self.send(validate(token)).await
    }

    /// Spends a reset link.
    pub async fn confirm(&self, token: &str, password: &str) -> Response {
        self.send(confirm(token, password)).await
    }

    /// Lets so many seconds go by.
    pub fn pass(&self, seconds: u64) {
        self.hand.turn(std::time::Duration::from_secs(seconds));
    }
}
