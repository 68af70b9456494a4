//! The seeds of the fuzz targets and what is near them, as plain tests. What libFuzzer finds becomes a seed, and is tried here from then on.

use std::{collections::BTreeSet, fs, path::Path};

use doorward_fuzz::TARGETS;

/// How many ways to cut a seed short, and how many to spoil it.
const NEIGHBOURS: usize = 48;
/// The characters of structured text, and some that it must not contain.
const SPOILERS: [u8; 8] = [0, b'"', b'\\', b'{', b'%', b'$', 0x80, 0xff];

/// The files of a folder: their names, and what they hold.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let mut files: Vec<(String, Vec<u8>)> =
        entries.map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(&path).expect("a file"))).collect();
    files.sort();
    files
}

/// A seed, cut off and spoilt at places all over it. Always the same.
fn near(seed: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let places = move |count: usize| (0..count).map(move |number| seed.len() * number / count);
    let cut = places(NEIGHBOURS).map(|place| seed[..place].to_vec());
    let spoilt = places(NEIGHBOURS).enumerate().filter(|_| !seed.is_empty()).map(|(number, place)| {
        let mut spoilt = seed.to_vec();
        spoilt[place] = SPOILERS[number % SPOILERS.len()];
        spoilt
    });
    std::iter::once(seed.to_vec()).chain(cut).chain(spoilt)
}

/// Tries one target.
fn holds(name: &str) {
    let (_, check) = TARGETS.into_iter().find(|(target, _)| *target == name).expect("a target");
    let seeds = files(&format!("seeds/{name}"));
    assert!(seeds.len() > 1, "{name} has seeds");
    for (seed, content) in seeds {
        for input in near(&content) {
            let shown = String::from_utf8_lossy(&input).into_owned();
            let held = std::panic::catch_unwind(|| check(&input));
            assert!(held.is_ok(), "{name} does not hold for what is near the seed {seed}: {shown:?}");
        }
    }
    // Inputs that a fuzzer has kept on this machine; a fresh clone has none.
    files(&format!("corpus/{name}")).into_iter().for_each(|(_, content)| check(&content));
}

#[test]
fn any_authorization_header_is_a_token_or_a_refusal() {
    holds("authorization");
}

#[test]
fn any_question_to_the_authorizer_without_a_session_does_not_pass() {
    holds("authorizer_event");
}

#[test]
fn any_body_is_read_as_a_plain_parser_reads_it_or_refused() {
    holds("body");
}

#[test]
fn any_event_of_a_gateway_is_answered_as_a_gateway_takes_it() {
    holds("gateway_event");
}

#[test]
fn any_text_in_a_mail_adds_no_header_and_no_markup() {
    holds("mail");
}

#[test]
fn any_text_as_a_stored_hash_is_no_hash_of_another_password() {
    holds("stored_hash");
}

#[test]
fn any_batch_of_the_stream_is_reported_for_what_was_not_sent() {
    holds("stream_event");
}

#[test]
fn every_target_has_a_program_a_test_and_seeds() {
    let named =
        |names: &[(String, Vec<u8>)]| names.iter().map(|(name, _)| name.trim_end_matches(".rs").to_owned()).collect::<BTreeSet<_>>();
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(named(&files("fuzz_targets")), targets);
    let (manifest, tests) = (include_str!("../Cargo.toml"), include_str!("seeds.rs"));
    for name in &targets {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} has a program");
        assert!(tests.contains(&format!("    holds(\"{name}\");")), "{name} has a test");
    }
}
