//! Hashes from elsewhere are verified at their own cost and replaced by ours. Their parameters are bounded before any work, and a hash beyond the bounds
//! costs as much as a wrong password.
//!
//! `contract/hashes.jsonl` was recorded with the contract. `contract-extra/bcrypt.jsonl` was written by Django 5.2.19's two
//! bcrypt hashers with bcrypt 5.0, and by bcrypt 4.3, which cut passwords at 72 bytes (5.0 refuses longer ones).
//! `contract-extra/crypt.jsonl` was written by argon2-cffi 25.1 and Django: all variants and both versions of Argon2, salts that are no
//! ASCII, costs of next to nothing. `contract-extra/phc.jsonl` was written by passlib 1.7.4 and Python's hashlib: the forms of PBKDF2 and
//! scrypt of passlib, of the PHC string format and of Ory Kratos (one is an example of its documentation), and bcrypt with its spare bits
//! set by hand. `contract-extra/services.jsonl` has the forms of WordPress, phpBB, Firebase and Better Auth, by passlib 1.7.4, bcrypt 5.0,
//! cryptography and hashlib; one is the example of Firebase's documentation. `contract-extra/layered.jsonl` has some hashes of the other files,
//! of every algorithm, with Argon2id of argon2-cffi 25.1 over their tags. One `{"password", "encoded"}` a line.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

use doorward::entropy::Entropy;
use doorward::password::{Cost, Hasher, StoredPassword, TypedPassword, UnsupportedHashError, Verdict};
use proptest::prelude::*;

const FILES: [&str; 6] = [
    include_str!("../contract/hashes.jsonl"),
    include_str!("../contract-extra/bcrypt.jsonl"),
    include_str!("../contract-extra/crypt.jsonl"),
    include_str!("../contract-extra/phc.jsonl"),
    include_str!("../contract-extra/services.jsonl"),
    include_str!("../contract-extra/layered.jsonl"),
];

/// The work of a hash at the default cost, KiB of memory times passes.
const USUAL_WORK: u64 = 19_456 * 2;

struct Line {
    password: String,
    encoded: String,
}

fn lines() -> Vec<Line> {
    let lines = FILES.iter().flat_map(|file| file.lines());
    let parsed = lines.map(|line| serde_json::from_str::<HashMap<String, String>>(line).unwrap());
    parsed.map(|line| Line { password: line["password"].clone(), encoded: line["encoded"].clone() }).collect()
}

fn hasher() -> Hasher {
    Hasher::new(Cost::default(), Entropy::system())
}

/// The work that an Argon2 hash asks for, and a layered one with both of its hashes; none of other algorithms.
fn argon2_work(encoded: &str) -> Option<u64> {
    if !encoded.contains("$argon2") {
        return None;
    }
    let work = |costs: &str| {
        let numbers: Vec<u64> = costs.split(['$', ',', '=']).filter_map(|number| number.parse().ok()).collect();
        numbers[0] * numbers[1]
    };
    let works: Vec<u64> = encoded.split("$m=").skip(1).map(work).collect();
    (!works.is_empty()).then(|| works.iter().sum())
}

/// Whether bcrypt cannot tell the password from one that goes on after its 72nd byte.
fn is_cut(line: &Line) -> bool {
    line.encoded.contains("$2b$") && !line.encoded.contains("bcrypt_sha256") && line.password.len() >= 72
}

fn verify(hasher: &Hasher, password: &str, stored: &str) -> Verdict {
    let stored = StoredPassword::stored(stored.to_owned());
    hasher.blocking_verify(&TypedPassword::new(password.to_owned()), Some(&stored)).unwrap()
}

/// A password that differs from `password` within the 72 bytes that bcrypt reads.
fn wrong(password: &str) -> String {
    let mut rest = password.chars();
    let first = rest.next();
    // Without its first character, if that changes more than the length.
    if rest.clone().next() == first { format!("x{password}") } else { rest.as_str().to_owned() }
}

#[test]
fn every_hash_from_elsewhere_verifies_its_password_and_becomes_ours() {
    let lines = lines();
    assert_eq!(lines.len(), 46 + 27 + 19 + 38 + 11 + 48);
    assert_eq!(lines.iter().filter(|line| is_cut(line)).count(), 10);
    let half = lines.len() / 2;
    thread::scope(|scope| {
        for lines in [&lines[..half], &lines[half..]] {
            scope.spawn(move || lines.iter().for_each(becomes_ours));
        }
    });
}

fn becomes_ours(line: &Line) {
    let hasher = hasher();
    let verdict = verify(&hasher, &line.password, &line.encoded);
    if is_cut(line) {
        assert_eq!(verdict, Verdict::Right { rehash: None }, "{}", line.encoded);
        assert_eq!((hasher.evaluations(), hasher.decoys()), (1, 0), "{}", line.encoded);
        return;
    }
    let Verdict::Right { rehash: Some(rehash) } = verdict else { panic!("{:?} for {:?} and {}", verdict, line.password, line.encoded) };
    assert!(rehash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", line.encoded);
    assert_eq!(verify(&hasher, &line.password, rehash.as_str()), Verdict::Right { rehash: None });
    assert_eq!((hasher.evaluations(), hasher.decoys()), (3, 0), "{}", line.encoded);
}

#[test]
fn no_hash_from_elsewhere_verifies_another_password() {
    let lines = lines();
    let half = lines.len() / 2;
    thread::scope(|scope| {
        for lines in [&lines[..half], &lines[half..]] {
            scope.spawn(move || lines.iter().for_each(verifies_no_other));
        }
    });
}

fn verifies_no_other(line: &Line) {
    let hasher = hasher();
    let wrong = wrong(&line.password);
    assert_eq!(verify(&hasher, &wrong, &line.encoded), Verdict::Wrong, "{wrong:?} {}", line.encoded);
    // An Argon2 that is cheaper than an unknown name is followed by the rest of the work; other algorithms cost what they cost.
    let own = argon2_work(&line.encoded);
    let rest = u64::from(own.is_some_and(|own| own < USUAL_WORK));
    assert_eq!((hasher.evaluations(), hasher.decoys()), (1 + rest, rest), "{}", line.encoded);
    let expected = own.map_or(0, |own| own.max(USUAL_WORK));
    assert!(expected - hasher.work_kib() < 2, "{} KiB for {}", hasher.work_kib(), line.encoded);
}

/// A hasher of this cost, and one that knows of dearer hashes.
fn after_another(cost: (u32, u32), dearest: Option<(u32, u32)>) -> Hasher {
    let hasher = Hasher::new(Cost::new(cost.0, cost.1, 1).unwrap(), Entropy::system());
    match dearest {
        Some((memory_kib, iterations)) => hasher.with_dearest(memory_kib, iterations).unwrap(),
        None => hasher,
    }
}

#[test]
fn a_wrong_password_takes_the_work_of_an_unknown_name_whatever_cost_its_hash_is_of() {
    let salt_and_tag = "c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let (floor, usual, more_passes, more_memory) = ((12_288, 3), (19_456, 2), (19_456, 4), (47_104, 2));
    for (configured, dearest, accounts) in [
        (usual, None, &[floor, usual, (9_216, 4), (8, 1)][..]),
        (more_passes, None, &[floor, usual, more_passes]),
        (more_memory, None, &[floor, usual, more_memory]),
        // The cost was lowered, and the setting says so.
        (usual, Some(more_memory), &[floor, usual, more_passes, more_memory]),
        (more_memory, Some((9_216, 20)), &[floor, usual, more_memory, more_passes, (9_216, 20)]),
        // It names less than new hashes cost, which changes nothing.
        (more_memory, Some(more_passes), &[floor, usual, more_memory, more_passes]),
    ] {
        let work = |stored: Option<String>| {
            let hasher = after_another(configured, dearest);
            let stored = stored.map(StoredPassword::stored);
            let verdict = hasher.blocking_verify(&TypedPassword::new("a wrong one".to_owned()), stored.as_ref()).unwrap();
            assert_eq!(verdict, Verdict::Wrong);
            hasher.work_kib()
        };
        let unknown = work(None);
        let (memory, passes) = dearest.unwrap_or(configured);
        assert_eq!(unknown, u64::from(memory * passes).max(u64::from(configured.0 * configured.1)));
        for (memory, passes) in accounts {
            for (variant, version) in [("argon2id", "v=19$"), ("argon2i", "")] {
                let wrong = work(Some(format!("${variant}${version}m={memory},t={passes},p=1${salt_and_tag}")));
                // Whole KiB: what is lost is less than the passes of the rest.
                assert!(wrong <= unknown && unknown - wrong < 20, "{wrong} of {unknown} for {memory},{passes} at {configured:?}");
            }
        }
    }
}

#[test]
fn what_bcrypt_cannot_tell_apart_stays_as_it_is_whoever_logs_in_first() {
    // By bcrypt 4.3 of the first 72 bytes.
    let cut: Vec<Line> = lines().into_iter().filter(is_cut).collect();
    for line in &cut {
        let hasher = hasher();
        let seen = String::from_utf8_lossy(&line.password.as_bytes()[..72]).into_owned();
        for password in [&line.password, &seen, &format!("{seen}, and whatever follows")] {
            assert_eq!(verify(&hasher, password, &line.encoded), Verdict::Right { rehash: None }, "{password:?} {}", line.encoded);
        }
        assert_eq!((hasher.evaluations(), hasher.decoys()), (3, 0));
    }
}

#[test]
fn what_cannot_be_verified_costs_one_hash_at_our_cost() {
    let (bounds, malformed, unknown) =
        (UnsupportedHashError::OutOfBounds, UnsupportedHashError::Malformed, UnsupportedHashError::UnknownAlgorithm);
    let cases = [
        (None, Verdict::Wrong),
        (Some("!"), Verdict::Wrong),
        (Some("!kq3EyVZ7nMmZ9hXQb5w8RcT1sLf2uPjGd4oAaNvx"), Verdict::Wrong),
        (Some("!$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"), Verdict::Wrong),
        (Some(""), Verdict::Refused(unknown)),
        (Some("md5$salt$5f4dcc3b5aa765d61d8327deb882cf99"), Verdict::Refused(unknown)),
        (Some("argon2$"), Verdict::Refused(unknown)),
        (Some("pbkdf2_sha256$1$salt$not base64"), Verdict::Refused(malformed)),
        (Some("$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"), Verdict::Refused(bounds)),
        (Some("pbkdf2_sha1$1000000000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAA="), Verdict::Refused(bounds)),
    ];
    for (stored, expected) in cases {
        let hasher = hasher();
        let stored = stored.map(|text| StoredPassword::stored(text.to_owned()));
        let verdict = hasher.blocking_verify(&TypedPassword::new("password".to_owned()), stored.as_ref()).unwrap();
        assert_eq!(verdict, expected, "{:?}", stored.as_ref().map(StoredPassword::as_str));
        assert_eq!((hasher.evaluations(), hasher.decoys()), (1, 1));
    }
}

#[test]
fn a_wrong_password_costs_one_hash() {
    let hasher = hasher();
    let ours = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(verify(&hasher, "password", ours), Verdict::Wrong);
    assert_eq!((hasher.evaluations(), hasher.decoys()), (1, 0));
}

#[tokio::test]
async fn hashing_leaves_the_thread_of_the_runtime() {
    let hasher = Arc::new(Hasher::new(Cost::new(19_456, 10, 1).unwrap(), Entropy::system()));
    let mut verdict = Box::pin(hasher.verify(TypedPassword::new("password".to_owned()), None));
    let mut turns = 0;
    let verdict = loop {
        tokio::select! {
            biased;
            verdict = &mut verdict => break verdict.unwrap(),
            () = tokio::time::sleep(std::time::Duration::from_millis(1)) => turns += 1,
        }
    };
    assert_eq!(verdict, Verdict::Wrong);
    assert!(turns > 1, "the runtime had {turns} turns while a password was hashed");
}

#[test]
fn a_layer_leaves_nothing_of_the_old_tag_and_the_password_opens_it_and_takes_it_off() {
    let lines: Vec<Line> = lines().into_iter().filter(|line| !line.encoded.starts_with("$layered$")).collect();
    thread::scope(|scope| {
        for first in 0..2 {
            let lines = &lines;
            scope.spawn(move || lines.iter().skip(first).step_by(2).step_by(3).for_each(gets_a_layer));
        }
    });
}

fn gets_a_layer(line: &Line) {
    let hasher = hasher();
    let old = StoredPassword::imported(line.encoded.clone()).unwrap();
    let layered = hasher.blocking_layer(&old).unwrap();
    assert_eq!(layered.is_some(), old.takes_layer());
    let Some(layered) = layered else {
        let own = line.encoded.contains("$argon2id$v=19$") && argon2_work(&line.encoded).unwrap() >= 7168 * 5;
        assert!(own, "only Argon2id above OWASP's floor takes none: {}", line.encoded);
        return;
    };
    assert!(layered.as_str().starts_with("$layered$argon2id$v=19$m=19456,t=2,p=1$"), "{}", layered.as_str());
    // Twenty characters from the end lie within the tag of every algorithm.
    let tag = &line.encoded.trim_end_matches('=')[line.encoded.trim_end_matches('=').len() - 20..];
    assert!(!layered.as_str().contains(tag), "{}", layered.as_str());
    assert!(!layered.takes_layer() && hasher.blocking_layer(&layered).unwrap().is_none(), "one layer is enough");
    assert!(layered.is_usable() && !layered.is_weak() && StoredPassword::imported(layered.as_str().to_owned()).is_ok());
    assert_eq!(verify(&hasher, &wrong(&line.password), layered.as_str()), Verdict::Wrong, "{}", layered.as_str());
    let verdict = verify(&hasher, &line.password, layered.as_str());
    if is_cut(line) {
        assert_eq!(verdict, Verdict::Right { rehash: None }, "{}", line.encoded);
        return;
    }
    let Verdict::Right { rehash: Some(rehash) } = verdict else { panic!("{:?} for {:?} and {}", verdict, line.password, line.encoded) };
    assert!(rehash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", line.encoded);
}

#[test]
fn two_layers_over_one_hash_have_no_salt_in_common() {
    let old = StoredPassword::stored("pbkdf2_sha256$1$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned());
    let salt = || hasher().blocking_layer(&old).unwrap().unwrap().as_str().split('$').nth(5).unwrap().to_owned();
    assert_ne!(salt(), salt());
}

#[test]
fn a_changed_layered_hash_verifies_nothing() {
    // By argon2-cffi over PBKDF2 of one round: the cheapest line of the file.
    let line =
        lines().into_iter().find(|line| line.encoded.contains("$m=64,t=1,p=1$") && line.encoded.contains("$pbkdf2_sha256$1$")).unwrap();
    let hasher = hasher();
    assert!(matches!(verify(&hasher, &line.password, &line.encoded), Verdict::Right { .. }));
    let characters: Vec<char> = line.encoded.chars().collect();
    // Every fourth character, but no digit of a cost.
    for position in (0..characters.len()).step_by(4).filter(|position| !characters[*position].is_ascii_digit()) {
        let mut changed = characters.clone();
        changed[position] = if changed[position] == 'B' { 'C' } else { 'B' };
        let changed: String = changed.into_iter().collect();
        assert!(!matches!(verify(&hasher, &line.password, &changed), Verdict::Right { .. }), "{changed}");
    }
}

/// A parameter that costs next to nothing or is refused, so that no case costs more than a decoy.
fn parameter() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (1_u32..10).prop_map(|small| small.to_string()),
        1 => (10_000_000_u64..).prop_map(|huge| huge.to_string()),
        1 => "[-+ ]?[0-9]{0,40}".prop_filter("not within bounds", |text| text.parse::<u64>().map_or(true, |value| value > 10_000_000)),
        1 => Just("0".to_owned()),
        1 => "\\PC{0,6}".prop_filter("not a number", |text| text.parse::<u64>().is_err()),
    ]
}

/// Text between two `$`, often of the right length.
fn field() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Za-z0-9+/]{22}", "[A-Za-z0-9+/]{43}=?", "[A-Za-z0-9+/]{86}==", "[A-Za-z0-9./]{53}", "\\PC{0,70}", "[$=,]{0,5}"]
}

fn almost_a_hash() -> impl Strategy<Value = String> {
    let (a, b, c) = (parameter, parameter, parameter);
    prop_oneof![
        any::<String>(),
        "[!$]?[a-z0-9_]{0,12}\\$\\PC{0,100}",
        ("(argon2)?", "\\$argon2(id|i|d|x|)", "(\\$v=(19|16|17|))?", a(), b(), c(), field(), field())
            .prop_map(|(site, variant, version, m, t, p, salt, tag)| format!("{site}{variant}{version}$m={m},t={t},p={p}${salt}${tag}")),
        ("\\$pbkdf2(-sha(1|256|512))?", "(i=)?", a(), "(,l=(20|32|64))?", field(), field())
            .prop_map(|(name, i, rounds, length, salt, tag)| format!("{name}${i}{rounds}{length}${salt}${tag}")),
        (a(), b(), c(), field(), field())
            .prop_map(|(cost, blocks, lanes, salt, tag)| format!("$scrypt$ln={cost},r={blocks},p={lanes}${salt}${tag}")),
        ("pbkdf2_sha(1|256|512)", a(), field(), field()).prop_map(|(name, rounds, salt, tag)| format!("{name}${rounds}${salt}${tag}")),
        (a(), b(), c(), field(), field(), field()).prop_map(|(cost, blocks, lanes, key, salt, tag)| {
            format!("$fbscrypt$v=1,n={cost},r={blocks},p={lanes},ss=Bw==,sk={key}${salt}${tag}")
        }),
        (a(), b(), field(), field(), c(), field(), field()).prop_map(|(m, t, salt, tag, rounds, inner_salt, inner_tag)| {
            format!("$layered$argon2id$v=19$m={m},t={t},p=1${salt}${tag}$pbkdf2_sha256${rounds}${inner_salt}${inner_tag}")
        }),
        ("\\$[PH]\\$", "[./0-9A-Za-z]{31}").prop_map(|(name, rest)| format!("{name}{rest}")),
        (a(), field(), b(), c(), field())
            .prop_map(|(cost, salt, blocks, lanes, tag)| format!("scrypt${cost}${salt}${blocks}${lanes}${tag}")),
        ("(bcrypt\\$|bcrypt_sha256\\$|\\$wp)?", "\\$2[abxy]?\\$", "04|0?[0-3]|1[6-9]|[2-9][0-9]|\\PC{0,2}", field())
            .prop_filter("cheap", |(_, _, cost, _)| cost.parse::<u32>().map_or(true, |cost| !(5..=15).contains(&cost)))
            .prop_map(|(site, version, cost, tail)| format!("{site}{version}{cost}${tail}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_stored_text_panics_or_verifies_or_costs_more_than_an_unknown_name(stored in almost_a_hash(), password in "\\PC{0,40}") {
        let hasher = hasher();
        let verdict = verify(&hasher, &password, &stored);
        prop_assert!(matches!(verdict, Verdict::Wrong | Verdict::Refused(_)), "{:?}", verdict);
        prop_assert!(hasher.work_kib() <= USUAL_WORK);
        if matches!(verdict, Verdict::Refused(_)) || !stored.starts_with('!') && argon2_work(&stored).is_some() {
            prop_assert!(hasher.work_kib() > USUAL_WORK - 2 && hasher.decoys() == 1, "{}", hasher.work_kib());
        }
    }

    #[test]
    fn a_changed_hash_verifies_nothing(position in any::<prop::sample::Index>(), replacement in any::<char>(), line in 0_usize..9) {
        let cheap = ["pbkdf2_sha256$1$", "pbkdf2_sha1$1000$", "$m=8,t=1,p=1$", "$2b$04$", "$m=64,t=3,p=2$"];
        let lines = lines();
        let mut candidates = lines.iter().filter(|line| cheap.iter().any(|start| line.encoded.contains(start)));
        let line = candidates.nth(line).unwrap();
        let mut changed: Vec<char> = line.encoded.chars().collect();
        let position = position.index(changed.len());
        // Changing a digit of a parameter may ask for much work within the bounds; changing what follows them may not.
        prop_assume!(changed[position] != replacement && !changed[position].is_ascii_digit() && !replacement.is_ascii_digit());
        changed[position] = replacement;
        let changed: String = changed.into_iter().collect();
        // Three names of bcrypt are one algorithm, and the last characters of its salt and tag have bits that belong to no byte.
        prop_assume!(!line.encoded.contains("$2b$") || !(changed.contains("$2a$") || changed.contains("$2y$")));
        let start = line.encoded.find("$2b$").map_or(usize::MAX, |start| line.encoded.len() - start);
        prop_assume!(start != 60 || ![28, 59].contains(&(position + 60 - line.encoded.len())));
        // A dot is a plus to passlib.
        prop_assume!(!line.encoded.contains("$pbkdf2-") || !matches!(replacement, '.' | '+'));
        prop_assert!(!matches!(verify(&hasher(), &line.password, &changed), Verdict::Right { .. }), "{} as {changed}", line.encoded);
    }
}
