//! Failures of a service that we depend on, without personal data.

/// A service that we depend on failed, or our own code did. The message contains codes only, never an item, a key or a service's own message.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The service refused or failed.
    #[error("{operation} failed: {code} (request {request_id})")]
    Refused {
        /// The operation that was requested.
        operation: &'static str,
        /// The service's error code.
        code: String,
        /// The service's id of the request.
        request_id: String,
    },
    /// The service did not answer.
    #[error("{operation} got no answer: {kind}")]
    Unreachable {
        /// The operation that was requested.
        operation: &'static str,
        /// The part of the request that failed.
        kind: &'static str,
    },
    /// The time for the whole request ran out.
    #[error("the request ran out of time")]
    OutOfTime,
    /// Our own code failed where that should be impossible.
    #[error("{0} failed")]
    Internal(&'static str),
    /// An item does not have the form that this version writes and reads.
    #[error("an item of kind {kind} has no readable {attribute}")]
    Unreadable {
        /// The kind of item.
        kind: &'static str,
        /// The attribute.
        attribute: &'static str,
    },
}

impl Fault {
    /// Whether the same call may succeed later, because there was no answer or the service was temporarily busy or broken. Such a call may have taken
    /// effect.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { code, .. } => TRANSIENT.contains(&code.as_str()),
            Self::Unreachable { .. } => true,
            Self::OutOfTime | Self::Internal(_) | Self::Unreadable { .. } => false,
        }
    }
}

/// The error codes that DynamoDB recommends to retry (developer guide, Error handling), as far as our clients can get them.
const TRANSIENT: [&str; 8] = [
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
];
