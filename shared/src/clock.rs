//! Time as an argument.

use std::sync::Arc;

pub use jiff::Timestamp;

/// Where the time comes from: the system's clock in a function, a hand to turn in a test.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that may ask the system for the time")]
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that shows what `read` returns.
    pub fn reading(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// `instant` later by `span`; the end of time where that overflows.
#[must_use]
pub fn after(instant: Timestamp, span: std::time::Duration) -> Timestamp {
    instant.saturating_add(span).unwrap_or(Timestamp::MAX)
}

/// `instant` earlier by `span`; the beginning of time where that overflows.
#[must_use]
pub fn before(instant: Timestamp, span: std::time::Duration) -> Timestamp {
    instant.saturating_sub(span).unwrap_or(Timestamp::MIN)
}

/// An instant as APIs say it: RFC 3339, to the second, UTC.
#[must_use]
pub fn rfc3339(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
