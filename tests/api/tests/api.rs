//! Nearly every test of this folder, as one program: it is linked once, and its tests run side by side whatever file they are in.
//!
//! `start`, `secrets` and `metrics` are programs of their own, since they change or measure their whole process; so are `admin` and `contract`,
//! which have a root of their own. A test of one file: `cargo test -p doorward-api-tests --test api races::`.

use std::{collections::BTreeSet, fs, path::Path};

mod address_mail;
mod address_races;
mod architecture;
mod browsers;
mod builds;
mod configuration;
mod configuration_md;
mod data_protection;
mod disavow;
mod documents;
mod event_data;
mod event_faults;
mod events;
mod faults;
mod feedback;
mod hashes;
mod imports;
mod interleavings;
mod leaving;
mod log_lines;
mod mail_faults;
mod mail_rate;
mod modules;
mod openapi;
mod pages;
mod panics;
mod profile_races;
#[path = "promises/main.rs"]
mod promises;
mod properties;
mod proxy;
mod races;
mod registry;
mod reset_token;
mod security_md;
mod sweeping;
mod vectors;
mod webhook;
mod wire;

/// The sources that cargo would find by itself, had it not been told which programs there are.
fn sources() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let entries = fs::read_dir(folder).expect("the folder of tests").map(|entry| entry.expect("an entry").path());
    let sources = entries.filter_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        if path.join("main.rs").exists() { Some(format!("{name}/main.rs")) } else { name.ends_with(".rs").then_some(name) }
    });
    sources.collect()
}

#[test]
fn every_file_of_tests_is_run() {
    let (manifest, modules) = (include_str!("../Cargo.toml"), include_str!("api.rs"));
    let forgotten: Vec<String> = sources()
        .into_iter()
        .filter(|source| {
            let module = source.trim_end_matches(".rs");
            let is_program = manifest.contains(&format!("path = \"tests/{source}\""));
            let is_module = modules.lines().any(|line| line == format!("mod {module};") || line == format!("#[path = \"{source}\"]"));
            !is_program && !is_module
        })
        .collect();
    assert!(forgotten.is_empty(), "nobody runs {forgotten:?}: each needs a line in tests/api/tests/api.rs");
}
