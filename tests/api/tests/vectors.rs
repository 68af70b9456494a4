//! Names, addresses and passwords are judged as the DRF API judged them.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use doorward::{
    account::{EmailAddress, Username},
    password::{AcceptedPassword, Owner, Policy, TypedPassword},
    text::trim,
};
use serde_json::Value;

const USERNAMES: &str = include_str!("../contract/usernames.jsonl");
const EMAILS: &str = include_str!("../contract/emails.jsonl");
const PASSWORDS: &str = include_str!("../contract/passwords.jsonl");

/// The lines of a file for which `agrees` is false. `count` is the number of lines that were recorded.
fn differences(file: &str, recorded: usize, agrees: impl Fn(&Value) -> bool) -> Vec<&str> {
    assert_eq!(file.lines().count(), recorded);
    file.lines().filter(|line| !agrees(&serde_json::from_str(line).unwrap())).collect()
}

#[test]
fn usernames_are_accepted_as_recorded() {
    let agrees = |line: &Value| Username::parse(trim(line["username"].as_str().unwrap())).is_ok() == line["valid"].as_bool().unwrap();
    assert_eq!(differences(USERNAMES, 46, agrees), [""; 0]);
}

#[test]
fn addresses_are_accepted_as_recorded() {
    let agrees = |line: &Value| EmailAddress::parse(trim(line["email"].as_str().unwrap())).is_ok() == line["valid"].as_bool().unwrap();
    assert_eq!(differences(EMAILS, 41, agrees), [""; 0]);
}

#[test]
fn passwords_are_judged_as_recorded() {
    let agrees = |line: &Value| {
        let [username, email, password] = ["username", "email", "password"].map(|name| line[name].as_str().unwrap());
        let owner = Owner { username, email, ..Owner::default() };
        let broken = AcceptedPassword::new(TypedPassword::new(password.into()), &Policy::default(), &owner).err().unwrap_or_default();
        let messages: Vec<_> = broken.into_iter().map(|violation| Value::from(violation.message())).collect();
        line["messages"] == Value::from(messages)
    };
    assert_eq!(differences(PASSWORDS, 283, agrees), [""; 0]);
}
