//! Finds the cost of Argon2id that a time budget allows on this machine.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use doorward::{
    entropy::Entropy,
    password::{Cost, Hasher, InvalidCostError, TypedPassword},
};
use serde::{Deserialize, Serialize};

/// One more than the maximum number of passes.
const ABOVE_ALL_PASSES: u32 = 1000;

/// The arguments; omitted ones have their defaults.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// Memory of a hash in KiB.
    pub memory_kib: u32,
    /// How long a hash may take, in milliseconds.
    pub budget_ms: u32,
}

impl Default for Request {
    fn default() -> Self {
        Self { memory_kib: Cost::default().memory_kib(), budget_ms: 100 }
    }
}

/// The cost that the budget allows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// In the form that `make deploy PARAMS=…` and `make up PARAMS=…` take.
    pub parameters: String,
    /// The time of a hash of this cost here, in milliseconds.
    pub milliseconds: f64,
    /// Whether that is within the budget. If it is not, this is OWASP's minimum, and nothing cheaper is accepted.
    pub within_budget: bool,
}

/// The maximum number of passes within the budget, never below OWASP's minimum. `time` returns how long a hash of a cost takes, which grows with every
/// pass.
pub fn calibrate(request: Request, mut time: impl FnMut(&Cost) -> Duration) -> Result<Found, InvalidCostError> {
    let accepted: Vec<Cost> = (1..ABOVE_ALL_PASSES).filter_map(|passes| Cost::new(request.memory_kib, passes, 1).ok()).collect();
    let Some(floor) = accepted.first() else {
        return Err(Cost::new(request.memory_kib, ABOVE_ALL_PASSES, 1).err().unwrap_or(InvalidCostError::BelowFloor));
    };
    let budget = Duration::from_millis(request.budget_ms.into());
    let mut measured = HashMap::new();
    let affordable = accepted.partition_point(|cost| *measured.entry(cost.iterations()).or_insert_with(|| time(cost)) <= budget);
    let cost = affordable.checked_sub(1).map_or(floor, |last| &accepted[last]);
    Ok(Found {
        parameters: format!(
            "Argon2MemoryKib={} Argon2Iterations={} Argon2Parallelism={}",
            cost.memory_kib(),
            cost.iterations(),
            cost.parallelism()
        ),
        milliseconds: measured.get(&cost.iterations()).map_or(0.0, Duration::as_secs_f64) * 1000.0,
        within_budget: affordable > 0,
    })
}

/// The times of this many hashes of this cost, after one that fetches the memory from the system, as in a running function.
pub fn times(cost: &Cost, hashes: usize) -> Vec<Duration> {
    let hasher = Hasher::new(cost.clone(), Entropy::system());
    let password = TypedPassword::new("Correct-Horse-42".to_owned());
    let hash = || {
        let started = Instant::now();
        hasher.blocking_verify(&password, None).expect("the memory is there");
        started.elapsed()
    };
    hash();
    (0..hashes).map(|_| hash()).collect()
}

/// The mean time of a hash of this cost. Lambda stops a function with less than a whole processor for a part of every period, which a median would
/// not show.
pub fn mean_time(cost: &Cost) -> Duration {
    const HASHES: u32 = 10;
    times(cost, HASHES as usize).iter().sum::<Duration>() / HASHES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time on a machine on which every pass over 19 MiB takes 10 ms.
    fn slow(cost: &Cost) -> Duration {
        Duration::from_millis(10) * cost.iterations() * cost.memory_kib() / 19_456
    }

    fn found(memory_kib: u32, budget_ms: u32) -> Result<(String, bool), InvalidCostError> {
        let found = calibrate(Request { memory_kib, budget_ms }, slow)?;
        assert_eq!(found.within_budget, found.milliseconds <= f64::from(budget_ms), "{found:?}");
        assert!(found.milliseconds > 0.0, "{found:?}");
        Ok((found.parameters, found.within_budget))
    }

    #[test]
    fn the_most_passes_within_the_budget_are_found() {
        assert_eq!(found(19_456, 45), Ok(("Argon2MemoryKib=19456 Argon2Iterations=4 Argon2Parallelism=1".to_owned(), true)));
        assert_eq!(found(47_104, 45), Ok(("Argon2MemoryKib=47104 Argon2Iterations=1 Argon2Parallelism=1".to_owned(), true)));
        assert_eq!(found(19_456, 1_000_000), Ok(("Argon2MemoryKib=19456 Argon2Iterations=20 Argon2Parallelism=1".to_owned(), true)));
    }

    #[test]
    fn nothing_below_the_floor_is_ever_named() {
        assert_eq!(found(19_456, 5), Ok(("Argon2MemoryKib=19456 Argon2Iterations=2 Argon2Parallelism=1".to_owned(), false)));
        assert_eq!(found(7_167, 1_000_000), Err(InvalidCostError::BelowFloor));
        assert_eq!(found(1_000_000, 1_000_000), Err(InvalidCostError::AboveCeiling));
    }
}
