//! Promise 9: every password is Argon2id, taken exactly as typed; hashes from elsewhere are replaced at login.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use doorward_kit::{
    App,
    requests::{NEW_PASSWORD, PASSWORD, login, post},
};
use serde_json::json;

/// The usual password as an old Django stored it: `hashlib.pbkdf2_hmac('sha256', b'Correct-Horse-42', b'saltsaltsalt', 1000)`.
const IMPORTED: &str = "pbkdf2_sha256$1000$saltsaltsalt$FCUAohngPzY3dX0U8srI5cqtZhj1id1F70mXUq/4kmg=";

async fn stored(app: &App) -> String {
    app.operator.account("ann").await["password"].as_s().expect("a hash").clone()
}

#[tokio::test]
async fn every_way_to_set_a_password_stores_argon2id_at_the_configured_cost() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let mut hashes = vec![stored(&app).await];
    app.change_password(&session, PASSWORD, NEW_PASSWORD).await;
    hashes.push(stored(&app).await);
    app.advance(1);
    let token = app.reset_link("ann@example.com").await;
    app.confirm_reset(&token, "Another-Horse-44").await;
    hashes.push(stored(&app).await);
    let mut salts = Vec::new();
    for hash in &hashes {
        let ["", "argon2id", "v=19", "m=19456,t=2,p=1", salt, tag] = hash.split('$').collect::<Vec<_>>()[..] else { panic!("{hash}") };
        assert_eq!(STANDARD_NO_PAD.decode(salt).expect("base64").len(), 16);
        assert_eq!(STANDARD_NO_PAD.decode(tag).expect("base64").len(), 32);
        salts.push(salt.to_owned());
    }
    salts.sort();
    salts.dedup();
    assert_eq!(salts.len(), 3);
}

#[tokio::test]
async fn a_password_is_taken_exactly_as_typed() {
    let app = App::start().await;
    for (number, password) in
        ["  spaced out  ", "e\u{301}tait-une-fois", "ﬁne-ligature", "\ttabbed\n", "🐎🐎🐎🐎🐎🐎🐎🐎"].into_iter().enumerate()
    {
        let (name, email) = (format!("u{number}"), format!("{number}@example.net"));
        let answer = app.send(post("/api/register/", &json!({ "username": name, "email": email, "password": password }))).await;
        assert_eq!(answer.status, 201, "{password:?} {answer:?}");
        assert_eq!(app.send(login(&name, password)).await.status, 200, "{password:?}");
        for other in [password.trim(), &password.replace("e\u{301}", "é"), &password.replace('ﬁ', "fi"), &password.to_uppercase()] {
            let same = other == password;
            assert_eq!(app.send(login(&name, other)).await.status == 200, same, "{other:?}");
        }
    }
}

#[tokio::test]
async fn a_new_password_has_8_to_128_characters() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let mut current = PASSWORD.to_owned();
    for (new, status) in
        [("Zq9-xyw".to_owned(), 400), ("Zq9-".repeat(32) + "x", 400), ("Zq9-xywv".to_owned(), 200), ("Zq9ä".repeat(32), 200)]
    {
        app.advance(15 * 60);
        assert_eq!(app.change_password(&session, &current, &new).await.status, status, "{new}");
        if status == 200 {
            current = new;
        }
    }
}

#[tokio::test]
async fn a_hash_from_elsewhere_is_replaced_at_the_first_login_and_not_again() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    app.operator.set_password_hash("ann", IMPORTED).await;
    assert_eq!(app.send(login("ann", "Wrong-Horse-42")).await.status, 401);
    assert_eq!(stored(&app).await, IMPORTED, "a wrong password replaces nothing");
    app.login("ann", PASSWORD).await;
    let replaced = stored(&app).await;
    assert!(replaced.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{replaced}");
    app.login("ann", PASSWORD).await;
    assert_eq!(stored(&app).await, replaced);
    assert!(app.lets_pass(&session).await, "a rehash is no change of password");
}

#[tokio::test]
async fn another_configured_cost_is_taken_over_at_login_in_both_directions() {
    let (database, url) = doorward_kit::app::fresh_store().await;
    let usual = App::over(database.clone(), &url, &[]).await;
    let dearer = App::over(database, &url, &[("ARGON2_ITERATIONS", "3")]).await;
    usual.sign_up("ann").await;
    dearer.login("ann", PASSWORD).await;
    assert!(stored(&usual).await.contains("$m=19456,t=3,p=1$"));
    usual.login("ann", PASSWORD).await;
    assert!(stored(&usual).await.contains("$m=19456,t=2,p=1$"));
}

#[tokio::test]
async fn a_rehash_loses_to_a_change_that_was_quicker() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    app.operator.set_password_hash("ann", IMPORTED).await;
    // A login reads the account, and is slow; meanwhile the password is changed.
    let read = app.store.account_by_login_name("ann").await.expect("the store answers").expect("an account");
    assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
    let changed = stored(&app).await;
    let late = doorward::password::StoredPassword::stored("$argon2id$of-the-old-one".to_owned());
    app.store.note_login(&read, &[], Some(&late)).await.expect("losing is no fault");
    assert_eq!(stored(&app).await, changed);
    assert!(matches!(&app.operator.account("ann").await["networks"], AttributeValue::M(networks) if networks.len() == 1));
    assert_eq!(app.send(login("ann", NEW_PASSWORD)).await.status, 200);
}
