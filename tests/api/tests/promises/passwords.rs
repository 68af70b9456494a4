//! Promise 9: every password is Argon2id, taken exactly as typed; hashes from elsewhere are replaced at login.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use doorward_kit::{
    Deployment,
    deeds::{NEW_PASSWORD, PASSWORD, login},
    event::post,
};
use serde_json::json;

/// The usual password as an old Django stored it: `hashlib.pbkdf2_hmac('sha256', b'Correct-Horse-42', b'saltsaltsalt', 1000)`.
const IMPORTED: &str = "pbkdf2_sha256$1000$saltsaltsalt$FCUAohngPzY3dX0U8srI5cqtZhj1id1F70mXUq/4kmg=";

async fn stored(door: &Deployment) -> String {
    door.operator.account("ann").await["password"].as_s().expect("a hash").clone()
}

#[tokio::test]
async fn every_way_to_set_a_password_stores_argon2id_at_the_configured_cost() {
    let door = Deployment::start().await;
    let session = door.newcomer("ann").await;
    let mut hashes = vec![stored(&door).await];
    door.change(&session, PASSWORD, NEW_PASSWORD).await;
    hashes.push(stored(&door).await);
    door.pass(1);
    let token = door.reset_token("ann@example.com").await;
    door.confirm(&token, "Another-Horse-44").await;
    hashes.push(stored(&door).await);
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
    let door = Deployment::start().await;
    for (number, password) in
        ["  spaced out  ", "e\u{301}tait-une-fois", "ﬁne-ligature", "\ttabbed\n", "🐎🐎🐎🐎🐎🐎🐎🐎"].into_iter().enumerate()
    {
        let (name, email) = (format!("u{number}"), format!("{number}@example.net"));
        let answer = door.send(post("/api/register/", &json!({ "username": name, "email": email, "password": password }))).await;
        assert_eq!(answer.status, 201, "{password:?} {answer:?}");
        assert_eq!(door.send(login(&name, password)).await.status, 200, "{password:?}");
        for other in [password.trim(), &password.replace("e\u{301}", "é"), &password.replace('ﬁ', "fi"), &password.to_uppercase()] {
            let same = other == password;
            assert_eq!(door.send(login(&name, other)).await.status == 200, same, "{other:?}");
        }
    }
}

#[tokio::test]
async fn a_new_password_has_8_to_128_characters() {
    let door = Deployment::start().await;
    let session = door.newcomer("ann").await;
    let mut current = PASSWORD.to_owned();
    for (new, status) in
        [("Zq9-xyw".to_owned(), 400), ("Zq9-".repeat(32) + "x", 400), ("Zq9-xywv".to_owned(), 200), ("Zq9ä".repeat(32), 200)]
    {
        door.pass(15 * 60);
        assert_eq!(door.change(&session, &current, &new).await.status, status, "{new}");
        if status == 200 {
            current = new;
        }
    }
}

#[tokio::test]
async fn a_hash_from_elsewhere_is_replaced_at_the_first_login_and_not_again() {
    let door = Deployment::start().await;
    let session = door.newcomer("ann").await;
    door.operator.set_password_hash("ann", IMPORTED).await;
    assert_eq!(door.send(login("ann", "Wrong-Horse-42")).await.status, 401);
    assert_eq!(stored(&door).await, IMPORTED, "a wrong password replaces nothing");
    door.sign_in("ann", PASSWORD).await;
    let replaced = stored(&door).await;
    assert!(replaced.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{replaced}");
    door.sign_in("ann", PASSWORD).await;
    assert_eq!(stored(&door).await, replaced);
    assert!(door.lets_pass(&session).await, "a rehash is no change of password");
}

#[tokio::test]
async fn another_configured_cost_is_taken_over_at_login_in_both_directions() {
    let (database, url) = doorward_kit::deployment::fresh_store().await;
    let usual = Deployment::over(database.clone(), &url, &[]).await;
    let dearer = Deployment::over(database, &url, &[("ARGON2_ITERATIONS", "3")]).await;
    usual.sign_up("ann").await;
    dearer.sign_in("ann", PASSWORD).await;
    assert!(stored(&usual).await.contains("$m=19456,t=3,p=1$"));
    usual.sign_in("ann", PASSWORD).await;
    assert!(stored(&usual).await.contains("$m=19456,t=2,p=1$"));
}

#[tokio::test]
async fn a_rehash_loses_to_a_change_that_was_quicker() {
    let door = Deployment::start().await;
    let session = door.newcomer("ann").await;
    door.operator.set_password_hash("ann", IMPORTED).await;
    // A login reads the account, and is slow; meanwhile the password is changed.
    let read = door.store.account_by_login_name("ann").await.expect("the store answers").expect("an account");
    assert_eq!(door.change(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
    let changed = stored(&door).await;
    let late = doorward::password::StoredPassword::stored("$argon2id$of-the-old-one".to_owned());
    door.store.note_login(&read, &[], Some(&late)).await.expect("losing is no fault");
    assert_eq!(stored(&door).await, changed);
    assert!(matches!(&door.operator.account("ann").await["networks"], AttributeValue::M(networks) if networks.len() == 1));
    assert_eq!(door.send(login("ann", NEW_PASSWORD)).await.status, 200);
}
