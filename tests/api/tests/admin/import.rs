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
pub const DJANGO: &str = "pbkdf2_sha256$1000$NaCl$Qy2AVj/IsyyN6Z7SGlVi0PkScd8T2C2RkCsEZdRojsY=";

/// A file that is gone with the test.
pub struct Temporary(PathBuf);

impl Temporary {
    pub fn of(lines: &[String]) -> Self {
        Self::with(lines.join("\n"))
    }

    pub fn with(content: impl AsRef<[u8]>) -> Self {
        let file = Self::none();
        fs::write(&file.0, content).unwrap();
        file
    }

    /// A name that no file has.
    pub fn none() -> Self {
        let name: [u8; 8] = Entropy::system().bytes();
        Self(std::env::temp_dir().join(format!("doorward-import-{:x}", u64::from_le_bytes(name))))
    }

    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A line of the file.
pub fn user(username: &str, email: &str, password: &str) -> String {
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
    let (written, told) = refused(&app, &["import", "--patience", "0s", file.path()]).await;
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
async fn an_import_that_the_store_cannot_keep_up_with_goes_on_and_counts_what_was_written_without_an_answer() {
    let (app, observer) = App::observed(&[]).await;
    let lines: Vec<String> = (0..200).map(|number| user(&format!("user{number}"), &format!("User{number}@example.com"), DJANGO)).collect();
    let file = Temporary::of(&lines);
    // Of the calls some are throttled, and some take effect and their answer is lost. The SDK tries each three times before it is the import's turn.
    observer.store.fail(|call| match call.number % 10 {
        3 => Some((When::Before, Failure::code(400, "ThrottlingException"))),
        7 => Some((When::After, Failure::Drops)),
        _ => None,
    });
    let written = done(&app, &["import", file.path()]).await;
    let busy: usize = written.split("could not keep up ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(busy >= 30, "{written}");
    assert!(written.ends_with("200 accounts: 200 imported, 0 already there, 0 refused.\n"), "{written}");
    observer.store.forget();
    assert_eq!(app.everything().await.len(), 600, "each once");
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
async fn collisions_and_hostile_hashes_are_listed_by_reason_and_name_and_leave_nothing() {
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
    1 refused: another account has this username, in whatever case
      line 1: ANN, new@example.com
    1 refused: another account has this e-mail address, in whatever case
      line 2: new, BEN@example.com
    1 refused: another account has this username, and one this e-mail address
      line 3: Ben, ann@example.com
    2 refused: an earlier line has the same username, in whatever case
      line 4: ann, ann@example.com (line 1)
      line 7: CARL, other@example.com (line 5)
    1 refused: an earlier line has the same e-mail address, in whatever case
      line 8: other, Carl@example.com (line 5)
    2 refused: password: unknown algorithm
      line 9: d1, d1@example.com
      line 13: d5, d5@example.com
    2 refused: password: parameters out of bounds
      line 10: d2, d2@example.com
      line 11: d3, d3@example.com
    2 refused: password: malformed hash
      line 12: d4, d4@example.com
      line 14: d6, d6@example.com
    1 refused: username: there is none; give every account one, such as its own e-mail address, as OPERATIONS.md shows
      line 15: e1@example.com
    1 refused: username: Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.
      line 16: e 2, e2@example.com
    1 refused: email: there is none; an account needs an address that mail reaches: fill one in, or leave the account out
      line 17: e3
    1 refused: username: it reads as an e-mail address that is not this account's own
      line 18: e4@example.com, someone@example.com
    1 refused: date_joined: no instant such as 2026-01-31T12:00:00Z
      line 19: e5, e5@example.com
    1 refused: it is no JSON
      line 20 (column 46)
    1 refused: it is no object in JSON
      line 21
    With --without-password, accounts whose hash cannot be verified are imported too; `reset` mails their owners an invitation.
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

#[tokio::test]
async fn a_hash_that_nobody_can_verify_is_left_behind_and_the_owner_invited() {
    let app = App::start().await;
    let lines = [
        user("good", "good@example.com", DJANGO),
        user("md5", "md5@example.com", "md5$salt$00000000000000000000000000000000"),
        user("dear", "dear@example.com", "pbkdf2_sha256$1000000000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        user("sso", "sso@example.com", "!kq3EyVZ7nMmZ9hXQb5w8RcT1sLf2uPjGd4oAaNvx"),
        json!({ "username": "none", "email": "none@example.com" }).to_string(),
        user("b a d", "bad@example.com", "md5$x"),
    ];
    let file = Temporary::of(&lines);
    let (written, _) = refused(&app, &["import", "--dry-run", file.path()]).await;
    let hint =
        "With --without-password, accounts whose hash cannot be verified are imported too; `reset` mails their owners an invitation.\n";
    assert!(written.contains(hint) && written.ends_with("6 accounts: 2 would be imported, 0 already there, 4 refused.\n"), "{written}");
    let (written, _) = refused(&app, &["import", "--without-password", file.path()]).await;
    assert!(written.ends_with("6 accounts: 5 imported (3 without a password), 0 already there, 1 refused.\n"), "{written}");
    assert!(!written.contains(hint), "{written}");
    for name in ["md5", "dear", "none", "sso"] {
        assert_eq!(line(&done(&app, &["show", name]).await, "state"), "without a password");
        assert_eq!(app.send(login(name, PASSWORD)).await.status, 401);
        app.send(reset_request(&address_of(name))).await;
    }
    app.deliver().await;
    assert_eq!(app.mailbox.all().len(), 0, "nobody but an operator starts with them");
    app.advance(60);
    for name in ["md5", "sso"] {
        let written = done(&app, &["reset", name]).await;
        assert!(written.ends_with(" had no password; a link to choose one is on its way.\n"), "{written}");
        assert_eq!(app.send(login(name, PASSWORD)).await.status, 401);
        app.advance(1);
        app.deliver().await;
        assert_eq!(app.mailbox.all().last().unwrap().subject, "Choose a password for Doorward");
        let link = app.newest_reset_link(&address_of(name)).unwrap();
        assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200, "{name}");
        app.login(name, NEW_PASSWORD).await;
    }
    // An account without the attribute is one without a password as well; one that is switched off gets no mail.
    app.operator.remove("none", "password").await;
    done(&app, &["reset", "none"]).await;
    // Again, before the mail was even sent: the usual link now.
    assert!(done(&app, &["reset", "none"]).await.contains("A reset link for "));
    done(&app, &["deactivate", "dear"]).await;
    assert_eq!(refused(&app, &["reset", "dear"]).await.1, "no link is mailed to an account that is deactivated");
    assert!(app.operator.account("dear").await["password"].as_s().unwrap().starts_with('!'));
}

#[tokio::test]
async fn an_invitation_brings_no_older_link_back() {
    let app = App::start().await;
    app.sign_up("ann").await;
    app.advance(1);
    let old = app.reset_link(&address_of("ann")).await;
    app.operator.set_password_hash("ann", "!unusable").await;
    assert_eq!(app.confirm_reset(&old, NEW_PASSWORD).await.status, 404);
    done(&app, &["reset", "ann"]).await;
    assert_eq!(app.confirm_reset(&old, NEW_PASSWORD).await.status, 404);
    app.advance(1);
    app.deliver().await;
    let new = app.newest_reset_link(&address_of("ann")).unwrap();
    assert_eq!(app.confirm_reset(&old, NEW_PASSWORD).await.status, 404);
    assert_eq!(app.confirm_reset(&new, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn an_imported_address_is_verified_unless_the_file_says_otherwise() {
    let app = App::configured(&[("ADDRESS_VERIFICATION", "mandatory")]).await;
    let with = |name: &str, verified: serde_json::Value| {
        json!({ "username": name, "email": address_of(name), "password": DJANGO, "verified": verified }).to_string()
    };
    let file = Temporary::of(&[
        user("ann", &address_of("ann"), DJANGO),
        with("ben", json!(true)),
        with("cyd", json!("0")),
        with("dan", json!(false)),
    ]);
    done(&app, &["import", file.path()]).await;
    for (name, status) in [("ann", 200), ("ben", 200), ("cyd", 401), ("dan", 401)] {
        assert_eq!(app.send(login(name, PASSWORD)).await.status, status, "{name}");
        assert_eq!(line(&done(&app, &["show", name]).await, "verified") == "no, as far as known", status == 401, "{name}");
    }
    let (written, _) = refused(&app, &["import", Temporary::of(&[with("eve", json!("perhaps"))]).path()]).await;
    assert!(written.contains("verified: must be true or false, or 1 or 0"), "{written}");
    // Who is not verified is mailed a link like anybody else.
    app.send(doorward_kit::requests::verification_request(&address_of("cyd"))).await;
    app.deliver().await;
    let link = app.verification_links(&address_of("cyd")).pop().expect("a link");
    assert_eq!(app.send(doorward_kit::requests::verify(&link)).await.status, 204);
    app.login("cyd", PASSWORD).await;
}
