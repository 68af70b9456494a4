//! A password as typed, in the form that is hashed, and as accepted by the policy. These and [`StoredPassword`](super::StoredPassword) are different
//! types, so that none is mistaken for another: only an accepted password becomes a new hash, and only a stored one is stored.

use std::fmt;

use zeroize::Zeroizing;

use super::policy::{Owner, Policy, Violation};
use crate::text::composed;

/// A password exactly as typed: not trimmed, not normalised, wiped when dropped.
pub struct TypedPassword(Zeroizing<String>);

impl TypedPassword {
    /// Takes the text from the request.
    #[must_use]
    pub fn new(typed: String) -> Self {
        Self(Zeroizing::new(typed))
    }

    /// The plain text. Review every use.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The same password in the form that is hashed.
    pub(super) fn normal(&self) -> NormalPassword {
        NormalPassword(composed(&self.0))
    }
}

/// A password in Unicode's normalization form C, in which new ones are hashed. It is the same password whichever keyboard or system composed its letters
/// (NIST SP 800-63B-4, 3.1.1.2; the form is that of RFC 8265, 4.2.2).
pub(super) struct NormalPassword(Zeroizing<String>);

impl NormalPassword {
    /// The text, for the policy and the hasher.
    pub(super) fn reveal(&self) -> &str {
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

/// A password that the policy accepts for an account. Only this becomes a new password.
pub struct AcceptedPassword(NormalPassword);

impl AcceptedPassword {
    /// Checks a typed password against the policy, with the names and the address that it must not resemble. The policy sees the text that will be hashed.
    ///
    /// The error lists every rule that it breaks, in the order in which they are shown.
    #[expect(clippy::needless_pass_by_value, reason = "what was typed is wiped here, and only what is hashed goes on")]
    pub fn new(typed: TypedPassword, policy: &Policy, owner: &Owner<'_>) -> Result<Self, Vec<Violation>> {
        let normal = typed.normal();
        let violations = policy.judge(normal.reveal(), owner);
        if violations.is_empty() { Ok(Self(normal)) } else { Err(violations) }
    }

    /// A password that was not checked, for the hasher's own tests.
    #[cfg(test)]
    pub(super) fn unjudged(text: &str) -> Self {
        Self(TypedPassword::new(text.into()).normal())
    }

    /// The text, for the hasher.
    pub(super) fn normal(&self) -> &NormalPassword {
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
