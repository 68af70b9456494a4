//! Instants in files.

use doorward::clock::Timestamp;
use jiff::{civil::DateTime, tz::TimeZone};

/// An instant with its offset, or without one in UTC, as Django without time zones writes it.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let naive = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse().ok().or_else(naive)
}
