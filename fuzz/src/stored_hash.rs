//! Any text as a stored hash is parsed without a panic, and verified if it asks for little work. No text is the hash of this password.

use std::sync::LazyLock;

use doorward::{
    entropy::Entropy,
    password::{Cost, Hasher, StoredPassword, TypedPassword, Verdict},
};

/// This is not the password of any seed.
const PASSWORD: &str = "none of the seeds is of this one";

static HASHER: LazyLock<Hasher> = LazyLock::new(|| Hasher::new(Cost::default(), Entropy::system()));

/// Holds what the module says.
pub fn check(data: &[u8]) {
    let text = crate::text(data);
    let Ok(stored) = StoredPassword::imported(text.to_owned()) else { return };
    // The bounds allow seconds of work; only cheap hashes are verified here.
    let numbers = text.split(|character: char| !character.is_ascii_digit()).filter_map(|digits| digits.parse::<u64>().ok());
    let most = if text.contains("n=") { 10 } else { 20 };
    if text.contains("$2") || numbers.max().is_some_and(|number| number > most) {
        return;
    }
    // A wrong Argon2 is followed by the work of an unknown name, so only some are tried.
    if text.contains("argon2") && !text.len().is_multiple_of(16) {
        return;
    }
    let verdict = HASHER.blocking_verify(&TypedPassword::new(PASSWORD.to_owned()), Some(&stored)).expect("memory");
    assert_eq!(verdict, Verdict::Wrong);
}
