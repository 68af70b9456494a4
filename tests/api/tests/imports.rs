//! Imported accounts: the first login replaces the hash, a concurrent change wins over that, and a hash that is too expensive is answered like a wrong
//! password.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use doorward_kit::{App, Response, app::USUAL_COST, requests::post};
use serde_json::json;

const PASSWORD: &str = "Correct-Horse-42";
const OTHER: &str = "Battery-Staple-77";

/// Django's hash of [`PASSWORD`], with few rounds.
const DJANGO: &str = "pbkdf2_sha256$1000$NaCl$Qy2AVj/IsyyN6Z7SGlVi0PkScd8T2C2RkCsEZdRojsY=";

async fn login(app: &App, name: &str, password: &str) -> Response {
    app.send(post("/api/login/", &json!({ "username": name, "password": password }))).await
}

async fn with_ann() -> App {
    let app = App::configured(&[USUAL_COST]).await;
    let body = json!({ "username": "ann", "email": "ann@example.com", "password": OTHER });
    assert_eq!(app.send(post("/api/register/", &body)).await.status, 201);
    app
}

async fn stored(app: &App) -> String {
    app.operator.account("ann").await["password"].as_s().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_login_with_an_imported_hash_replaces_it_by_ours() {
    let app = with_ann().await;
    app.operator.set_password_hash("ann", DJANGO).await;
    assert_eq!(login(&app, "ann", OTHER).await.status, 401);
    assert_eq!(stored(&app).await, DJANGO, "a wrong password changes nothing");
    let token = login(&app, "ann", PASSWORD).await.text("token");
    let ours = stored(&app).await;
    assert!(ours.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    // It is the same password, so nothing else has changed and the session is valid.
    assert_eq!(login(&app, "ann", PASSWORD).await.status, 200);
    assert_eq!(stored(&app).await, ours, "what is ours is not hashed again");
    assert_eq!(app.send(post("/api/logout/", &json!({})).token(&token)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehash_loses_to_a_change_that_came_between() {
    let app = with_ann().await;
    app.operator.set_password_hash("ann", DJANGO).await;
    let (account, networks) = (app.store.account_by_login_name("ann").await.unwrap().unwrap(), Vec::new());
    let rehashed = doorward::password::StoredPassword::stored("$argon2id$rehashed".to_owned());
    // Meanwhile the password is changed: only its hash, or its hash and the epoch as by a change.
    app.operator.set_password_hash("ann", "$argon2id$changed").await;
    app.store.note_login(&account, &networks, Some(&rehashed)).await.unwrap();
    assert_eq!(stored(&app).await, "$argon2id$changed");
    // Without a change the new hash is written.
    let account = app.store.account_by_login_name("ann").await.unwrap().unwrap();
    app.store.note_login(&account, &networks, Some(&rehashed)).await.unwrap();
    assert_eq!(stored(&app).await, "$argon2id$rehashed");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_login_and_a_reset_at_once_the_new_password_stays() {
    let app = with_ann().await;
    for round in 0..8 {
        app.clock.advance(std::time::Duration::from_secs(20 * 60));
        assert_eq!(app.send(post("/api/password_reset/", &json!({ "email": "ann@example.com" }))).await.status, 200);
        app.deliver().await;
        let link = app.mailbox.to("ann@example.com").iter().rev().find_map(|mail| mail.reset_token()).unwrap();
        app.operator.set_password_hash("ann", DJANGO).await;
        let fresh = format!("Fresh-Password-{round}!");
        let reset = json!({ "token": link, "password": fresh });
        let (reset, _) = tokio::join!(app.send(post("/api/password_reset/confirm/", &reset)), login(&app, "ann", PASSWORD));
        assert_eq!(reset.status, 200);
        assert_eq!(login(&app, "ann", PASSWORD).await.status, 401, "round {round}: the old hash came back");
        assert_eq!(login(&app, "ann", &fresh).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_that_asks_for_too_much_costs_one_decoy_and_answers_like_a_wrong_password() {
    let app = with_ann().await;
    let wrong = login(&app, "ann", "wrong").await;
    for stored in [
        "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "argon2$argon2id$v=19$m=4194304,t=100,p=8$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "pbkdf2_sha256$1000000000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "pbkdf2_sha1$4294967296$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "scrypt$1073741824$salt$8$1$AAAA",
        "bcrypt$$2b$31$NaClNaClNaClNaClNaClNuAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "bcrypt_sha256$$2b$31$NaClNaClNaClNaClNaClNuAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "md5$salt$00000000000000000000000000000000",
        "",
    ] {
        app.operator.set_password_hash("ann", stored).await;
        let hasher = &app.hasher;
        let (evaluations, decoys) = (hasher.evaluations(), hasher.decoys());
        assert_eq!(login(&app, "ann", OTHER).await, wrong, "{stored}");
        assert_eq!((hasher.evaluations() - evaluations, hasher.decoys() - decoys), (1, 1), "{stored}");
    }
}
