//! Files of accounts, in whatever form they are.

use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _, process::Command, thread, time::Duration};

use doorward_kit::{
    App,
    requests::{PASSWORD, login},
};
use serde_json::json;

use crate::{
    done,
    import::{DJANGO, Temporary, user},
    refused,
};

/// The hash with which an account was imported.
async fn imported(app: &App, name: &str) -> [String; 5] {
    let item = app.operator.account(name).await;
    let text = |attribute: &str| item[attribute].as_s().unwrap().clone();
    [text("username"), text("email"), text("password"), format!("{:?}", item["active"]), item["created_at"].as_n().unwrap().clone()]
}

/// Three accounts, as many programs write them.
fn forms() -> Vec<(&'static str, Vec<u8>)> {
    let users = [
        ("Ann", "true", "2019-03-04 05:06:07.890+00:00"),
        ("ben", "false", "2019-03-04T05:06:07.890Z"),
        ("cyd", "true", "2019-03-04 05:06:07.890"),
    ];
    let plain = users.map(|(name, active, joined)| {
        json!({ "username": name, "email": format!("{name}@example.com"), "password": DJANGO, "is_active": active == "true", "date_joined": joined })
    });
    let fixture: Vec<_> = plain
        .iter()
        .enumerate()
        .map(|(number, fields)| json!({ "model": "accounts.User", "pk": number, "fields": fields }))
        .chain([json!({ "model": "auth.group", "pk": 1, "fields": { "name": "password" } })])
        .collect();
    let lines = plain.iter().map(|user| format!("{user}\n")).collect::<String>();
    let table = |delimiter: char, end: &str, truth: [&str; 2]| {
        let head = ["id", "username", " Email ", "password", "is_active", "date_joined", "note"].join(&delimiter.to_string());
        let rows = users.iter().map(|(name, active, joined)| {
            let active = if *active == "true" { truth[0] } else { truth[1] };
            let fields =
                ["7", name, &format!("{name}@example.com"), &format!("\"{DJANGO}\""), active, joined, "\"a \"\"note\"\", and\na line\""];
            fields.map(str::to_owned).join(&delimiter.to_string())
        });
        [head].into_iter().chain(rows).collect::<Vec<_>>().join(end) + end
    };
    let marked = |text: &str| format!("\u{feff}{text}").into_bytes();
    vec![
        ("lines", lines.clone().into_bytes()),
        ("lines with a byte order mark", marked(&lines)),
        ("lines of Windows", lines.replace('\n', "\r\n").into_bytes()),
        (
            "lines with numbers for truths",
            lines.replace("\"is_active\":true", "\"is_active\":1").replace("\"is_active\":false", "\"is_active\": 0").into_bytes(),
        ),
        ("objects laid out", plain.iter().map(|user| format!("{user:#}\n")).collect::<String>().into_bytes()),
        ("a list", json!(plain).to_string().into_bytes()),
        ("a list with a byte order mark, laid out", marked(&format!("\n{:#}\n", json!(plain)))),
        ("a fixture", json!(fixture).to_string().into_bytes()),
        ("a fixture laid out", format!("{:#}", json!(fixture)).into_bytes()),
        ("a fixture in lines", fixture.iter().map(|entry| format!("{entry}\n")).collect::<String>().into_bytes()),
        ("a table", table(',', "\n", ["1", "0"]).into_bytes()),
        ("a table of a spreadsheet", marked(&table(';', "\r\n", ["TRUE", "FALSE"]))),
        ("a table of a database", table('\t', "\n", ["t", "f"]).into_bytes()),
    ]
}

#[tokio::test]
async fn a_file_is_read_in_whatever_form_it_is() {
    for (form, content) in forms() {
        let app = App::start().await;
        let file = Temporary::with(content);
        let written = done(&app, &["import", file.path()]).await;
        assert!(written.ends_with("3 accounts: 3 imported, 0 already there, 0 refused.\n"), "{form}: {written}");
        assert_eq!(written.contains("Skipped, as they are no users: auth.group (1).\n"), form.contains("fixture"), "{form}: {written}");
        let dropped = written.lines().find_map(|line| line.strip_prefix("Left behind, as accounts have no place for them: "));
        let expected = form.contains("table").then_some("note.");
        assert_eq!(dropped, expected, "{form}");
        for (name, active) in [("Ann", "Bool(true)"), ("ben", "Bool(false)"), ("cyd", "Bool(true)")] {
            let expected = [name, &format!("{name}@example.com"), DJANGO, active, "1551675967890"];
            assert_eq!(imported(&app, &name.to_lowercase()).await, expected, "{form}");
        }
        assert_eq!(app.send(login("ann", PASSWORD)).await.status, 200, "{form}");
    }
}

#[tokio::test]
async fn a_wrong_field_is_named_and_what_to_do_is_said() {
    let app = App::start().await;
    let with = |number: usize, field: &str, value: serde_json::Value| {
        let mut user = json!({ "username": format!("u{number}"), "email": format!("u{number}@example.com"), "password": DJANGO });
        user[field] = value;
        user.to_string()
    };
    let without = |number: usize, field: &str| {
        let mut user: serde_json::Value = serde_json::from_str(&with(number, "note", json!(1))).unwrap();
        user.as_object_mut().unwrap().remove(field);
        user.to_string()
    };
    let lines = [
        with(1, "is_active", json!(2)),
        with(2, "is_active", json!("yes")),
        with(3, "is_active", json!(null)),
        with(4, "username", json!(42)),
        with(5, "email", json!(["a@example.com"])),
        with(6, "password", json!({ "algorithm": "argon2" })),
        with(7, "date_joined", json!(1_551_675_967)),
        with(8, "username", json!("  ")),
        with(9, "email", json!("")),
        with(10, "email", json!(null)),
        with(11, "password", json!(null)),
        without(12, "username"),
        without(13, "email"),
        without(14, "password"),
        with(15, "username", json!(DJANGO)),
        with(16, "username", json!("\u{1b}[2Jgone \u{202e}")),
        "\u{fffd}".to_owned(),
    ];
    let mut content = lines.join("\n").into_bytes();
    content.extend(b"\n{\"username\": \"\xff\"}\n");
    let file = Temporary::with(content);
    let (written, told) = refused(&app, &["import", file.path()]).await;
    insta::assert_snapshot!(written, @r"
    3 refused: is_active: must be true or false, or 1 or 0
      line 1: u1, u1@example.com
      line 2: u2, u2@example.com
      line 3: u3, u3@example.com
    1 refused: username: must be a text
      line 4: u4@example.com
    1 refused: email: must be a text
      line 5: u5
    1 refused: password: must be a text
      line 6: u6, u6@example.com
    1 refused: date_joined: no instant such as 2026-01-31T12:00:00Z
      line 7: u7, u7@example.com
    2 refused: username: there is none; give every account one, such as its own e-mail address, as OPERATIONS.md shows
      line 8: u8@example.com
      line 12: u12@example.com
    3 refused: email: there is none; an account needs an address that mail reaches: fill one in, or leave the account out
      line 9: u9
      line 10: u10
      line 13: u13
    2 refused: password: there is none
      line 11: u11, u11@example.com
      line 14: u14, u14@example.com
    2 refused: username: Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.
      line 15: (not shown), u15@example.com
      line 16: \u{1b}[2Jgone \u{202e}, u16@example.com
    1 refused: it is no JSON
      line 17 (column 1)
    1 refused: it is not in UTF-8; save the file in that encoding
      line 18
    With --without-password, accounts whose hash cannot be verified are imported too; `reset` mails their owners an invitation.
    Left behind, as accounts have no place for them: note.
    18 accounts: 0 imported, 0 already there, 18 refused.
    ");
    assert_eq!(told, "18 lines were refused");
    assert!(app.everything().await.is_empty());
}

#[tokio::test]
async fn a_file_that_is_none_of_the_forms_is_refused_as_a_whole_and_a_broken_one_from_there_on() {
    let app = App::start().await;
    let ann = user("ann", "ann@example.com", DJANGO);
    let whole = [
        ("username,email\nann,ann@example.com\n".to_owned(), "there is no password"),
        (format!("ann,ann@example.com,{DJANGO}\n"), "there is no username, email, password"),
        ("name,password,password,email,username\n".to_owned(), "has two columns password"),
    ];
    for (content, told) in whole {
        let file = Temporary::with(&content);
        let (written, refused) = refused(&app, &["import", file.path()]).await;
        assert!(written.is_empty() && refused.contains(told) && !refused.contains("pbkdf2"), "{refused}");
    }
    let utf16: Vec<u8> = "\u{feff}username".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(refused(&app, &["import", Temporary::with(utf16).path()]).await.1.ends_with("is in UTF-16; save it as UTF-8"));
    for (content, told) in [
        (format!("[{ann}"), "1 refused: the file ends before the list does\n  entry 2\n"),
        (format!("[{ann}, 7, {ann}]"), "1 refused: it is no object in JSON, and nothing after it was read\n  entry 2\n"),
        (format!("[{ann}, {{\"username\": }}, {ann}]"), "1 refused: it is no JSON, and nothing after it was read\n  entry 2\n"),
        (format!("[{ann}] [{ann}]"), "1 refused: it comes after the end of the list, and was not read\n  entry 2\n"),
        (
            format!("username,email,password\nann,ann@example.com,{DJANGO}\nben,\"ben@example.com,x\ncyd,y,z\n"),
            "1 refused: it has not as many fields as the first line names\n  line 3 (2 of 3, over 2 lines: a quotation mark may be missing)\n",
        ),
    ] {
        let app = App::start().await;
        let (written, _) = refused(&app, &["import", Temporary::with(&content).path()]).await;
        assert!(
            written.starts_with(told) && written.ends_with("2 accounts: 1 imported, 0 already there, 1 refused.\n"),
            "{content}: {written}"
        );
    }
    for nothing in ["", "\n \n", "[]", " [ ] \n", "username,email,password\n"] {
        let written = done(&app, &["import", Temporary::with(nothing).path()]).await;
        assert_eq!(written, "0 accounts: 0 imported, 0 already there, 0 refused.\n", "{nothing:?}");
    }
}

#[tokio::test]
async fn what_is_refused_is_written_as_it_was_to_a_new_file_that_can_be_imported() {
    let bad = |user: &str| user.replace(DJANGO, "md5$salt$0");
    for (form, content) in forms() {
        let app = App::start().await;
        let whole = String::from_utf8(content).unwrap();
        let (first, rest) = whole.split_once("ben").unwrap();
        // The second account and the third cannot be verified.
        let broken = format!("{first}ben{}", bad(rest));
        let (file, out) = (Temporary::with(&broken), Temporary::none());
        let (_, told) = refused(&app, &["import", file.path(), "--refused", out.path()]).await;
        assert!(told.ends_with(&format!(" were refused; {} has them as they were", out.path())), "{form}: {told}");
        let kept = fs::read_to_string(out.path()).unwrap();
        assert_eq!(fs::metadata(out.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!kept.contains("Ann") && kept.contains("md5$salt$0"), "{form}: {kept}");
        // Every line of it is one of the file's, but for what holds a list together.
        let lines: Vec<&str> = broken.trim_start_matches('\u{feff}').split('\n').collect();
        let as_it_was = |line: &str| lines.contains(&line) || form.contains("list") || form.contains("fixture");
        assert!(kept.trim_end_matches('\n').split('\n').all(as_it_was), "{form}: {kept:?}");
        // It is not written over.
        let (written, told) = refused(&app, &["import", file.path(), "--refused", out.path()]).await;
        assert_eq!((written.as_str(), told), ("", format!("{} is there already, and is not written over", out.path())));
        assert_eq!(fs::read_to_string(out.path()).unwrap(), kept);
        // Mended, it is imported.
        let mended = Temporary::with(kept.replace("md5$salt$0", DJANGO));
        let written = done(&app, &["import", mended.path()]).await;
        assert!(written.ends_with("2 accounts: 2 imported, 0 already there, 0 refused.\n"), "{form}: {written}");
        let untouched = Temporary::none();
        done(&app, &["import", "--dry-run", mended.path(), "--refused", untouched.path()]).await;
        assert!(!fs::exists(untouched.path()).unwrap(), "nothing was refused");
    }
}

#[tokio::test]
async fn thousands_that_are_refused_are_counted_and_the_first_thousand_listed() {
    let app = App::start().await;
    let lines: Vec<String> =
        (0..1002).map(|number| user(&format!("user{number}"), &format!("user{number}@example.com"), "md5$x")).collect();
    let (written, told) = refused(&app, &["import", Temporary::of(&lines).path()]).await;
    assert!(written.starts_with("1002 refused: password: unknown algorithm\n  line 1: user0, user0@example.com\n"), "{written}");
    assert!(written.contains("\n  line 1000: user999, user999@example.com\n  and 2 more; --refused FILE writes all of them to a file\n"));
    assert_eq!(told, "1002 lines were refused");
}

/// How the account of a number and a name stands in a file.
type Written = fn(usize, &str) -> String;

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_written_while_the_rest_of_the_file_is_still_to_come() {
    let table: Written = |number, name| {
        let head = if number == 0 { "username,email,password\n" } else { "" };
        format!("{head}{name},{name}@example.com,{DJANGO}\n")
    };
    let list: Written =
        |number, name| format!("{}{}", if number == 0 { "[" } else { ", " }, user(name, &format!("{name}@example.com"), DJANGO));
    let lines: Written = |_, name| user(name, &format!("{name}@example.com"), DJANGO) + "\n";
    for (entry, end) in [(table, ""), (list, "]"), (lines, "")] {
        let app = App::start().await;
        let pipe = Temporary::none();
        assert!(Command::new("mkfifo").arg(pipe.path()).status().unwrap().success());
        let (path, store, runtime) = (pipe.path().to_owned(), app.store.clone(), tokio::runtime::Handle::current());
        let writer = thread::spawn(move || {
            let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
            let mut write = |numbers: std::ops::Range<usize>| {
                let text: String = numbers.map(|number| entry(number, &format!("user{number}"))).collect();
                file.write_all(text.as_bytes()).unwrap();
            };
            write(0..1500);
            // The rest is not written before what came first is there. Who waits for the end of the file waits for a minute in vain.
            let is_there = || runtime.block_on(store.account_by_login_name("user700")).unwrap().is_some();
            let came = (0..6_000).any(|_| {
                thread::sleep(Duration::from_millis(10));
                is_there()
            });
            assert!(came, "nothing was written while the file was open");
            write(1500..1600);
            file.write_all(end.as_bytes()).unwrap();
        });
        let written = done(&app, &["import", pipe.path()]).await;
        assert_eq!(written, "1600 accounts: 1600 imported, 0 already there, 0 refused.\n");
        writer.join().unwrap();
    }
}
