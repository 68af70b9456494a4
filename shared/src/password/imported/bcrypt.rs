//! bcrypt of the password, and of a digest: Django's combination with SHA-256 and WordPress's with HMAC-SHA-384.

use std::ops::RangeInclusive;

use ::bcrypt::{HashParts, Version};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::UnsupportedHashError;

/// Allowed costs, as powers of two. bcrypt itself starts at 4; Django writes 12, which takes 0.3 s. 15 takes 2.2 s, which is longer than users would
/// wait, and every further step doubles that.
const COSTS: RangeInclusive<u32> = 4..=15;

/// The number of bytes of a password that bcrypt reads.
const SEEN_BYTES: usize = 72;

/// bcrypt's own base64.
const ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Where the tag begins in the string.
const TAG_FROM: usize = 29;

/// The number of characters of a tag.
pub(super) const TAG_CHARACTERS: usize = 31;

/// The last characters of salt and tag: their positions in the string, and those of their bits that belong to the last byte.
const LAST_CHARACTERS: [(usize, usize); 2] = [(28, 0b11_0000), (59, 0b11_1100)];

/// A well-formed `$2b$12$…`.
pub(in crate::password) struct BcryptHash {
    text: String,
    of: Of,
}

/// The input of the bcrypt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The password.
    Password,
    /// Its SHA-256 digest, hexadecimal.
    Sha256,
    /// Its HMAC-SHA-384, in base64. WordPress trims a new password before that, but not the one that it checks.
    WordPress,
}

/// The key of WordPress's HMAC (`wp_hash_password`), which separates its hashes from those of other programs.
const WORDPRESS_KEY: &[u8] = b"wp-sha384";

impl BcryptHash {
    /// Parses `$2a$`, `$2b$` or `$2y$`, which only differ in programs that are no longer used. `$2x$` marks hashes of a program that confused non-ASCII
    /// passwords; they cannot be verified.
    pub(super) fn parse(text: &str) -> Result<Self, UnsupportedHashError> {
        let version = match text.get(..4) {
            Some("$2a$") => Version::TwoA,
            Some("$2b$") => Version::TwoB,
            Some("$2y$") => Version::TwoY,
            _ => return Err(UnsupportedHashError::UnknownAlgorithm),
        };
        let text = without_spare_bits(text).ok_or(UnsupportedHashError::Malformed)?;
        let parts: HashParts = text.parse().map_err(|_| UnsupportedHashError::Malformed)?;
        if !COSTS.contains(&parts.get_cost()) {
            return Err(UnsupportedHashError::OutOfBounds);
        }
        // The crate accepts a cost of "+9", which it would write as "09".
        if parts.format_for_version(version) != text {
            return Err(UnsupportedHashError::Malformed);
        }
        Ok(Self { text, of: Of::Password })
    }

    /// Django's `bcrypt_sha256`: bcrypt of the hexadecimal SHA-256 digest, so that the length does not matter.
    pub(super) fn parse_of_sha256(text: &str) -> Result<Self, UnsupportedHashError> {
        Self::parse(text).map(|hash| Self { of: Of::Sha256, ..hash })
    }

    /// Parses the part after WordPress's `$wp` (since 6.8).
    pub(super) fn parse_of_wordpress(text: &str) -> Result<Self, UnsupportedHashError> {
        Self::parse(text).map(|hash| Self { of: Of::WordPress, ..hash })
    }

    /// The part that is a plain bcrypt, without the bits that belong to no byte.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Plain bcrypt only reads the first 72 bytes. Hashes of longer passwords exist, for example from Python's bcrypt before 5.0; they were made from
    /// those 72 bytes and are verified in the same way.
    ///
    /// The tag of `password`, in bcrypt's base64.
    pub(super) fn computed(&self, password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        // The string has been parsed before, so an error here would be one of the crate, and no password matches.
        let parts: HashParts = self.text.parse().ok()?;
        let hash = |password: &[u8]| ::bcrypt::hash_with_salt(password, parts.get_cost(), parts.get_salt_raw()).ok();
        let computed = match self.of {
            Of::Password => hash(password),
            Of::Sha256 => hash(hexadecimal_sha256(password).as_slice()),
            Of::WordPress => {
                let digest = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA384, WORDPRESS_KEY), password);
                hash(Zeroizing::new(STANDARD.encode(digest)).as_bytes())
            }
        }?;
        let text = Zeroizing::new(computed.to_string());
        Some(Zeroizing::new(text.as_bytes().get(TAG_FROM..)?.to_vec()))
    }

    pub(super) fn tag(&self) -> &[u8] {
        self.text.as_bytes().get(TAG_FROM..).unwrap_or_default()
    }

    /// Whether no other password has this hash. Plain bcrypt does not distinguish passwords that share their first 72 bytes. It also repeats a password
    /// with a zero byte at its end until 72 bytes are full, so a password that contains such a byte may be a repetition.
    pub(super) fn determines(&self, password: &[u8]) -> bool {
        match self.of {
            Of::Password => password.len() < SEEN_BYTES && !password.contains(&0),
            Of::Sha256 | Of::WordPress => true,
        }
    }
}

/// The string with zeros for the bits that belong to no byte of salt and tag. Some programs fill them randomly; all ignore them.
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
