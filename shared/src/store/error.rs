//! The SDK's errors as faults of ours.

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};

use crate::fault::Fault;

/// The SDK did not take the parts of a request: a mistake of ours. It is never answered by leaving a part out.
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
