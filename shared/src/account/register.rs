//! Creating accounts.

use super::{Account, find::Holders, item::creation};
use crate::{
    event::EventKind,
    fault::Fault,
    store::{Store, Write},
};

/// The outcome of registering.
#[derive(Debug, PartialEq, Eq)]
pub enum Registered {
    /// The account exists now.
    Now,
    /// Another account has one of the names or both. Nothing was written.
    Taken(Taken),
}

/// Which names are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The username.
    Username,
    /// The e-mail address.
    Email,
    /// Both, by one account or by two.
    Both,
}

impl Taken {
    fn of(username: bool, email: bool) -> Option<Self> {
        match (username, email) {
            (true, true) => Some(Self::Both),
            (true, false) => Some(Self::Username),
            (false, true) => Some(Self::Email),
            (false, false) => None,
        }
    }

    /// Whether the username is taken.
    #[must_use]
    pub fn username(self) -> bool {
        self != Self::Email
    }

    /// Whether the e-mail address is taken.
    #[must_use]
    pub fn email(self) -> bool {
        self != Self::Username
    }
}

impl Holders {
    /// Which of the names are taken, if any.
    #[must_use]
    pub fn taken(&self) -> Option<Taken> {
        Taken::of(self.username.is_some(), self.email.is_some())
    }
}

impl Store {
    /// Writes a new account, both claims on its names and its event, or nothing.
    pub async fn register(&self, account: &Account) -> Result<Registered, Fault> {
        self.register_with(account, None).await
    }

    /// Like `register`, for an account that is moved here from elsewhere. That is no event: whoever greets new accounts would greet all the old ones.
    pub async fn import(&self, account: &Account) -> Result<Registered, Fault> {
        self.create(account, []).await
    }

    /// Like `register`, with a further write in the same transaction.
    pub(crate) async fn register_with(&self, account: &Account, also: Option<Write>) -> Result<Registered, Fault> {
        let event = self.event(EventKind::AccountCreated, account.id, account.created_at);
        self.create(account, also.into_iter().chain(event)).await
    }

    async fn create(&self, account: &Account, also: impl IntoIterator<Item = Write>) -> Result<Registered, Fault> {
        let outcome = self.transact("register", creation(account).into_iter().chain(also).collect()).await?;
        match Taken::of(outcome.refused_at(1), outcome.refused_at(2)) {
            Some(taken) => Ok(Registered::Taken(taken)),
            // Neither name was the reason, so it was the account's id; a new random id belongs to no other account.
            None => outcome.or(Ok(Registered::Now), Err(Fault::Internal("making an account id"))),
        }
    }
}
