//! An old hash with Argon2id over it: `$layered$argon2id$v=19$m=…,t=…,p=…$salt$tag$`, and then the old string.
//!
//! The old string has its algorithm, parameters and salt. Its tag is replaced by as many zero bytes, in its base64. To verify a password, first the old
//! tag is computed and then the Argon2id of that tag. So with a copy of the table a password cannot be guessed at the old, lower cost.

use argon2::Params;
use zeroize::Zeroizing;

use super::argon2::{Argon2Hash, RANDOM_SALT_BYTES};
use super::{KnownHash, UnsupportedHashError, bcrypt, phpass};
use crate::password::stored::StoredPassword;
use crate::password::workspace::{HashingError, Workspace};

/// How such a string begins.
pub(super) const PREFIX: &str = "$layered$";

/// The number of fields of the Argon2id: name, version, costs, salt and tag.
const ARGON2_FIELDS: usize = 5;

/// A parsed string.
pub(in crate::password) struct LayeredHash {
    outer: Argon2Hash,
    inner: Box<KnownHash>,
}

impl LayeredHash {
    /// Parses what follows the prefix. Both hashes are within the bounds of their kinds.
    pub(super) fn parse(text: &str) -> Result<Self, UnsupportedHashError> {
        let (end, _) = text.match_indices('$').nth(ARGON2_FIELDS - 1).ok_or(UnsupportedHashError::Malformed)?;
        let (outer, inner) = (Argon2Hash::parse(&text[..end])?, &text[end + 1..]);
        let known = KnownHash::parse(inner)?;
        // There may be only one layer, and the old tag must be blank, because otherwise the old hash alone could be guessed.
        if !outer.is_present() || matches!(known, KnownHash::Layered(_)) || blank(inner, &known) != inner {
            return Err(UnsupportedHashError::Malformed);
        }
        Ok(Self { outer, inner: Box::new(known) })
    }

    pub(super) fn inner(&self) -> &KnownHash {
        &self.inner
    }

    pub(super) fn tag(&self) -> &[u8] {
        self.outer.tag()
    }

    /// The tag of `password`. The Argon2id is computed in any case, so that no password takes less time than it.
    pub(super) fn computed(&self, password: &str, workspace: &Workspace) -> Result<Option<Zeroizing<Vec<u8>>>, HashingError> {
        let inner = self.inner.computed(password, workspace)?;
        let outer = self.outer.computed(inner.as_ref().map_or(&[], |tag| tag.as_slice()), workspace)?;
        Ok(inner.map(|_| outer))
    }

    /// The work of both hashes, as far as they are Argon2.
    pub(super) fn argon2_work_kib(&self) -> u64 {
        self.outer.work_kib() + self.inner.argon2_work_kib().unwrap_or(0)
    }
}

/// An Argon2id that is to be put over an old hash.
pub(in crate::password) struct Layer {
    outer: Argon2Hash,
    inner: String,
    old_tag: Zeroizing<Vec<u8>>,
}

impl Layer {
    /// `None` if there is no hash that takes a layer.
    pub(in crate::password) fn over(stored: &StoredPassword, params: &Params, salt: [u8; RANDOM_SALT_BYTES]) -> Option<Self> {
        if !stored.takes_layer() {
            return None;
        }
        let known = KnownHash::parse(stored.as_str()).ok()?;
        let (inner, old_tag) = (blank(stored.as_str(), &known), Zeroizing::new(known.tag().to_vec()));
        Some(Self { outer: Argon2Hash::over(params, salt), inner, old_tag })
    }

    /// The work of computing it, in KiB times passes.
    pub(in crate::password) fn work_kib(&self) -> u64 {
        self.outer.work_kib()
    }

    /// The string to store.
    pub(in crate::password) fn seal(self, workspace: &Workspace) -> Result<String, HashingError> {
        let outer = self.outer.seal(&self.old_tag, workspace)?.encode();
        Ok(format!("$layered{outer}${}", self.inner))
    }
}

/// The string with zeros for its tag, in the base64 that it is written in.
fn blank(stored: &str, known: &KnownHash) -> String {
    let (characters, zero) = match known {
        KnownHash::Bcrypt(_) => (bcrypt::TAG_CHARACTERS, '.'),
        KnownHash::Phpass(_) => (phpass::DIGEST, '.'),
        _ => (stored.rsplit('$').next().map_or(0, str::len), 'A'),
    };
    let (rest, tag) = stored.split_at(stored.len().saturating_sub(characters));
    rest.chars().chain(tag.chars().map(|character| if character == '=' { '=' } else { zero })).collect()
}
