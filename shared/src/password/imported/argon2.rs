//! Argon2 in the PHC string format, for our own hashes and imported ones.

use ::argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::{TAG_LENGTHS, UnsupportedHashError, number};
use crate::password::cost::{Cost, InvalidCostError, TAG_BYTES, within_bounds, work_kib};
use crate::password::workspace::{HashingError, Workspace};

/// Length of the random part of a new salt in bytes. RFC 9106, 4 asks for 16; after 18 the mark is separate in base64, as `TkZD`.
pub(in crate::password) const RANDOM_SALT_BYTES: usize = 18;

/// The end of the salt of a new hash, which marks the hash of a password in normalization form C. A hash without it, which is an older or an imported
/// one, is that of a password as typed.
///
/// The mark is in the string, so that no write can separate the two. It is in the salt, so that every reader of PHC strings accepts it: other programs,
/// and earlier versions of this one.
const MARK: &[u8; 3] = b"NFC";

/// Lengths of a salt, bytes: RFC 9106 and the crate ask for 8, the PHC string format ends at 48; Django's are text of 22.
const SALT_LENGTHS: std::ops::RangeInclusive<usize> = 8..=64;

/// A parsed `$argon2id$v=19$m=19456,t=2,p=1$salt$tag`.
pub(in crate::password) struct Argon2Hash {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    tag: Vec<u8>,
}

impl Argon2Hash {
    /// Parses the string without its first `$`: all three variants, version 19 or 16 (which is also what no version means).
    pub(super) fn parse(text: &str) -> Result<Self, UnsupportedHashError> {
        let mut fields = text.split('$');
        let mut next = || fields.next().ok_or(UnsupportedHashError::Malformed);

        let algorithm = match next()? {
            "argon2id" => Algorithm::Argon2id,
            "argon2i" => Algorithm::Argon2i,
            "argon2d" => Algorithm::Argon2d,
            _ => return Err(UnsupportedHashError::UnknownAlgorithm),
        };
        let mut costs = next()?;
        let version = match costs {
            "v=19" => Version::V0x13,
            _ => Version::V0x10,
        };
        if matches!(costs, "v=19" | "v=16") {
            costs = next()?;
        }
        let (salt, tag) = (bytes(next()?)?, bytes(next()?)?);
        if fields.next().is_some() {
            return Err(UnsupportedHashError::Malformed);
        }
        if !SALT_LENGTHS.contains(&salt.len()) || !TAG_LENGTHS.contains(&tag.len()) {
            return Err(UnsupportedHashError::OutOfBounds);
        }
        Ok(Self { algorithm, version, params: params(costs, tag.len())?, salt, tag })
    }

    /// A hash of our own, whose tag has yet to be computed.
    pub(in crate::password) fn fresh(params: &Params, random: [u8; RANDOM_SALT_BYTES], tag: [u8; TAG_BYTES]) -> Self {
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        Self { algorithm, version, params: params.clone(), salt: [&random[..], MARK].concat(), tag: tag.to_vec() }
    }

    /// Argon2id over a tag instead of a password, so its salt has no mark. Its own tag has yet to be computed.
    pub(super) fn over(params: &Params, salt: [u8; RANDOM_SALT_BYTES]) -> Self {
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        Self { algorithm, version, params: params.clone(), salt: salt.to_vec(), tag: vec![0; TAG_BYTES] }
    }

    /// Whether the password was hashed in normalization form C and not as typed.
    pub(in crate::password) fn is_of_normal_form(&self) -> bool {
        self.algorithm == Algorithm::Argon2id && self.salt.len() == RANDOM_SALT_BYTES + MARK.len() && self.salt.ends_with(MARK)
    }

    /// The work of computing it, in KiB times passes.
    pub(in crate::password) fn work_kib(&self) -> u64 {
        work_kib(&self.params)
    }

    /// Computes the tag of `password`.
    pub(in crate::password) fn seal(mut self, password: &[u8], workspace: &Workspace) -> Result<Self, HashingError> {
        let mut tag = std::mem::take(&mut self.tag);
        workspace.compute(&self.algorithm(), password, &self.salt, &mut tag)?;
        Ok(Self { tag, ..self })
    }

    /// The tag of `password`.
    pub(in crate::password) fn computed(&self, password: &[u8], workspace: &Workspace) -> Result<Zeroizing<Vec<u8>>, HashingError> {
        let mut computed = Zeroizing::new(vec![0; self.tag.len()]);
        workspace.compute(&self.algorithm(), password, &self.salt, &mut computed)?;
        Ok(computed)
    }

    /// Whether it is Argon2id in the present version, which is what new hashes and layers are.
    pub(super) fn is_present(&self) -> bool {
        self.algorithm == Algorithm::Argon2id && self.version == Version::V0x13
    }

    /// Whether it reaches OWASP's minimum for a new hash.
    pub(super) fn is_strong(&self) -> bool {
        let cost = Cost::new(self.params.m_cost(), self.params.t_cost(), self.params.p_cost());
        self.is_present() && cost != Err(InvalidCostError::BelowFloor)
    }

    pub(super) fn tag(&self) -> &[u8] {
        &self.tag
    }

    /// Whether a new hash would have the same algorithm, version, cost, lengths and form of the password.
    pub(in crate::password) fn is_current(&self, cost: &Cost) -> bool {
        self.is_of_normal_form() && self.version == Version::V0x13 && self.params == *cost.params()
    }

    /// The string to store.
    pub(in crate::password) fn encode(&self) -> String {
        format!(
            "${}$v={}$m={},t={},p={}${}${}",
            self.algorithm.as_str(),
            u32::from(self.version),
            self.params.m_cost(),
            self.params.t_cost(),
            self.params.p_cost(),
            STANDARD_NO_PAD.encode(&self.salt),
            STANDARD_NO_PAD.encode(&self.tag),
        )
    }

    fn algorithm(&self) -> Argon2<'static> {
        Argon2::new(self.algorithm, self.version, self.params.clone())
    }
}

/// `m=…,t=…,p=…` in this order, which is the only one that the reference implementation's decoder accepts.
fn params(text: &str, tag_bytes: usize) -> Result<Params, UnsupportedHashError> {
    let mut values = text.split(',');
    let mut value = |name: &str| {
        let value = values.next().and_then(|value| value.strip_prefix(name)).ok_or(UnsupportedHashError::Malformed)?;
        number(value)
    };
    let (memory_kib, iterations, lanes) = (value("m=")?, value("t=")?, value("p=")?);
    if values.next().is_some() {
        return Err(UnsupportedHashError::Malformed);
    }
    if !within_bounds(memory_kib, iterations, lanes) {
        return Err(UnsupportedHashError::OutOfBounds);
    }
    // Refuses what RFC 9106 refuses: no pass, no lane, less than 8 KiB per lane.
    Params::new(memory_kib, iterations, lanes, Some(tag_bytes)).map_err(|_| UnsupportedHashError::OutOfBounds)
}

fn bytes(text: &str) -> Result<Vec<u8>, UnsupportedHashError> {
    STANDARD_NO_PAD.decode(text).map_err(|_| UnsupportedHashError::Malformed)
}
