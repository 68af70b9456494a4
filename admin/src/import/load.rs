//! Controls the load of an import on the store: how many accounts are written at the same time, and how long it waits if the store is too busy.
//!
//! A new table of DynamoDB takes 4,000 write units a second, an account costs six, and a table's capacity grows with its use over minutes (developer
//! guide, On-demand capacity mode). So refusals are normal during a large import. A call that was refused or had no answer is repeated after a pause, and
//! one account fewer is written at the same time. After a number of accounts without a failure, one more is written at the same time again.

use std::{cell::Cell, time::Duration};

use doorward::fault::Fault;
use tokio::{sync::Semaphore, time::Instant};

/// The first pause of an account that was not written. Each further pause is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// After this number of accounts without a failure, one more may be written at the same time.
const GROWS_AFTER: usize = 32;

pub(super) struct Load {
    turns: Semaphore,
    most: usize,
    /// How many may be written at the same time at present.
    at_once: Cell<usize>,
    /// How many were written since that changed.
    went_well: Cell<usize>,
    /// Since when nothing was written.
    failing_since: Cell<Option<Instant>>,
    patience: Duration,
    first_pause: Duration,
    refused: Cell<usize>,
}

impl Load {
    /// Writes at most `most` accounts at the same time, and gives up when nothing was written for `patience`.
    pub(super) fn new(most: usize, patience: Duration) -> Self {
        let (went_well, failing_since, refused) = (Cell::new(0), Cell::new(None), Cell::new(0));
        let (turns, at_once, first_pause) = (Semaphore::new(most), Cell::new(most), FIRST_PAUSE);
        Self { turns, most, at_once, went_well, failing_since, patience, first_pause, refused }
    }

    /// Repeats a call until there is an answer. Repetitions get `true`, because the earlier call may have taken effect. `None` if the import was given up
    /// while this call waited for its turn. A permanent fault gives the import up; calls in progress are completed.
    pub(super) async fn carry<T>(&self, ask: impl AsyncFn(bool) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
        let mut pause = self.first_pause;
        let mut again = false;
        loop {
            let Ok(turn) = self.turns.acquire().await else { return Ok(None) };
            match ask(again).await {
                Ok(answer) => {
                    self.note_success();
                    return Ok(Some(answer));
                }
                Err(fault) if fault.is_transient() && self.is_patient() => {
                    self.refused.set(self.refused.get() + 1);
                    self.went_well.set(0);
                    if self.at_once.get() > 1 {
                        self.at_once.set(self.at_once.get() - 1);
                        turn.forget();
                    } else {
                        drop(turn);
                    }
                }
                Err(fault) => {
                    self.turns.close();
                    return Err(fault);
                }
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(MAX_PAUSE);
            again = true;
        }
    }

    /// How often the store was too busy.
    pub(super) fn refused(&self) -> usize {
        self.refused.get()
    }

    fn is_patient(&self) -> bool {
        let since = self.failing_since.get().unwrap_or_else(Instant::now);
        self.failing_since.set(Some(since));
        since.elapsed() < self.patience
    }

    fn note_success(&self) {
        self.failing_since.set(None);
        self.went_well.set(self.went_well.get() + 1);
        if self.went_well.get() >= GROWS_AFTER && self.at_once.get() < self.most {
            self.went_well.set(0);
            self.at_once.set(self.at_once.get() + 1);
            self.turns.add_permits(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Fault = Fault::Unreachable { operation: "TransactWriteItems", kind: "timed out" };
    const BROKEN: Fault = Fault::Internal("building a request");

    fn load(patience: Duration) -> Load {
        Load { first_pause: Duration::ZERO, ..Load::new(4, patience) }
    }

    #[tokio::test]
    async fn what_is_refused_is_asked_again_by_fewer_at_once_until_it_goes_well() {
        let load = load(Duration::from_mins(5));
        let tries = Cell::new(0);
        let ask = async |again: bool| {
            tries.set(tries.get() + 1);
            assert_eq!(again, tries.get() > 1);
            if tries.get() < 6 { Err(BUSY) } else { Ok(7) }
        };
        assert!(matches!(load.carry(ask).await, Ok(Some(7))));
        assert_eq!((tries.get(), load.refused(), load.at_once.get(), load.turns.available_permits()), (6, 5, 1, 1));
        for _ in 0..10 * GROWS_AFTER {
            load.carry(async |_| Ok(())).await.unwrap();
        }
        assert_eq!((load.at_once.get(), load.turns.available_permits()), (4, 4), "no more than it began with");
    }

    #[tokio::test]
    async fn it_gives_up_when_nothing_was_written_for_as_long_as_it_is_patient() {
        let impatient = Duration::from_millis(50);
        let (load, began) = (load(impatient), Instant::now());
        assert!(load.carry(async |_| Err::<(), _>(BUSY)).await.is_err());
        assert!(began.elapsed() >= impatient && load.refused() > 0);
        assert!(matches!(load.carry(async |_| Ok(())).await, Ok(None)), "nothing new is begun");
        let load = Load::new(4, Duration::ZERO);
        assert!(load.carry(async |_| Err::<(), _>(BUSY)).await.is_err());
        assert_eq!(load.refused(), 0);
    }

    #[tokio::test]
    async fn what_never_passes_is_not_asked_again() {
        let load = load(Duration::from_mins(1));
        let tries = Cell::new(0);
        let ask = async |_| {
            tries.set(tries.get() + 1);
            Err::<(), _>(BROKEN)
        };
        assert!(load.carry(ask).await.is_err());
        assert_eq!(tries.get(), 1);
    }
}
