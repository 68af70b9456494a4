//! Tables, and keys of items in them.

use std::collections::HashMap;

use super::item::{Attributes, text};
use crate::config::Settings;

/// One of the three tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Accounts, their sessions, their mailed links and the claims on their names.
    Accounts,
    /// Windows of limits.
    Limits,
    /// Mail to be sent, and events to be published.
    Outbox,
}

/// The names of the tables. A function does not get the name of a table that it does not use.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// The name of [`Table::Accounts`].
    pub accounts: String,
    /// The name of [`Table::Limits`].
    pub limits: String,
    /// The name of [`Table::Outbox`].
    pub outbox: String,
}

impl Tables {
    /// The names of the tables in `used`, from the environment.
    pub(super) fn configured(settings: &mut Settings, used: &[Table]) -> Self {
        let mut tables = Self::default();
        for table in used {
            match table {
                Table::Accounts => tables.accounts = settings.text("ACCOUNTS_TABLE"),
                Table::Limits => tables.limits = settings.text("LIMITS_TABLE"),
                Table::Outbox => tables.outbox = settings.text("OUTBOX_TABLE"),
            }
        }
        tables
    }

    /// The name of this table.
    pub(super) fn name(&self, table: Table) -> &str {
        match table {
            Table::Accounts => &self.accounts,
            Table::Limits => &self.limits,
            Table::Outbox => &self.outbox,
        }
    }
}

/// The key of an item. It has no `Debug`, because keys contain names, addresses and digests.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(super) table: Table,
    /// The kind of item, for faults.
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
