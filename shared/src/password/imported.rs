//! Every stored form that is verified: our own, Django's, and the plain strings of other sites.
//!
//! A string is parsed, and its parameters bounded, before any work is done. Whatever a record asks for, one verification then
//! takes at most 256 MiB of memory, which leaves a 512 MiB function its 19 MiB of own blocks and some 30 MiB of program, and
//! two to three seconds of one core. (A Lambda function of 512 MB has 0.29 of a core: up to 10 s.) The bounds are for what no
//! site uses: nothing is too cheap, and each bound is well above every default in the field. The argument stands at each
//! constant; the times were measured on one core of a current server.
//!
//! Parsing is as strict as the programs that write these strings, which compare whole strings: no sign, no leading zero, no
//! white space, canonical base64, fields in order. A string that is written differently was written by nobody.

pub(super) mod argon2;
mod bcrypt;
mod pbkdf2;
mod scrypt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use zeroize::Zeroizing;

use self::argon2::Argon2Hash;
use self::bcrypt::BcryptHash;
use self::pbkdf2::Pbkdf2Hash;
use self::scrypt::ScryptHash;
use super::stored::StoredPassword;
use super::workspace::{HashingFault, Workspace};

/// Longest stored string that is looked at, bytes. Django's column holds 128 characters, the longest Argon2 string within bounds 216.
const LONGEST_STRING: usize = 512;

/// Most memory for one verification, KiB. libsodium's "moderate" asks for 256 MiB, Django and passlib for 100, RFC 9106's
/// second choice for 64, OWASP's scrypt for 128. What stays outside are RFC 9106's first choice (2 GiB) and libsodium's
/// "sensitive" (1 GiB), which are not meant for logins.
const MOST_MEMORY_KIB: u32 = 256 * 1024;

/// Why a stored string is not worked on. Counted and logged by its name; the client sees a wrong password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RefusedHash {
    /// No algorithm that we verify.
    #[error("unknown algorithm")]
    UnknownAlgorithm,
    /// A known algorithm, but not a string that it writes.
    #[error("malformed hash")]
    Malformed,
    /// Parameters that no site uses.
    #[error("parameters out of bounds")]
    OutOfBounds,
}

impl RefusedHash {
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
    /// A hash from elsewhere, if it is one that can be verified, or an unusable password as Django writes it.
    pub fn imported(text: String) -> Result<Self, RefusedHash> {
        let password = Self::stored(text);
        if password.as_str().len() > LONGEST_STRING {
            return Err(RefusedHash::Malformed);
        }
        if password.is_usable() {
            KnownHash::parse(password.as_str())?;
        }
        Ok(password)
    }
}

/// A stored string, taken apart and within bounds.
pub(super) enum KnownHash {
    Argon2(Argon2Hash),
    Bcrypt(BcryptHash),
    Pbkdf2(Pbkdf2Hash),
    Scrypt(ScryptHash),
}

impl KnownHash {
    /// Takes a stored string apart. Costs microseconds, whatever it says.
    pub(super) fn parse(stored: &str) -> Result<Self, RefusedHash> {
        if stored.len() > LONGEST_STRING {
            return Err(RefusedHash::Malformed);
        }
        let (algorithm, rest) = stored.split_once('$').ok_or(RefusedHash::UnknownAlgorithm)?;
        match algorithm {
            "" => Self::parse_crypt(stored),
            "argon2" => Argon2Hash::parse(rest).map(Self::Argon2),
            "bcrypt" => BcryptHash::parse(rest).map(Self::Bcrypt),
            "bcrypt_sha256" => BcryptHash::parse_of_sha256(rest).map(Self::Bcrypt),
            "pbkdf2_sha256" => Pbkdf2Hash::parse_sha256(rest).map(Self::Pbkdf2),
            "pbkdf2_sha1" => Pbkdf2Hash::parse_sha1(rest).map(Self::Pbkdf2),
            "scrypt" => ScryptHash::parse(rest).map(Self::Scrypt),
            _ => Err(RefusedHash::UnknownAlgorithm),
        }
    }

    /// `$algorithm$…`: PHC strings and the older modular crypt format.
    fn parse_crypt(stored: &str) -> Result<Self, RefusedHash> {
        match stored.split('$').nth(1) {
            Some("argon2id" | "argon2i" | "argon2d") => Argon2Hash::parse(&stored[1..]).map(Self::Argon2),
            Some("2a" | "2b" | "2y") => BcryptHash::parse(stored).map(Self::Bcrypt),
            _ => Err(RefusedHash::UnknownAlgorithm),
        }
    }

    /// Whether this is the hash of `password`. Takes the time that the string's own parameters ask for.
    pub(super) fn matches(&self, password: &str, workspace: &Workspace) -> Result<bool, HashingFault> {
        let password = password.as_bytes();
        match self {
            Self::Argon2(hash) => hash.matches(password, workspace),
            Self::Bcrypt(hash) => Ok(hash.matches(password)),
            Self::Pbkdf2(hash) => Ok(hash.matches(password)),
            Self::Scrypt(hash) => Ok(hash.matches(password)),
        }
    }
}

/// The fields of Django's formats: exactly `N` of them.
fn fields<const N: usize>(text: &str) -> Result<[&str; N], RefusedHash> {
    let mut parts = text.split('$');
    let mut fields = [""; N];
    for field in &mut fields {
        *field = parts.next().ok_or(RefusedHash::Malformed)?;
    }
    if parts.next().is_some() { Err(RefusedHash::Malformed) } else { Ok(fields) }
}

/// A decimal number as programs write it. More than 32 bits are out of bounds, not malformed.
fn number(text: &str) -> Result<u32, RefusedHash> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return Err(RefusedHash::Malformed);
    }
    text.parse().map_err(|_| RefusedHash::OutOfBounds)
}

/// A salt of Django's PBKDF2 and scrypt: text, used as it is. Django refuses an empty one.
fn salt(text: &str) -> Result<Vec<u8>, RefusedHash> {
    if text.is_empty() { Err(RefusedHash::Malformed) } else { Ok(text.as_bytes().to_vec()) }
}

/// A tag of exactly `N` bytes in padded base64.
fn tag<const N: usize>(text: &str) -> Result<[u8; N], RefusedHash> {
    let bytes = STANDARD.decode(text).map_err(|_| RefusedHash::Malformed)?;
    bytes.try_into().map_err(|_| RefusedHash::Malformed)
}

/// Fills a tag by `compute` and compares it in constant time.
fn computed_equals(expected: &[u8], compute: impl FnOnce(&mut [u8])) -> bool {
    let mut computed = Zeroizing::new(vec![0; expected.len()]);
    compute(&mut computed);
    computed.ct_eq(expected).into()
}

#[cfg(test)]
mod tests;
