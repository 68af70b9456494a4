//! Writes that do not change the epoch: the networks and hash of a login, and the mark that mail does not reach the address.

use super::{
    Account, KnownNetwork, Undeliverable,
    item::{holder, networks},
    keys::{email_claim, key},
};
use crate::{
    clock::Timestamp,
    fault::Fault,
    password::StoredPassword,
    store::{Store, Write, Written, millis, number, text},
};

/// The outcome of marking an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// The account is marked.
    Now,
    /// No account has this address, or a later reset has proved that mail reaches it. Nothing was written.
    Nobody,
}

impl Store {
    /// Stores the networks after a login and, if the stored hash has another algorithm or cost than configured, the new hash.
    ///
    /// A password change takes precedence: a hash of the old password never replaces that of the new one.
    pub async fn note_login(&self, account: &Account, known: &[KnownNetwork], rehashed: Option<&StoredPassword>) -> Result<(), Fault> {
        let Some(password) = &account.password else { return Ok(()) };
        let note = Write::update(key(account.id), "SET networks = :networks, password = :new")
            .when("epoch = :epoch AND password = :old")
            .with(":networks", networks(known))
            .with(":new", text(rehashed.unwrap_or(password).as_str()))
            .with(":old", text(password.as_str()))
            .with(":epoch", number(account.epoch));
        self.write(note).await.map(drop)
    }

    /// Marks the account with this folded e-mail address as unreachable by mail. A mail from before the last change of the password is ignored,
    /// because it says nothing about the present.
    pub async fn mark_undeliverable(&self, folded: &str, why: Undeliverable, sent_at: Timestamp) -> Result<Marked, Fault> {
        let Some(claim) = self.read(&email_claim(folded)).await? else { return Ok(Marked::Nobody) };
        let mark = Write::update(key(holder(&claim)?), "SET undeliverable_at = :sent, undeliverable = :why")
            .when("email_folded = :folded AND password_changed_at <= :sent")
            .with(":sent", millis(sent_at))
            .with(":why", text(why.as_str()))
            .with(":folded", text(folded));
        Ok(match self.write(mark).await? {
            Written::Done(_) => Marked::Now,
            Written::Refused(_) => Marked::Nobody,
        })
    }
}
