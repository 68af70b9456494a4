//! Randomness as an argument.

use std::sync::Arc;

use uuid::{Builder, Uuid};

use crate::clock::Timestamp;

/// The source of random bytes: the operating system in a function, a counter in tests that need the same bytes again.
#[derive(Clone)]
pub struct Entropy(Arc<Fill>);

type Fill = dyn Fn(&mut [u8]) + Send + Sync;

impl Entropy {
    /// The operating system's generator.
    ///
    /// # Panics
    ///
    /// Panics if the system cannot provide randomness, because nothing may continue without it. The panic is answered with 500.
    #[must_use]
    #[expect(clippy::expect_used, reason = "without randomness no secret can be made; there is no other answer")]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system for randomness")]
    pub fn system() -> Self {
        Self(Arc::new(|bytes| getrandom::fill(bytes).expect("the operating system gives random bytes")))
    }

    /// Bytes that `fill` produces.
    pub fn filling(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    /// Overwrites all of `bytes`.
    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        (self.0)(bytes);
    }

    /// `N` fresh bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A new UUID, version 7 (RFC 9562, 5.7): it sorts by the time it was made.
    #[must_use]
    pub fn uuid(&self, now: Timestamp) -> Uuid {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid()
    }
}
