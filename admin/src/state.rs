//! The state of an account, as the commands print it.

use clap::ValueEnum;
use doorward::account::Account;
use serde::Serialize;

/// The state of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Its owner can log in
    Active,
    /// An operator has deactivated it
    Deactivated,
    /// Its owner has requested its deletion
    Leaving,
    /// It has no usable password
    NoPassword,
    /// Its password is disabled until a reset
    Disavowed,
}

impl State {
    pub(crate) fn of(account: &Account) -> Self {
        if account.deletion.is_some() {
            return Self::Leaving;
        }
        match (account.active, account.usable_password(), account.disavowed) {
            (false, _, _) => Self::Deactivated,
            (true, None, _) => Self::NoPassword,
            (true, Some(_), true) => Self::Disavowed,
            (true, Some(_), false) => Self::Active,
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deactivated => "deactivated",
            Self::Leaving => "to be deleted",
            Self::NoPassword => "without a password",
            Self::Disavowed => "disavowed, until a reset",
        }
    }
}
