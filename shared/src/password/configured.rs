//! Passwords as configured.

use super::{Cost, Hasher, Policy};
use crate::{config::Settings, entropy::Entropy};

impl Hasher {
    /// `ARGON2_MEMORY_KIB`, `ARGON2_ITERATIONS` and `ARGON2_PARALLELISM`: 19456, 2 and 1 by default, refused below OWASP's floor.
    pub fn configured(settings: &mut Settings, entropy: Entropy) -> Self {
        let default = Cost::default();
        let memory_kib = settings.number("ARGON2_MEMORY_KIB", default.memory_kib(), 1, u32::MAX);
        let iterations = settings.number("ARGON2_ITERATIONS", default.iterations(), 1, u32::MAX);
        let parallelism = settings.number("ARGON2_PARALLELISM", default.parallelism(), 1, u32::MAX);
        let cost = Cost::new(memory_kib, iterations, parallelism).unwrap_or_else(|refused| {
            settings.complain(format!("ARGON2_MEMORY_KIB, ARGON2_ITERATIONS, ARGON2_PARALLELISM: {refused}"));
            default
        });
        Self::new(cost, entropy)
    }
}

impl Policy {
    /// `PASSWORD_MIN_LENGTH` and `PASSWORD_MAX_LENGTH`, in code points: 8 and 128 by default.
    ///
    /// NIST SP 800-63B-4 (3.1.1.2) asks for at least 8 where a second factor is used and 15 where none is, and for at least 64 to be allowed.
    pub fn configured(settings: &mut Settings) -> Self {
        let min_length = settings.number("PASSWORD_MIN_LENGTH", 8, 8, 64);
        let max_length = settings.number("PASSWORD_MAX_LENGTH", 128, 64, 1024);
        Self { min_length, max_length }
    }
}
