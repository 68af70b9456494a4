//! Creating accounts.

use std::collections::BTreeSet;

use super::{Account, find::Holders, item::creation, profile, reserved};
use crate::{
    clock::Timestamp,
    event::EventKind,
    fault::Fault,
    store::{Store, Transacted, Write},
};

/// The outcome of registering.
#[derive(Debug, PartialEq, Eq)]
pub enum Registered {
    /// The account exists now.
    Now,
    /// Another account has one of the names or both. Nothing was written.
    Taken(Taken),
}

/// The outcome of importing an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// The account exists now.
    Now,
    /// Another account has one of the names or both. Nothing was written.
    Taken(Taken),
    /// Both names are free, but another account has the id. Nothing was written.
    IdTaken,
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

    /// Like `register`, with a further write in the same transaction.
    pub(crate) async fn register_with(&self, account: &Account, also: Option<Write>) -> Result<Registered, Fault> {
        // A new account knows the network from which it was registered; one that an operator created knows none.
        let network = account.networks.first().map(|known| known.network.clone());
        let event = self.event_from(EventKind::AccountCreated, account.id, network, account.created_at);
        match self.add_account(account, also.into_iter().chain(event), account.created_at).await? {
            Imported::Now => Ok(Registered::Now),
            Imported::Taken(taken) => Ok(Registered::Taken(taken)),
            // A new random id belongs to no other account.
            Imported::IdTaken => Err(Fault::Internal("making an account id")),
        }
    }

    /// Like `register_with`, for an account that is imported and may keep its id. This is no event, because receivers would treat all imported accounts as
    /// new.
    ///
    /// Its former addresses are reserved again, except those that another account has by now. The account does not list the latter, because the write that
    /// releases its claims would be refused for ever by another account's claim.
    pub(crate) async fn add_account(
        &self,
        account: &Account,
        also: impl IntoIterator<Item = Write>,
        now: Timestamp,
    ) -> Result<Imported, Fault> {
        let (mut account, also) = (account.clone(), also.into_iter().collect::<Vec<Write>>());
        loop {
            // The account and its claims come first, so that their positions in the outcome show what is taken.
            let mut writes: Vec<Write> =
                creation(&account, now).into_iter().chain(profile::creation(&account)).chain(also.clone()).collect();
            let (own, kept) = (writes.len(), reserved::imported(&account, now));
            writes.extend(kept.iter().map(|(_, claim)| claim.clone()));
            let outcome = self.transact("register", writes).await?;
            let lost = (own..).zip(kept).filter(|(write, _)| outcome.refused_at(*write));
            let lost: BTreeSet<String> = lost.map(|(_, (folded, _))| folded).collect();
            if outcome != Transacted::Done && !lost.is_empty() && (0..own).all(|write| !outcome.refused_at(write)) {
                account.former.retain(|former| !lost.contains(former.email.folded()));
                continue;
            }
            return Ok(match Taken::of(outcome.refused_at(1), outcome.refused_at(2)) {
                Some(taken) => Imported::Taken(taken),
                // If neither name was the reason, it was the account's id.
                None => outcome.or(Imported::Now, Imported::IdTaken),
            });
        }
    }
}
