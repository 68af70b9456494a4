//! Promise 9: every password is Argon2id, taken as typed but for how its letters are composed; hashes from elsewhere are replaced at login.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use doorward_kit::{
    App,
    app::USUAL_COST,
    requests::{NEW_PASSWORD, PASSWORD, login, post},
};
use serde_json::json;

/// The usual password as an old Django stored it: `hashlib.pbkdf2_hmac('sha256', b'Correct-Horse-42', b'saltsaltsalt', 1000)`.
const IMPORTED: &str = "pbkdf2_sha256$1000$saltsaltsalt$FCUAohngPzY3dX0U8srI5cqtZhj1id1F70mXUq/4kmg=";

async fn stored(app: &App) -> String {
    stored_of(app, "ann").await
}

async fn stored_of(app: &App, name: &str) -> String {
    app.operator.account(name).await["password"].as_s().expect("a hash").clone()
}

#[tokio::test]
async fn every_way_to_set_a_password_stores_argon2id_at_the_configured_cost() {
    let app = App::configured(&[USUAL_COST]).await;
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
        assert_eq!(STANDARD_NO_PAD.decode(salt).expect("base64").len(), 18 + 3);
        assert_eq!(STANDARD_NO_PAD.decode(tag).expect("base64").len(), 32);
        salts.push(salt.to_owned());
    }
    salts.sort();
    salts.dedup();
    assert_eq!(salts.len(), 3);
}

/// Two spellings of the same passwords: letters in one piece, and letters with their marks apart. Keyboards and systems differ in that.
const SPELLINGS: [(&str, &str); 4] = [
    ("pässwörd-Ünïq-9", "pa\u{308}sswo\u{308}rd-U\u{308}ni\u{308}q-9"),
    (
        "비밀번호-한글-42",
        "\u{1107}\u{1175}\u{1106}\u{1175}\u{11af}\u{1107}\u{1165}\u{11ab}\u{1112}\u{1169}-\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}-42",
    ),
    ("\u{e9}tait-une-fois", "e\u{301}tait-une-fois"),
    ("q\u{323}\u{307}-two-marks", "q\u{307}\u{323}-two-marks"),
];

#[tokio::test]
async fn a_password_is_taken_as_typed_but_for_how_its_letters_are_composed() {
    let app = App::start().await;
    for (number, password) in
        ["  spaced out  ", "ﬁne-ligature", "\ttabbed\n", "🐎🐎🐎🐎🐎🐎🐎🐎", "x\u{ad}-soft-hyphen"].into_iter().enumerate()
    {
        let (name, email) = (format!("u{number}"), format!("{number}@example.net"));
        let answer = app.send(post("/api/register/", &json!({ "username": name, "email": email, "password": password }))).await;
        assert_eq!(answer.status, 201, "{password:?} {answer:?}");
        assert_eq!(app.send(login(&name, password)).await.status, 200, "{password:?}");
        for other in [password.trim(), &password.replace('ﬁ', "fi"), &password.replace('\u{ad}', ""), &password.to_uppercase()] {
            let same = other == password;
            assert_eq!(app.send(login(&name, other)).await.status == 200, same, "{other:?}");
        }
    }
}

#[tokio::test]
async fn a_password_is_one_however_its_letters_are_composed_wherever_it_is_set_and_asked_for() {
    let app = App::start().await;
    for (number, (composed, apart)) in SPELLINGS.into_iter().enumerate() {
        for (which, (set, asked)) in [(composed, apart), (apart, composed)].into_iter().enumerate() {
            let (name, email) = (format!("u{number}-{which}"), format!("{number}-{which}@example.net"));
            let answer = app.send(post("/api/register/", &json!({ "username": name, "email": email, "password": set }))).await;
            assert_eq!(answer.status, 201, "{set:?} {answer:?}");
            for typed in [asked, set] {
                assert_eq!(app.send(login(&name, typed)).await.status, 200, "registered {set:?}, typed {typed:?}");
            }
            let session = app.login(&name, asked).await;
            assert_eq!(app.change_password(&session, asked, &format!("{set} changed")).await.status, 200);
            let session = app.login(&name, &format!("{asked} changed")).await;
            assert_eq!(app.change_password(&session, &format!("{asked} changed"), NEW_PASSWORD).await.status, 200);
            app.advance(1);
            let token = app.reset_link(&email).await;
            assert_eq!(app.confirm_reset(&token, &format!("{set} reset")).await.status, 200);
            assert_eq!(app.send(login(&name, &format!("{asked} reset"))).await.status, 200);
            app.advance(15 * 60);
        }
    }
}

#[tokio::test]
async fn the_length_of_a_password_is_that_of_the_text_that_is_hashed() {
    let app = App::start().await;
    let mut number = 0;
    for (password, refused) in [
        ("\u{1112}\u{1161}\u{11ab}".repeat(7) + "1", None),
        ("\u{1112}\u{1161}\u{11ab}".repeat(7), Some("This password is too short. It must contain at least 8 characters.")),
        ("a\u{308}o\u{308}".repeat(64), None),
        ("a\u{308}o\u{308}".repeat(64) + "x", Some("Ensure this field has no more than 128 characters.")),
        // So many marks are not reordered, so the length is that of the typed text.
        ("a\u{308}\u{323}".repeat(20_000), Some("Ensure this field has no more than 128 characters.")),
    ] {
        number += 1;
        let (name, email) = (format!("u{number}"), format!("{number}@example.net"));
        let answer = app.send(post("/api/register/", &json!({ "username": name, "email": email, "password": password }))).await;
        match refused {
            None => assert_eq!(answer.status, 201, "{answer:?}"),
            Some(message) => assert_eq!(answer.json(), json!({ "password": [message] })),
        }
    }
}

#[tokio::test]
async fn a_hash_of_what_was_typed_is_verified_as_typed_and_moves_over_at_the_next_login() {
    let app = App::configured(&[USUAL_COST]).await;
    app.sign_up("ann").await;
    // "e\u{301}tait-une-fois", by argon2-cffi 25.1 with the salt of before (16 bytes), and by hashlib.pbkdf2_hmac with 1,000 rounds.
    for (before, verified) in [
        ("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$mButk3tKaZ5ErL0DusVxbKw3Z91zB6mXijgH9m/N1s8", 1),
        ("pbkdf2_sha256$1000$saltsaltsalt$H+VcI06ugBAJ1qIsxkJDHDdK+ZDIs6jnDQjVJqLATLI=", 1),
    ] {
        let (composed, apart) = SPELLINGS[2];
        app.operator.set_password_hash("ann", before).await;
        let hashes = || app.hasher.evaluations();
        let counted = hashes();
        assert_eq!(app.send(login("ann", composed)).await.status, 401, "it is not what was typed then");
        assert_eq!((stored(&app).await.as_str(), hashes() - counted), (before, verified), "one verification, whichever form it is");
        assert_eq!(app.send(login("ann", apart)).await.status, 200);
        let moved = stored(&app).await;
        assert_ne!(moved, before);
        assert_eq!(hashes() - counted, verified + 2, "the verification and the new hash");
        for typed in [composed, apart] {
            let counted = hashes();
            assert_eq!(app.send(login("ann", typed)).await.status, 200, "{typed:?}");
            assert_eq!((stored(&app).await, hashes() - counted), (moved.clone(), 1));
        }
    }
}

#[tokio::test]
async fn a_truncated_bcrypt_hash_is_not_replaced_at_login() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    // By bcrypt 4.3, of the first 72 bytes of the longest.
    let before = "$2b$04$QuqWrUjC7Qd7UuBHZnQlFOfd7wqGd6szVg9CcjlWCitiD9w0tkcCO";
    let first = "Correct-Horse-".repeat(5) + "42";
    let password = format!("{first} and more");
    assert_eq!(first.len(), 72);
    app.operator.set_password_hash("ann", before).await;
    for typed in [&first, &password, &format!("{first}junk"), &password, &first] {
        app.login("ann", typed).await;
        assert_eq!(stored(&app).await, before, "{typed:?}");
    }
    assert_eq!(app.send(login("ann", &first[..71])).await.status, 401);
    // A change settles it.
    assert_eq!(app.change_password(&session, &password, &format!("New-{password}")).await.status, 200);
    assert!(stored(&app).await.starts_with("$argon2id$"));
    assert_eq!(app.send(login("ann", &format!("New-{first}"))).await.status, 401);
    assert_eq!(app.send(login("ann", &format!("New-{password}"))).await.status, 200);
    // One byte less is one password.
    app.operator.set_password_hash("ann", "$2b$04$JQjhRlvzJVt6lh3.uB63GeDF8RvWTYB8TUGZY4BpLZM9PfdEgGSru").await;
    app.login("ann", &first[..71]).await;
    assert!(stored(&app).await.starts_with("$argon2id$"));
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
    let app = App::configured(&[USUAL_COST]).await;
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
    let place = doorward_kit::place::Place::fresh().await;
    let usual = App::over(&place, &[USUAL_COST]).await;
    let dearer = App::over(&place, &[("ARGON2_ITERATIONS", "3")]).await;
    usual.sign_up("ann").await;
    dearer.login("ann", PASSWORD).await;
    assert!(stored(&usual).await.contains("$m=19456,t=3,p=1$"));
    usual.login("ann", PASSWORD).await;
    assert!(stored(&usual).await.contains("$m=19456,t=2,p=1$"));
}

#[tokio::test]
async fn after_the_cost_changed_a_wrong_password_takes_the_work_of_an_unknown_name_in_both_directions() {
    let place = doorward_kit::place::Place::fresh().await;
    let cheap = [USUAL_COST];
    let dear = [("ARGON2_MEMORY_KIB", "47104"), ("ARGON2_ITERATIONS", "2")];
    let (cheap, dear) = (App::over(&place, &cheap).await, App::over(&place, &dear).await);
    cheap.sign_up("anna").await;
    dear.sign_up("dora").await;
    let lowered = App::over(&place, &[("ARGON2_DEAREST", "47104/2")]).await;
    for (app, unknown, names) in
        [(&dear, 94_208, ["anna", "dora"]), (&lowered, 94_208, ["anna", "dora"]), (&cheap, 38_912, ["anna", "anna"])]
    {
        for name in ["nobo"].into_iter().chain(names) {
            let before = app.hasher.work_kib();
            assert_eq!(app.send(login(name, "Wrong-Horse-42")).await.status, 401);
            let work = app.hasher.work_kib() - before;
            assert!(work <= unknown && unknown - work < 2, "{name}: {work} KiB times passes, an unknown name {unknown}");
        }
    }
    // An owner who logs in ends it.
    dear.login("anna", PASSWORD).await;
    assert!(stored_of(&dear, "anna").await.contains("$m=47104,t=2,p=1$"));
}

#[tokio::test]
async fn a_rehash_loses_to_a_change_that_was_quicker() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    app.operator.set_password_hash("ann", IMPORTED).await;
    // A slow login has read the account; meanwhile the password is changed.
    let read = app.store.account_by_login_name("ann").await.expect("the store answers").expect("an account");
    assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
    let changed = stored(&app).await;
    let late = doorward::password::StoredPassword::stored("$argon2id$of-the-old-one".to_owned());
    app.store.note_login(&read, &[], Some(&late)).await.expect("losing is no fault");
    assert_eq!(stored(&app).await, changed);
    assert!(matches!(&app.operator.account("ann").await["networks"], AttributeValue::M(networks) if networks.len() == 1));
    assert_eq!(app.send(login("ann", NEW_PASSWORD)).await.status, 200);
}
