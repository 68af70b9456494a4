//! The registry of functions against everything that names them: binaries, the template, `events/`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use doorward::{http::Method, store::Table};
use doorward_functions::{FUNCTIONS, PageRole, RegisteredFunction, function, paths};
use serde_json::Value;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn names() -> BTreeSet<&'static str> {
    FUNCTIONS.iter().map(|function| function.name).collect()
}

fn files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(ROOT).join(folder)).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect()
}

/// The routes of each function in the template, and the tables whose names it gets.
fn template() -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let template = fs::read_to_string(Path::new(ROOT).join("infra/template.yaml")).expect("the template");
    let mut functions = BTreeMap::new();
    for block in template.split("CodeUri: ../target/lambda/").skip(1) {
        let (name, rest) = block.split_once("/bootstrap.zip").expect("a zip");
        let rest = rest.split("\n  # ---- ").next().unwrap_or_default();
        let words = || rest.split(|char: char| char.is_whitespace() || ",{}".contains(char));
        let routes = words().filter(|word| word.starts_with("/api/")).map(str::to_owned).collect();
        let tables = words().filter_map(|word| word.strip_suffix("_TABLE:")).map(str::to_owned).collect();
        functions.insert(name.to_owned(), (routes, tables));
    }
    functions
}

#[test]
fn no_two_functions_have_a_name_or_a_route_in_common() {
    assert_eq!(names().len(), FUNCTIONS.len());
    assert_eq!(paths().collect::<BTreeSet<_>>().len(), paths().count());
    assert!(paths().all(|path| path.starts_with("/api/") && path.ends_with('/')));
}

#[test]
fn every_function_has_a_binary_and_every_binary_a_function() {
    let binaries = files("functions/src/bin");
    assert_eq!(binaries.iter().filter_map(|file| file.strip_suffix(".rs")).collect::<BTreeSet<_>>(), names());
    for name in names() {
        let binary = fs::read_to_string(Path::new(ROOT).join(format!("functions/src/bin/{name}.rs"))).expect("a source");
        let served: String = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        assert!(binary.contains(&format!("::<doorward_functions::{served}>()")), "{name} serves another function");
    }
}

#[test]
fn the_template_has_every_function_with_its_routes_and_tables() {
    let template = template();
    assert_eq!(template.keys().map(String::as_str).collect::<BTreeSet<_>>(), names());
    for function in &FUNCTIONS {
        let (routes, tables) = &template[function.name];
        let listed = function.routes.iter().flat_map(|routes| routes.paths.iter().copied());
        assert_eq!(routes.iter().map(String::as_str).collect::<BTreeSet<_>>(), listed.collect(), "{}", function.name);
        let told = |table: &Table| match table {
            Table::Accounts => "ACCOUNTS",
            Table::Limits => "LIMITS",
            Table::Outbox => "OUTBOX",
        };
        assert_eq!(
            tables.iter().map(String::as_str).collect::<BTreeSet<_>>(),
            function.tables.iter().map(told).collect(),
            "{}",
            function.name
        );
    }
}

#[test]
fn every_function_has_an_event_and_every_event_is_one_that_its_function_takes() {
    let mut seen = BTreeSet::new();
    for file in files("events") {
        let name = file.split('.').next().unwrap_or_default();
        let function: &RegisteredFunction = function(name).unwrap_or_else(|| panic!("{file} is of no function"));
        seen.insert(name.to_owned());
        let Some(routes) = &function.routes else { continue };
        let event: Value =
            serde_json::from_str(&fs::read_to_string(Path::new(ROOT).join("events").join(&file)).expect("an event")).expect("JSON");
        assert!(routes.paths.iter().any(|path| event["path"] == *path), "{file}: {}", event["path"]);
        assert!(routes.methods.iter().any(|method| event["httpMethod"] == method.as_str()), "{file}: {}", event["httpMethod"]);
    }
    assert_eq!(seen.iter().map(String::as_str).collect::<BTreeSet<_>>(), names());
}

#[test]
fn a_mailed_link_is_opened_with_get_and_a_form_is_no_method_of_the_api() {
    for routes in FUNCTIONS.iter().filter_map(|function| function.routes.as_ref()) {
        let opens = routes.methods.contains(&Method::GET) && routes.methods.contains(&Method::HEAD);
        match routes.page {
            PageRole::MailedLink => assert!(opens, "{:?}", routes.paths),
            PageRole::Form => assert!(!opens, "{:?}", routes.paths),
            PageRole::None => {}
        }
    }
}
