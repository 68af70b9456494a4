//! Changing a password with the old one.

use crate::{
    account::{self, Account, KnownNetwork, NewPassword},
    client::Client,
    clock::Timestamp,
    event::EventKind,
    fault::Fault,
    link::Links,
    outbox::{self, Notice},
    password::StoredPassword,
    session,
    store::Store,
    token::{Digest, Reset, Session},
};

/// The outcome of changing a password.
#[derive(Debug, PartialEq, Eq)]
pub enum Changed {
    /// The new password is in force.
    Now,
    /// The account or the session changed since they were read. Nothing was written.
    Overtaken,
}

impl Store {
    /// Sets a new password for the holder of a session, ends every other session and the reset link, and leaves a notice to send. Another reset can be
    /// requested at once, because the link of an earlier request has ended.
    pub async fn change_password(
        &self,
        account: &Account,
        session: &Digest<Session>,
        client: Client,
        password: &StoredPassword,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<Changed, Fault> {
        let password = NewPassword { stored: password, network: KnownNetwork::of(client, now) };
        let mut writes = vec![
            account::password_changed(account, password, now),
            outbox::asked_for_again(&account.email, now),
            session::carried_over(account, session),
            Links::<Reset>::forgotten(account.id),
            outbox::notice(notice),
        ];
        writes.extend(self.event_from(EventKind::PasswordChanged, account.id, Some(client.site()), now));
        Ok(self.transact("change password", writes).await?.or(Changed::Now, Changed::Overtaken))
    }
}
