//! Items: attributes in, attributes out.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::Fault;
use crate::{account::AccountId, clock::Timestamp};

/// An item's attributes.
pub(super) type Attributes = HashMap<String, AttributeValue>;

/// A string attribute.
pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
pub(super) fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// An instant in milliseconds: the resolution at which instants are compared.
pub(super) fn millis(instant: Timestamp) -> AttributeValue {
    number(instant.as_millisecond())
}

/// An instant in seconds, rounded up: what TTL reads.
pub(super) fn seconds(instant: Timestamp) -> AttributeValue {
    number(instant.as_second().saturating_add(i64::from(instant.subsec_nanosecond() > 0)))
}

/// The key of an item.
pub(super) fn key(partition: impl Into<String>, sort: impl Into<String>) -> Attributes {
    HashMap::from([("pk".to_owned(), text(partition)), ("sk".to_owned(), text(sort))])
}

/// The partition of an account.
pub(super) fn account_partition(id: AccountId) -> String {
    format!("account#{id}")
}

/// An item being read: what is missing or of another type is a fault that names the attribute.
pub(super) struct Item {
    kind: &'static str,
    attributes: Attributes,
}

impl Item {
    /// An item of this kind.
    pub(super) fn new(kind: &'static str, attributes: Attributes) -> Self {
        Self { kind, attributes }
    }

    /// A string that may be absent.
    pub(super) fn optional_text(&self, name: &str) -> Option<String> {
        self.attributes.get(name)?.as_s().ok().cloned()
    }

    /// A string.
    pub(super) fn text(&self, name: &'static str) -> Result<String, Fault> {
        self.optional_text(name).ok_or(self.unreadable(name))
    }

    /// A number that may be absent.
    pub(super) fn optional_number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.attributes.get(name)?.as_n().ok()?.parse().ok()
    }

    /// A number.
    pub(super) fn number<N: std::str::FromStr>(&self, name: &'static str) -> Result<N, Fault> {
        self.optional_number(name).ok_or(self.unreadable(name))
    }

    /// An instant that may be absent.
    pub(super) fn optional_instant(&self, name: &str) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.optional_number(name)?).ok()
    }

    /// An instant in milliseconds.
    pub(super) fn instant(&self, name: &'static str) -> Result<Timestamp, Fault> {
        self.optional_instant(name).ok_or(self.unreadable(name))
    }

    /// A truth.
    pub(super) fn truth(&self, name: &'static str) -> Result<bool, Fault> {
        self.attributes.get(name).and_then(|value| value.as_bool().ok().copied()).ok_or(self.unreadable(name))
    }

    /// An account's id.
    pub(super) fn account_id(&self, name: &'static str) -> Result<AccountId, Fault> {
        self.text(name)?.parse().map_err(|_| self.unreadable(name))
    }

    /// Numbers by name; none where the attribute is absent.
    pub(super) fn numbers_by_name(&self, name: &str) -> Vec<(String, i64)> {
        let Some(Ok(entries)) = self.attributes.get(name).map(AttributeValue::as_m) else { return Vec::new() };
        entries.iter().filter_map(|(name, value)| Some((name.clone(), value.as_n().ok()?.parse().ok()?))).collect()
    }

    /// The fault of an attribute that cannot be read.
    pub(super) fn unreadable(&self, attribute: &'static str) -> Fault {
        Fault::Unreadable { kind: self.kind, attribute }
    }
}
