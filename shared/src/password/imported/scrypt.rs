//! Django's scrypt (RFC 7914): `scrypt$N$salt$r$p$tag`.

use ::scrypt::{Params, scrypt};

use super::{MOST_MEMORY_KIB, RefusedHash, computed_equals, fields, number, salt, tag};

/// Most work, as N·r·p, about 1.8 s: four times what OWASP's choices amount to (2^20), six times Django's default.
const MOST_WORK: u64 = 1 << 22;

/// Most blocks in one lane, and most lanes. All of OWASP's choices have r=8 and p up to 10.
const MOST_BLOCKS: u32 = 64;
const MOST_LANES: u32 = 64;

/// One of Django's strings, taken apart.
pub(in crate::password) struct ScryptHash {
    params: Params,
    salt: Vec<u8>,
    tag: [u8; 64],
}

impl ScryptHash {
    /// Parses what follows `scrypt$`.
    pub(super) fn parse(text: &str) -> Result<Self, RefusedHash> {
        let [cost, salted, blocks, lanes, tagged] = fields(text)?;
        let (cost, blocks, lanes) = (number(cost)?, number(blocks)?, number(lanes)?);
        Ok(Self { salt: salt(salted)?, tag: tag(tagged)?, params: params(cost, blocks, lanes)? })
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let mut refused = false;
        let equal = computed_equals(&self.tag, |out| refused = scrypt(password, &self.salt, &self.params, out).is_err());
        equal && !refused
    }
}

/// N must be a power of two (RFC 7914, 2). The table takes 128·r·N bytes; the lanes, 128·r·p, are little beside it.
fn params(cost: u32, blocks: u32, lanes: u32) -> Result<Params, RefusedHash> {
    // Blocks and lanes first: with these bounded, the products below fit 64 bits.
    if cost < 2 || !cost.is_power_of_two() || blocks > MOST_BLOCKS || lanes > MOST_LANES {
        return Err(RefusedHash::OutOfBounds);
    }
    let table_bytes = 128 * u64::from(blocks) * u64::from(cost);
    let work = u64::from(cost) * u64::from(blocks) * u64::from(lanes);
    if table_bytes > u64::from(MOST_MEMORY_KIB) * 1024 || work > MOST_WORK {
        return Err(RefusedHash::OutOfBounds);
    }
    let log_cost = u8::try_from(cost.ilog2()).map_err(|_| RefusedHash::OutOfBounds)?;
    Params::new(log_cost, blocks, lanes).map_err(|_| RefusedHash::OutOfBounds)
}
