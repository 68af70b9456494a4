//! phpass's portable hash, `$P$B` and `$H$9`: WordPress before 6.8 and phpBB. It is MD5 of salt and password, and then again of digest and password,
//! 2^11 or 2^13 times. A graphics card tries millions a second, so it is imported only on request, and replaced at its owner's next login.

use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use super::UnsupportedHashError;

/// phpass's own base64. The first character after `$P$` is its position here: the number of rounds as a power of two.
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Allowed rounds, as powers of two. phpass starts at 7; WordPress writes 13, phpBB 11. 16 take 0.1 s, and a second for the longest password.
const ROUNDS: std::ops::RangeInclusive<usize> = 7..=16;

/// Maximum length of a password in bytes, because every round hashes all of it. WordPress refuses longer ones.
const MAX_PASSWORD_BYTES: usize = 4096;

/// Lengths of the salt and of the encoded digest, characters.
const SALT: usize = 8;
pub(super) const DIGEST: usize = 22;

/// A parsed string.
pub(in crate::password) struct PhpassHash {
    rounds: u32,
    salt: [u8; SALT],
    digest: [u8; DIGEST],
}

impl PhpassHash {
    /// Parses `$P$Bsaltsalt` and 22 characters. The salt is used as it is.
    pub(super) fn parse(text: &str) -> Result<Self, UnsupportedHashError> {
        let rest = text.strip_prefix("$P$").or_else(|| text.strip_prefix("$H$")).ok_or(UnsupportedHashError::UnknownAlgorithm)?;
        let position = |byte: &u8| ALPHABET.iter().position(|one| one == byte);
        let (rounds, rest) = rest.as_bytes().split_first().ok_or(UnsupportedHashError::Malformed)?;
        let rounds = position(rounds).ok_or(UnsupportedHashError::Malformed)?;
        let (salt, digest) = rest.split_at_checked(SALT).ok_or(UnsupportedHashError::Malformed)?;
        let (salt, digest) = (
            salt.try_into().map_err(|_| UnsupportedHashError::Malformed)?,
            digest.try_into().map_err(|_| UnsupportedHashError::Malformed)?,
        );
        let hash = Self { rounds: 1 << rounds.min(*ROUNDS.end()), salt, digest };
        if !hash.digest.iter().all(|byte| position(byte).is_some()) || hash.salt.contains(&b'$') {
            return Err(UnsupportedHashError::Malformed);
        }
        if ROUNDS.contains(&rounds) { Ok(hash) } else { Err(UnsupportedHashError::OutOfBounds) }
    }

    /// The tag of `password`, in phpass's base64; `None` if it is longer than any password of WordPress.
    pub(super) fn computed(&self, password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if password.len() > MAX_PASSWORD_BYTES {
            return None;
        }
        let mut digest = Zeroizing::new(<[u8; 16]>::from(Md5::new().chain_update(self.salt).chain_update(password).finalize()));
        for _ in 0..self.rounds {
            *digest = Md5::new().chain_update(digest.as_slice()).chain_update(password).finalize().into();
        }
        Some(Zeroizing::new(encode(&digest).to_vec()))
    }

    pub(super) fn tag(&self) -> &[u8] {
        &self.digest
    }
}

/// Groups of three bytes, the lowest six bits first, unlike base64.
fn encode(digest: &[u8; 16]) -> [u8; DIGEST] {
    let mut encoded = [0; DIGEST];
    for (group, characters) in digest.chunks(3).zip(encoded.chunks_mut(4)) {
        let value = group.iter().rev().fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
        for (number, character) in characters.iter_mut().enumerate() {
            *character = ALPHABET[value >> (6 * number) & 0b11_1111];
        }
    }
    encoded
}
