//! Transactions: several writes, all or none.

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata as _, SdkError},
    operation::{RequestId, transact_write_items::TransactWriteItemsError},
    types::{CancellationReason, ConditionCheck, Delete, Put, TransactWriteItem, Update},
};

use super::{
    Store,
    error::{NOT_BUILT, fault_of},
    key::Tables,
    write::{Action, Write},
};
use crate::fault::Fault;

/// The outcome of a transaction.
#[must_use = "a refused transaction wrote nothing"]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Transacted {
    /// Every write is done.
    Done,
    /// Conditions did not hold and nothing was written. For each write, in order, whether its own condition failed.
    Refused(Vec<bool>),
}

impl Transacted {
    /// Whether the condition of the write at this position failed.
    pub(crate) fn refused_at(&self, position: usize) -> bool {
        matches!(self, Self::Refused(failed) if failed.get(position) == Some(&true))
    }

    /// The first value if every write is done, otherwise the second.
    pub(crate) fn or<T>(self, done: T, refused: T) -> T {
        if self == Self::Done { done } else { refused }
    }
}

impl Store {
    /// Carries out these writes together.
    ///
    /// Every try has the same request token, so a try whose answer was lost is not taken for a lost race: DynamoDB recognises a repeated request for ten
    /// minutes.
    pub(crate) async fn transact(&self, operation: &'static str, writes: Vec<Write>) -> Result<Transacted, Fault> {
        let items: Vec<TransactWriteItem> = writes.into_iter().map(|write| built(write, &self.tables)).collect::<Result<_, _>>()?;
        let call = self.client.transact_write_items().set_transact_items(Some(items)).client_request_token(self.attempt_id());
        match self.through_conflicts(is_conflict, || call.clone().send()).await {
            Ok(_) => Ok(Transacted::Done),
            Err(error) => refused(operation, &error),
        }
    }
}

/// A write as part of a transaction.
fn built(write: Write, tables: &Tables) -> Result<TransactWriteItem, Fault> {
    let (item, table, key) = (TransactWriteItem::builder(), tables.name(write.key.table), Some(write.key.attributes()));
    let (condition, values) = (write.condition, write.values);
    let item = match write.action {
        Action::Put(new) => {
            let put = Put::builder().table_name(table).set_item(Some(new)).set_condition_expression(condition);
            item.put(put.set_expression_attribute_values(values).build().map_err(|_| NOT_BUILT)?)
        }
        Action::Update(expression) => {
            let update = Update::builder().table_name(table).set_key(key).update_expression(expression).set_condition_expression(condition);
            item.update(update.set_expression_attribute_values(values).build().map_err(|_| NOT_BUILT)?)
        }
        Action::Delete => {
            let delete = Delete::builder().table_name(table).set_key(key).set_condition_expression(condition);
            item.delete(delete.set_expression_attribute_values(values).build().map_err(|_| NOT_BUILT)?)
        }
        Action::Check => {
            let check = ConditionCheck::builder().table_name(table).set_key(key).set_condition_expression(condition);
            item.condition_check(check.set_expression_attribute_values(values).build().map_err(|_| NOT_BUILT)?)
        }
    };
    Ok(item.build())
}

fn reasons<R>(error: &SdkError<TransactWriteItemsError, R>) -> &[CancellationReason] {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled.cancellation_reasons(),
        _ => &[],
    }
}

/// Whether another transaction is using an item, or DynamoDB throttles this one.
fn is_conflict<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    const TRANSIENT: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    matches!(error.code(), Some("TransactionConflictException" | "TransactionInProgressException"))
        || reasons(error).iter().any(|reason| reason.code().is_some_and(|code| TRANSIENT.contains(&code)))
}

/// The outcome of a transaction that conditions refused; every other error is a fault.
fn refused<R>(operation: &'static str, error: &SdkError<TransactWriteItemsError, R>) -> Result<Transacted, Fault>
where
    SdkError<TransactWriteItemsError, R>: RequestId,
{
    let failed: Vec<bool> = reasons(error).iter().map(|reason| reason.code() == Some("ConditionalCheckFailed")).collect();
    if failed.contains(&true) { Ok(Transacted::Refused(failed)) } else { Err(fault_of(operation, error)) }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Key, Table},
        *,
    };

    #[test]
    fn a_write_that_cannot_be_built_is_a_fault_and_never_an_empty_write() {
        let key = || Key::new(Table::Accounts, "item", "p", "s");
        // A check without a condition is not valid.
        assert!(matches!(built(Write::check(key()), &Tables::default()), Err(Fault::Internal(_))));
        let check = built(Write::check(key()).when("a = :a"), &Tables::default()).unwrap();
        assert_eq!(check.condition_check().map(ConditionCheck::condition_expression), Some("a = :a"));
        assert!(built(Write::delete(key()), &Tables::default()).unwrap().delete().is_some());
    }

    #[test]
    fn a_refusal_says_which_conditions_failed() {
        assert!(!Transacted::Done.refused_at(0));
        let refused = Transacted::Refused(vec![false, true]);
        assert_eq!([0, 1, 2].map(|position| refused.refused_at(position)), [false, true, false]);
        assert_eq!((Transacted::Done.or(1, 2), refused.or(1, 2)), (1, 2));
    }
}
