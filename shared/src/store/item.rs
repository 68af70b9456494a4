//! Reading and writing the attributes of items.

use std::{collections::HashMap, fmt::Display, str::FromStr};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{clock::Timestamp, fault::Fault};

pub(crate) type Value = AttributeValue;

pub(super) type Attributes = HashMap<String, Value>;

pub(crate) fn text(value: impl Into<String>) -> Value {
    Value::S(value.into())
}

pub(crate) fn number(value: impl Display) -> Value {
    Value::N(value.to_string())
}

pub(crate) fn truth(value: bool) -> Value {
    Value::Bool(value)
}

/// An instant in milliseconds: the resolution at which instants are compared.
pub(crate) fn millis(instant: Timestamp) -> Value {
    number(instant.as_millisecond())
}

/// An instant in seconds, rounded up, as TTL reads it.
pub(crate) fn seconds(instant: Timestamp) -> Value {
    number(instant.as_second().saturating_add(i64::from(instant.subsec_nanosecond() > 0)))
}

pub(crate) fn numbers_by_name(numbers: impl IntoIterator<Item = (String, i64)>) -> Value {
    Value::M(numbers.into_iter().map(|(name, value)| (name, number(value))).collect())
}

/// An item that was read. An attribute that is missing or of another type is a fault, which names the attribute and never its value.
pub(crate) struct Item {
    kind: &'static str,
    attributes: Attributes,
}

impl Item {
    pub(super) fn new(kind: &'static str, attributes: Attributes) -> Self {
        Self { kind, attributes }
    }

    /// Whether its sort key is this.
    pub(crate) fn is_at(&self, sort: &str) -> bool {
        self.optional_text("sk") == Some(sort)
    }

    /// Whether its partition key is this.
    pub(crate) fn is_under(&self, partition: &str) -> bool {
        self.optional_text("pk") == Some(partition)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }

    pub(crate) fn into_attributes(self) -> impl Iterator<Item = (String, Value)> {
        self.attributes.into_iter()
    }

    pub(crate) fn optional_text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.as_s().ok().map(String::as_str)
    }

    pub(crate) fn text(&self, name: &'static str) -> Result<&str, Fault> {
        self.optional_text(name).ok_or(self.unreadable(name))
    }

    pub(crate) fn optional_number<N: FromStr>(&self, name: &str) -> Option<N> {
        self.attributes.get(name)?.as_n().ok()?.parse().ok()
    }

    pub(crate) fn number<N: FromStr>(&self, name: &'static str) -> Result<N, Fault> {
        self.optional_number(name).ok_or(self.unreadable(name))
    }

    pub(crate) fn optional_instant(&self, name: &str) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.optional_number(name)?).ok()
    }

    /// An instant in milliseconds.
    pub(crate) fn instant(&self, name: &'static str) -> Result<Timestamp, Fault> {
        self.optional_instant(name).ok_or(self.unreadable(name))
    }

    pub(crate) fn truth(&self, name: &'static str) -> Result<bool, Fault> {
        self.attributes.get(name).and_then(|value| value.as_bool().ok().copied()).ok_or(self.unreadable(name))
    }

    /// A string that is parsed as this type.
    pub(crate) fn parsed<T: FromStr>(&self, name: &'static str) -> Result<T, Fault> {
        self.text(name)?.parse().map_err(|_| self.unreadable(name))
    }

    /// Numbers by name; empty if the attribute is absent.
    pub(crate) fn numbers_by_name(&self, name: &str) -> Vec<(String, i64)> {
        let Some(Ok(entries)) = self.attributes.get(name).map(Value::as_m) else { return Vec::new() };
        entries.iter().filter_map(|(name, value)| Some((name.clone(), value.as_n().ok()?.parse().ok()?))).collect()
    }

    /// The fault of an attribute that cannot be read.
    pub(crate) fn unreadable(&self, attribute: &'static str) -> Fault {
        Fault::Unreadable { kind: self.kind, attribute }
    }
}
