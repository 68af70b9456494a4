//! Deletes the accounts whose requested deletion is due. A timer calls it once an hour.
//!
//! It is a function of its own because it may delete an account's items in all three tables, which no function of the API may. TTL would delete days late
//! and one item at a time, and would leave the claims on the names.

use std::time::Duration;

use doorward::{
    clock::Clock,
    deletion_list::{DueDeletion, LISTS},
    deletion_request::Swept,
    metric::{Metric, Metrics},
    store::{Store, Table},
    telemetry,
};
use lambda_runtime::Error;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use crate::{Function, Handler, Wiring};

pub struct Sweeper {
    store: Store,
    metrics: Metrics,
    clock: Clock,
}

/// The timer's event, of which nothing is read.
#[derive(Clone, Copy, Default, Deserialize)]
pub struct Hour {}

impl Function for Sweeper {
    const NAME: &str = "sweeper";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        Self { metrics: wiring.metrics(), store: wiring.store.clone(), clock: wiring.clock.clone() }
    }
}

impl Handler for Sweeper {
    type Event = Hour;
    type Answer = ();

    /// A failed deletion is counted and stays listed for the next hour. It is not returned as an error, because Lambda would then call again at once.
    async fn handle(&self, _: Hour, time: Duration) -> Result<(), Error> {
        self.metrics.counted(self.sweep_until(Instant::now() + time)).await;
        Ok(())
    }
}

impl Sweeper {
    /// Carries out the deletions that are due, until the time is up. The others wait for the next hour. Each hour begins with another list, so that a long
    /// list cannot block the others for ever.
    async fn sweep_until(&self, until: Instant) {
        let now = self.clock.now();
        let first = u32::try_from(now.as_second().div_euclid(60 * 60).rem_euclid(i64::from(LISTS))).unwrap_or_default();
        for list in first..first + LISTS {
            let (due, unreadable) = match timeout_at(until, self.store.due_deletions(list, now)).await {
                Ok(Ok(found)) => found,
                Ok(Err(fault)) => {
                    tracing::error!(%fault, "due deletions not read");
                    Metric::DELETIONS_FAILED.count();
                    continue;
                }
                Err(_) => return tracing::warn!("deletions are left for the next hour"),
            };
            for _ in 0..unreadable {
                tracing::error!(outcome = "unreadable", "account not deleted");
                Metric::DELETIONS_FAILED.count();
            }
            for listed in due {
                // A deletion that is interrupted continues in the next hour.
                if timeout_at(until, self.sweep(&listed)).await.is_err() {
                    return tracing::warn!("deletions are left for the next hour");
                }
            }
        }
    }

    /// Carries out one deletion. A failure does not stop the others.
    async fn sweep(&self, listed: &DueDeletion) {
        telemetry::note_account(listed.account);
        match self.store.sweep(listed, self.clock.now()).await {
            Ok(Swept::Deleted) => tracing::info!(account = %listed.account, "account deleted"),
            Ok(Swept::Dropped) => tracing::info!(account = %listed.account, "deletion cancelled, or done before"),
            Ok(Swept::Kept) => tracing::info!(account = %listed.account, "deletion waits until a former address is no longer reserved"),
            Ok(Swept::Later) => {
                tracing::warn!(account = %listed.account, outcome = "overtaken", "account not deleted");
                Metric::DELETIONS_FAILED.count();
            }
            Err(fault) => {
                tracing::error!(account = %listed.account, %fault, "account not deleted");
                Metric::DELETIONS_FAILED.count();
            }
        }
    }
}
