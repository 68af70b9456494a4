//! Firebase Authentication's variant of scrypt, in the notation of Supabase Auth:
//! `$fbscrypt$v=1,n=14,r=8,p=1,ss=…,sk=…$salt$hash`.
//!
//! scrypt of the password, salted with the account's salt and the project's salt separator (`ss`), gives an AES-256 key. The hash is the project's
//! signer key (`sk`), encrypted with it in counter mode from zero (github.com/firebase/scrypt).

use aws_lc_rs::{
    cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey},
    iv::FixedLength,
};
use zeroize::Zeroizing;

use super::scrypt::params;
use super::{UnsupportedHashError, crypt_bytes, fields, number};

/// Lengths of a signer key in bytes: Firebase's have 64. A shorter one would make more passwords match.
const SIGNER_KEYS: std::ops::RangeInclusive<usize> = 16..=128;

/// Bytes of an AES-256 key.
const KEY_BYTES: usize = 32;

/// A parsed string.
pub(in crate::password) struct FirebaseHash {
    params: scrypt::Params,
    /// The account's salt and the project's salt separator.
    salt: Vec<u8>,
    signer_key: Vec<u8>,
    hash: Vec<u8>,
}

impl FirebaseHash {
    /// Parses the string without its first `$`.
    pub(super) fn parse(text: &str) -> Result<Self, UnsupportedHashError> {
        let [_, costs, salt, hash] = fields(text)?;
        let mut values = costs.split(',');
        let mut value = |name: &str| values.next().and_then(|value| value.strip_prefix(name)).ok_or(UnsupportedHashError::Malformed);
        if value("v=")? != "1" {
            return Err(UnsupportedHashError::Malformed);
        }
        let (cost, blocks, lanes) = (number(value("n=")?)?, number(value("r=")?)?, number(value("p=")?)?);
        let (separator, signer_key) = (crypt_bytes(value("ss=")?)?, crypt_bytes(value("sk=")?)?);
        if values.next().is_some() {
            return Err(UnsupportedHashError::Malformed);
        }
        let (mut salt, hash) = (crypt_bytes(salt)?, crypt_bytes(hash)?);
        // In counter mode the hash is as long as what was encrypted.
        if salt.is_empty() || hash.len() != signer_key.len() {
            return Err(UnsupportedHashError::Malformed);
        }
        if !SIGNER_KEYS.contains(&signer_key.len()) {
            return Err(UnsupportedHashError::OutOfBounds);
        }
        salt.extend(separator);
        let cost = 1_u32.checked_shl(cost).ok_or(UnsupportedHashError::OutOfBounds)?;
        Ok(Self { params: params(cost, blocks, lanes)?, salt, signer_key, hash })
    }

    /// The hash of this password; `None` if a crate cannot compute it.
    pub(super) fn computed(&self, password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        scrypt::scrypt(password, &self.salt, &self.params, key.as_mut_slice()).ok()?;
        let key = EncryptingKey::ctr(UnboundCipherKey::new(&AES_256, key.as_slice()).ok()?).ok()?;
        let mut computed = Zeroizing::new(self.signer_key.clone());
        // The key encrypts this text alone, so the counter may begin at zero.
        key.less_safe_encrypt(&mut computed, EncryptionContext::Iv128(FixedLength::from([0; 16]))).ok()?;
        Some(computed)
    }

    pub(super) fn tag(&self) -> &[u8] {
        &self.hash
    }
}
