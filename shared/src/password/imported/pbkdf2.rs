//! PBKDF2 (RFC 8018) in the forms of Django, passlib and the PHC string format.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{self, Algorithm, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA512};
use zeroize::Zeroizing;

use super::{UnsupportedHashError, fields, number, salt, salt_and_tag, tag};

/// A hash function under PBKDF2.
struct Digest {
    algorithm: Algorithm,
    bytes: usize,
    /// Maximum rounds for a tag of one digest's length. A longer tag takes them again for each further length.
    most_rounds: u32,
}

/// Django 5.2 writes 1,000,000 rounds and 6.0 1,200,000, a fifth more with each release; OWASP asks for 600,000. 5,000,000 take 0.6 s with
/// a processor's SHA instructions and some 2 s without.
const SHA256: Digest = Digest { algorithm: PBKDF2_HMAC_SHA256, bytes: 32, most_rounds: 5_000_000 };
/// OWASP asks for 1,300,000, Django writes what it does for SHA-256, passlib 131,000. The same times.
const SHA1: Digest = Digest { algorithm: PBKDF2_HMAC_SHA1, bytes: 20, most_rounds: 5_000_000 };
/// OWASP asks for 210,000, which Keycloak and passlib stay at or below. 2,500,000 take 1.4 s.
const SHA512: Digest = Digest { algorithm: PBKDF2_HMAC_SHA512, bytes: 64, most_rounds: 2_500_000 };

/// A parsed string.
pub(in crate::password) struct Pbkdf2Hash {
    algorithm: Algorithm,
    rounds: NonZeroU32,
    salt: Vec<u8>,
    tag: Vec<u8>,
}

impl Pbkdf2Hash {
    /// Parses what follows `pbkdf2_sha256$`.
    pub(super) fn parse_sha256(text: &str) -> Result<Self, UnsupportedHashError> {
        Self::parse_django(&SHA256, text)
    }

    /// Parses what follows `pbkdf2_sha1$`.
    pub(super) fn parse_sha1(text: &str) -> Result<Self, UnsupportedHashError> {
        Self::parse_django(&SHA1, text)
    }

    /// `rounds$salt$tag`, where the salt is text and the tag is as long as the digest. Django writes no others.
    fn parse_django(digest: &Digest, text: &str) -> Result<Self, UnsupportedHashError> {
        let [rounds, salted, tagged] = fields(text)?;
        Self::within_bounds(digest, number(rounds)?, salt(salted)?, tag(tagged, digest.bytes)?)
    }

    /// Parses the string without its first `$`: `pbkdf2-sha256$29000$salt$tag` or `pbkdf2-sha256$i=29000,l=32$salt$tag`.
    pub(super) fn parse_crypt(text: &str) -> Result<Self, UnsupportedHashError> {
        let [name, costs, salted, tagged] = fields(text)?;
        let digest = match name {
            "pbkdf2" | "pbkdf2-sha1" => &SHA1,
            "pbkdf2-sha256" => &SHA256,
            "pbkdf2-sha512" => &SHA512,
            _ => return Err(UnsupportedHashError::UnknownAlgorithm),
        };
        let (salt, tag) = salt_and_tag(salted, tagged)?;
        let rounds = match costs.strip_prefix("i=") {
            None => number(costs)?,
            Some(costs) => match costs.split_once(",l=") {
                None => number(costs)?,
                // The length is that of the tag; Ory Kratos writes it in bits.
                Some((rounds, length)) => {
                    let length = usize::try_from(number(length)?).map_err(|_| UnsupportedHashError::OutOfBounds)?;
                    if length != tag.len() && length != 8 * tag.len() {
                        return Err(UnsupportedHashError::Malformed);
                    }
                    number(rounds)?
                }
            },
        };
        Self::within_bounds(digest, rounds, salt, tag)
    }

    fn within_bounds(digest: &Digest, rounds: u32, salt: Vec<u8>, tag: Vec<u8>) -> Result<Self, UnsupportedHashError> {
        let lengths = u64::try_from(tag.len().div_ceil(digest.bytes)).map_err(|_| UnsupportedHashError::OutOfBounds)?;
        match NonZeroU32::new(rounds) {
            Some(rounds) if u64::from(rounds.get()) * lengths <= u64::from(digest.most_rounds) => {
                Ok(Self { algorithm: digest.algorithm, rounds, salt, tag })
            }
            _ => Err(UnsupportedHashError::OutOfBounds),
        }
    }

    /// The tag of `password`.
    pub(super) fn computed(&self, password: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut computed = Zeroizing::new(vec![0; self.tag.len()]);
        pbkdf2::derive(self.algorithm, self.rounds, &self.salt, password, &mut computed);
        computed
    }

    pub(super) fn tag(&self) -> &[u8] {
        &self.tag
    }
}
