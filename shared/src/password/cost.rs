//! What one new password hash costs, between OWASP's floor and what a function can carry.

use argon2::Params;
use thiserror::Error;

use super::imported::argon2::within_bounds;

/// Length of a new hash's tag, bytes (RFC 9106, 4: 256-bit tag).
pub(super) const TAG_BYTES: usize = 32;

/// Least memory (KiB) for a number of passes (OWASP Password Storage Cheat Sheet, Argon2id, all with p=1). Each pair is
/// as strong as the others: with fewer passes, more memory. A cost is accepted when it reaches one pair in both values.
const FLOOR: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

/// Most passes: OWASP's pairs end at 5; beyond 20, more memory is the better use of the same time (RFC 9106, 4).
const MOST_ITERATIONS: u32 = 20;

/// Most lanes. One Lambda function has at most 6 processors, and lanes are worked on one after another here anyway.
const MOST_LANES: u32 = 16;

/// Parameters of Argon2id (RFC 9106) for new hashes. What exists here is at or above OWASP's floor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost(Params);

/// Why a cost is refused. The words are for whoever configures the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CostRefused {
    /// Cheaper than every pair that OWASP recommends.
    #[error("below OWASP's floor: at least 47104 KiB with 1 pass, 19456 with 2, 12288 with 3, 9216 with 4 or 7168 with 5")]
    BelowFloor,
    /// More lanes than make sense, or none.
    #[error("parallelism must be 1 to 16")]
    Parallelism,
    /// More memory or work than one function should spend on one password.
    #[error("too expensive: at most 262144 KiB, 20 passes, and 1048576 KiB times passes")]
    AboveCeiling,
}

impl Cost {
    /// A cost of `memory_kib` KiB, `iterations` passes and `parallelism` lanes.
    ///
    /// The ceiling is at most the bound for hashes from elsewhere, so whatever is written under one configuration can be
    /// verified under the next. RFC 9106 asks for 8 KiB a lane: the floor times the most lanes is far above that.
    pub fn new(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<Self, CostRefused> {
        let reaches = |&(memory, passes): &(u32, u32)| memory_kib >= memory && iterations >= passes;
        if !FLOOR.iter().any(reaches) {
            return Err(CostRefused::BelowFloor);
        }
        if !(1..=MOST_LANES).contains(&parallelism) {
            return Err(CostRefused::Parallelism);
        }
        if iterations > MOST_ITERATIONS || !within_bounds(memory_kib, iterations, parallelism) {
            return Err(CostRefused::AboveCeiling);
        }
        Params::new(memory_kib, iterations, parallelism, Some(TAG_BYTES)).map(Self).map_err(|_| CostRefused::AboveCeiling)
    }

    /// Memory, KiB.
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

    /// The same as the `argon2` crate takes it.
    pub(super) fn params(&self) -> &Params {
        &self.0
    }
}

impl Default for Cost {
    /// 19 MiB, 2 passes, 1 lane: the pair that OWASP names first, and the crate's own default.
    fn default() -> Self {
        Self(const { default_params() })
    }
}

const fn default_params() -> Params {
    match Params::new(19_456, 2, 1, Some(TAG_BYTES)) {
        Ok(params) => params,
        Err(_) => Params::DEFAULT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_an_accepted_cost() {
        assert_eq!(Cost::new(19_456, 2, 1), Ok(Cost::default()));
    }

    #[test]
    fn every_pair_of_the_floor_is_accepted_and_one_kibibyte_less_is_not() {
        for (memory, passes) in FLOOR {
            assert!(Cost::new(memory, passes, 1).is_ok());
            assert_eq!(Cost::new(memory - 1, passes, 1), Err(CostRefused::BelowFloor));
        }
        for (memory, passes) in [(0, 0), (47_104, 0), (7_167, 20), (8, 1), (u32::MAX, 0)] {
            assert_eq!(Cost::new(memory, passes, 1), Err(CostRefused::BelowFloor));
        }
    }

    #[test]
    fn absurd_costs_are_refused() {
        assert_eq!(Cost::new(19_456, 2, 0), Err(CostRefused::Parallelism));
        assert_eq!(Cost::new(19_456, 2, 17), Err(CostRefused::Parallelism));
        assert_eq!(Cost::new(19_456, 21, 1), Err(CostRefused::AboveCeiling));
        assert_eq!(Cost::new(262_145, 1, 1), Err(CostRefused::AboveCeiling));
        assert_eq!(Cost::new(262_144, 5, 1), Err(CostRefused::AboveCeiling));
        assert_eq!(Cost::new(u32::MAX, u32::MAX, 16), Err(CostRefused::AboveCeiling));
        assert!(Cost::new(262_144, 4, 16).is_ok());
    }
}
