//! What goes wrong with a service, without anybody's data.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::{RequestId, transact_write_items::TransactWriteItemsError},
};

use crate::entropy::Entropy;

/// A service did not do what was asked. The message holds codes, never an item, a key or what the service said about them.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The service refused or failed.
    #[error("{operation} failed: {code} (request {request_id})")]
    Refused {
        /// What was asked of the service.
        operation: &'static str,
        /// The service's error code.
        code: String,
        /// The service's id of the request.
        request_id: String,
    },
    /// The service did not answer.
    #[error("{operation} got no answer: {kind}")]
    Unreachable {
        /// What was asked of the service.
        operation: &'static str,
        /// Which part of asking failed.
        kind: &'static str,
    },
    /// The time for the whole request ran out.
    #[error("the request ran out of time")]
    OutOfTime,
    /// Something of ours failed that never should.
    #[error("{0} failed")]
    Internal(&'static str),
    /// An item is not as this version writes and reads it.
    #[error("an item of kind {kind} has no readable {attribute}")]
    Unreadable {
        /// Which kind of item.
        kind: &'static str,
        /// Which attribute.
        attribute: &'static str,
    },
}

impl Fault {
    /// The fault behind an error of the SDK.
    pub(crate) fn of<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>) -> Self
    where
        SdkError<E, R>: RequestId,
    {
        let kind = match error {
            SdkError::ServiceError(context) => {
                let code = context.err().code().unwrap_or("unknown").to_owned();
                return Self::Refused { operation, code, request_id: error.request_id().unwrap_or("unknown").to_owned() };
            }
            SdkError::TimeoutError(_) => "timed out",
            SdkError::DispatchFailure(failure) if failure.is_timeout() => "timed out",
            SdkError::DispatchFailure(failure) if failure.is_io() => "not reachable",
            SdkError::DispatchFailure(_) => "not sent",
            SdkError::ResponseError(_) => "unreadable answer",
            _ => "request not built",
        };
        Self::Unreachable { operation, kind }
    }

    /// Whether trying again may help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::OutOfTime => true,
            Self::Refused { code, .. } => !matches!(
                code.as_str(),
                "AccessDeniedException" | "ResourceNotFoundException" | "ValidationException" | "UnrecognizedClientException"
            ),
            Self::Unreadable { .. } | Self::Internal(_) => false,
        }
    }
}

/// The store's answer that another transaction holds one of the items: neither a yes nor a no.
pub(crate) trait Conflict {
    /// Whether this error says so.
    fn is_conflict(&self) -> bool;
}

impl<E: ProvideErrorMetadata + Reasons, R> Conflict for SdkError<E, R> {
    fn is_conflict(&self) -> bool {
        const PASSING: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
        let SdkError::ServiceError(context) = self else { return false };
        let error = context.err();
        matches!(error.code(), Some("TransactionConflictException" | "TransactionInProgressException"))
            || error.reasons().iter().any(|reason| reason.code().is_some_and(|code| PASSING.contains(&code)))
    }
}

/// Why a transaction was cancelled; a single write has no such reasons.
pub(crate) trait Reasons {
    /// One reason per item of the transaction.
    fn reasons(&self) -> &[aws_sdk_dynamodb::types::CancellationReason] {
        &[]
    }
}

impl Reasons for TransactWriteItemsError {
    fn reasons(&self) -> &[aws_sdk_dynamodb::types::CancellationReason] {
        match self {
            Self::TransactionCanceledException(cancelled) => cancelled.cancellation_reasons(),
            _ => &[],
        }
    }
}
impl Reasons for aws_sdk_dynamodb::operation::put_item::PutItemError {}
impl Reasons for aws_sdk_dynamodb::operation::update_item::UpdateItemError {}
impl Reasons for aws_sdk_dynamodb::operation::delete_item::DeleteItemError {}

/// A pause between tries of what the store could not do just now, a little longer each time, by chance: at most 5, 10, 20 … 320 ms.
///
/// There is no bound on the tries: the time of the whole request bounds them, and what it cuts off is answered with a 503.
pub(crate) struct Pause<'entropy> {
    entropy: &'entropy Entropy,
    bound_ms: u64,
}

impl<'entropy> Pause<'entropy> {
    /// Before the first pause.
    pub(crate) fn new(entropy: &'entropy Entropy) -> Self {
        Self { entropy, bound_ms: 5 }
    }

    /// Waits.
    pub(crate) async fn take(&mut self) {
        let wait_ms = u64::from_le_bytes(self.entropy.bytes()) % self.bound_ms + 1;
        tracing::info!(wait_ms, "busy");
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        self.bound_ms = (2 * self.bound_ms).min(320);
    }
}

/// Asks until the answer is no conflict.
pub(crate) async fn through_conflicts<T, E: Conflict, F>(entropy: &Entropy, mut ask: impl FnMut() -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut pause = Pause::new(entropy);
    loop {
        match ask().await {
            Err(error) if error.is_conflict() => pause.take().await,
            answer => return answer,
        }
    }
}

/// Whether a conditional write was refused by its condition; every other error is a fault.
pub(crate) fn refused_by_condition<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>) -> Result<(), Fault>
where
    SdkError<E, R>: RequestId,
{
    match error {
        SdkError::ServiceError(context) if context.err().code() == Some("ConditionalCheckFailedException") => Ok(()),
        _ => Err(Fault::of(operation, error)),
    }
}

/// Which items of a cancelled transaction failed their condition; every other error is a fault.
pub(crate) fn cancelled_by<R>(operation: &'static str, error: &SdkError<TransactWriteItemsError, R>) -> Result<Vec<bool>, Fault>
where
    SdkError<TransactWriteItemsError, R>: RequestId,
{
    if let SdkError::ServiceError(context) = error {
        let failed: Vec<bool> = context.err().reasons().iter().map(|reason| reason.code() == Some("ConditionalCheckFailed")).collect();
        if failed.contains(&true) {
            return Ok(failed);
        }
    }
    Err(Fault::of(operation, error))
}
