//! Converts errors of the SDK into faults, and retries after transient ones.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};

use super::Store;
use crate::{entropy::Entropy, fault::Fault};

/// The fault for a request that the SDK could not build, which is a bug of ours. Such a part is never left out silently.
pub(super) const NOT_BUILT: Fault = Fault::Internal("building a request");

/// The fault behind an error of the SDK.
pub(super) fn fault_of<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>) -> Fault
where
    SdkError<E, R>: RequestId,
{
    let kind = match error {
        SdkError::ServiceError(context) => {
            let code = context.err().code().unwrap_or("unknown").to_owned();
            return Fault::Refused { operation, code, request_id: error.request_id().unwrap_or("unknown").to_owned() };
        }
        SdkError::TimeoutError(_) => "timed out",
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "timed out",
        SdkError::DispatchFailure(failure) if failure.is_io() => "not reachable",
        SdkError::DispatchFailure(_) => "not sent",
        SdkError::ResponseError(_) => "unreadable answer",
        _ => "request not built",
    };
    Fault::Unreachable { operation, kind }
}

/// A pause before the next try, of random length and a little longer each time: at most 5, 10, 20 … 320 ms.
///
/// The number of tries is only limited by the request's deadline; a request that is cut off is answered with 503.
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
    /// The first of a series of pauses.
    pub(super) fn pause(&self) -> Pause<'_> {
        Pause { entropy: &self.entropy, bound_ms: 5 }
    }

    /// Repeats the call until the answer is not a conflict. A conflict means that another transaction has one of the items, so there is no answer yet.
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
