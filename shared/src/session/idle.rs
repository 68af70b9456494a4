//! Sessions that end when they are not used (ASVS 5.0, 7.3.1).
//!
//! The last use is stored as a day in UTC, so that a session costs at most one write a day.

use crate::{
    clock::Timestamp,
    config::{Settings, span},
};

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

/// After how many days without use a session ends; never, by default.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idle(Option<i64>);

impl Idle {
    /// `SESSION_IDLE`: off, or whole days from 1d to 90d.
    pub(super) fn configured(settings: &mut Settings) -> Self {
        Self(settings.parsed("SESSION_IDLE", None, |text| {
            if text == "off" {
                return Ok(None);
            }
            let idle = humantime::parse_duration(text).ok().filter(|idle| (span::days(1)..=span::days(90)).contains(idle));
            let days = idle.and_then(|idle| i64::try_from(idle.as_secs()).ok()).filter(|seconds| seconds % SECONDS_A_DAY == 0);
            days.map(|seconds| Some(seconds / SECONDS_A_DAY)).ok_or_else(|| "must be off or whole days, 1d to 90d".to_owned())
        }))
    }

    /// Whether a session has not been used for too long. One without a stored use counts as used on the day of its login.
    pub(super) fn has_ended(self, created_at: Timestamp, seen_on: Option<i64>, now: Timestamp) -> bool {
        self.0.is_some_and(|days| day_of(now) - last_day(created_at, seen_on) > days)
    }

    /// The day to be stored at a login.
    pub(super) fn day_of_login(self, now: Timestamp) -> Option<i64> {
        self.0.map(|_| day_of(now))
    }

    /// The day to be stored at a use, if an earlier one is stored. A function whose clock is behind stores nothing.
    pub(super) fn day_to_store(self, created_at: Timestamp, seen_on: Option<i64>, now: Timestamp) -> Option<i64> {
        self.day_of_login(now).filter(|today| last_day(created_at, seen_on) < *today)
    }

    /// The beginning of the day on which a session was last used, in seconds since 1970. `None` while this is off.
    pub(super) fn last_seen(self, created_at: Timestamp, seen_on: Option<i64>) -> Option<i64> {
        self.0.map(|_| last_day(created_at, seen_on) * SECONDS_A_DAY)
    }
}

fn last_day(created_at: Timestamp, seen_on: Option<i64>) -> i64 {
    seen_on.unwrap_or_else(|| day_of(created_at))
}

/// The day of an instant, counted from 1970, in UTC.
fn day_of(instant: Timestamp) -> i64 {
    instant.as_second().div_euclid(SECONDS_A_DAY)
}
