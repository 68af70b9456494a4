//! Waiting out what the store cannot do just now.

use std::time::Duration;

use super::Store;
use crate::entropy::Entropy;

/// A pause before the next try, of random length and a little longer each time: at most 5, 10, 20 … 320 ms.
///
/// The number of tries has no bound of its own: the request's time bounds it, and a request that is cut off is answered with 503.
pub(super) struct Pause<'entropy> {
    entropy: &'entropy Entropy,
    bound_ms: u64,
}

impl Pause<'_> {
    /// Waits.
    pub(super) async fn take(&mut self) {
        let wait_ms = u64::from_le_bytes(self.entropy.bytes()) % self.bound_ms + 1;
        tracing::info!(wait_ms, "busy");
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        self.bound_ms = (2 * self.bound_ms).min(320);
    }
}

impl Store {
    /// The first of a row of pauses.
    pub(super) fn pause(&self) -> Pause<'_> {
        Pause { entropy: &self.entropy, bound_ms: 5 }
    }

    /// Asks until the answer is no conflict. A conflict says that another transaction holds one of the items: neither a yes nor a no.
    pub(super) async fn through_conflicts<T, E, F>(&self, is_conflict: impl Fn(&E) -> bool, mut ask: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut pause = self.pause();
        loop {
            match ask().await {
                Err(error) if is_conflict(&error) => pause.take().await,
                answer => return answer,
            }
        }
    }
}
