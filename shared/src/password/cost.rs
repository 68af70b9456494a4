//! The cost of a new password hash, between OWASP's minimum and what a function can afford.

use argon2::Params;
use thiserror::Error;

/// Length of a new hash's tag in bytes (RFC 9106, 4: 256-bit tag).
pub(super) const TAG_BYTES: usize = 32;

/// Minimum memory (KiB) for a number of passes (OWASP Password Storage Cheat Sheet, Argon2id, all with p=1). All pairs are equally strong: fewer passes
/// need more memory. A cost is accepted if it reaches one pair in both values.
const FLOOR: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

/// Maximum memory of one verification, KiB. libsodium's "moderate" asks for 256 MiB, Django and passlib for 100, RFC 9106's second choice for 64, OWASP's
/// scrypt for 128. RFC 9106's first choice (2 GiB) and libsodium's "sensitive" (1 GiB) are beyond it, but are not meant for logins.
pub(super) const MAX_MEMORY_KIB: u32 = 256 * 1024;

/// Maximum work, in KiB of memory times passes: 1 GiB, about 1 s. libsodium's "moderate" asks for 768 MiB (256 MiB, 3 passes), RFC 9106's second choice
/// for 192, Django's default for 200.
const MAX_WORK_KIB: u64 = 1024 * 1024;

/// Maximum number of lanes of a hash that is verified. Sites use the number of their processors: Django and passlib 8, RFC 9106 4.
const MAX_VERIFIED_LANES: u32 = 64;

/// Maximum number of passes. OWASP's pairs end at 5; beyond 20, more memory is the better use of the same time (RFC 9106, 4).
const MAX_ITERATIONS: u32 = 20;

/// Maximum number of lanes. A Lambda function has at most 6 processors, and lanes are computed one after another here anyway.
const MAX_LANES: u32 = 16;

/// Parameters of Argon2id (RFC 9106) for new hashes, at or above OWASP's minimum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost(Params);

/// Why a cost is refused, for the person who configures the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidCostError {
    /// Cheaper than every pair that OWASP recommends.
    #[error("below OWASP's floor: at least 47104 KiB with 1 pass, 19456 with 2, 12288 with 3, 9216 with 4 or 7168 with 5")]
    BelowFloor,
    /// Too many lanes, or none.
    #[error("parallelism must be 1 to 16")]
    Parallelism,
    /// More memory or work than one function should spend on one password.
    #[error("too expensive: at most 262144 KiB, 20 passes, and 1048576 KiB times passes")]
    AboveCeiling,
}

impl Cost {
    /// A cost of `memory_kib` KiB, `iterations` passes and `parallelism` lanes.
    ///
    /// The maximum is at most the bound for imported hashes, so that hashes of one configuration can be verified under the next. RFC 9106 asks for 8 KiB per
    /// lane; the minimum is far above that for any number of lanes.
    pub fn new(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<Self, InvalidCostError> {
        let reaches = |&(memory, passes): &(u32, u32)| memory_kib >= memory && iterations >= passes;
        if !FLOOR.iter().any(reaches) {
            return Err(InvalidCostError::BelowFloor);
        }
        if !(1..=MAX_LANES).contains(&parallelism) {
            return Err(InvalidCostError::Parallelism);
        }
        if iterations > MAX_ITERATIONS || !within_bounds(memory_kib, iterations, parallelism) {
            return Err(InvalidCostError::AboveCeiling);
        }
        Params::new(memory_kib, iterations, parallelism, Some(TAG_BYTES)).map(Self).map_err(|_| InvalidCostError::AboveCeiling)
    }

    /// 64 KiB and one pass, far below OWASP's minimum, for tests that are not about hashes and compute thousands of them.
    ///
    /// No setting leads here, because a password behind such a hash is guessed hundreds of times as fast. A test looks that no function and no command
    /// names it.
    #[must_use]
    pub fn of_tests() -> Self {
        Self(const { params(64, 1) })
    }

    /// Memory in KiB.
    #[must_use]
    pub fn memory_kib(&self) -> u32 {
        self.0.m_cost()
    }

    /// Passes over the memory.
    #[must_use]
    pub fn iterations(&self) -> u32 {
        self.0.t_cost()
    }

    /// Lanes.
    #[must_use]
    pub fn parallelism(&self) -> u32 {
        self.0.p_cost()
    }

    /// The parameters for the `argon2` crate.
    pub(super) fn params(&self) -> &Params {
        &self.0
    }
}

/// The work of one hash in KiB of memory times passes, with which its time grows.
pub(super) fn work_kib(params: &Params) -> u64 {
    u64::from(params.m_cost()) * u64::from(params.t_cost())
}

/// Parameters whose work is that of `whole` minus `done_kib`, in the same memory or less. `None` if that is less than a hash. Memory is a whole number of
/// KiB, so the rest is less than the number of passes.
pub(super) fn rest_of(whole: &Params, done_kib: u64) -> Option<Params> {
    let rest = work_kib(whole).checked_sub(done_kib)?;
    let passes = rest.div_ceil(u64::from(whole.m_cost())).max(1);
    let (memory_kib, passes) = (u32::try_from(rest / passes).ok()?, u32::try_from(passes).ok()?);
    Params::new(memory_kib, passes, 1, Some(TAG_BYTES)).ok()
}

impl Default for Cost {
    /// 19 MiB, 2 passes, 1 lane: the pair that OWASP names first, which is also the crate's default.
    fn default() -> Self {
        Self(const { params(19_456, 2) })
    }
}

/// Parameters with one lane, computed when this is compiled.
const fn params(memory_kib: u32, iterations: u32) -> Params {
    match Params::new(memory_kib, iterations, 1, Some(TAG_BYTES)) {
        Ok(params) => params,
        Err(_) => Params::DEFAULT,
    }
}

/// Whether one hash with these parameters is within bounds.
pub(super) fn within_bounds(memory_kib: u32, iterations: u32, lanes: u32) -> bool {
    memory_kib <= MAX_MEMORY_KIB && lanes <= MAX_VERIFIED_LANES && u64::from(memory_kib) * u64::from(iterations) <= MAX_WORK_KIB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_an_accepted_cost() {
        assert_eq!(Cost::new(19_456, 2, 1), Ok(Cost::default()));
    }

    #[test]
    fn the_cost_of_tests_is_none_that_can_be_configured() {
        let cost = Cost::of_tests();
        assert_eq!((cost.memory_kib(), cost.iterations(), cost.parallelism()), (64, 1, 1));
        assert_eq!(Cost::new(64, 1, 1), Err(InvalidCostError::BelowFloor));
    }

    #[test]
    fn every_pair_of_the_floor_is_accepted_and_one_kibibyte_less_is_not() {
        for (memory, passes) in FLOOR {
            assert!(Cost::new(memory, passes, 1).is_ok());
            assert_eq!(Cost::new(memory - 1, passes, 1), Err(InvalidCostError::BelowFloor));
        }
        for (memory, passes) in [(0, 0), (47_104, 0), (7_167, 20), (8, 1), (u32::MAX, 0)] {
            assert_eq!(Cost::new(memory, passes, 1), Err(InvalidCostError::BelowFloor));
        }
    }

    #[test]
    fn a_part_and_its_rest_are_the_work_of_the_whole() {
        for (whole, part) in
            [((47_104, 2), (19_456, 2)), ((65_536, 3), (19_456, 2)), ((19_456, 20), (19_456, 2)), ((7_168, 5), (12_289, 2))]
        {
            let params = |(memory, passes)| Params::new(memory, passes, 1, Some(TAG_BYTES)).unwrap();
            let (whole, done) = (params(whole), work_kib(&params(part)));
            let rest = rest_of(&whole, done).unwrap();
            let lost = work_kib(&whole) - done - work_kib(&rest);
            assert!(lost < u64::from(rest.t_cost()) && rest.m_cost() <= whole.m_cost(), "{whole:?} {rest:?}");
        }
    }

    #[test]
    fn nothing_is_left_of_a_cost_that_was_done_or_more_than_done() {
        let whole = Cost::default();
        for done in [38_912, 38_911, 38_905, 38_913, u64::MAX] {
            assert_eq!(rest_of(whole.params(), done), None, "{done}");
        }
        assert_eq!(rest_of(whole.params(), 38_904).map(|rest| work_kib(&rest)), Some(8));
    }

    #[test]
    fn absurd_costs_are_refused() {
        assert_eq!(Cost::new(19_456, 2, 0), Err(InvalidCostError::Parallelism));
        assert_eq!(Cost::new(19_456, 2, 17), Err(InvalidCostError::Parallelism));
        assert_eq!(Cost::new(19_456, 21, 1), Err(InvalidCostError::AboveCeiling));
        assert_eq!(Cost::new(262_145, 1, 1), Err(InvalidCostError::AboveCeiling));
        assert_eq!(Cost::new(262_144, 5, 1), Err(InvalidCostError::AboveCeiling));
        assert_eq!(Cost::new(u32::MAX, u32::MAX, 16), Err(InvalidCostError::AboveCeiling));
        assert!(Cost::new(262_144, 4, 16).is_ok());
    }
}
