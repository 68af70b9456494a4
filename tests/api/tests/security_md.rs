//! SECURITY.md names tests: each of them exists, every promise has one, and none of tests/promises is left out.

use std::{collections::BTreeSet, fs, path::Path};

const PAGE: &str = include_str!("../../../SECURITY.md");
/// The folders in which a test file named on the page may be, relative to the root.
const PLACES: [&str; 6] =
    ["tests/api/tests", "tests/api/tests/promises", "tests/api/tests/contract", "tests/api/tests/admin", "tests/probe/tests", ""];

/// The `file.rs::test` names in a text.
fn named(text: &str) -> BTreeSet<(&str, &str)> {
    let names = text.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::"));
    names.filter(|(file, _)| file.ends_with(".rs")).collect()
}

/// Whether the source contains this test: a function with `#[test]` or `#[tokio::test…]`, not a mere function of that name.
fn holds(source: &str, test: &str) -> bool {
    let Some(at) = source.find(&format!("fn {test}(")) else { return false };
    let attributes = source[..at].rsplit("\n\n").next().unwrap_or_default();
    attributes.contains("#[test]") || attributes.contains("#[tokio::test")
}

fn missing<'a>(named: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let exists = |file: &str, test: &str| {
        PLACES.iter().any(|place| fs::read_to_string(root.join(place).join(file)).is_ok_and(|source| holds(&source, test)))
    };
    named.into_iter().filter(|(file, test)| !exists(file, test)).map(|(file, test)| format!("{file}::{test}")).collect()
}

#[test]
fn every_test_named_in_security_md_exists() {
    let named = named(PAGE);
    assert!(named.len() > 70, "{}", named.len());
    assert_eq!(missing(named), [""; 0]);
    assert_eq!(missing([("link.rs", "no_such_test"), ("no_such_file.rs", "a_reset_link_works_once")]).len(), 2, "and would be missed");
}

/// The text of each promise.
fn promises() -> Vec<&'static str> {
    let promises: Vec<&str> = PAGE.split("\n### ").filter(|part| part.starts_with(|first: char| first.is_ascii_digit())).collect();
    assert!(promises.len() >= 11, "{}", promises.len());
    promises.into_iter().map(|promise| promise.split("\n## ").next().unwrap_or_default()).collect()
}

#[test]
fn every_promise_names_its_tests() {
    for (number, promise) in (1..).zip(promises()) {
        assert!(promise.starts_with(&format!("{number}. ")), "promises are numbered from 1, in order: {promise}");
        assert!(!named(promise).is_empty(), "promise {number} names no test");
        let tests: Vec<&str> = promise.lines().filter(|line| line.starts_with("- `")).collect();
        assert_eq!(tests.iter().collect::<BTreeSet<_>>().len(), tests.len(), "promise {number} names a test twice: {tests:#?}");
    }
}

/// The numbers of the promises that the first line of a file of tests names: `//! Promises 2 and 3: …`.
fn numbers(source: &str) -> Vec<usize> {
    let names = source.lines().next().and_then(|line| line.strip_prefix("//! Promise")?.split(':').next());
    names.unwrap_or_default().split(|letter: char| !letter.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[test]
fn a_file_that_names_a_promise_has_tests_of_it() {
    assert_eq!(numbers("//! Promises 2 and 10, of 3: and 4\n//! Promise 5:"), [2, 10, 3]);
    let (promises, tests) = (promises(), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"));
    let mut wrong = Vec::new();
    for folder in [tests.join("promises"), tests] {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let source = fs::read_to_string(&path).unwrap_or_default();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
            let is_of = |number: &usize| promises.get(number - 1).is_some_and(|promise| promise.contains(&format!("`{name}::")));
            wrong.extend(numbers(&source).into_iter().filter(|number| !is_of(number)).map(|number| format!("{name}: promise {number}")));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn no_line_needs_to_be_scrolled_to_its_end() {
    let long: Vec<&str> = PAGE.lines().filter(|line| line.chars().count() > 300).collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_test_of_a_promise_is_named_in_security_md() {
    let promises = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promises");
    for file in fs::read_dir(promises).expect("a folder") {
        let path = file.expect("a file").path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(".rs")) else { continue };
        let source = fs::read_to_string(&path).expect("text");
        let functions = source.split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
        for test in functions.filter(|function| holds(&source, function)) {
            assert!(PAGE.contains(&format!("`{name}::{test}`")), "{name}::{test} is not named");
        }
    }
}
