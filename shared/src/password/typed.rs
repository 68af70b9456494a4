//! A password as typed and as accepted by the policy. With [`StoredPassword`](super::StoredPassword) three types, so that none is
//! taken for another: only an accepted password becomes a new hash, only a stored one is kept.

use std::fmt;

use zeroize::Zeroizing;

use super::policy::{Policy, Violation};

/// A password exactly as somebody typed it: never trimmed, never normalised, wiped when dropped.
pub struct TypedPassword(Zeroizing<String>);

impl TypedPassword {
    /// Takes the text as it came out of the request.
    #[must_use]
    pub fn new(typed: String) -> Self {
        Self(Zeroizing::new(typed))
    }

    /// The text itself. Every use is worth a second look.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<Zeroizing<String>> for TypedPassword {
    fn from(typed: Zeroizing<String>) -> Self {
        Self(typed)
    }
}

impl fmt::Debug for TypedPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("TypedPassword").field(&format_args!("***")).finish()
    }
}

/// A password that the policy accepts for one account: the only kind that becomes a new password.
pub struct AcceptedPassword(TypedPassword);

impl AcceptedPassword {
    /// Puts a typed password before the policy, beside the username and address it must not resemble.
    ///
    /// The error lists every rule that it breaks, in the order in which they are shown.
    pub fn new(typed: TypedPassword, policy: &Policy, username: &str, email: &str) -> Result<Self, Vec<Violation>> {
        let violations = policy.judge(typed.reveal(), username, email);
        if violations.is_empty() { Ok(Self(typed)) } else { Err(violations) }
    }

    /// One that no policy has seen, for the hasher's own tests.
    #[cfg(test)]
    pub(super) fn unjudged(text: &str) -> Self {
        Self(TypedPassword::new(text.into()))
    }

    /// The text, for the hasher.
    pub(super) fn typed(&self) -> &TypedPassword {
        &self.0
    }
}

impl fmt::Debug for AcceptedPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("AcceptedPassword").field(&format_args!("***")).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_debug_output_shows_a_password() {
        let typed = TypedPassword::new("Correct-Horse-42".into());
        assert_eq!(format!("{typed:?}"), "TypedPassword(***)");
        assert_eq!(format!("{:?}", AcceptedPassword::unjudged("Correct-Horse-42")), "AcceptedPassword(***)");
    }
}
