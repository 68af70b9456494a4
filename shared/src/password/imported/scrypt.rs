//! scrypt (RFC 7914) in the forms of Django (`scrypt$N$salt$r$p$tag`) and the PHC string format (`$scrypt$ln=…,r=…,p=…$salt$tag`).

use ::scrypt::{Params, scrypt};
use zeroize::Zeroizing;

use super::{UnsupportedHashError, fields, number, salt, salt_and_tag, tag};
use crate::password::cost::MAX_MEMORY_KIB;
use crate::text::{compatible, composed};

/// Maximum work as N·r·p, about 1.8 s: four times that of OWASP's choices (2^20), six times Django's default.
const MAX_WORK: u64 = 1 << 22;

/// Maximum number of blocks in one lane, and of lanes. All of OWASP's choices have r=8 and p up to 10.
const MAX_BLOCKS: u32 = 64;
const MAX_LANES: u32 = 64;

/// Length of Django's tags, bytes.
const DJANGO_TAG_BYTES: usize = 64;

/// A parsed string.
pub(in crate::password) struct ScryptHash {
    params: Params,
    salt: Vec<u8>,
    tag: Vec<u8>,
    /// Whether the password was hashed in Unicode's normalization form KC.
    of_compatible_form: bool,
}

impl ScryptHash {
    /// Parses what follows Django's `scrypt$`.
    pub(super) fn parse(text: &str) -> Result<Self, UnsupportedHashError> {
        let [cost, salted, blocks, lanes, tagged] = fields(text)?;
        let (cost, blocks, lanes) = (number(cost)?, number(blocks)?, number(lanes)?);
        let (salt, tag) = (salt(salted)?, tag(tagged, DJANGO_TAG_BYTES)?);
        Ok(Self { salt, tag, params: params(cost, blocks, lanes)?, of_compatible_form: false })
    }

    /// Parses the string without its first `$`: `scrypt$ln=17,r=8,p=1$salt$tag`, or `scrypt-nfkc$…`.
    pub(super) fn parse_crypt(text: &str) -> Result<Self, UnsupportedHashError> {
        let [name, costs, salted, tagged] = fields(text)?;
        let mut values = costs.split(',');
        let mut value =
            |name: &str| number(values.next().and_then(|value| value.strip_prefix(name)).ok_or(UnsupportedHashError::Malformed)?);
        let (cost, blocks, lanes) = (value("ln=")?, value("r=")?, value("p=")?);
        if values.next().is_some() {
            return Err(UnsupportedHashError::Malformed);
        }
        // The format has the logarithm of N. Ory Kratos writes N itself, which is larger than any logarithm.
        let cost = 1_u32.checked_shl(cost).unwrap_or(cost);
        let (salt, tag) = salt_and_tag(salted, tagged)?;
        Ok(Self { params: params(cost, blocks, lanes)?, salt, tag, of_compatible_form: name == "scrypt-nfkc" })
    }

    /// The tag of `password`.
    pub(super) fn computed(&self, password: &str) -> Option<Zeroizing<Vec<u8>>> {
        let compatible = self.of_compatible_form.then(|| compatible(password));
        let password = compatible.as_ref().map_or(password, |password| password.as_str()).as_bytes();
        let mut computed = Zeroizing::new(vec![0; self.tag.len()]);
        scrypt(password, &self.salt, &self.params, &mut computed).ok()?;
        Some(computed)
    }

    pub(super) fn tag(&self) -> &[u8] {
        &self.tag
    }

    /// HMAC (RFC 2104) pads a key with U+0000. Of the texts that normalization form KC maps to one, the text in that form counts as the password, and only
    /// its hash replaces this one.
    pub(super) fn determines(&self, password: &str) -> bool {
        !password.ends_with('\0') && (!self.of_compatible_form || *compatible(password) == *composed(password))
    }
}

/// N must be a power of two (RFC 7914, 2). The table takes 128·r·N bytes; the lanes, 128·r·p, are little beside it.
pub(super) fn params(cost: u32, blocks: u32, lanes: u32) -> Result<Params, UnsupportedHashError> {
    // Blocks and lanes are checked first, so that the products below fit into 64 bits.
    if cost < 2 || !cost.is_power_of_two() || blocks > MAX_BLOCKS || lanes > MAX_LANES {
        return Err(UnsupportedHashError::OutOfBounds);
    }
    let table_bytes = 128 * u64::from(blocks) * u64::from(cost);
    let work = u64::from(cost) * u64::from(blocks) * u64::from(lanes);
    if table_bytes > u64::from(MAX_MEMORY_KIB) * 1024 || work > MAX_WORK {
        return Err(UnsupportedHashError::OutOfBounds);
    }
    let log_cost = u8::try_from(cost.ilog2()).map_err(|_| UnsupportedHashError::OutOfBounds)?;
    Params::new(log_cost, blocks, lanes).map_err(|_| UnsupportedHashError::OutOfBounds)
}
