//! Admin commands that show a change of address and take one back.

use doorward_kit::{
    App,
    requests::{NEW_PASSWORD, PASSWORD, change_address, disavow, login, register, verify},
};
use serde_json::{Value, json};

use crate::{done, import::Temporary, line, refused};

/// An account whose owner asks for an address, and the session.
async fn asked(email: &str) -> (App, String) {
    let app = App::configured(&[("ADDRESS_VERIFICATION", "optional")]).await;
    let session = app.sign_up_verified("ann").await.login().await;
    assert_eq!(app.send(change_address(&session, email, PASSWORD)).await.status, 200);
    app.deliver().await;
    app.advance(1);
    (app, session)
}

async fn confirm(app: &App, email: &str) {
    assert_eq!(app.send(verify(&app.verification_links(email).pop().unwrap())).await.status, 204);
    app.deliver().await;
    app.advance(1);
}

#[tokio::test]
async fn the_oldest_former_address_is_given_back_with_a_link_there_and_every_later_change_is_void() {
    let (app, session) = asked("eve@evil.example").await;
    let shown = done(&app, &["show", "ann"]).await;
    assert_eq!(line(&shown, "address asked"), "eve@evil.example, until its mailbox confirms it");
    confirm(&app, "eve@evil.example").await;
    assert_eq!(app.send(change_address(&session, "eva@evil.example", PASSWORD)).await.status, 200);
    app.deliver().await;
    confirm(&app, "eva@evil.example").await;
    // Its owner writes from the address that it had.
    let shown = done(&app, &["show", "ann@example.com"]).await;
    assert!(line(&shown, "former").starts_with("ann@example.com, kept until 2026-01-08T"), "{shown}");
    let facts: Value = serde_json::from_str(&done(&app, &["--json", "show", "ann"]).await).unwrap();
    assert_eq!((facts["former_addresses"].as_array().unwrap().len(), &facts["pending_email"]), (2, &Value::Null));
    let written = done(&app, &["restore-address", "ann@example.com", "--yes"]).await;
    assert!(written.contains("the former address ann@example.com is back"), "{written}");
    app.deliver().await;
    let link = app.newest_reset_link("ann@example.com").unwrap();
    assert!(app.newest_reset_link("eva@evil.example").is_none() && !app.lets_pass(&session).await);
    assert_eq!(app.send(login("ann", PASSWORD)).await.status, 401);
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
    app.login("ann@example.com", NEW_PASSWORD).await;
    let (_, reason) = refused(&app, &["restore-address", "ann", "--yes"]).await;
    assert_eq!(reason, "no former address is kept for it; use set-email");
    app.assert_sound().await;
}

#[tokio::test]
async fn the_former_address_that_is_named_is_given_back_and_not_an_older_one() {
    let (app, session) = asked("anna@new.example").await;
    confirm(&app, "anna@new.example").await;
    assert_eq!(app.send(change_address(&session, "eve@evil.example", PASSWORD)).await.status, 200);
    app.deliver().await;
    confirm(&app, "eve@evil.example").await;
    let written = done(&app, &["restore-address", "Anna@New.example", "--yes"]).await;
    assert!(written.contains("the former address anna@new.example is back"), "{written}");
    app.deliver().await;
    assert!(app.newest_reset_link("anna@new.example").is_some() && app.newest_reset_link("ann@example.com").is_none());
    let shown = done(&app, &["show", "ann"]).await;
    assert!(line(&shown, "former").starts_with("ann@example.com, kept until"), "{shown}");
    app.assert_sound().await;
}

#[tokio::test]
async fn an_account_that_is_switched_off_and_on_gets_its_former_address_back_by_that_link_alone() {
    let (app, _) = asked("eve@evil.example").await;
    confirm(&app, "eve@evil.example").await;
    let session = app.login("ann", PASSWORD).await;
    assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
    app.deliver().await;
    let notice = |email: &str| app.mailbox.to(email).iter().rev().find_map(doorward_kit::mailbox::Mail::disavowal_token).unwrap();
    let (undo, thiefs) = (notice("ann@example.com"), notice("eve@evil.example"));
    app.advance(1);
    done(&app, &["deactivate", "ann"]).await;
    for link in [&undo, &thiefs] {
        assert_eq!(app.send(disavow(link)).await.status, 404, "while it is off");
    }
    done(&app, &["activate", "ann"]).await;
    assert_eq!(app.send(disavow(&thiefs)).await.status, 404);
    assert_eq!(app.send(disavow(&undo)).await.status, 200);
    app.deliver().await;
    assert!(app.newest_reset_link("ann@example.com").is_some());
    app.assert_sound().await;
}

#[tokio::test]
async fn another_address_by_an_operator_or_a_deletion_keeps_no_former_one() {
    let (app, _) = asked("ann@new.example").await;
    confirm(&app, "ann@new.example").await;
    done(&app, &["set-email", "ann", "ann@third.example", "--yes"]).await;
    app.assert_sound().await;
    for (name, email) in [("ben", "ann@example.com"), ("cyd", "ann@new.example")] {
        assert_eq!(app.send(register(name, email)).await.status, 201);
    }
    let (app, session) = asked("ann@new.example").await;
    confirm(&app, "ann@new.example").await;
    assert_eq!(app.send(change_address(&session, "ann@third.example", PASSWORD)).await.status, 200);
    app.deliver().await;
    done(&app, &["delete", "ann", "--yes"]).await;
    let left = format!("{:?}{:?}", app.snapshot("accounts").await, app.snapshot("outbox").await);
    assert!(!left.contains("ann@"), "{left}");
    for (name, email) in [("ben", "ann@example.com"), ("cyd", "ann@new.example")] {
        assert_eq!(app.send(register(name, email)).await.status, 201);
    }
    app.assert_sound().await;
}

#[tokio::test]
async fn an_account_is_moved_with_the_addresses_that_are_kept_for_it() {
    let (app, _) = asked("ann@new.example").await;
    confirm(&app, "ann@new.example").await;
    let file = std::env::temp_dir().join(format!("doorward-former-{}.jsonl", std::process::id()));
    let path = file.to_str().unwrap().to_owned();
    drop(std::fs::remove_file(&file));
    done(&app, &["export", &path, "--with-hashes"]).await;
    let first = std::fs::read_to_string(&file).unwrap();
    assert!(first.contains(r#""former_addresses":[{"email":"ann@example.com","kept_until":"2026-01-08T"#), "{first}");
    let other = App::configured(&[("ADDRESS_VERIFICATION", "optional")]).await;
    done(&other, &["import", &path]).await;
    std::fs::remove_file(&file).unwrap();
    done(&other, &["export", &path, "--with-hashes"]).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), first);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(other.send(register("ben", "ann@example.com")).await.status, 400, "it is kept there too");
    done(&other, &["restore-address", "ann", "--yes"]).await;
    other.assert_sound().await;

    let taken = App::start().await;
    assert_eq!(taken.send(register("ben", "ann@example.com")).await.status, 201);
    std::fs::write(&file, &first).unwrap();
    done(&taken, &["import", &path]).await;
    std::fs::remove_file(&file).unwrap();
    taken.login("ann@new.example", PASSWORD).await;
    // The address is another's, so it is none that this account keeps, and the account can be changed and deleted.
    taken.assert_sound().await;
    done(&taken, &["set-email", "ann", "ann@third.example", "--yes"]).await;
    done(&taken, &["delete", "ann", "--yes"]).await;
    taken.login("ben", PASSWORD).await;
    taken.assert_sound().await;
}

#[tokio::test]
async fn a_file_keeps_no_more_addresses_from_others_and_no_longer_than_changes_would() {
    let (app, _) = asked("ann@new.example").await;
    confirm(&app, "ann@new.example").await;
    let file = Temporary::none();
    done(&app, &["export", file.path(), "--with-hashes"]).await;
    let mut line: Value = serde_json::from_str(&std::fs::read_to_string(file.path()).unwrap()).unwrap();
    let kept = |count: usize| -> Vec<Value> {
        (0..count).map(|number| json!({ "email": format!("{number}@old.example"), "kept_until": "2999-01-01T00:00:00Z" })).collect()
    };
    let other = App::start().await;
    line["former_addresses"] = json!(kept(6));
    let (written, _) = refused(&other, &["import", Temporary::of(&[line.to_string()]).path()]).await;
    assert!(written.contains("former_addresses: it is not as an export has it"), "{written}");
    line["former_addresses"] = json!(kept(5));
    done(&other, &["import", Temporary::of(&[line.to_string()]).path()]).await;
    other.assert_sound().await;
    let shown = done(&other, &["show", "ann"]).await;
    assert!(crate::line(&shown, "former").starts_with("0@old.example, kept until 2026-01-31T12:00"), "{shown}");
    other.advance(30 * 24 * 60 * 60);
    assert_eq!(other.send(register("ben", "0@old.example")).await.status, 201);
    done(&other, &["delete", "ann", "--yes"]).await;
    other.assert_sound().await;
}
