//! Writes, which features build and the store carries out.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::{RequestId, update_item::UpdateItemError},
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{
    Store,
    error::{NOT_BUILT, fault_of},
    item::{Attributes, Item, Value},
    key::Key,
};
use crate::fault::Fault;

/// A write of one item, with its conditions.
#[derive(Clone)]
pub(crate) struct Write {
    pub(super) key: Key,
    pub(super) action: Action,
    pub(super) condition: Option<String>,
    pub(super) values: Option<Attributes>,
    shows_new: bool,
    shows_refusing: bool,
}

/// The kind of a write.
#[derive(Clone)]
pub(super) enum Action {
    /// Puts this item.
    Put(Attributes),
    /// Updates an item by this expression.
    Update(String),
    /// Deletes an item.
    Delete,
    /// Writes nothing; the transaction happens only if its condition holds.
    Check,
}

/// The outcome of a write.
#[must_use = "a refused write wrote nothing"]
pub(crate) enum Written {
    /// It is done. Contains the new item, if the write asked for it.
    Done(Item),
    /// Its condition did not hold and nothing was written. Contains the item that refused it, if the write asked for it.
    Refused(Item),
}

impl Write {
    /// Puts an item, in place of the one that has this key.
    pub(crate) fn put<N: Into<String>>(key: Key, attributes: impl IntoIterator<Item = (N, Value)>) -> Self {
        let mut item: Attributes = attributes.into_iter().map(|(name, value)| (name.into(), value)).collect();
        item.extend(key.attributes());
        Self::of(key, Action::Put(item))
    }

    /// Updates an item, or creates it.
    pub(crate) fn update(key: Key, expression: impl Into<String>) -> Self {
        Self::of(key, Action::Update(expression.into()))
    }

    /// Deletes an item, if there is one.
    pub(crate) fn delete(key: Key) -> Self {
        Self::of(key, Action::Delete)
    }

    /// Checks an item in a transaction without writing it.
    pub(crate) fn check(key: Key) -> Self {
        Self::of(key, Action::Check)
    }

    fn of(key: Key, action: Action) -> Self {
        Self { key, action, condition: None, values: None, shows_new: false, shows_refusing: false }
    }

    /// Adds a condition. All conditions must hold.
    pub(crate) fn when(mut self, condition: &'static str) -> Self {
        self.condition = Some(match self.condition {
            None => condition.to_owned(),
            Some(others) => format!("({others}) AND ({condition})"),
        });
        self
    }

    /// The value of a placeholder such as `:now` in the expression or the conditions.
    pub(crate) fn with(mut self, placeholder: &'static str, value: Value) -> Self {
        self.values.get_or_insert_default().insert(placeholder.to_owned(), value);
        self
    }

    /// The outcome will contain the item after the update.
    pub(crate) fn show_new(self) -> Self {
        Self { shows_new: true, ..self }
    }

    /// The outcome will contain the item that refused the update.
    pub(crate) fn show_refusing(self) -> Self {
        Self { shows_refusing: true, ..self }
    }
}

impl Store {
    /// Carries out one write by itself. It is one call, which is repeated while another transaction is using the item.
    pub(crate) async fn write(&self, write: Write) -> Result<Written, Fault> {
        let (table, key, kind) = (self.tables.name(write.key.table), write.key.attributes(), write.key.kind);
        let nothing = || Item::new(kind, HashMap::new());
        match write.action {
            Action::Put(item) => {
                let call = self.client.put_item().table_name(table).set_item(Some(item));
                let call = call.set_condition_expression(write.condition).set_expression_attribute_values(write.values);
                let answer = self.through_conflicts(is_conflict, || call.clone().send()).await;
                answer.map_or_else(|error| refused("PutItem", &error, nothing()), |_| Ok(Written::Done(nothing())))
            }
            Action::Delete => {
                let call = self.client.delete_item().table_name(table).set_key(Some(key));
                let call = call.set_condition_expression(write.condition).set_expression_attribute_values(write.values);
                let answer = self.through_conflicts(is_conflict, || call.clone().send()).await;
                answer.map_or_else(|error| refused("DeleteItem", &error, nothing()), |_| Ok(Written::Done(nothing())))
            }
            Action::Update(expression) => {
                let call = self.client.update_item().table_name(table).set_key(Some(key)).update_expression(expression);
                let call = call.set_condition_expression(write.condition).set_expression_attribute_values(write.values);
                let refusing = write.shows_refusing.then_some(ReturnValuesOnConditionCheckFailure::AllOld);
                let call = call.set_return_values(write.shows_new.then_some(ReturnValue::AllNew));
                let call = call.set_return_values_on_condition_check_failure(refusing);
                match self.through_conflicts(is_conflict, || call.clone().send()).await {
                    Ok(answer) => Ok(Written::Done(Item::new(kind, answer.attributes.unwrap_or_default()))),
                    Err(error) => refused("UpdateItem", &error, Item::new(kind, refusing_item(&error).unwrap_or_default())),
                }
            }
            Action::Check => Err(NOT_BUILT),
        }
    }
}

/// Whether another transaction is using the item.
fn is_conflict<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code() == Some("TransactionConflictException")
}

fn refusing_item<R>(error: &SdkError<UpdateItemError, R>) -> Option<Attributes> {
    match error.as_service_error()? {
        UpdateItemError::ConditionalCheckFailedException(refused) => refused.item().cloned(),
        _ => None,
    }
}

/// The outcome of a write that its condition refused; every other error is a fault.
fn refused<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>, refusing: Item) -> Result<Written, Fault>
where
    SdkError<E, R>: RequestId,
{
    if error.code() == Some("ConditionalCheckFailedException") { Ok(Written::Refused(refusing)) } else { Err(fault_of(operation, error)) }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Table, text},
        *,
    };

    fn key() -> Key {
        Key::new(Table::Accounts, "item", "p", "s")
    }

    #[test]
    fn of_several_conditions_all_must_hold() {
        assert_eq!(Write::delete(key()).when("a = :a").condition.as_deref(), Some("a = :a"));
        let both = Write::delete(key()).when("a = :a OR b = :b").when("c = :c");
        assert_eq!(both.condition.as_deref(), Some("(a = :a OR b = :b) AND (c = :c)"));
    }

    #[test]
    fn a_put_holds_its_key_whatever_its_attributes_say() {
        let Action::Put(item) = Write::put(key(), [("pk", text("another")), ("a", text("1"))]).action else { panic!("a put") };
        assert_eq!((&item["pk"], &item["a"], item.len()), (&text("p"), &text("1"), 3));
    }
}
