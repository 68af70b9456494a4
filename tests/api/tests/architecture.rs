//! The shape of the code, as ARCHITECTURE.md and CONTRIBUTING.md tell it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Every Rust source below a folder of the repository.
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

/// The sources of the product that say one of these words, relative to the repository.
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
fn only_the_store_and_the_sender_name_the_aws_sdk() {
    let strangers: Vec<String> = that_name(&["aws_sdk_", "aws_config", "aws_smithy", "aws_types"])
        .into_iter()
        .filter(|path| !["shared/src/store/", "shared/src/aws/", "shared/src/mail/send.rs"].iter().any(|at_home| path.starts_with(at_home)))
        .collect();
    assert_eq!(strangers, Vec::<String>::new());
}

#[test]
fn only_the_http_module_names_lambda_http() {
    let strangers: Vec<String> = that_name(&["lambda_http"]).into_iter().filter(|path| !path.starts_with("shared/src/http/")).collect();
    assert_eq!(strangers, Vec::<String>::new());
}

#[test]
fn a_function_links_what_it_needs_and_no_more() {
    for (function, hashes, mails) in [
        ("register", true, false),
        ("login", true, false),
        ("logout", false, false),
        ("change-password", true, false),
        ("password-reset", false, false),
        ("validate-token", false, false),
        ("confirm-reset", true, false),
        ("authorizer", false, false),
        ("mailer", false, true),
        ("mail-feedback", false, false),
    ] {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--package", function])
            .current_dir(ROOT)
            .output()
            .expect("cargo runs");
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8(tree.stdout).expect("text");
        let links = |crate_name: &str| tree.lines().any(|line| line.split(' ').next() == Some(crate_name));
        assert!(links("aws-sdk-dynamodb"), "{function}: the tree was read");
        assert_eq!(links("argon2"), hashes, "{function} and argon2");
        assert_eq!(links("aws-sdk-sesv2"), mails, "{function} and SES");
        assert!(!links("doorward-kit") && !links("dynoxide-rs"), "{function} reaches a stand-in");
        // Every source of credentials that Lambda lacks, and the SDKs for them: a tenth of a zip. `make size` weighs what is left.
        let sdks = tree.lines().filter(|line| line.starts_with("aws-sdk-") && !line.ends_with("(*)")).count();
        assert_eq!(sdks, 1 + usize::from(mails), "{function} links another SDK");
        assert!(!links("aws-config"), "{function} looks for credentials");
    }
}

#[test]
fn a_panic_unwinds_in_what_goes_to_aws() {
    // `cargo lambda build --release` aborts unless the profile says otherwise, and an abort is a 502 instead of our answer.
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
