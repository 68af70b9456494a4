//! Leaving with everything: an export, and that it is the same file after it was imported elsewhere.

use std::{fs, os::unix::fs::PermissionsExt as _};

use doorward_kit::{
    App,
    proxy::{Failure, When},
    requests::{NEW_PASSWORD, PASSWORD, address_of, delete_me, disavow, login, post},
};
use serde_json::{Value, json};

use crate::{
    done,
    import::{DJANGO, Temporary, user},
    line, refused, types,
};

const HASHES: &str = include_str!("../../contract/hashes.jsonl");

/// An app with accounts of every kind: their own, imported ones, and those that something has happened to.
async fn with_everybody() -> App {
    let app = App::start().await;
    let asked = json!({ "username": "Änn", "email": "Ann@example.com", "password": PASSWORD });
    assert_eq!(app.send(post("/api/register/", &asked).header("Accept-Language", "de")).await.status, 201);
    app.advance(1);
    let session = app.login("änn", PASSWORD).await;
    app.send(login("änn", PASSWORD).from("198.51.100.7")).await;
    app.change_password(&session, PASSWORD, NEW_PASSWORD).await;
    for name in ["ben", "cyd", "off", "dis"] {
        app.sign_up(name).await;
    }
    done(&app, &["deactivate", "off"]).await;
    app.advance(3600);
    app.deliver().await;
    let session = app.login("dis", PASSWORD).await;
    app.change_password(&session, PASSWORD, NEW_PASSWORD).await;
    app.deliver().await;
    let not_me = app.mailbox.to(&address_of("dis")).pop().unwrap().disavowal_token().unwrap();
    assert_eq!(app.send(disavow(&not_me)).await.status, 200);
    let event = json!({ "eventType": "Bounce", "mail": { "timestamp": app.clock.now().to_string() },
        "bounce": { "bounceType": "Permanent", "bouncedRecipients": [{ "emailAddress": address_of("cyd") }] } });
    app.feed_back(json!({ "detail": event })).await.unwrap();
    let mut lines: Vec<String> = HASHES
        .lines()
        .enumerate()
        .map(|(number, line)| {
            let line: Value = serde_json::from_str(line).unwrap();
            let (name, hash) = (format!("from{number}"), line["encoded"].as_str().unwrap());
            json!({ "model": "auth.user", "pk": number, "fields": { "username": name, "email": address_of(&name), "password": hash,
                "date_joined": "2019-03-04T05:06:07.890Z" } })
            .to_string()
        })
        .collect();
    lines.push(user("sso", "sso@example.com", "!kq3EyVZ7nMmZ9hXQb5w8RcT1sLf2uPjGd4oAaNvx"));
    done(&app, &["import", Temporary::of(&lines).path()]).await;
    app
}

/// What an export writes.
async fn exported(app: &App, arguments: &[&str]) -> String {
    let file = Temporary::none();
    done(app, &[&["export", file.path()], arguments].concat()).await;
    fs::read_to_string(file.path()).unwrap()
}

#[tokio::test]
async fn an_export_that_is_imported_into_an_empty_stack_is_exported_as_the_same_file() {
    let app = with_everybody().await;
    let file = Temporary::none();
    let told = done(&app, &["export", file.path(), "--with-hashes"]).await;
    let since = doorward::clock::rfc3339(app.clock.now());
    let event = "No event tells of it, because this deployment records none (Events=none).";
    assert!(
        told.ends_with(&format!("52 accounts are in {}. {event} Accounts that change from now on: --since {since}\n", file.path())),
        "{told}"
    );
    let first = fs::read_to_string(file.path()).unwrap();
    assert_eq!(first.lines().count(), 52);

    let other = App::start().await;
    other.advance(7200);
    let written = done(&other, &["import", file.path()]).await;
    assert_eq!(written, "52 accounts: 52 imported, 0 already there, 0 refused.\n");
    assert_eq!(exported(&other, &["--with-hashes"]).await, first);
    // Nothing is imported twice, neither there nor where it is from.
    for app in [&app, &other] {
        assert!(done(app, &["import", file.path()]).await.ends_with("0 imported, 52 already there, 0 refused.\n"));
    }
    for (name, password, status) in [
        ("änn", NEW_PASSWORD, 200),
        ("ben", PASSWORD, 200),
        ("from3", "wrong", 401),
        ("off", PASSWORD, 401),
        ("dis", PASSWORD, 401),
        ("dis", NEW_PASSWORD, 401),
    ] {
        assert_eq!(other.send(login(name, password)).await.status, status, "{name}");
    }
    for (name, state) in [("dis", "disavowed, until a reset"), ("off", "deactivated"), ("sso", "without a password"), ("ben", "active")] {
        assert_eq!(line(&done(&other, &["show", name]).await, "state"), state);
    }
    let [here, there] = [done(&app, &["show", "änn"]).await, done(&other, &["show", "änn"]).await];
    for fact in ["id", "created", "password set", "language"] {
        assert_eq!(line(&here, fact), line(&there, fact));
    }
}

#[tokio::test]
async fn an_account_that_comes_back_opens_for_no_session_of_before() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let file = Temporary::none();
    done(&app, &["export", file.path(), "--with-hashes"]).await;
    let items = app.operator.items_of("ann").await;
    let kept = items.iter().find(|item| item["sk"].as_s().unwrap().starts_with("session#")).unwrap().clone();
    done(&app, &["delete", "--yes", "ann"]).await;
    done(&app, &["import", file.path()]).await;
    // A login that was under way during the deletion writes its session after it.
    let put = app.operator.client.put_item().table_name(&app.operator.accounts).set_item(Some(kept));
    put.send().await.unwrap();
    assert!(!app.lets_pass(&session).await);
    let session = app.login("ann", PASSWORD).await;
    assert!(app.lets_pass(&session).await);
    let next = app.change_password(&session, PASSWORD, NEW_PASSWORD).await;
    assert_eq!((next.status, app.lets_pass(&session).await), (200, true), "{next:?}");
}

#[tokio::test]
async fn hashes_are_exported_only_when_they_are_asked_for_by_name() {
    let app = with_everybody().await;
    let file = Temporary::none();
    done(&app, &["export", file.path()]).await;
    let text = fs::read_to_string(file.path()).unwrap();
    assert!(!text.contains('$') && !text.contains("password\""), "{text}");
    for form in ["django", "auth0", "keycloak", "csv"] {
        assert!(!exported(&app, &["--format", form]).await.contains('$'), "{form}");
    }
    assert_eq!(
        refused(&app, &["export", "--format", "csv", "--with-hashes", Temporary::none().path()]).await.1,
        "csv has no hashes; --format jsonl has"
    );
    let other = App::start().await;
    other.advance(7200);
    assert!(refused(&other, &["import", file.path()]).await.0.contains("52 refused: password: there is none\n"));
    done(&other, &["import", "--without-password", file.path()]).await;
    assert_eq!(line(&done(&other, &["show", "ben"]).await, "state"), "without a password");
}

#[tokio::test]
async fn an_export_is_for_its_owner_alone_and_writes_over_nothing() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let file = Temporary::none();
    done(&app, &["export", file.path()]).await;
    assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
    let content = fs::read(file.path()).unwrap();
    for path in [file.path(), "/dev/stdout", "/dev/tty", "/tmp"] {
        let told = refused(&app, &["export", path]).await.1;
        assert!(told.ends_with("is there already, and is not written over"), "{told}");
    }
    assert_eq!(fs::read(file.path()).unwrap(), content);
    assert!(refused(&app, &["export", "/tmp/.."]).await.1.ends_with("is no name of a file"));
    assert!(refused(&app, &["export", "/nowhere/at/all"]).await.1.starts_with("/nowhere/at/all: "));
    // Another one is running.
    let other = Temporary::none();
    let part = format!("{}.part", other.path());
    fs::write(&part, "").unwrap();
    assert!(refused(&app, &["export", other.path()]).await.1.contains("another export is running, or was cut off; delete it then"));
    fs::remove_file(part).unwrap();
    done(&app, &["export", other.path()]).await;
}

#[tokio::test]
async fn an_export_that_fails_leaves_nothing_and_the_next_one_is_whole() {
    let (app, observer) = App::observed(&[]).await;
    app.sign_up("ann").await;
    let file = Temporary::none();
    observer.store.forget();
    observer.store.fail(|call| (call.number > 0).then(|| (When::Before, Failure::code(400, "AccessDeniedException"))));
    assert!(types(&app, &["export", file.path()], None).await.1.is_err());
    observer.store.forget();
    assert!(!fs::exists(file.path()).unwrap() && !fs::exists(format!("{}.part", file.path())).unwrap());
    done(&app, &["export", file.path()]).await;
    assert_eq!(fs::read_to_string(file.path()).unwrap().lines().count(), 1);
    // An account that cannot be read is counted, and the rest is there.
    app.sign_up("ben").await;
    app.operator.remove("ann", "epoch").await;
    let rest = Temporary::none();
    let (written, told) = refused(&app, &["export", rest.path()]).await;
    assert!(written.contains("1 accounts are in ") && written.contains("1 items of accounts cannot be read."), "{written}");
    assert_eq!((told.as_str(), fs::read_to_string(rest.path()).unwrap().contains("ben")), ("1 accounts are missing", true));
}

#[tokio::test]
async fn one_account_or_those_that_changed_since_are_exported() {
    let app = App::start().await;
    for name in ["ann", "ben", "cyd", "dan", "eve"] {
        app.sign_up(name).await;
    }
    let names = |text: String| -> Vec<String> {
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["username"].as_str().unwrap().to_owned()).collect()
    };
    app.advance(3600);
    let since = app.clock.now().to_string();
    app.advance(60);
    let session = app.login("ben", PASSWORD).await;
    app.change_password(&session, PASSWORD, NEW_PASSWORD).await;
    done(&app, &["deactivate", "cyd"]).await;
    done(&app, &["set-email", "--yes", "dan", "dan@new.example"]).await;
    app.sign_up("fay").await;
    for since in [&since, "10m"] {
        assert_eq!(names(exported(&app, &["--since", since]).await), ["ben", "cyd", "dan", "fay"]);
    }
    assert_eq!(names(exported(&app, &["--since", "2h"]).await).len(), 6);
    assert_eq!(names(exported(&app, &["--who", "eve@example.com"]).await), ["eve"]);
    for wrong in [&["--since", "yesterday"][..], &["--who", "nobody"]] {
        let file = Temporary::none();
        assert!(types(&app, &[&["export", file.path()], wrong].concat(), None).await.1.is_err());
        assert!(!fs::exists(file.path()).unwrap() && !fs::exists(format!("{}.part", file.path())).unwrap());
    }
}

#[tokio::test]
async fn a_line_of_an_export_that_somebody_edited_is_refused_for_what_is_wrong_with_it() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let whole: Value = serde_json::from_str(&exported(&app, &["--with-hashes"]).await).unwrap();
    let app = App::start().await;
    let with = |name: &str, value: Value| {
        let mut line = whole.clone();
        line[name] = value;
        line.to_string()
    };
    for (line, told) in [
        (with("doorward", json!(2)), "doorward: a later version has written it"),
        (with("id", json!("ann")), "id: it is not as an export has it"),
        (with("password_changed_at", Value::Null), "password_changed_at: it is not as an export has it"),
        (with("disavowed", json!("no")), "disavowed: it is not as an export has it"),
        (with("deletion", json!({ "due_at": "2026-01-04T12:00:01Z" })), "deletion: it is not as an export has it"),
        (with("language", json!("de\n")), "language: it is not as an export has it"),
        (with("networks", json!({ "203.0.113.7/24": "2026-01-01T12:00:00Z" })), "networks: it is not as an export has it"),
        (with("networks", json!({ "203.0.113.0/24": "once" })), "networks: it is not as an export has it"),
        (with("networks", json!([])), "networks: it is not as an export has it"),
        (
            with("undeliverable", json!({ "why": "moved", "sent_at": "2026-01-01T12:00:00Z" })),
            "undeliverable: it is not as an export has it",
        ),
        (with("external_id", json!([])), "external_id: must be a number or a text"),
        (with("external_id", json!("x".repeat(129))), "external_id: at most 128 characters, and no control characters"),
    ] {
        let (written, _) = refused(&app, &["import", Temporary::of(&[line]).path()]).await;
        assert!(written.starts_with(&format!("1 refused: {told}\n  line 1: ann, ann@example.com\n")), "{written}");
    }
    assert!(app.everything().await.is_empty());
    // The same account under another name, and another account under its names.
    done(&app, &["import", Temporary::of(&[whole.to_string()]).path()]).await;
    let renamed = with("username", json!("eve")).replace("ann@", "eve@");
    let replaced = with("id", json!("01941f29-7c00-7000-8000-000000000000"));
    for dry in [&["--dry-run"][..], &[]] {
        let file = Temporary::of(&[renamed.clone(), replaced.clone()]);
        let (written, _) = refused(&app, &[&["import", file.path()], dry].concat()).await;
        assert!(written.contains("1 refused: id: another account has this id\n  line 1: eve, eve@example.com\n"), "{written}");
        assert!(written.contains("1 refused: another account has this username, and one this e-mail address\n  line 2: ann"), "{written}");
    }
}

#[tokio::test]
async fn people_of_an_export_for_another_service_log_in_where_that_file_is_imported() {
    let app = with_everybody().await;
    let file = Temporary::none();
    let told = done(&app, &["export", file.path(), "--format", "keycloak", "--with-hashes"]).await;
    assert!(told.contains(" have hashes that this form cannot hold, and go without a password (id:"), "{told}");
    let other = App::start().await;
    other.advance(7200);
    let written = done(&other, &["import", "--format", "keycloak", file.path()]).await;
    assert!(written.ends_with("52 accounts: 52 imported, 0 already there, 0 refused.\n"), "{written}");
    let (mut kept, mut lost) = (0, 0);
    // A million rounds each take their time, and are one algorithm with a thousand.
    for (number, line) in HASHES.lines().enumerate().filter(|(_, line)| !line.contains("$1000000$")) {
        let line: Value = serde_json::from_str(line).unwrap();
        let has_place = ["argon2", "pbkdf2"].iter().any(|family| line["encoded"].as_str().unwrap().starts_with(family));
        let status = other.send(login(&format!("from{number}"), line["password"].as_str().unwrap())).await.status;
        assert_eq!(status == 200, has_place, "{line}");
        (kept, lost) = (kept + usize::from(has_place), lost + usize::from(!has_place));
    }
    assert!(kept > 10 && lost > 4, "{kept} {lost}");
    for (name, password, status) in [("änn", NEW_PASSWORD, 200), ("off", PASSWORD, 401), ("dis", PASSWORD, 401), ("dis", NEW_PASSWORD, 401)]
    {
        assert_eq!(other.send(login(name, password)).await.status, status, "{name}");
    }
}

/// Accounts whose exports are small enough to be looked at: their hashes and salts are always the same.
async fn with_a_few() -> App {
    let app = App::start().await;
    let bytes = "c2FsdHNhbHRzYWx0MTIzNA";
    let tag = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let long = "A".repeat(86);
    let hashes = [
        ("argon2", format!("$argon2id$v=19$m=19456,t=2,p=1${bytes}${tag}")),
        // With bits that belong to no byte, which Python's bcrypt refuses.
        ("bcrypt", "$2y$12$abcdefghijklmnopqrstuvAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAf".to_owned()),
        ("django", DJANGO.to_owned()),
        ("fire", format!("$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk={long}==${bytes}==${long}==")),
        ("pbkdf2", format!("$pbkdf2-sha512$i=210000,l=64${bytes}${long}")),
        ("scrypt", format!("$scrypt$ln=14,r=8,p=1${bytes}${long}")),
        ("=1+1", "!".to_owned()),
    ];
    let lines: Vec<String> = hashes
        .iter()
        .enumerate()
        .map(|(number, (name, hash))| {
            let name = name.replace("=1", "+1");
            json!({ "external_id": if number == 0 { json!(null) } else { json!(number) }, "username": name, "email": address_of(&name.replace('+', "")),
                "password": hash, "date_joined": "2019-03-04T05:06:07.890Z", "is_active": number != 1 })
            .to_string()
        })
        .collect();
    done(&app, &["import", Temporary::of(&lines).path()]).await;
    app
}

/// An export in which ids, which are random, are named by the order in which they come.
async fn shown(app: &App, form: &str) -> (String, String) {
    let file = Temporary::none();
    let told = done(app, &["export", file.path(), "--format", form, "--with-hashes"]).await;
    let mut text = fs::read_to_string(file.path()).unwrap();
    for name in ["argon2", "bcrypt", "django", "fire", "pbkdf2", "scrypt", "+1+1"] {
        text = text.replace(line(&done(app, &["show", name]).await, "id"), &format!("<{name}>"));
    }
    (text, told)
}

#[tokio::test]
async fn accounts_go_to_other_services_in_their_forms_and_who_goes_without_a_password_is_named() {
    let app = with_a_few().await;
    for (form, lost) in [("django", &["fire", "pbkdf2"][..]), ("auth0", &["fire"]), ("keycloak", &["bcrypt", "fire", "scrypt"])] {
        let (text, told) = shown(&app, form).await;
        insta::assert_snapshot!(form, text);
        let _: Value = serde_json::from_str(&text).unwrap();
        assert!(told.contains(&format!("{} have hashes that this form cannot hold", lost.len())), "{form}: {told}");
        for name in lost {
            assert!(told.contains(line(&done(&app, &["show", name]).await, "id")), "{form} {name}: {told}");
        }
    }
    let file = Temporary::none();
    done(&app, &["export", file.path(), "--format", "csv"]).await;
    let table = fs::read_to_string(file.path()).unwrap();
    assert!(table.starts_with("id,external_id,username,email,is_active,date_joined,language\n"), "{table}");
    assert!(table.contains(",6,'+1+1,11@example.com,true,2019-03-04T05:06:07.890Z,\n"), "no spreadsheet computes a name: {table}");
}

#[tokio::test]
async fn an_account_that_waits_for_its_deletion_is_moved_with_it_and_deleted_there() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    assert_eq!(app.send(delete_me(&session, PASSWORD)).await.status, 204);
    let first = exported(&app, &["--with-hashes"]).await;
    assert!(first.contains(r#""deletion":{"asked_at":"2026-01-01T12:00:01Z","due_at":"2026-01-04T12:00:01Z"}"#), "{first}");
    let other = App::start().await;
    other.advance(24 * 60 * 60);
    done(&other, &["import", Temporary::of(&[first.trim().to_owned()]).path()]).await;
    assert_eq!(exported(&other, &["--with-hashes"]).await, first);
    other.assert_sound().await;
    other.advance(2 * 24 * 60 * 60 + 1);
    other.sweep().await;
    assert_eq!(exported(&other, &["--with-hashes"]).await, "");
}
