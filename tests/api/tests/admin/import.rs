//! Accounts from elsewhere: all or nothing, line by line, however often.

use std::{fmt::Write as _, fs, path::PathBuf};

use doorward::entropy::Entropy;
use doorward_kit::{
    App,
    proxy::{Failure, When},
    requests::{NEW_PASSWORD, PASSWORD, address_of, login, post, reset_request},
};
use serde_json::json;

use crate::{done, line, refused};

/// Django's hash of [`PASSWORD`], of few rounds.
const DJANGO: &str = "pbkdf2_sha256$1000$NaCl$Qy2AVj/IsyyN6Z7SGlVi0PkScd8T2C2RkCsEZdRojsY=";

struct Temporary(PathBuf);

impl Temporary {
    fn of(lines: &[String]) -> Self {
        let name: [u8; 8] = Entropy::system().bytes();
        let path = std::env::temp_dir().join(format!("doorward-import-{:x}.jsonl", u64::from_le_bytes(name)));
        fs::write(&path, lines.join("\n")).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn user(username: &str, email: &str, password: &str) -> String {
    json!({ "username": username, "email": email, "password": password, "is_active": true, "date_joined": "2019-03-04 05:06:07.890+00:00" })
        .to_string()
}

#[tokio::test]
async fn a_thousand_accounts_are_imported_once_however_often_it_is_cut_off_and_run_again() {
    let (app, observer) = App::observed(&[]).await;
    let lines: Vec<String> = (0..1000).map(|number| user(&format!("user{number}"), &format!("User{number}@example.com"), DJANGO)).collect();
    let file = Temporary::of(&lines);
    let would = done(&app, &["import", "--dry-run", file.path()]).await;
    assert_eq!(would, "1000 accounts: 1000 would be imported, 0 already there, 0 refused.\n");
    assert!(app.everything().await.is_empty(), "a dry run writes nothing");

    // The store goes away in the middle; with the answers that are lost, some accounts are there that nobody was told of.
    observer.store.forget();
    observer.store.fail(|call| (call.number >= 500).then_some((When::After, Failure::Drops)));
    let (written, told) = refused(&app, &["import", file.path()]).await;
    assert!(told.contains("accounts were left. Run it again to go on"), "{told}");
    let imported: usize = written.split(": ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((400..=500).contains(&imported), "{written}");
    observer.store.forget();
    let items = app.everything().await;
    let accounts = items.keys().filter(|(_, sort)| sort == "account").count();
    assert!(accounts >= imported && accounts < 600, "{accounts}");
    assert_eq!(items.len(), 3 * accounts, "an account, two claims, nothing half");

    let written = done(&app, &["import", file.path()]).await;
    assert_eq!(written, format!("1000 accounts: {} imported, {accounts} already there, 0 refused.\n", 1000 - accounts));
    let items = app.everything().await;
    assert_eq!(items.len(), 3000);
    for again in [&["import", file.path()][..], &["import", "--dry-run", file.path()]] {
        assert!(done(&app, again).await.ends_with("1000 already there, 0 refused.\n"));
    }
    assert_eq!(app.everything().await, items, "a second run changes nothing");
    let account = app.operator.account("user7").await;
    assert_eq!(account["created_at"].as_n().unwrap(), "1551675967890");
    assert_eq!(account["password"].as_s().unwrap(), DJANGO);
}

#[tokio::test]
async fn imported_people_log_in_with_the_passwords_they_have_and_reset_them() {
    let app = App::start().await;
    let mut off = user("off", "off@example.com", DJANGO);
    off = off.replace("\"is_active\":true", "\"is_active\":false");
    let sso = user("sso", "sso@example.com", "!kq3EyVZ7nMmZ9hXQb5w8RcT1sLf2uPjGd4oAaNvx");
    let least = json!({ "username": "least", "email": "least@example.com", "password": DJANGO }).to_string();
    let naive = user("naive", "naive@example.com", DJANGO).replace("+00:00", "");
    let file = Temporary::of(&[user("Ann", "Ann@Example.com", DJANGO), off, sso, least, naive]);
    done(&app, &["import", file.path()]).await;
    for (name, status) in [("ANN", 200), ("ann@example.com", 200), ("least", 200), ("naive", 200), ("off", 401), ("sso", 401)] {
        assert_eq!(app.send(login(name, PASSWORD)).await.status, status, "{name}");
    }
    assert!(app.operator.account("ann").await["password"].as_s().unwrap().starts_with("$argon2id$"), "replaced at the first login");
    assert_eq!(line(&done(&app, &["show", "naive"]).await, "created"), "2019-03-04T05:06:07Z");
    // The hash is another now, the account is the same.
    assert!(done(&app, &["import", file.path()]).await.ends_with("5 already there, 0 refused.\n"));
    app.advance(1);
    for name in ["Least", "off", "sso"] {
        app.send(reset_request(&address_of(&name.to_lowercase()))).await;
    }
    app.deliver().await;
    assert_eq!(app.mailbox.all().len(), 1, "whoever cannot log in gets no link");
    let link = app.newest_reset_link("least@example.com").unwrap();
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn collisions_and_hostile_hashes_are_listed_by_line_and_leave_nothing() {
    let app = App::start().await;
    app.sign_up("ann").await;
    app.sign_up("ben").await;
    let before = app.everything_but_limits().await;
    let good = DJANGO;
    let lines = [
        user("ANN", "new@example.com", good),
        user("new", "BEN@example.com", good),
        user("Ben", "ann@example.com", good),
        user("ann", "ann@example.com", good),
        user("carl", "carl@example.com", good),
        String::new(),
        user("CARL", "other@example.com", good),
        user("other", "Carl@example.com", good),
        user("d1", "d1@example.com", "md5$salt$00000000000000000000000000000000"),
        user("d2", "d2@example.com", "pbkdf2_sha256$1000000000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        user("d3", "d3@example.com", "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"),
        user("d4", "d4@example.com", "bcrypt$$2b$12$short"),
        user("d5", "d5@example.com", ""),
        user("d6", "d6@example.com", &format!("!{}", "x".repeat(100_000))),
        user("", "e1@example.com", good),
        user("e 2", "e2@example.com", good),
        user("e3", "", good),
        user("e4@example.com", "someone@example.com", good),
        user("e5", "e5@example.com", good).replace("2019-03-04", "yesterday"),
        "{\"username\": \"e6\", \"password\": \"pbkdf2_sha256$".to_owned(),
        "[]".to_owned(),
    ];
    let file = Temporary::of(&lines);
    let (dry, _) = refused(&app, &["import", "--dry-run", file.path()]).await;
    assert_eq!(app.everything_but_limits().await, before);
    let (written, told) = refused(&app, &["import", file.path(), "--at-once", "3"]).await;
    insta::assert_snapshot!(written, @r"
    line 1: another account has this username, in whatever case
    line 2: another account has this e-mail address, in whatever case
    line 3: another account has this username, and one this e-mail address
    line 4: line 1 has the same username, in whatever case
    line 7: line 5 has the same username, in whatever case
    line 8: line 5 has the same e-mail address, in whatever case
    line 9: password: unknown algorithm
    line 10: password: parameters out of bounds
    line 11: password: parameters out of bounds
    line 12: password: malformed hash
    line 13: password: unknown algorithm
    line 14: password: malformed hash
    line 15: username: Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.
    line 16: username: Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.
    line 17: email: it is no e-mail address that mail can go to
    line 18: username: it reads as an e-mail address that is not this account's own
    line 19: date_joined: no instant such as 2026-01-31T12:00:00Z
    line 20: no JSON object with username, email and password as texts (column 46)
    line 21: no JSON object with username, email and password as texts (column 2)
    20 accounts: 1 imported, 0 already there, 19 refused.
    ");
    assert_eq!(dry, written.replace("1 imported", "1 would be imported"));
    assert_eq!(told, "19 lines were refused");
    let (after, now) = (app.everything_but_limits().await, app.operator.items_of("carl").await);
    assert_eq!((after.len(), now.len()), (before.len() + 3, 1), "Carl, and nothing of the others");
    let mut text = String::new();
    let _ = write!(text, "{written}{told}");
    assert!(!text.contains("pbkdf2") && !text.contains("NaCl"), "no hash is repeated: {text}");
    assert_eq!(app.send(post("/api/login/", &json!({ "username": "carl", "password": PASSWORD }))).await.status, 200);
    let missing = refused(&app, &["import", "/nowhere/at/all.jsonl"]).await.1;
    assert!(missing.starts_with("/nowhere/at/all.jsonl: "), "{missing}");
}
