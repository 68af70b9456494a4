//! `admin list`, `count`, and `delete --file`.

use std::fs;

use doorward_kit::{App, requests::address_of};
use serde_json::{Value, json};

use crate::{done, refused, types};

/// The usernames in what `list` prints, in order.
fn names(printed: &str) -> Vec<String> {
    let accounts = printed.lines().filter(|line| line.starts_with("id:"));
    accounts.map(|line| line.split_whitespace().nth(2).unwrap().to_owned()).collect()
}

async fn with_accounts(names: &[&str]) -> App {
    let app = App::start().await;
    for name in names {
        app.sign_up(name).await;
        app.advance(59);
    }
    app
}

#[tokio::test]
async fn accounts_are_listed_newest_first_by_state_and_by_the_beginning_of_their_names_and_what_it_costs_is_said_first() {
    let app = with_accounts(&["ann", "probe-1", "ben", "probe-2", "Probe-3"]).await;
    done(&app, &["deactivate", "ben"]).await;
    let all = done(&app, &["list", "--newest"]).await;
    assert!(all.starts_with("# Reads the table of accounts, at most 1 read units: less than a cent."), "{all}");
    assert_eq!(names(&all), ["Probe-3", "probe-2", "ben", "probe-1", "ann"]);
    assert!(all.lines().any(|line| line.ends_with("2026-01-01T12:02:00Z  ben  ben@example.com  deactivated")), "{all}");
    for (arguments, expected) in [
        (vec!["--newest", "--prefix", "PROBE-"], vec!["Probe-3", "probe-2", "probe-1"]),
        (vec!["--newest", "--state", "deactivated"], vec!["ben"]),
        (vec!["--newest", "--since", "2m"], vec!["Probe-3", "probe-2"]),
        (vec!["--newest", "--since", "2026-01-01T12:04:00Z"], vec!["Probe-3"]),
        (vec!["--undeliverable"], vec![]),
    ] {
        assert_eq!(names(&done(&app, &[vec!["list"], arguments.clone()].concat()).await), expected, "{arguments:?}");
    }
    for wrong in [["--prefix", "a b"], ["--since", "yesterday"], ["--after", "ann"]] {
        refused(&app, &[&["list"], &wrong[..]].concat()).await;
    }
    assert!(done(&app, &["count"]).await.ends_with("5 accounts: 4 active; 1 deactivated. Mail does not reach 0 of them.\n"));
    let counted = done(&app, &["count", "--prefix", "probe", "--json"]).await;
    let counted: Value = serde_json::from_str(counted.lines().last().unwrap()).unwrap();
    assert_eq!(counted, json!({ "accounts": 3, "states": { "active": 3 }, "undeliverable": 0, "unreadable": 0 }));
}

#[tokio::test]
async fn a_list_goes_on_where_the_one_before_ended_until_every_account_was_listed_once() {
    let app = with_accounts(&["ann", "ben", "cleo", "dora", "eve"]).await;
    for order in [&["--newest"][..], &[]] {
        let (mut listed, mut after, mut pages) = (Vec::new(), None::<String>, 0);
        loop {
            let mut command = [&["list", "--max", "2", "--json"], order].concat();
            command.extend(after.as_deref().into_iter().flat_map(|id| ["--after", id]));
            let printed = done(&app, &command).await;
            let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            listed.extend(lines.iter().filter_map(|line| line["username"].as_str().map(str::to_owned)));
            pages += 1;
            after = lines.last().unwrap()["after"].as_str().map(str::to_owned);
            if after.is_none() {
                break;
            }
        }
        assert!(pages >= 3);
        if !order.is_empty() {
            assert_eq!(listed, ["eve", "dora", "cleo", "ben", "ann"]);
        }
        listed.sort();
        assert_eq!(listed, ["ann", "ben", "cleo", "dora", "eve"], "{order:?}");
    }
}

#[tokio::test]
async fn an_account_that_cannot_be_read_hides_no_other() {
    let app = with_accounts(&["ann", "ben"]).await;
    app.operator.remove("ann", "epoch").await;
    let printed = done(&app, &["list"]).await;
    assert_eq!(names(&printed), ["ben"]);
    assert!(printed.contains("1 items of accounts cannot be read."), "{printed}");
}

#[tokio::test]
async fn a_list_of_accounts_is_deleted_from_a_file_after_their_number_was_typed_and_again() {
    let app = with_accounts(&["ann", "probe-1", "probe-2", "probe-3"]).await;
    let file = std::env::temp_dir().join(format!("doorward-list-{}", std::process::id()));
    let path = file.to_str().unwrap().to_owned();
    for json in [&[][..], &["--json"]] {
        let printed = done(&app, &[&["list", "--prefix", "probe-"], json].concat()).await;
        fs::write(&file, format!("{printed}\n  \nnobody\nprobe-1\n")).unwrap();
        let before = app.everything().await;
        for answer in [None, Some("4"), Some("probe-1"), Some("")] {
            assert!(types(&app, &["delete", "--file", &path], answer).await.1.is_err());
            assert_eq!(app.everything().await, before, "{answer:?}");
        }
    }
    let (written, deleted) = types(&app, &["delete", "--file", &path], Some("3")).await;
    deleted.unwrap();
    assert!(written.ends_with("3 accounts are deleted, 1 were not there.\n"), "{written}");
    assert_eq!(names(&done(&app, &["list"]).await), ["ann"]);
    let (_, told) = refused(&app, &["delete", "--file", &path, "--yes"]).await;
    assert!(told.starts_with("The file names 0 accounts that exist, and 5 that do not"), "{told}");
    // Somebody's username may be another's id; a list that could mean either deletes nobody.
    let id = done(&app, &["show", "ann"]).await.lines().next().unwrap().split_whitespace().nth(1).unwrap().to_owned();
    assert_eq!(app.register(&id, &address_of("eve")).await.status, 201);
    fs::write(&file, format!("ann\n{id}\n")).unwrap();
    let (_, told) = refused(&app, &["delete", "--file", &path, "--yes"]).await;
    assert!(told.starts_with("line 2: this is the id of one account and the username of another"), "{told}");
    assert_eq!(names(&done(&app, &["list"]).await).len(), 2);
    fs::remove_file(file).unwrap();
}
