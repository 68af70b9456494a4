//! Usernames and addresses: which of them are taken, and who may use an address as a username.

use doorward_kit::App;
use serde_json::{Value, json};

use crate::{LOGIN, PASSWORD, REGISTER, complaint, generous};

const USERNAME_TAKEN: &str = "A user with that username already exists.";
const EMAIL_TAKEN: &str = "user with this email already exists.";
const NOT_OWN: &str = "A username that is an e-mail address must be this account's own.";

async fn register(app: &App, username: &str, email: &str) -> (u16, Value) {
    let answer = app.post(REGISTER, &json!({ "username": username, "email": email, "password": PASSWORD }), "").await;
    (answer.status, answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_is_taken_in_every_case_and_both_are_reported_at_once() {
    let app = generous().await;
    assert_eq!(register(&app, "Straße", "Ann@Example.com").await.0, 201);
    for username in ["Straße", "straße", "STRASSE", "strasse", " Straße\t", "ＳＴＲＡＳＳＥ"] {
        assert_eq!(register(&app, username, "other@example.com").await, (400, complaint("username", &[USERNAME_TAKEN])), "{username}");
    }
    for email in ["Ann@Example.com", "ann@example.com", "ANN@EXAMPLE.COM", "\u{3000}aNN@eXAMPLE.cOM\n"] {
        assert_eq!(register(&app, "other", email).await, (400, complaint("email", &[EMAIL_TAKEN])), "{email}");
    }
    let both = json!({ "username": [USERNAME_TAKEN], "email": [EMAIL_TAKEN] });
    assert_eq!(register(&app, "STRASSE", "ann@EXAMPLE.com").await, (400, both));
    // Taken names are found by the write, when everything else is valid.
    let answer = app.post(REGISTER, &json!({ "username": "Straße", "email": "Ann@Example.com", "password": "12345" }), "").await;
    assert!(answer.json().get("username").is_none() && answer.json().get("password").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn names_come_back_as_given_but_trimmed_and_are_found_in_any_case() {
    let app = generous().await;
    let (status, body) = register(&app, "\u{1c} AnnÉ+x \u{2028}", " Ann.Lee@Example.COM\u{85}").await;
    assert_eq!((status, body), (201, json!({ "username": "AnnÉ+x", "email": "Ann.Lee@Example.COM" })));
    for name in ["AnnÉ+x", "annÉ+X", " anné+x ", "ann.lee@example.com", "ANN.LEE@EXAMPLE.COM\n"] {
        let answer = app.post(LOGIN, &json!({ "username": name, "password": PASSWORD }), "").await;
        assert_eq!(answer.status, 200, "{name:?}");
    }
    assert_eq!(app.post(LOGIN, &json!({ "username": "ann.lee@example.com", "password": "wrong" }), "").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_username_that_is_an_address_is_the_accounts_own() {
    let app = generous().await;
    assert_eq!(register(&app, "own@example.com", "own@example.com").await.0, 201);
    assert_eq!(register(&app, "TWO@Example.com", "two@EXAMPLE.com").await.0, 201);
    for (username, email) in
        [("ann@example.com", "bob@example.com"), ("ＡＮＮ@example.com", "bob@example.com"), ("own@example.com", "bob@example.com")]
    {
        assert_eq!(register(&app, username, email).await, (400, complaint("username", &[NOT_OWN])), "{username}");
    }
    // A name with an @ that is no address is like any other name.
    for (number, username) in ["@ann", "ann@", "ann@home", "a@b@example.com", "ann@.com"].into_iter().enumerate() {
        assert_eq!(register(&app, username, &format!("n{number}@example.com")).await.0, 201, "{username}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_username_has_150_code_points_at_most() {
    let app = generous().await;
    for (number, char) in ["a", "é", "𝔘"].into_iter().enumerate() {
        let email = format!("n{number}@example.com");
        let too_long = (400, complaint("username", &["Ensure this field has no more than 150 characters."]));
        assert_eq!(register(&app, &char.repeat(151), &email).await, too_long);
        assert_eq!(register(&app, &format!(" {} ", char.repeat(150)), &email).await.0, 201);
    }
}
