//! SECURITY.md names tests; they are there, and every promise has one.

use std::{collections::BTreeSet, fs, path::Path};

const PAGE: &str = include_str!("../../../SECURITY.md");
/// Where a file named on the page is looked for, below the root.
const PLACES: [&str; 6] =
    ["tests/api/tests", "tests/api/tests/promises", "tests/api/tests/contract", "tests/api/tests/admin", "tests/probe/tests", ""];

/// The `file.rs::test` names in a text.
fn named(text: &str) -> BTreeSet<(&str, &str)> {
    let names = text.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::"));
    names.filter(|(file, _)| file.ends_with(".rs")).collect()
}

/// Whether the source holds this test: a function under `#[test]` or `#[tokio::test…]`, not a helper of that name.
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

#[test]
fn every_promise_names_its_tests() {
    for promise in 1..=11 {
        let row =
            PAGE.lines().find(|line| line.starts_with(&format!("| {promise} "))).unwrap_or_else(|| panic!("promise {promise} has no row"));
        assert!(!named(row).is_empty(), "promise {promise} names no test");
    }
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
