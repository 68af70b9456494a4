//! What the recorded stack says of names, addresses, passwords and hashes, against what Doorward says.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use doorward::{
    account::{EmailAddress, Username},
    entropy::Entropy,
    password::{Cost, Hasher, Policy, StoredPassword, TypedPassword, Verdict},
    text::trim,
};
use serde_json::Value;

const USERNAMES: &str = include_str!("../contract/usernames.jsonl");
const EMAILS: &str = include_str!("../contract/emails.jsonl");
const PASSWORDS: &str = include_str!("../contract/passwords.jsonl");
const HASHES: &str = include_str!("../contract/hashes.jsonl");

/// The lines of a file for which `agrees` is false. The file has as many lines as it was recorded with.
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
        let broken = Policy::default().judge(password, username, email);
        let messages: Vec<_> = broken.into_iter().map(|violation| Value::from(violation.message())).collect();
        line["messages"] == Value::from(messages)
    };
    assert_eq!(differences(PASSWORDS, 283, agrees), [""; 0]);
}

#[test]
fn hashes_from_django_verify_and_are_replaced() {
    let hasher = Hasher::new(Cost::default(), Entropy::system());
    let agrees = |line: &Value| {
        let [password, encoded] = ["password", "encoded"].map(|name| line[name].as_str().unwrap().to_owned());
        let stored = StoredPassword::from_store(encoded);
        let verify = |password| hasher.blocking_verify(&TypedPassword::new(password), Some(&stored)).unwrap();
        let wrong = verify(format!("{password}~"));
        matches!((verify(password), wrong), (Verdict::Right { rehash: Some(_) }, Verdict::Wrong))
    };
    assert_eq!(differences(HASHES, 46, agrees), [""; 0]);
}
