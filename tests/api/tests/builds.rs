//! One build serves the tests, the local stack, the preview and the operator's commands.

use std::{collections::BTreeMap, process::Command};

use memchr::memmem;
use serde_json::{Value, json};

/// Every package of a build of the workspace with its features.
fn resolution(edges: &str, more: &[&str]) -> BTreeMap<String, String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--workspace", "--prefix", "none", "--format", "{p}|{f}", "--edges", edges])
        .args(more)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("text");
    let lines = tree.lines().map(|line| line.trim_end_matches(" (*)")).filter_map(|line| line.split_once('|'));
    lines.map(|(package, features)| (package.to_owned(), features.to_owned())).collect()
}

#[test]
fn a_package_has_the_same_features_in_every_build() {
    let with_tests = resolution("normal,build,dev", &[]);
    assert!(with_tests.keys().any(|package| package.starts_with("aws-sdk-dynamodb ")), "the tree was read");
    for (what, other) in [
        ("without tests", resolution("normal,build", &[])),
        ("without the stack's tests", resolution("normal,build,dev", &["--exclude", "doorward-stack-tests"])),
    ] {
        let twice: Vec<_> = other.iter().filter(|(package, features)| with_tests[*package] != **features).collect();
        assert!(
            twice.is_empty(),
            "{what}, these are compiled a second time, with what needs them; tests/kit/Cargo.toml says how to mend it: {twice:?}"
        );
    }
}

#[test]
fn no_program_has_tests_of_its_own() {
    // `make check` builds the tests of libraries and those below tests/: a test program more for each function would be linked for nothing.
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("metadata");
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let programs: Vec<&str> =
        targets.filter(|target| target["kind"] == json!(["bin"])).filter_map(|target| target["src_path"].as_str()).collect();
    assert!(programs.len() > 10, "{programs:?}");
    for program in programs {
        let source = std::fs::read_to_string(program).expect("a source");
        assert!(
            !source.contains("#[test]") && !source.contains("#[tokio::test"),
            "{program} has tests that nobody runs; move them to a library"
        );
    }
}

#[test]
fn the_tls_library_collects_no_jitter_of_the_clock_before_a_program_can_connect() {
    let program = std::fs::read(std::env::current_exe().expect("this program")).expect("its bytes");
    // Put together here, so that the names are not in this program because of this test.
    let holds = |words: [&str; 2]| memmem::find(&program, words.join("_").as_bytes()).is_some();
    assert!(holds(["RAND", "bytes"]), "AWS-LC is linked, and its names are there");
    assert!(!holds(["jent_entropy", "collector_alloc"]), "AWS_LC_SYS_NO_JITTER_ENTROPY (.cargo/config.toml) is not in force");
}
