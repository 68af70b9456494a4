//! The tables and their names.

use crate::config::Settings;

/// One of the three tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Accounts, their sessions, their mailed links and the claims on their names.
    Accounts,
    /// Windows of limits.
    Limits,
    /// Mail to send.
    Outbox,
}

/// The names of the tables. A function is not told the name of a table that it does not use.
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
