//! Which events a deployment records, and what they say of an account.

use crate::config::Settings;

/// Which events are written, of all that features could write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recording {
    /// None, so that nothing is written for them.
    #[default]
    Nothing,
    /// Changes of accounts and of their passwords, which are rare.
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

/// What an event says of its account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventData {
    /// Its id, which is no personal data to whoever cannot read the tables.
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
