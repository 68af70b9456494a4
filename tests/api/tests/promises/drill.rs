//! The takeover drill of SECURITY.md: what an attacker can and cannot do with a session, with the mailbox for an hour, or with a copy of the tables.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use doorward_kit::{
    App,
    app::USUAL_COST,
    requests::{
        NEW_PASSWORD, PASSWORD, VALIDATE, address_of, change_me, confirm_reset, delete_me, disavow, export, login, me, post, request,
        reset_request, set_username,
    },
    store::{lines, token_bytes},
};
use serde_json::json;

const THIEF: &str = "198.51.100.66";

#[tokio::test]
async fn whoever_stole_a_session_can_act_as_its_owner_and_end_sessions() {
    let app = App::start().await;
    let stolen = app.sign_up("ann").await.login().await;
    let owners = app.login("ann", PASSWORD).await;
    assert!(app.lets_pass(&stolen).await);
    assert_eq!(app.logout_all(&stolen).await.status, 200);
    assert!(!app.lets_pass(&stolen).await && !app.lets_pass(&owners).await);
}

#[tokio::test]
async fn whoever_stole_a_session_cannot_set_a_password_without_knowing_the_old_one() {
    let app = App::start().await;
    let stolen = app.sign_up("ann").await.login().await;
    let before = app.everything_but_limits().await;
    for guess in ["Wrong-Horse-42", "", NEW_PASSWORD] {
        assert_eq!(app.change_password(&stolen, guess, NEW_PASSWORD).await.status, 400);
    }
    let without = post("/api/change_password/", &json!({ "new_password": NEW_PASSWORD })).token(&stolen);
    assert_eq!(app.send(without).await.status, 400);
    assert_eq!(app.everything_but_limits().await, before);
}

#[tokio::test]
async fn whoever_stole_a_session_cannot_guess_the_password_with_it_beyond_ten_tries_a_quarter_of_an_hour() {
    let app = App::start().await;
    let stolen = app.sign_up("ann").await.login().await;
    let mut evaluated = 0;
    for number in 0..30 {
        let guess = json!({ "old_password": "Wrong-Horse-42", "new_password": NEW_PASSWORD });
        let answer = app.send(post("/api/change_password/", &guess).token(&stolen).from(&format!("198.51.100.{number}"))).await;
        evaluated += usize::from(answer.status == 400);
    }
    assert_eq!(evaluated, 10);
    // During that time the owner cannot change the password either, but can log in and can reset it.
    let owners = app.login("ann", PASSWORD).await;
    assert_eq!(app.change_password(&owners, PASSWORD, NEW_PASSWORD).await.status, 429);
    let link = app.reset_link(&address_of("ann")).await;
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
    assert!(!app.lets_pass(&stolen).await);
}

#[tokio::test]
async fn whoever_stole_a_session_cannot_keep_it_past_a_change_a_reset_a_logout_everywhere_or_its_thirty_days() {
    type End = fn(&App, String) -> std::pin::Pin<Box<dyn Future<Output = ()> + '_>>;
    let ends: [End; 4] = [
        |app, owners| Box::pin(async move { assert_eq!(app.change_password(&owners, PASSWORD, NEW_PASSWORD).await.status, 200) }),
        |app, _| {
            Box::pin(async move {
                let link = app.reset_link(&address_of("ann")).await;
                assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
            })
        },
        |app, owners| Box::pin(async move { assert_eq!(app.logout_all(&owners).await.status, 200) }),
        |app, _| Box::pin(async move { app.advance(30 * 24 * 60 * 60) }),
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let app = App::start().await;
        let stolen = app.sign_up("ann").await.login().await;
        let owners = app.login("ann", PASSWORD).await;
        assert!(app.lets_pass(&stolen).await);
        end(&app, owners).await;
        assert!(!app.lets_pass(&stolen).await, "{number}");
        assert_eq!(app.change_password(&stolen, PASSWORD, NEW_PASSWORD).await.status, 401, "{number}");
    }
}

#[tokio::test]
async fn whoever_stole_a_session_learns_the_address_unless_it_is_masked() {
    for (shown, email) in [("on", "ann@example.com"), ("masked", "a•••@example.com")] {
        let app = App::configured(&[("OWN_ACCOUNT", shown)]).await;
        let stolen = app.sign_up("ann").await.login().await;
        assert_eq!(app.send(me(&stolen).from(THIEF)).await.json()["email"], email);
    }
}

#[tokio::test]
async fn whoever_stole_a_session_reads_the_history_of_the_account_in_its_export_and_nothing_that_opens_it() {
    for (shown, email) in [("on", "ann@example.com"), ("masked", "a•••@example.com")] {
        let app = App::configured(&[("OWN_ACCOUNT", shown)]).await;
        let stolen = app.sign_up("ann").await.login().await;
        let link = app.reset_link("ann@example.com").await;
        let file = app.send(export(&stolen).from(THIEF)).await;
        let read = file.json();
        assert_eq!((&read["account"]["email"], &read["account"]["created_at"]), (&json!(email), &json!("2026-01-01T12:00:00Z")));
        assert_eq!((&read["links"][0]["purpose"], &read["mails"][0]["record"][0]["kind"]), (&json!("new password"), &json!("reset")));
        let hash = app.operator.account("ann").await["password"].as_s().expect("a hash").clone();
        for secret in [&stolen, &link, &hash, &URL_SAFE_NO_PAD.encode(token_bytes(&link))] {
            assert!(!file.body.contains(secret.as_str()), "{file:?}");
        }
    }
}

#[tokio::test]
async fn whoever_stole_a_session_cannot_make_another_one_or_a_link_or_learn_a_masked_address() {
    let app = App::configured(&[("OWN_ACCOUNT", "masked")]).await;
    let stolen = app.sign_up("ann").await.login().await;
    let before = app.everything_but_limits().await;
    let paths = [
        "/api/register/",
        "/api/login/",
        "/api/users/me/",
        "/api/change_password/",
        "/api/password_reset/",
        VALIDATE,
        "/api/password_reset/confirm/",
    ];
    for path in paths {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let body = json!({ "username": "ann", "token": stolen, "password": NEW_PASSWORD });
            let asked = request(method, path).token(&stolen).header("Content-Type", "application/json").body(body.to_string()).from(THIEF);
            let answer = app.send(asked).await;
            // Without another address or a declared field a PUT changes nothing.
            let shows = ["GET", "PUT"].contains(&method) && path == "/api/users/me/";
            assert!(answer.status >= 400 || shows, "{method} {path} {answer:?}");
            assert!(!answer.body.contains("ann@example.com"), "{method} {path} {answer:?}");
        }
    }
    assert_eq!(app.everything_but_limits().await, before);
    let context = app.authorize(json!({ "version": "2.0", "headers": { "authorization": format!("Token {stolen}") } })).await;
    let told: Vec<&String> = context["context"].as_object().expect("a context").keys().collect();
    assert_eq!(told, ["account_id", "username", "verified"]);
}

#[tokio::test]
async fn whoever_stole_a_session_changes_declared_fields_and_nothing_by_which_somebody_gets_in() {
    let fields =
        r#"{"nickname": {"type": "text"}, "plan": {"type": "choice", "of": ["free", "pro"], "default": "free", "write": "operator"}}"#;
    let app = App::configured(&[("PROFILE_FIELDS", fields)]).await;
    let stolen = app.sign_up("ann").await.login().await;
    let before = app.everything_but_limits().await;
    let body = json!({ "nickname": "Thief", "plan": "pro", "email": "thief@example.com", "username": "thief", "password": NEW_PASSWORD, "epoch": 7 });
    for method in ["PATCH", "PUT"] {
        let changed = app.send(change_me(method, &stolen, &body).from(THIEF)).await.json();
        assert_eq!((&changed["nickname"], &changed["plan"], &changed["username"]), (&json!("Thief"), &json!("free"), &json!("ann")));
    }
    let mut after = app.everything_but_limits().await;
    after.retain(|(_, sort), _| sort != "profile");
    assert_eq!(after, before);
    assert_eq!(app.send(login("ann", PASSWORD)).await.status, 200);
}

#[tokio::test]
async fn whoever_stole_a_session_cannot_change_the_username() {
    let app = App::start().await;
    let stolen = app.sign_up("ann").await.login().await;
    let before = app.everything_but_limits().await;
    for guess in ["Wrong-Horse-42", NEW_PASSWORD, ""] {
        assert_eq!(app.send(set_username(&stolen, "thief", guess).from(THIEF)).await.status, 400);
    }
    let without = post("/api/users/set_username/", &json!({ "new_username": "thief" })).token(&stolen).from(THIEF);
    assert_eq!(app.send(without).await.status, 400);
    assert_eq!(app.everything_but_limits().await, before);
}

#[tokio::test]
async fn whoever_stole_a_session_cannot_delete_the_account() {
    let app = App::start().await;
    let stolen = app.sign_up("ann").await.login().await;
    let before = app.everything_but_limits().await;
    for guess in ["Wrong-Horse-42", "", NEW_PASSWORD, &stolen] {
        assert_eq!(app.send(delete_me(&stolen, guess).from(THIEF)).await.status, 400);
    }
    assert_eq!(app.everything_but_limits().await, before);
    assert!(app.lets_pass(&stolen).await);
}

#[tokio::test]
async fn whoever_learned_the_password_and_deletes_the_account_is_undone_from_the_mailbox() {
    let app = App::start().await;
    let ann = app.sign_up("ann").await;
    let thiefs = app.send(login("ann", PASSWORD).from(THIEF)).await.text("token");
    assert_eq!(app.send(delete_me(&thiefs, PASSWORD).from(THIEF)).await.status, 204);
    // Asking again, or for the deletion of what is not there any more, makes it no sooner.
    assert_eq!(app.send(delete_me(&thiefs, PASSWORD).from(THIEF)).await.status, 401);
    app.deliver().await;
    app.advance(2 * 24 * 60 * 60);
    app.sweep().await;
    let link = app.mailbox.to(&ann.email).pop().and_then(|mail| mail.disavowal_token()).expect("a notice");
    assert_eq!(app.send(disavow(&link)).await.status, 200);
    assert!(!ann.logs_in(PASSWORD).await, "the thief knows it");
    app.deliver().await;
    let reset = app.newest_reset_link(&ann.email).expect("a link");
    assert_eq!(app.send(confirm_reset(&reset, NEW_PASSWORD)).await.status, 200);
    app.advance(30 * 24 * 60 * 60);
    app.sweep().await;
    assert!(ann.logs_in(NEW_PASSWORD).await);
}

#[tokio::test]
async fn whoever_stole_a_session_sees_where_the_account_is_logged_in_and_cannot_end_another_session_by_itself() {
    let app = App::start().await;
    let stolen = app.sign_up("ann").await.login().await;
    let owners = app.login("ann", PASSWORD).await;
    let before = app.everything_but_limits().await;
    let list = app.sessions(&stolen).await;
    let other = list.iter().find(|session| session["is_current"] == false).and_then(|session| session["id"].as_str()).expect("an id");
    for guess in ["Wrong-Horse-42", NEW_PASSWORD] {
        assert_eq!(app.end_sessions(&stolen, &[other], guess).await.status, 400);
    }
    let without = json!({ "sessions": [other] }).to_string();
    let asked = request("DELETE", "/api/sessions/").token(&stolen).header("Content-Type", "application/json").body(without);
    assert_eq!(app.send(asked).await.status, 400);
    assert_eq!(app.everything_but_limits().await, before);
    // The owner sees the thief's session as well, and ends it.
    let thiefs = app.sessions(&stolen).await.into_iter().find(|session| session["is_current"] == true).expect("a session");
    assert_eq!(app.end_sessions(&owners, &[thiefs["id"].as_str().expect("an id")], PASSWORD).await.status, 200);
    assert!(!app.lets_pass(&stolen).await && app.lets_pass(&owners).await);
}

#[tokio::test]
async fn whoever_has_the_mailbox_can_take_the_account_and_the_owner_sees_it_and_takes_it_back() {
    let app = App::start().await;
    let owners = app.sign_up("ann").await.login().await;
    let link = app.reset_link(&address_of("ann")).await;
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
    let thiefs = app.login("ann", NEW_PASSWORD).await;
    // The owner's sessions have ended, the old password does not work, and a notice is in the mailbox.
    assert!(!app.lets_pass(&owners).await && app.send(login("ann", PASSWORD)).await.status == 401);
    app.deliver().await;
    assert!(app.mailbox.to(&address_of("ann")).last().is_some_and(|mail| mail.subject.contains("was changed")));
    // When the owner has the mailbox back, one reset is enough.
    app.advance(60 * 60);
    let link = app.reset_link(&address_of("ann")).await;
    assert_eq!(app.confirm_reset(&link, "Owners-Again-45").await.status, 200);
    assert!(!app.lets_pass(&thiefs).await && app.send(login("ann", NEW_PASSWORD)).await.status == 401);
    app.login("ann", "Owners-Again-45").await;
}

#[tokio::test]
async fn whoever_had_the_mailbox_for_an_hour_cannot_use_its_links_after_it_or_after_the_owners_change() {
    let app = App::start().await;
    let owners = app.sign_up("ann").await.login().await;
    let kept_for_later = app.reset_link(&address_of("ann")).await;
    assert_eq!(app.change_password(&owners, PASSWORD, NEW_PASSWORD).await.status, 200);
    assert_eq!(app.confirm_reset(&kept_for_later, "Thiefs-Own-46").await.status, 404, "the owner's change kills it at once");
    app.advance(60);
    let kept_for_later = app.reset_link(&address_of("ann")).await;
    app.advance(60 * 60);
    assert_eq!(app.confirm_reset(&kept_for_later, "Thiefs-Own-46").await.status, 404, "and an hour kills it anyway");
    assert!(app.lets_pass(&owners).await);
}

#[tokio::test]
async fn whoever_has_the_mailbox_cannot_read_a_password_in_it_or_use_an_old_mail() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let mut old = Vec::new();
    for _ in 0..3 {
        old.push(app.reset_link(&address_of("ann")).await);
        app.advance(16 * 60);
    }
    let newest = old.pop().expect("a link");
    app.confirm_reset(&newest, NEW_PASSWORD).await;
    app.deliver().await;
    for link in old.iter().chain([&newest]) {
        assert_eq!(app.confirm_reset(link, "Thiefs-Own-46").await.status, 404);
    }
    for mail in app.mailbox.all() {
        let text = format!("{mail:?}");
        assert!(!text.contains(PASSWORD) && !text.contains(NEW_PASSWORD) && !text.contains("$argon2"));
    }
}

#[tokio::test]
async fn whoever_has_the_mailbox_cannot_keep_the_owner_from_a_link_of_their_own() {
    let app = App::start().await;
    app.sign_up("ann").await;
    for _ in 0..30 {
        app.send(reset_request(&address_of("ann")).from(THIEF)).await;
        app.deliver().await;
        app.advance(60);
    }
    // A new link is sent at the latest after the longest cool-down.
    let before = app.reset_mails(&address_of("ann"));
    app.advance(30 * 60);
    let link = app.reset_link(&address_of("ann")).await;
    assert_eq!(app.reset_mails(&address_of("ann")), before + 1);
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn whoever_copied_the_tables_cannot_make_a_session_or_a_link_of_anything_in_them() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let link = app.reset_link(&address_of("ann")).await;
    let id = &token_bytes(&session)[..16];
    let copy = lines(&app.everything().await);
    let mut pieces = BTreeSet::new();
    for text in
        copy.iter().flat_map(|item| item.split('\u{1f}')).flat_map(|attribute| [attribute, attribute.split('=').nth(1).unwrap_or("")])
    {
        pieces.extend(text.split('#').chain([text]).map(str::to_owned));
    }
    assert!(pieces.len() > 40, "{pieces:?}");
    let mut tried = BTreeSet::new();
    for piece in &pieces {
        // Each value is tried as it is, with each prefix, and as the secret of a token.
        let secret = URL_SAFE_NO_PAD.decode(piece).unwrap_or_default();
        let forged = URL_SAFE_NO_PAD.encode([id, &secret[..]].concat());
        for text in [piece.clone(), format!("dws_{piece}"), format!("dwr_{piece}"), format!("dws_{forged}"), format!("dwr_{forged}")] {
            assert!(text != session && text != link);
            tried.insert(text);
        }
    }
    for text in tried.iter().filter(|text| text.is_ascii()) {
        assert!(!app.lets_pass(text).await, "{text}");
        assert!(matches!(app.validate(text).await.status, 400 | 404), "{text}");
    }
    assert!(app.lets_pass(&session).await && app.validate(&link).await.status == 200, "while the real ones work");
}

#[tokio::test]
async fn whoever_copied_the_tables_cannot_log_in_with_a_hash_and_has_argon2id_to_guess_against() {
    let app = App::configured(&[USUAL_COST]).await;
    app.sign_up("ann").await;
    let hash = app.operator.account("ann").await["password"].as_s().expect("a hash").clone();
    assert_eq!(app.send(login("ann", &hash)).await.status, 401);
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
}

#[tokio::test]
async fn whoever_copied_the_tables_can_read_names_addresses_and_networks_and_no_password_or_token() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let link = app.reset_link(&address_of("ann")).await;
    app.deliver().await;
    let copy = lines(&app.everything().await).join("\n");
    assert!(copy.contains("username=ann") && copy.contains("email=ann@example.com") && copy.contains("203.0.113.0/24"));
    for secret in [PASSWORD, &session, &link] {
        assert!(!copy.contains(secret) && !copy.contains(&secret[4..]));
    }
}
