//! bcrypt, plain and over SHA-256 as Django does it.

use std::ops::RangeInclusive;

use ::bcrypt::{HashParts, Version};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::RefusedHash;

/// Costs, as powers of two. bcrypt itself starts at 4; Django writes 12, which takes 0.3 s. 15 takes 2.2 s, longer than
/// anybody's users would wait for, and every further step doubles that.
const COSTS: RangeInclusive<u32> = 4..=15;

/// `$2b$12$…`, known to be well-formed.
pub(in crate::password) struct BcryptHash {
    text: String,
    of_sha256: bool,
}

impl BcryptHash {
    /// Parses `$2a$`, `$2b$` or `$2y$`, which differ in programs that are long gone. `$2x$` marks hashes of a
    /// program that took non-ASCII passwords for others: nobody can verify them.
    pub(super) fn parse(text: &str) -> Result<Self, RefusedHash> {
        let version = match text.get(..4) {
            Some("$2a$") => Version::TwoA,
            Some("$2b$") => Version::TwoB,
            Some("$2y$") => Version::TwoY,
            _ => return Err(RefusedHash::UnknownAlgorithm),
        };
        let parts: HashParts = text.parse().map_err(|_| RefusedHash::Malformed)?;
        if !COSTS.contains(&parts.get_cost()) {
            return Err(RefusedHash::OutOfBounds);
        }
        // The crate reads a cost of "+9"; written back, it is "09".
        if parts.format_for_version(version) != text {
            return Err(RefusedHash::Malformed);
        }
        Ok(Self { text: text.to_owned(), of_sha256: false })
    }

    /// Django's `bcrypt_sha256`: bcrypt of the hexadecimal SHA-256 digest, so that length does not matter.
    pub(super) fn parse_of_sha256(text: &str) -> Result<Self, RefusedHash> {
        Self::parse(text).map(|hash| Self { of_sha256: true, ..hash })
    }

    /// Plain bcrypt sees the first 72 bytes only. Hashes of longer passwords exist wherever Python's bcrypt was
    /// older than 5.0, as everywhere else; they were made of those 72 bytes and are verified so.
    pub(super) fn matches(&self, password: &[u8]) -> bool {
        // The string was parsed before; an error here would be one of the crate's own, and nobody's password.
        if self.of_sha256 {
            ::bcrypt::verify(hexadecimal_sha256(password), &self.text).unwrap_or(false)
        } else {
            ::bcrypt::verify(password, &self.text).unwrap_or(false)
        }
    }
}

fn hexadecimal_sha256(password: &[u8]) -> Zeroizing<[u8; 64]> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(password)));
    let mut text = Zeroizing::new([0; 64]);
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest.iter()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0x0f)];
    }
    text
}
