//! Keys of items.

use std::collections::HashMap;

use super::{
    item::{Attributes, text},
    table::Table,
};

/// The key of an item. It does not print: keys hold names, addresses and digests.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(super) table: Table,
    /// What a fault calls such an item.
    pub(super) kind: &'static str,
    pub(super) partition: String,
    pub(super) sort: String,
}

impl Key {
    /// The key of an item, which a fault calls a `kind`.
    pub(crate) fn new(table: Table, kind: &'static str, partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Self { table, kind, partition: partition.into(), sort: sort.into() }
    }

    /// The key's attributes.
    pub(super) fn attributes(&self) -> Attributes {
        HashMap::from([("pk".to_owned(), text(&self.partition)), ("sk".to_owned(), text(&self.sort))])
    }
}
