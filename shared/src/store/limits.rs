//! Windows of limits: one atomic conditional write each, no counter global.

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::UpdateItemError,
    types::{DeleteRequest, ReturnValuesOnConditionCheckFailure, WriteRequest},
};

use super::{
    Fault, Store,
    fault::{refused_by_condition, through_conflicts},
    item::{key, number, seconds, text},
};
use crate::clock::{Timestamp, after};

/// A window of a limit: which rule counts whom, from when to when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The rule and the digest of its subject.
    pub subject: String,
    /// When the window began.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// How many attempts it allows.
    pub allowed: u32,
}

/// Whether an attempt was within its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It was, and is counted.
    Granted,
    /// The window was full.
    Refused,
}

impl Store {
    /// Counts an attempt, if its window has room: of any number of attempts at once no more are granted than are allowed.
    pub async fn count(&self, window: &Window) -> Result<Attempt, Fault> {
        let attempt = uuid::Builder::from_random_bytes(self.entropy.bytes()).into_uuid().to_string();
        let answer = through_conflicts(&self.entropy, || {
            self.client
                .update_item()
                .table_name(&self.tables.limits)
                .set_key(Some(key(&window.subject, sort_key(window))))
                .update_expression("SET expires_at = :expires, attempt = :attempt ADD hits :one")
                .condition_expression("attribute_not_exists(hits) OR (hits < :allowed AND attempt <> :attempt)")
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .expression_attribute_values(":attempt", text(&attempt))
                // A day longer than the window, for whoever looks at what happened.
                .expression_attribute_values(":expires", seconds(after(window.ends_at, crate::config::span::days(1))))
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":allowed", number(window.allowed))
                .send()
        });
        match answer.await {
            Ok(_) => Ok(Attempt::Granted),
            // The SDK asks again when an answer is lost: what refuses then may be this very attempt.
            Err(error) if counted_before(&error, &attempt) => Ok(Attempt::Granted),
            Err(error) => refused_by_condition("UpdateItem", &error).map(|()| Attempt::Refused),
        }
    }

    /// The write that clears a window.
    pub(super) fn cleared(window: &Window) -> Option<WriteRequest> {
        let delete = DeleteRequest::builder().set_key(Some(key(&window.subject, sort_key(window)))).build().ok()?;
        Some(WriteRequest::builder().delete_request(delete).build())
    }
}

fn sort_key(window: &Window) -> String {
    window.starts_at.as_second().to_string()
}

fn counted_before<R>(error: &SdkError<UpdateItemError, R>, attempt: &str) -> bool {
    let Some(UpdateItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() else { return false };
    refused.item().and_then(|item| item.get("attempt")?.as_s().ok()).is_some_and(|counted| counted == attempt)
}
