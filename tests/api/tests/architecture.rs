//! The structure of the code is as ARCHITECTURE.md and CONTRIBUTING.md describe it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use doorward_functions::{FUNCTIONS, PageRole};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The paths and contents of every Rust source below a folder of the repository.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(ROOT).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                found.push(entry);
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has sources");
    found
}

/// The sources of the product that contain one of these words, relative to the repository.
fn that_name(words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for path in ["shared/src", "functions", "admin"].iter().flat_map(|folder| sources(folder)) {
        let code = fs::read_to_string(&path).expect("a source");
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        if lines.into_iter().any(|line| words.iter().any(|word| line.contains(word))) {
            let relative = path.strip_prefix(ROOT).expect("below the root").to_string_lossy().into_owned();
            found.push(relative);
        }
    }
    found.sort();
    found
}

#[test]
fn only_the_store_the_sender_and_the_bus_name_the_aws_sdk() {
    let strangers: Vec<String> = that_name(&["aws_sdk_", "aws_config", "aws_smithy", "aws_types"])
        .into_iter()
        .filter(|path| {
            !["shared/src/store/", "shared/src/aws/", "shared/src/mail/send.rs", "shared/src/event/bus.rs"]
                .iter()
                .any(|at_home| path.starts_with(at_home))
        })
        .collect();
    assert_eq!(strangers, Vec::<String>::new());
}

#[test]
fn only_the_http_module_names_lambda_http() {
    let strangers: Vec<String> = that_name(&["lambda_http"]).into_iter().filter(|path| !path.starts_with("shared/src/http/")).collect();
    assert_eq!(strangers, Vec::<String>::new());
}

#[test]
fn no_program_of_the_product_computes_the_cheap_hashes_of_tests() {
    // The constructors are public because the tests are other crates. Here are the lines that define them.
    let named = |path: &str| {
        let code = fs::read_to_string(Path::new(ROOT).join(path)).expect("a source");
        let code = code.split("#[cfg(test)]").next().unwrap_or_default().lines().map(str::trim);
        code.filter(|line| !line.starts_with("//") && (line.contains("with_hasher") || line.contains("of_tests"))).count()
    };
    let at_home = ["functions/src/wiring.rs", "shared/src/password/cost.rs"];
    assert_eq!(that_name(&["with_hasher", "of_tests"]), at_home);
    assert_eq!(at_home.map(named), [1, 1], "they are used where they are defined");
    for folder in ["fuzz", "tests/bench", "tests/calibrate", "tests/preview", "tests/probe"] {
        for path in sources(folder) {
            assert_eq!(named(path.to_str().expect("text")), 0, "{}", path.display());
        }
    }
}

#[test]
fn the_functions_link_three_sdks_and_no_stand_in() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--package", "doorward-functions"])
        .current_dir(ROOT)
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("text");
    let links = |crate_name: &str| tree.lines().any(|line| line.split(' ').next() == Some(crate_name));
    assert!(!links("doorward-kit") && !links("dynoxide-rs"), "a function reaches a stand-in");
    // aws-config brings every source of credentials that Lambda lacks, and the SDKs for them: a tenth of a zip.
    assert!(!links("aws-config"), "a function looks for credentials");
    let sdks = tree.lines().filter(|line| line.starts_with("aws-sdk-") && !line.ends_with("(*)"));
    let sdks: BTreeSet<&str> = sdks.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(sdks, BTreeSet::from(["aws-sdk-dynamodb", "aws-sdk-eventbridge", "aws-sdk-sesv2"]));
}

#[test]
fn a_function_names_what_it_needs_and_no_more() {
    // A release links into a binary what its function calls and nothing else, so a function that calls no hasher carries no Argon2.
    for function in &FUNCTIONS {
        let module = function.name.replace('-', "_");
        let code: String = sources("functions/src")
            .iter()
            .filter(|path| path.ends_with(format!("src/{module}.rs")) || path.parent().is_some_and(|folder| folder.ends_with(&module)))
            .map(|path| fs::read_to_string(path).expect("a source"))
            .collect();
        assert!(code.contains(&format!("const NAME: &str = \"{}\"", function.name)), "{}: its source was read", function.name);
        let hashes = ["register", "login", "sessions", "me", "set-username", "change-password", "confirm-reset"].contains(&function.name);
        assert_eq!(code.contains("Hasher") || code.contains("hasher()"), hashes, "{} and hashes", function.name);
        assert_eq!(code.contains("Sender"), function.name == "mailer", "{} and SES", function.name);
        let shows = function.routes.as_ref().is_some_and(|routes| routes.page != PageRole::None);
        assert_eq!(code.contains("Pages"), shows, "{} and pages", function.name);
    }
}

#[test]
fn a_panic_unwinds_in_what_goes_to_aws() {
    // Without this `cargo lambda build --release` aborts at a panic, which the gateway answers with 502 instead of our 500.
    let manifest = fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).expect("the workspace");
    let profile = manifest.split("\n[profile.release]\n").nth(1).expect("a release profile").split("\n[").next().unwrap_or_default();
    assert!(profile.lines().any(|line| line == "panic = \"unwind\""), "{profile}");
}

#[test]
fn no_source_is_longer_than_a_reader_bears() {
    for folder in ["shared/src", "functions", "admin", "tests"] {
        for path in sources(folder) {
            let lines = fs::read_to_string(&path).expect("a source").lines().count();
            assert!(lines <= 400, "{} has {lines} lines", path.display());
        }
    }
}
