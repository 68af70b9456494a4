//! bcrypt, plain and over SHA-256 as Django does it.

use std::ops::RangeInclusive;

use ::bcrypt::{HashParts, Version};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::RefusedHash;

/// Costs, as powers of two. bcrypt itself starts at 4; Django writes 12, which takes 0.3 s. 15 takes 2.2 s, longer than
/// anybody's users would wait for, and every further step doubles that.
const COSTS: RangeInclusive<u32> = 4..=15;

/// How many bytes of a password bcrypt looks at.
const SEEN_BYTES: usize = 72;

/// bcrypt's own base64.
const ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The last characters of salt and tag: where they stand in the string, and which of their bits belong to the last byte.
const LAST_CHARACTERS: [(usize, usize); 2] = [(28, 0b11_0000), (59, 0b11_1100)];

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
        let text = without_spare_bits(text).ok_or(RefusedHash::Malformed)?;
        let parts: HashParts = text.parse().map_err(|_| RefusedHash::Malformed)?;
        if !COSTS.contains(&parts.get_cost()) {
            return Err(RefusedHash::OutOfBounds);
        }
        // The crate reads a cost of "+9"; written back, it is "09".
        if parts.format_for_version(version) != text {
            return Err(RefusedHash::Malformed);
        }
        Ok(Self { text, of_sha256: false })
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

    /// Whether no other password has this hash. Plain bcrypt tells passwords of 72 bytes from none that go on after these. It also
    /// repeats a password with the zero byte that ends it until 72 bytes are full, so one that holds such a byte may be a repetition.
    pub(super) fn determines(&self, password: &[u8]) -> bool {
        self.of_sha256 || (password.len() < SEEN_BYTES && !password.contains(&0))
    }
}

/// The string with zeros for the bits that belong to no byte of salt and tag. Some programs fill them with chance; all ignore them.
fn without_spare_bits(text: &str) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    for (position, used) in LAST_CHARACTERS {
        let character = bytes.get_mut(position)?;
        let bits = ALPHABET.iter().position(|one| one == character)?;
        *character = ALPHABET[bits & used];
    }
    String::from_utf8(bytes).ok()
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
