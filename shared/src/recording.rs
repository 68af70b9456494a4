//! Which events a deployment records, and which data of an account they contain.

use crate::config::Settings;

/// Which of the features' events are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recording {
    /// None. Nothing is written for them.
    #[default]
    Nothing,
    /// Changes of accounts and of their passwords.
    Accounts,
    /// The same, and every session that is opened or ended.
    Sessions,
}

impl Recording {
    /// `EVENTS`: `none`, `account` (default) or `all`.
    pub fn configured(settings: &mut Settings) -> Self {
        settings.parsed("EVENTS", Self::Accounts, |text| match text {
            "none" => Ok(Self::Nothing),
            "account" => Ok(Self::Accounts),
            "all" => Ok(Self::Sessions),
            _ => Err("must be none, account or all".to_owned()),
        })
    }
}

/// The data of an account in an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventData {
    /// Its id, which identifies nobody without access to the tables.
    #[default]
    Thin,
    /// Also its username and e-mail address, and the network of the person who did it.
    Full,
}

impl EventData {
    /// `EVENT_DATA`: `thin` (default) or `full`.
    pub fn configured(settings: &mut Settings) -> Self {
        settings.parsed("EVENT_DATA", Self::Thin, |text| match text {
            "thin" => Ok(Self::Thin),
            "full" => Ok(Self::Full),
            _ => Err("must be thin or full".to_owned()),
        })
    }
}
