//! A password in its stored form. Functions that never hash need only this.

use std::fmt;

/// The beginning of an unusable password: Django's mark for an account that logs in by other means (`UNUSABLE_PASSWORD_PREFIX`).
pub const UNUSABLE: &str = "!";

/// A stored password: our own Argon2id PHC string, or an imported one.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword(String);

impl StoredPassword {
    /// Takes an account's attribute as it is. Any text is allowed; it is parsed when a password is verified.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// An unusable password in Django's form. Nobody can log in to such an account, and it gets no reset link.
    #[must_use]
    pub fn unusable() -> Self {
        Self(UNUSABLE.to_owned())
    }

    /// The text to be stored or compared with the stored one.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its owner can log in with it or have it replaced by mail.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.0.starts_with(UNUSABLE)
    }
}

impl fmt::Debug for StoredPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("StoredPassword").field(&format_args!("***")).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_debug_output_shows_a_hash() {
        assert_eq!(format!("{:?}", StoredPassword::stored("$argon2id$secret".into())), "StoredPassword(***)");
    }

    #[test]
    fn an_exclamation_mark_makes_a_password_unusable() {
        assert!(!StoredPassword::unusable().is_usable());
        assert!(!StoredPassword::stored("!Zm9vYmFy".into()).is_usable());
        assert!(StoredPassword::stored("$argon2id$v=19$m=19456,t=2,p=1$a$b".into()).is_usable());
    }
}
