//! The configuration of the hasher and of the password policy.

use super::cost::MAX_MEMORY_KIB;
use super::{Cost, Hasher, Policy};
use crate::{config::Settings, entropy::Entropy};

/// Memory of the functions that hash in MB, as in the template. It is used where AWS does not set the variable.
const USUAL_MEMORY_MB: u64 = 512;

/// Memory that such a function needs besides hashes, in KiB. 27 MB were measured for the program, the runtime and connections; the rest is a margin.
const PROGRAM_KIB: u64 = 48 * 1024;

impl Hasher {
    /// `ARGON2_MEMORY_KIB`, `ARGON2_ITERATIONS` and `ARGON2_PARALLELISM`: 19456, 2 and 1 by default, refused below OWASP's floor. `ARGON2_DEAREST` is
    /// memory and passes of the most expensive Argon2 hash that accounts have, if that is more expensive.
    ///
    /// The hasher keeps the larger memory of the two, and verifying an imported hash may need 256 MiB besides. A cost with which both do not fit into the
    /// function's memory (`AWS_LAMBDA_FUNCTION_MEMORY_SIZE`) is refused.
    pub fn configured(settings: &mut Settings, entropy: Entropy) -> Self {
        let default = Cost::default();
        let memory_kib = settings.number("ARGON2_MEMORY_KIB", default.memory_kib(), 1, u32::MAX);
        let iterations = settings.number("ARGON2_ITERATIONS", default.iterations(), 1, u32::MAX);
        let parallelism = settings.number("ARGON2_PARALLELISM", default.parallelism(), 1, u32::MAX);
        let cost = Cost::new(memory_kib, iterations, parallelism).unwrap_or_else(|refused| {
            settings.complain(format!("ARGON2_MEMORY_KIB, ARGON2_ITERATIONS, ARGON2_PARALLELISM: {refused}"));
            default
        });
        let hasher = Self::new(cost.clone(), entropy.clone());
        let hasher = match settings.optional("ARGON2_DEAREST") {
            None => hasher,
            Some(text) => {
                let numbers = text.split_once('/').and_then(|(memory, passes)| Some((memory.parse().ok()?, passes.parse().ok()?)));
                numbers.and_then(|(memory_kib, iterations)| hasher.with_dearest(memory_kib, iterations)).unwrap_or_else(|| {
                    settings.complain(
                        "ARGON2_DEAREST: must be KiB/passes such as 47104/2, at most 262144 KiB and 1048576 KiB times passes".to_owned(),
                    );
                    Self::new(cost, entropy)
                })
            }
        };
        hasher.check_memory(settings);
        hasher
    }

    fn check_memory(&self, settings: &mut Settings) {
        let memory_mb = settings.number("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", USUAL_MEMORY_MB, 1, u64::from(u32::MAX));
        let imported_kib = u64::from(MAX_MEMORY_KIB);
        let room_kib = (memory_mb * 1024).saturating_sub(imported_kib + PROGRAM_KIB);
        if self.kept_kib() > room_kib {
            settings.complain(format!(
                "ARGON2_MEMORY_KIB, ARGON2_DEAREST: must be at most {room_kib} KiB, which the function's memory of {memory_mb} MB leaves beside \
                 {imported_kib} KiB for a hash from elsewhere and {PROGRAM_KIB} KiB for the program"
            ));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The problems of this configuration, and the cost of a wrong password.
    fn configured(pairs: &[(&str, &str)]) -> (String, u64) {
        let mut settings = Settings::from_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let hasher = Hasher::configured(&mut settings, Entropy::system());
        (settings.finish().err().map(|complaints| complaints.to_string()).unwrap_or_default(), hasher.kept_kib())
    }

    #[test]
    fn what_a_function_keeps_for_its_hashes_fits_its_memory_beside_the_largest_hash_from_elsewhere() {
        // 512 MB less 256 MiB and 48 MiB.
        let memory = |kib: &str, passes: &str, mb: &str| {
            configured(&[("ARGON2_MEMORY_KIB", kib), ("ARGON2_ITERATIONS", passes), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", mb)]).0
        };
        for (kib, passes, mb) in
            [("212992", "2", "512"), ("212992", "2", ""), ("262144", "2", "560"), ("19456", "2", "323"), ("7168", "5", "311")]
        {
            assert_eq!(memory(kib, passes, mb), "", "{kib} KiB in {mb} MB");
        }
        for (kib, passes, mb) in
            [("212993", "2", "512"), ("212993", "2", ""), ("262144", "2", "559"), ("19456", "2", "322"), ("7168", "5", "128")]
        {
            assert!(memory(kib, passes, mb).starts_with("ARGON2_MEMORY_KIB, ARGON2_DEAREST: must be at most "), "{kib} KiB in {mb} MB");
        }
        assert_eq!(
            memory("262144", "2", "512"),
            "ARGON2_MEMORY_KIB, ARGON2_DEAREST: must be at most 212992 KiB, which the function's memory of 512 MB leaves beside \
             262144 KiB for a hash from elsewhere and 49152 KiB for the program"
        );
    }

    #[test]
    fn the_dearest_hash_of_an_account_is_named_by_memory_and_passes() {
        assert_eq!(configured(&[]), (String::new(), 19_456));
        assert_eq!(configured(&[("ARGON2_DEAREST", "47104/2")]), (String::new(), 47_104));
        assert_eq!(configured(&[("ARGON2_DEAREST", "8/1")]), (String::new(), 19_456), "cheaper than new ones");
        assert_eq!(configured(&[("ARGON2_DEAREST", "9216/20")]), (String::new(), 19_456), "less memory, and more work");
        for wrong in ["47104", "47104/", "/2", "47104/2/1", "a/b", "-1/2", "262145/1", "262144/5", "4294967295/4294967295"] {
            assert_eq!(
                configured(&[("ARGON2_DEAREST", wrong)]).0,
                "ARGON2_DEAREST: must be KiB/passes such as 47104/2, at most 262144 KiB and 1048576 KiB times passes",
                "{wrong}"
            );
        }
        assert!(configured(&[("ARGON2_DEAREST", "212993/2")]).0.contains("must be at most 212992 KiB"));
    }
}
