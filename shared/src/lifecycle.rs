//! Operations on an account as a whole: invite, activate, deactivate, delete. They are above the features because they involve all of them.

use crate::{
    account::{self, Account, AccountId, Registered},
    clock::Timestamp,
    fault::Fault,
    limit,
    outbox::{self, ResetRequest},
    password::StoredPassword,
    reset,
    store::{Store, Table},
};

/// The outcome of activating or deactivating an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switched {
    /// It is done.
    Now,
    /// There is no such account.
    Missing,
}

/// The outcome of deleting an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The account and all its data are deleted.
    Now,
    /// There is no such account, or its names belong to another one by now. Nothing was deleted.
    Overtaken,
}

/// The outcome of inviting the owner of an account that is there already to choose a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invited {
    /// The link is on its way.
    Now,
    /// The account has a usable password by now, or is inactive or gone. Nothing was written.
    Overtaken,
}

impl Store {
    /// Registers an account and leaves the request for the reset link that lets its owner choose a password, or does nothing.
    pub async fn invite(&self, account: &Account, request: &ResetRequest) -> Result<Registered, Fault> {
        self.register_with(account, Some(outbox::reset_request(request, &account.id.to_string()))).await
    }

    /// Gives an account without a usable password one that nobody knows, and leaves the request for the link that replaces it, or does nothing. A link
    /// of before does not come back with the password.
    pub async fn invite_again(&self, account: AccountId, unknowable: &StoredPassword, request: &ResetRequest) -> Result<Invited, Fault> {
        let once = self.entropy().uuid(request.requested_at).to_string();
        let writes = vec![account::first_password(account, unknowable), reset::forgotten(account), outbox::reset_request(request, &once)];
        Ok(self.transact("invite", writes).await?.or(Invited::Now, Invited::Overtaken))
    }

    /// Makes an account active.
    pub async fn activate(&self, account: AccountId) -> Result<Switched, Fault> {
        let writes = vec![account::activated(account)];
        Ok(self.transact("activate account", writes).await?.or(Switched::Now, Switched::Missing))
    }

    /// Makes an account inactive and ends its sessions and links, so that none of them works when it is activated again.
    pub async fn deactivate(&self, account: AccountId, now: Timestamp) -> Result<Switched, Fault> {
        let writes = vec![account::deactivated(account, now), reset::forgotten(account)];
        Ok(self.transact("deactivate account", writes).await?.or(Switched::Now, Switched::Missing))
    }

    /// Deletes an account with its claims, sessions, links, unsent mail and windows of limits.
    ///
    /// It is deactivated first, so that nothing new comes. The account and its claims are deleted last and together: a deletion that is cut off
    /// leaves an inactive account, which can be deleted again.
    pub async fn delete_account(&self, account: &Account, now: Timestamp) -> Result<Deleted, Fault> {
        if self.deactivate(account.id, now).await? == Switched::Missing {
            return Ok(Deleted::Overtaken);
        }
        // Its names may have changed since it was read.
        let Some(current) = self.account(account.id).await? else { return Ok(Deleted::Overtaken) };
        if let Some(listed) = self.account_and_mail_rate(account.id).await?.1.listed(account.id) {
            self.write(listed.removed()).await.map(drop)?;
        }
        self.clear_partition(Table::Accounts, &account::partition(account.id), |sort| sort != account::SORT).await?;
        for partition in outbox::partitions_of(&current) {
            self.clear_partition(Table::Outbox, &partition, |_| true).await?;
        }
        for partition in limit::windows_of(account) {
            self.clear_partition(Table::Limits, &partition, |_| true).await?;
        }
        Ok(self.transact("delete account", account::removed(&current).into()).await?.or(Deleted::Now, Deleted::Overtaken))
    }
}
