//! Django's PBKDF2 (RFC 8018): `pbkdf2_sha256$rounds$salt$tag` and `pbkdf2_sha1$…`.

use ::pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::Sha256;

use super::{RefusedHash, computed_equals, fields, number, salt, tag};

/// Most rounds, about 1.2 s. Django 5.2 writes 1,000,000 and 6.0 1,200,000, a fifth more with each release; OWASP asks for
/// 600,000, or 1,300,000 with SHA-1.
const MOST_ROUNDS: u32 = 5_000_000;

/// One of Django's strings, taken apart.
pub(in crate::password) struct Pbkdf2Hash {
    rounds: u32,
    salt: Vec<u8>,
    tag: Tag,
}

/// The tag is as long as the digest: Django writes no other.
enum Tag {
    Sha256([u8; 32]),
    Sha1([u8; 20]),
}

impl Pbkdf2Hash {
    /// Parses what follows `pbkdf2_sha256$`.
    pub(super) fn parse_sha256(text: &str) -> Result<Self, RefusedHash> {
        Self::parse(text, |text| tag(text).map(Tag::Sha256))
    }

    /// Parses what follows `pbkdf2_sha1$`.
    pub(super) fn parse_sha1(text: &str) -> Result<Self, RefusedHash> {
        Self::parse(text, |text| tag(text).map(Tag::Sha1))
    }

    fn parse(text: &str, tag: impl FnOnce(&str) -> Result<Tag, RefusedHash>) -> Result<Self, RefusedHash> {
        let [rounds, salted, tagged] = fields(text)?;
        let hash = Self { rounds: number(rounds)?, salt: salt(salted)?, tag: tag(tagged)? };
        if (1..=MOST_ROUNDS).contains(&hash.rounds) { Ok(hash) } else { Err(RefusedHash::OutOfBounds) }
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        match &self.tag {
            Tag::Sha256(tag) => computed_equals(tag, |out| pbkdf2_hmac::<Sha256>(password, &self.salt, self.rounds, out)),
            Tag::Sha1(tag) => computed_equals(tag, |out| pbkdf2_hmac::<Sha1>(password, &self.salt, self.rounds, out)),
        }
    }
}
