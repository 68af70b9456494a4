//! Computes and verifies password hashes.
//!
//! An unknown account costs what a wrong password costs, because the same code does the same work: without a hash that can be verified, a decoy with a
//! random salt and a random tag is computed. After a wrong password for an Argon2 hash that is cheaper than a decoy, the rest of a decoy's work is done
//! too, so that the time does not reveal a hash of an earlier cost.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use argon2::Params;
use tokio::task::spawn_blocking;

use super::cost::{Cost, TAG_BYTES, rest_of, within_bounds, work_kib};
use super::imported::argon2::Argon2Hash;
use super::imported::layered::Layer;
use super::imported::{KnownHash, UnsupportedHashError};
use super::stored::StoredPassword;
use super::typed::{AcceptedPassword, NormalPassword, TypedPassword};
use super::workspace::{HashingError, Workspace};
use crate::entropy::Entropy;
use crate::metric::{self, Metric};

/// The outcome of verifying a password.
///
/// Clients must not be able to tell [`Verdict::Wrong`] from [`Verdict::Refused`].
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The password is right.
    Right {
        /// The hash to be stored instead, if the stored one has another algorithm, cost or form. `None` if the stored one also fits other passwords, see
        /// `KnownHash::determines`.
        rehash: Option<StoredPassword>,
    },
    /// The password is wrong, or there is none because there is no account or its password is unusable.
    Wrong,
    /// The stored hash cannot be verified, whatever the password. This is to be counted and logged.
    Refused(UnsupportedHashError),
}

/// Computes password hashes at one configured cost.
///
/// A function has one, in an [`Arc`]. The two asynchronous methods compute on tokio's blocking threads, so that the runtime continues to serve. If their
/// future is dropped, the hash still runs to its end. The `blocking_` methods compute on the caller's thread.
pub struct Hasher {
    cost: Cost,
    /// The minimum cost of a wrong password: the configured cost or a higher one.
    wrong: Params,
    entropy: Entropy,
    workspace: Workspace,
    evaluations: AtomicU64,
    decoys: AtomicU64,
    work_kib: AtomicU64,
}

impl Hasher {
    /// A hasher for new hashes of `cost`, salted from `entropy`.
    #[must_use]
    pub fn new(cost: Cost, entropy: Entropy) -> Self {
        let wrong = cost.params().clone();
        let workspace = Workspace::new(wrong.block_count());
        Self { cost, wrong, entropy, workspace, evaluations: AtomicU64::new(0), decoys: AtomicU64::new(0), work_kib: AtomicU64::new(0) }
    }

    /// Like `new`, for accounts with Argon2 hashes of up to this memory (KiB) and this many passes, which were made at a higher cost or imported. Every
    /// wrong password then costs that much. A cost below that of new hashes changes nothing. `None` if such a hash would not be verified.
    #[must_use]
    pub fn with_dearest(self, memory_kib: u32, iterations: u32) -> Option<Self> {
        if !within_bounds(memory_kib, iterations, 1) {
            return None;
        }
        if u64::from(memory_kib) * u64::from(iterations) <= work_kib(&self.wrong) {
            return Some(self);
        }
        let dearest = Params::new(memory_kib, iterations, 1, Some(TAG_BYTES)).ok()?;
        let kept = dearest.block_count().max(self.wrong.block_count());
        Some(Self { wrong: dearest, workspace: Workspace::new(kept), ..self })
    }

    /// The cost of new hashes.
    #[must_use]
    pub fn cost(&self) -> &Cost {
        &self.cost
    }

    /// The memory that is kept between hashes, in KiB.
    pub(super) fn kept_kib(&self) -> u64 {
        self.wrong.m_cost().max(self.cost.memory_kib()).into()
    }

    /// The number of hashes computed so far, of any algorithm, including decoys and rehashes.
    #[must_use]
    pub fn evaluations(&self) -> u64 {
        self.evaluations.load(Ordering::Relaxed)
    }

    /// The number of decoys among them, including those that do the rest of the work after a cheaper hash.
    #[must_use]
    pub fn decoys(&self) -> u64 {
        self.decoys.load(Ordering::Relaxed)
    }

    /// The work of all Argon2 hashes among them, in KiB of memory times passes.
    #[must_use]
    pub fn work_kib(&self) -> u64 {
        self.work_kib.load(Ordering::Relaxed)
    }

    /// Hashes a new password with Argon2id, version 19, at the configured cost and with a random salt, to a PHC string.
    pub async fn hash(self: &Arc<Self>, password: AcceptedPassword) -> Result<StoredPassword, HashingError> {
        self.off_thread(move |hasher| hasher.blocking_hash(&password)).await
    }

    /// Like [`Hasher::hash`], on this thread.
    fn blocking_hash(&self, password: &AcceptedPassword) -> Result<StoredPassword, HashingError> {
        self.encode(password.normal())
    }

    /// A password that nobody knows, at the configured cost, with a random salt and a random tag. Its owner can replace it by mail.
    #[must_use]
    pub fn unknowable(&self) -> StoredPassword {
        StoredPassword::stored(Argon2Hash::fresh(self.cost.params(), self.entropy.bytes(), self.entropy.bytes()).encode())
    }

    /// Puts Argon2id of the configured cost over an old hash. `None` if it takes none, see [`StoredPassword::takes_layer`].
    ///
    /// The old tag is not kept, so that a copy of the table is as hard to guess from as if the password itself had been hashed with Argon2id. Nobody needs
    /// to log in for that (OWASP Password Storage Cheat Sheet, Upgrading Legacy Hashes).
    pub fn blocking_layer(&self, stored: &StoredPassword) -> Result<Option<StoredPassword>, HashingError> {
        let Some(layer) = Layer::over(stored, self.cost.params(), self.entropy.bytes()) else { return Ok(None) };
        self.count(layer.work_kib());
        Ok(Some(StoredPassword::stored(layer.seal(&self.workspace)?)))
    }

    /// Verifies a typed password against the stored one, if there is one.
    ///
    /// A hash that can be verified is verified at its own cost. If the password is right and the cost another one, a new hash is computed. If the password
    /// is wrong and the hash is an Argon2 that is cheaper than a wrong password must be, the rest of that work is done. In every other case one Argon2id
    /// of that cost is computed and discarded.
    ///
    /// The stored form shows in which form the password was hashed, so one verification is enough. The new hash is of the password in normalization form C.
    /// The policy does not apply to a password that is already in use.
    pub async fn verify(self: &Arc<Self>, password: TypedPassword, stored: Option<StoredPassword>) -> Result<Verdict, HashingError> {
        let verdict = self.off_thread(move |hasher| hasher.blocking_verify(&password, stored.as_ref())).await?;
        if let Verdict::Refused(_) = verdict {
            Metric::HASHES_REFUSED.count();
        }
        Ok(verdict)
    }

    /// Like [`Hasher::verify`], on this thread.
    pub fn blocking_verify(&self, password: &TypedPassword, stored: Option<&StoredPassword>) -> Result<Verdict, HashingError> {
        // Always done, because its time would otherwise reveal the form of an account's hash.
        let normal = password.normal();
        let Some(stored) = stored.filter(|stored| stored.is_usable()) else {
            self.decoy(&normal, 0)?;
            return Ok(Verdict::Wrong);
        };
        let known = match KnownHash::parse(stored.as_str()) {
            Ok(known) => known,
            Err(refused) => {
                self.decoy(&normal, 0)?;
                return Ok(Verdict::Refused(refused));
            }
        };
        let text = if known.is_of_normal_form() { normal.reveal() } else { password.reveal() };
        let work_kib = known.argon2_work_kib();
        self.count(work_kib.unwrap_or(0));
        if !known.matches(text, &self.workspace)? {
            if let Some(done_kib) = work_kib {
                self.decoy(&normal, done_kib)?;
            }
            return Ok(Verdict::Wrong);
        }
        let stays = self.is_current(&known, stored) || !known.determines(text);
        let rehash = if stays { None } else { Some(self.encode(&normal)?) };
        Ok(Verdict::Right { rehash })
    }

    /// Whether `stored` is what this hasher would write, except for the salt.
    fn is_current(&self, known: &KnownHash, stored: &StoredPassword) -> bool {
        match known {
            // Django's form of the same hash is replaced too, so that only PHC strings are stored.
            KnownHash::Argon2(hash) => hash.is_current(&self.cost) && hash.encode() == stored.as_str(),
            _ => false,
        }
    }

    fn encode(&self, password: &NormalPassword) -> Result<StoredPassword, HashingError> {
        let fresh = Argon2Hash::fresh(self.cost.params(), self.entropy.bytes(), [0; TAG_BYTES]);
        self.count(fresh.work_kib());
        let sealed = fresh.seal(password.reveal().as_bytes(), &self.workspace)?;
        Ok(StoredPassword::stored(sealed.encode()))
    }

    /// Does the work of verifying a wrong password, minus the work that has been done already.
    fn decoy(&self, password: &NormalPassword, done_kib: u64) -> Result<(), HashingError> {
        let params = if done_kib == 0 { Some(self.wrong.clone()) } else { rest_of(&self.wrong, done_kib) };
        let Some(params) = params else { return Ok(()) };
        let hash = Argon2Hash::fresh(&params, self.entropy.bytes(), self.entropy.bytes());
        self.count(hash.work_kib());
        self.decoys.fetch_add(1, Ordering::Relaxed);
        // The random tag never matches; the result is discarded either way.
        black_box(hash.computed(password.reveal().as_bytes(), &self.workspace)?);
        Ok(())
    }

    fn count(&self, work_kib: u64) {
        self.evaluations.fetch_add(1, Ordering::Relaxed);
        self.work_kib.fetch_add(work_kib, Ordering::Relaxed);
    }

    async fn off_thread<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, HashingError> + Send + 'static,
    ) -> Result<T, HashingError> {
        let hasher = Arc::clone(self);
        let timed = move || {
            let began = Instant::now();
            (work(&hasher), began.elapsed())
        };
        match spawn_blocking(timed).await {
            Ok((outcome, time)) => {
                metric::hashed_for(time);
                outcome
            }
            // A panic is passed on and answered with a 500, like any other.
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(HashingError::Interrupted),
            },
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hasher").field("cost", &self.cost).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "Correct-Horse-42";

    fn hasher(cost: Cost) -> Hasher {
        Hasher::new(cost, Entropy::system())
    }

    fn typed() -> TypedPassword {
        TypedPassword::new(PASSWORD.into())
    }

    #[test]
    fn a_hash_is_the_one_that_rfc_9106_and_the_phc_format_prescribe() {
        // Made by argon2-cffi 25.1 (the reference implementation): hash_secret(password, bytes([7]*18) + b"NFC", 2, 19456, 1, 32, Type.ID).
        let hasher = Hasher::new(Cost::default(), Entropy::filling(|bytes| bytes.fill(7)));
        let stored = hasher.blocking_hash(&AcceptedPassword::unjudged(PASSWORD)).unwrap();
        assert_eq!(
            stored.as_str(),
            "$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBwcHTkZD$ndLULwqVB147e2ng6Lqc64X1Fa8nWbB6vlTyo3w/psM"
        );
    }

    #[test]
    fn salts_differ() {
        let hasher = hasher(Cost::default());
        let hash = || hasher.blocking_hash(&AcceptedPassword::unjudged(PASSWORD)).unwrap();
        assert_ne!(hash(), hash());
    }

    #[tokio::test]
    async fn a_new_hash_verifies_off_the_thread_and_is_not_replaced() {
        let hasher = Arc::new(hasher(Cost::default()));
        let stored = hasher.hash(AcceptedPassword::unjudged(PASSWORD)).await.unwrap();
        assert_eq!(hasher.verify(typed(), Some(stored)).await.unwrap(), Verdict::Right { rehash: None });
        assert_eq!((hasher.evaluations(), hasher.decoys()), (2, 0));
    }

    #[test]
    fn a_hash_of_another_cost_is_replaced_in_both_directions() {
        let (usual, dear) = (hasher(Cost::default()), hasher(Cost::new(19_456, 3, 1).unwrap()));
        for (before, after) in [(&usual, &dear), (&dear, &usual)] {
            let stored = before.blocking_hash(&AcceptedPassword::unjudged(PASSWORD)).unwrap();
            let verdict = after.blocking_verify(&typed(), Some(&stored)).unwrap();
            let Verdict::Right { rehash: Some(rehash) } = verdict else { panic!("{verdict:?}") };
            assert_eq!(after.blocking_verify(&typed(), Some(&rehash)).unwrap(), Verdict::Right { rehash: None });
        }
    }
}
