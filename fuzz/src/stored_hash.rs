//! Any text as a stored hash: taken apart without a panic, and, where it asks for little work, verified: no text is the hash of this password.

use std::sync::LazyLock;

use doorward::{
    entropy::Entropy,
    password::{Cost, Hasher, StoredPassword, TypedPassword, Verdict},
};

/// Never the password of a seed.
const PASSWORD: &str = "none of the seeds is of this one";

static HASHER: LazyLock<Hasher> = LazyLock::new(|| Hasher::new(Cost::default(), Entropy::system()));

/// Holds what the module says.
pub fn check(data: &[u8]) {
    let text = crate::text(data);
    let Ok(stored) = StoredPassword::imported(text.to_owned()) else { return };
    // Seconds of work are within bounds; here only what takes a moment is tried.
    let numbers = text.split(|character: char| !character.is_ascii_digit()).filter_map(|digits| digits.parse::<u64>().ok());
    if text.contains("$2") || numbers.max().is_some_and(|most| most > 20) {
        return;
    }
    let verdict = HASHER.blocking_verify(&TypedPassword::new(PASSWORD.to_owned()), Some(&stored)).expect("memory");
    assert_eq!(verdict, Verdict::Wrong);
}
