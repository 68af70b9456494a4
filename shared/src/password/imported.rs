//! Every stored format that can be verified: our own, Django's, and those of other services.
//!
//! A string is parsed and its parameters are checked before any work is done. So one verification takes at most 256 MiB of memory and two to three seconds
//! of one core, whatever the string's parameters. (A Lambda function of 512 MB has 0.29 of a core: up to 10 s.) A layered hash needs two verifications,
//! one after the other: its Argon2id adds at most a second, and at the usual cost a thirtieth of a second. A function does not start if the cost of its
//! own hashes does not fit into its memory beside these 256 MiB, see [`Hasher::configured`](super::Hasher::configured). There are no lower bounds. Each
//! upper bound is well above every default in the field; its constant gives the reason. The times were measured on one core of a current server.
//!
//! Parsing is as strict as the programs that write these strings: no sign, no leading zero, no white space, fields in order. Programs differ in padding
//! and spare bits of base64; all variants are accepted.
//!
//! | form | written by |
//! |---|---|
//! | `$argon2id$v=19$m=…,t=…,p=…$…`, `$argon2i$…`, `$argon2d$…` | PHC string format, the reference implementation, ourselves |
//! | `$2b$12$…`, `$2a$…`, `$2y$…` | bcrypt |
//! | `$pbkdf2-sha256$29000$…`, `$pbkdf2-sha512$…`, `$pbkdf2$…` (SHA-1) | passlib |
//! | `$pbkdf2-sha256$i=600000,l=32$…` and so on, `$scrypt$ln=17,r=8,p=1$…` | PHC string format, passlib, Ory Kratos |
//! | `$fbscrypt$v=1,n=14,r=8,p=1,ss=…,sk=…$…` | Firebase, in Supabase's notation |
//! | `$scrypt-nfkc$ln=14,r=16,p=1$…` | ourselves: scrypt of the password in Unicode form NFKC, as Better Auth computes it |
//! | `$wp$2y$10$…` | WordPress since 6.8 |
//! | `$P$B…`, `$H$9…` | phpass: WordPress before 6.8, phpBB. Imported only on request, because it is MD5 |
//! | `argon2$…`, `bcrypt$…`, `bcrypt_sha256$…`, `pbkdf2_sha256$…`, `pbkdf2_sha1$…`, `scrypt$…` | Django |
//! | `$layered$argon2id$v=19$…$` and one of the others without its tag | `import --layered`, see [`layered`] |

pub(super) mod argon2;
mod bcrypt;
mod firebase;
pub(super) mod layered;
mod pbkdf2;
mod phpass;
mod scrypt;

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use zeroize::Zeroizing;

use self::argon2::Argon2Hash;
use self::bcrypt::BcryptHash;
use self::firebase::FirebaseHash;
use self::layered::LayeredHash;
use self::pbkdf2::Pbkdf2Hash;
use self::phpass::PhpassHash;
use self::scrypt::ScryptHash;
use super::stored::StoredPassword;
use super::workspace::{HashingError, Workspace};

/// Maximum length of a stored string in bytes. Django's column has 128 characters, the longest Argon2 string within bounds 216.
const MAX_STRING_BYTES: usize = 512;

/// Maximum length of a layered one, in which there are two.
const MAX_LAYERED_BYTES: usize = 2 * MAX_STRING_BYTES;

/// Allowed lengths of a tag in bytes, where the string has one (PHC string format: 12 to 64). RFC 9106 allows 4, but one in 2^32 guesses would match that.
const TAG_LENGTHS: RangeInclusive<usize> = 12..=64;

/// Why a stored string is not verified. The reason is counted and logged; the client gets the same answer as for a wrong password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UnsupportedHashError {
    /// The algorithm is unknown.
    #[error("unknown algorithm")]
    UnknownAlgorithm,
    /// The algorithm is known, but the string is malformed.
    #[error("malformed hash")]
    Malformed,
    /// The parameters are out of bounds.
    #[error("parameters out of bounds")]
    OutOfBounds,
}

impl UnsupportedHashError {
    /// A name for counters and log lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownAlgorithm => "unknown_algorithm",
            Self::Malformed => "malformed",
            Self::OutOfBounds => "out_of_bounds",
        }
    }
}

impl StoredPassword {
    /// Accepts an imported hash that can be verified, or an unusable password in Django's form.
    pub fn imported(text: String) -> Result<Self, UnsupportedHashError> {
        let password = Self::stored(text);
        if password.is_usable() {
            KnownHash::parse(password.as_str())?;
        } else if password.as_str().len() > MAX_STRING_BYTES {
            return Err(UnsupportedHashError::Malformed);
        }
        Ok(password)
    }

    /// Whether it is an old hash, over which [`Hasher::blocking_layer`](super::Hasher::blocking_layer) puts Argon2id: any that can be verified, except
    /// an Argon2id at or above OWASP's minimum, and one that is layered already.
    #[must_use]
    pub fn takes_layer(&self) -> bool {
        KnownHash::parse(self.as_str()).is_ok_and(|known| self.is_usable() && known.takes_layer())
    }

    /// The string as strict programs read it: with zeros for the bits of a bcrypt's salt and tag that belong to no byte. Some programs fill them randomly,
    /// and others, such as Python's bcrypt, refuse that.
    #[must_use]
    pub fn portable(&self) -> String {
        let stored = self.as_str();
        match KnownHash::parse(stored) {
            Ok(KnownHash::Bcrypt(hash)) => format!("{}{}", &stored[..stored.len() - hash.text().len()], hash.text()),
            _ => stored.to_owned(),
        }
    }

    /// Whether it is a hash that can be guessed so quickly that it hardly protects the password: phpass, which is salted and repeated MD5.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        ["$P$", "$H$"].iter().any(|start| self.as_str().starts_with(start))
    }
}

/// A parsed string within bounds.
pub(super) enum KnownHash {
    Argon2(Argon2Hash),
    Bcrypt(BcryptHash),
    Firebase(FirebaseHash),
    Layered(LayeredHash),
    Pbkdf2(Pbkdf2Hash),
    Phpass(PhpassHash),
    Scrypt(ScryptHash),
}

impl KnownHash {
    /// Parses a stored string, which takes microseconds.
    pub(super) fn parse(stored: &str) -> Result<Self, UnsupportedHashError> {
        if let Some(layers) = stored.strip_prefix(layered::PREFIX).filter(|_| stored.len() <= MAX_LAYERED_BYTES) {
            return LayeredHash::parse(layers).map(Self::Layered);
        }
        if stored.len() > MAX_STRING_BYTES {
            return Err(UnsupportedHashError::Malformed);
        }
        let (algorithm, rest) = stored.split_once('$').ok_or(UnsupportedHashError::UnknownAlgorithm)?;
        match algorithm {
            "" => Self::parse_crypt(stored),
            "argon2" => Argon2Hash::parse(rest).map(Self::Argon2),
            "bcrypt" => BcryptHash::parse(rest).map(Self::Bcrypt),
            "bcrypt_sha256" => BcryptHash::parse_of_sha256(rest).map(Self::Bcrypt),
            "pbkdf2_sha256" => Pbkdf2Hash::parse_sha256(rest).map(Self::Pbkdf2),
            "pbkdf2_sha1" => Pbkdf2Hash::parse_sha1(rest).map(Self::Pbkdf2),
            "scrypt" => ScryptHash::parse(rest).map(Self::Scrypt),
            _ => Err(UnsupportedHashError::UnknownAlgorithm),
        }
    }

    /// `$algorithm$…`: PHC strings and the older modular crypt format.
    fn parse_crypt(stored: &str) -> Result<Self, UnsupportedHashError> {
        match stored.split('$').nth(1) {
            Some("argon2id" | "argon2i" | "argon2d") => Argon2Hash::parse(&stored[1..]).map(Self::Argon2),
            Some("2a" | "2b" | "2y") => BcryptHash::parse(stored).map(Self::Bcrypt),
            Some("pbkdf2" | "pbkdf2-sha1" | "pbkdf2-sha256" | "pbkdf2-sha512") => Pbkdf2Hash::parse_crypt(&stored[1..]).map(Self::Pbkdf2),
            Some("scrypt" | "scrypt-nfkc") => ScryptHash::parse_crypt(&stored[1..]).map(Self::Scrypt),
            Some("fbscrypt") => FirebaseHash::parse(&stored[1..]).map(Self::Firebase),
            Some("wp") => BcryptHash::parse_of_wordpress(stored.get(3..).unwrap_or_default()).map(Self::Bcrypt),
            Some("P" | "H") => PhpassHash::parse(stored).map(Self::Phpass),
            _ => Err(UnsupportedHashError::UnknownAlgorithm),
        }
    }

    /// Whether this is the hash of `password`. Takes the time that the string's parameters ask for.
    pub(super) fn matches(&self, password: &str, workspace: &Workspace) -> Result<bool, HashingError> {
        let computed = self.computed(password, workspace)?;
        Ok(computed.is_some_and(|computed| computed.ct_eq(self.tag()).into()))
    }

    /// The tag of `password`; `None` if the algorithm does not accept such a password.
    fn computed(&self, password: &str, workspace: &Workspace) -> Result<Option<Zeroizing<Vec<u8>>>, HashingError> {
        let bytes = password.as_bytes();
        match self {
            Self::Argon2(hash) => hash.computed(bytes, workspace).map(Some),
            Self::Bcrypt(hash) => Ok(hash.computed(bytes)),
            Self::Firebase(hash) => Ok(hash.computed(bytes)),
            Self::Layered(hash) => hash.computed(password, workspace),
            Self::Pbkdf2(hash) => Ok(Some(hash.computed(bytes))),
            Self::Phpass(hash) => Ok(hash.computed(bytes)),
            Self::Scrypt(hash) => Ok(hash.computed(password)),
        }
    }

    /// The tag: bytes, or the characters of bcrypt's and phpass's own base64.
    fn tag(&self) -> &[u8] {
        match self {
            Self::Argon2(hash) => hash.tag(),
            Self::Bcrypt(hash) => hash.tag(),
            Self::Firebase(hash) => hash.tag(),
            Self::Layered(hash) => hash.tag(),
            Self::Pbkdf2(hash) => hash.tag(),
            Self::Phpass(hash) => hash.tag(),
            Self::Scrypt(hash) => hash.tag(),
        }
    }

    fn takes_layer(&self) -> bool {
        match self {
            Self::Argon2(hash) => !hash.is_strong(),
            Self::Layered(_) => false,
            Self::Bcrypt(_) | Self::Firebase(_) | Self::Pbkdf2(_) | Self::Phpass(_) | Self::Scrypt(_) => true,
        }
    }

    /// Whether it is the hash of the password in Unicode normalization form C, and not of the password as typed.
    pub(super) fn is_of_normal_form(&self) -> bool {
        match self {
            Self::Argon2(hash) => hash.is_of_normal_form(),
            Self::Layered(hash) => hash.inner().is_of_normal_form(),
            _ => false,
        }
    }

    /// The work of verifying an Argon2 hash, in KiB times passes. Other algorithms do not have this unit.
    pub(super) fn argon2_work_kib(&self) -> Option<u64> {
        match self {
            Self::Argon2(hash) => Some(hash.work_kib()),
            Self::Layered(hash) => Some(hash.argon2_work_kib()),
            _ => None,
        }
    }

    /// Whether `password`, which matches, is the only text that does. Only then may a hash of it replace this one.
    ///
    /// If an algorithm ignores a part of the typed text, the first login would otherwise decide which of many texts is the password, and an owner whose
    /// password is another of these could no longer log in.
    pub(super) fn determines(&self, password: &str) -> bool {
        match self {
            Self::Argon2(_) | Self::Phpass(_) => true,
            Self::Bcrypt(hash) => hash.determines(password.as_bytes()),
            Self::Layered(hash) => hash.inner().determines(password),
            // HMAC (RFC 2104) pads a key with U+0000. It also replaces a key that is longer than its block by its digest. Only a person who searches many
            // passwords on purpose finds one whose digest is text, and that person knows the password anyway.
            Self::Pbkdf2(_) | Self::Firebase(_) => !password.ends_with('\0'),
            Self::Scrypt(hash) => hash.determines(password),
        }
    }
}

/// The `N` fields of one of Django's formats.
fn fields<const N: usize>(text: &str) -> Result<[&str; N], UnsupportedHashError> {
    let mut parts = text.split('$');
    let mut fields = [""; N];
    for field in &mut fields {
        *field = parts.next().ok_or(UnsupportedHashError::Malformed)?;
    }
    if parts.next().is_some() { Err(UnsupportedHashError::Malformed) } else { Ok(fields) }
}

/// A decimal number. More than 32 bits are out of bounds, not malformed.
fn number(text: &str) -> Result<u32, UnsupportedHashError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return Err(UnsupportedHashError::Malformed);
    }
    text.parse().map_err(|_| UnsupportedHashError::OutOfBounds)
}

/// A salt of Django's PBKDF2 and scrypt, which is text and used as it is. Django refuses an empty one.
fn salt(text: &str) -> Result<Vec<u8>, UnsupportedHashError> {
    if text.is_empty() { Err(UnsupportedHashError::Malformed) } else { Ok(text.as_bytes().to_vec()) }
}

/// A tag of exactly `length` bytes in padded base64, as Django writes it.
fn tag(text: &str, length: usize) -> Result<Vec<u8>, UnsupportedHashError> {
    let bytes = STANDARD.decode(text).map_err(|_| UnsupportedHashError::Malformed)?;
    if bytes.len() == length { Ok(bytes) } else { Err(UnsupportedHashError::Malformed) }
}

/// The salt and tag of `$algorithm$…`. Neither is empty, and the tag's length is one of the PHC string format.
fn salt_and_tag(salt: &str, tag: &str) -> Result<(Vec<u8>, Vec<u8>), UnsupportedHashError> {
    let (salt, tag) = (crypt_bytes(salt)?, crypt_bytes(tag)?);
    if salt.is_empty() {
        return Err(UnsupportedHashError::Malformed);
    }
    if TAG_LENGTHS.contains(&tag.len()) { Ok((salt, tag)) } else { Err(UnsupportedHashError::OutOfBounds) }
}

/// Base64 without padding as in the PHC string format, with padding as from Ory Kratos, or with `.` for `+` as from passlib.
fn crypt_bytes(text: &str) -> Result<Vec<u8>, UnsupportedHashError> {
    const ENGINE: GeneralPurpose =
        GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));
    ENGINE.decode(text.replace('.', "+")).map_err(|_| UnsupportedHashError::Malformed)
}

#[cfg(test)]
mod tests;
