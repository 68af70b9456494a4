//! Time as an argument.

use std::sync::Arc;

pub use jiff::Timestamp;

/// The source of time: the system's clock in a function, a clock that tests advance.
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

/// `instant` plus `span`, or the latest instant if that overflows.
#[must_use]
pub fn after(instant: Timestamp, span: std::time::Duration) -> Timestamp {
    instant.saturating_add(span).unwrap_or(Timestamp::MAX)
}

/// `instant` minus `span`, or the earliest instant if that overflows.
#[must_use]
pub fn before(instant: Timestamp, span: std::time::Duration) -> Timestamp {
    instant.saturating_sub(span).unwrap_or(Timestamp::MIN)
}

/// An instant in RFC 3339 notation, in UTC, to the second.
#[must_use]
pub fn rfc3339(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
