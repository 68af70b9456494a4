//! Operations on an account as a whole: invite, import, activate, deactivate, rename, delete. They are above the features because they involve all of
//! them.

use crate::{
    account::{self, Account, AccountId, EmailAddress, Imported, Registered, Username},
    caller::Caller,
    clock::Timestamp,
    deletion_list,
    event::EventKind,
    fault::Fault,
    limit,
    link::{self, Links},
    outbox::{self, ChangeKind, Notice, ResetRequest, VerificationRequest},
    password::StoredPassword,
    session,
    store::{Item, MAX_TRIES, Store, Table, Transacted, Write},
    token::{NewAddress, Reset},
};

/// The outcome of activating or deactivating an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivationOutcome {
    /// It is done.
    Now,
    /// There is no such account.
    Missing,
    /// Its deletion has begun and can no longer be cancelled. Nothing was written.
    BeingDeleted,
}

/// The outcome of deleting an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The account and all its data are deleted.
    Now,
    /// There is no such account, or its names belong to another one by now. Nothing was deleted.
    Overtaken,
}

/// The outcome of changing a name of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renamed {
    /// It has the new name, and a notice was left.
    Now,
    /// Another account has the name. Nothing was written.
    Taken,
    /// The account's names changed since they were read, or it no longer exists. Nothing was written.
    Overtaken,
}

/// The outcome of requesting a link for an existing account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requested {
    /// The request was left.
    Now,
    /// The account's password has changed since it was read, or it is inactive or no longer exists. Nothing was written.
    Overtaken,
}

impl Store {
    /// Registers an account and leaves the request for the link that verifies its address, or does nothing.
    pub async fn register_and_verify(&self, account: &Account, request: &VerificationRequest) -> Result<Registered, Fault> {
        self.register_with(account, Some(outbox::verification_request(request, &account.id.to_string()))).await
    }

    /// Registers an account and leaves the request for the reset link that lets its owner choose a password, or does nothing.
    pub async fn invite(&self, account: &Account, request: &ResetRequest) -> Result<Registered, Fault> {
        self.register_with(account, Some(outbox::reset_request(request, &account.id.to_string()))).await
    }

    /// Imports an account, which may keep its id, and leaves the request for the link with which its owner chooses a password, if there is one, or does
    /// nothing.
    pub async fn import(&self, account: &Account, invitation: Option<&ResetRequest>, now: Timestamp) -> Result<Imported, Fault> {
        let invitation = invitation.map(|request| outbox::reset_request(request, &account.id.to_string()));
        let deletion = account.deletion.iter().map(|deletion| deletion_list::listed(account.id, deletion));
        self.add_account(account, invitation.into_iter().chain(deletion), now).await
    }

    /// Gives an account without a usable password a random one that nobody knows, and leaves the request for the link that replaces it, or does nothing.
    /// Earlier links stay ended.
    pub async fn invite_again(&self, account: AccountId, unknowable: &StoredPassword, request: &ResetRequest) -> Result<Requested, Fault> {
        let once = self.entropy().uuid(request.requested_at).to_string();
        let writes =
            vec![account::first_password(account, unknowable), Links::<Reset>::forgotten(account), outbox::reset_request(request, &once)];
        Ok(self.transact("invite", writes).await?.or(Requested::Now, Requested::Overtaken))
    }

    /// Leaves a reset request outside any window, for an operator, if it will lead to a link, that is, if the account can be opened and its password is
    /// older.
    pub async fn request_reset_at_once(&self, account: AccountId, request: &ResetRequest) -> Result<Requested, Fault> {
        let once = self.entropy().uuid(request.requested_at).to_string();
        let writes = vec![account::resettable(account, &request.email, request.requested_at), outbox::reset_request(request, &once)];
        Ok(self.transact("request reset", writes).await?.or(Requested::Now, Requested::Overtaken))
    }

    /// Activates an account, and cancels its requested deletion. It is an event only if it was not active before.
    pub async fn activate(&self, account: AccountId, now: Timestamp) -> Result<ActivationOutcome, Fault> {
        let mut deletion = None;
        for _ in 0..MAX_TRIES {
            let writes = [account::activated(account, deletion.as_ref())].into_iter();
            let called_off = deletion.iter().map(|deletion| deletion_list::called_off(account, deletion));
            let writes = writes.chain(called_off).chain(self.event(EventKind::AccountActivated, account, now)).collect();
            if self.transact("activate account", writes).await? == Transacted::Done {
                return Ok(ActivationOutcome::Now);
            }
            deletion = match self.account(account).await? {
                None => return Ok(ActivationOutcome::Missing),
                Some(current) if current.active => return Ok(ActivationOutcome::Now),
                Some(current) if current.deletion.is_some_and(|deletion| deletion.has_begun) => return Ok(ActivationOutcome::BeingDeleted),
                Some(current) => current.deletion,
            };
        }
        Err(Fault::OutOfTime)
    }

    /// Deactivates an account and ends its sessions and links, so that none of them works when it is activated again, and cancels its requested deletion.
    /// It is an event only if it was active before.
    ///
    /// Only links that give a former address back work again once it is active. Otherwise an account that was deactivated because of a thief would stay
    /// the thief's, and anybody could take its owner's address.
    pub async fn deactivate(&self, account: AccountId, now: Timestamp) -> Result<ActivationOutcome, Fault> {
        let (mut now, mut was_active, mut deletion) = (now, true, None);
        for _ in 0..MAX_TRIES {
            let event = self.event(EventKind::AccountDeactivated, account, now).filter(|_| was_active);
            let off = account::deactivated(account, was_active, deletion.as_ref(), now);
            let called_off = deletion.iter().map(|deletion| deletion_list::called_off(account, deletion));
            let writes = [off].into_iter().chain(link::ended(account)).chain(called_off).chain(event).collect();
            if !self.transact("deactivate account", writes).await?.refused_at(0) {
                return Ok(ActivationOutcome::Now);
            }
            let Some(current) = self.account(account).await? else { return Ok(ActivationOutcome::Missing) };
            if current.deletion.is_some_and(|deletion| deletion.has_begun) {
                return Ok(ActivationOutcome::BeingDeleted);
            }
            (was_active, deletion) = (current.active, current.deletion);
            now = now.max(current.disavowals_before.unwrap_or(now));
        }
        Err(Fault::OutOfTime)
    }

    /// Changes the e-mail address of an account, and leaves a notice to the former one. Links that were mailed to the former address end; sessions stay
    /// valid.
    pub async fn set_email(&self, account: &Account, email: &EmailAddress, now: Timestamp) -> Result<Renamed, Fault> {
        let mut writes = account::with_email(account, email, now);
        let moves = account.email.folded() != email.folded();
        writes.extend(link::ended(account.id));
        writes.extend([
            Links::<NewAddress>::forgotten(account.id),
            account::former(account.id, &account.email, now),
            self.notice_to_owner(account, ChangeKind::Email, Caller::default(), now),
        ]);
        writes.extend(self.event(EventKind::AddressChanged, account.id, now));
        self.rename("set email", writes, moves).await
    }

    /// Changes the username of an account, and leaves a notice to its address.
    pub async fn set_username(&self, account: &Account, username: &Username, now: Timestamp) -> Result<Renamed, Fault> {
        let mut writes = account::with_username(account, username);
        let moves = writes.len() > 1;
        writes.push(self.notice_to_owner(account, ChangeKind::Username, Caller::default(), now));
        writes.extend(self.event(EventKind::AccountUpdated, account.id, now));
        self.rename("set username", writes, moves).await
    }

    /// Changes the username of an account for its owner, and leaves this notice. Sessions stay valid. It happens only if the account is as it was when its
    /// password was verified.
    pub async fn change_username(&self, account: &Account, username: &Username, notice: &Notice, now: Timestamp) -> Result<Renamed, Fault> {
        let mut writes = account::with_own_username(account, username);
        let moves = writes.len() > 1;
        writes.push(outbox::notice(notice));
        writes.extend(self.event(EventKind::AccountUpdated, account.id, now));
        self.rename("change username", writes, moves).await
    }

    /// Carries out the writes of a changed name. If the claim moves, the second of them is the new claim.
    async fn rename(&self, operation: &'static str, writes: Vec<Write>, moves: bool) -> Result<Renamed, Fault> {
        let outcome = self.transact(operation, writes).await?;
        // If the first is refused as well, the account's names have changed, and the name may be its own by now.
        let taken = moves && outcome.refused_at(1) && !outcome.refused_at(0);
        Ok(outcome.or(Renamed::Now, if taken { Renamed::Taken } else { Renamed::Overtaken }))
    }

    /// Clears what counts against logins to an account and against changes of its password, from everywhere.
    pub async fn unlock(&self, account: &Account) -> Result<(), Fault> {
        for partition in limit::windows_of(account) {
            self.clear_partition(Table::Limits, &partition, |_| true).await?;
        }
        Ok(())
    }

    /// Deletes an account with its claims, sessions, links, unsent mail and windows of limits.
    ///
    /// It is deactivated first, so that nothing new is written. The account and its claims are deleted together, after everything else: an interrupted
    /// deletion leaves an inactive account, which can be deleted again. After that, remaining items are deleted once more, because a notice may have been
    /// in progress. That does not include items under the account's names, which may belong to another account by then. An item that is written even later
    /// (a session, by a login that had read the account before) opens nothing, and expires.
    pub async fn delete_account(&self, account: &Account, now: Timestamp) -> Result<Deleted, Fault> {
        if self.deactivate(account.id, now).await? == ActivationOutcome::Missing {
            return Ok(Deleted::Overtaken);
        }
        self.delete_inactive(account, now).await
    }

    /// Deletes an account that is inactive.
    pub(crate) async fn delete_inactive(&self, account: &Account, now: Timestamp) -> Result<Deleted, Fault> {
        // Its names may have changed since it was read, and may change during this call.
        let mut tries = 0;
        loop {
            let Some(current) = self.account(account.id).await? else { return Ok(Deleted::Overtaken) };
            self.clear_rest_of(account).await?;
            self.clear_requests_for(&current.email, None).await?;
            let event = self.event(EventKind::AccountDeleted, account.id, now);
            self.free_expired(&current, now).await?;
            let writes = account::removed(&current, now).into_iter().chain(event).collect();
            if self.transact("delete account", writes).await? == Transacted::Done {
                break;
            }
            tries += 1;
            if tries == MAX_TRIES {
                return Ok(Deleted::Overtaken);
            }
        }
        if let Err(fault) = self.clear_rest_of(account).await {
            tracing::warn!(%fault, "late items of a deleted account not checked");
        }
        Ok(Deleted::Now)
    }

    /// Deletes the requests for links to an address: all of them, or those from before the time from which another account could have the address.
    async fn clear_requests_for(&self, email: &EmailAddress, until: Option<Timestamp>) -> Result<(), Fault> {
        for partition in [outbox::request_partition(email), outbox::verification_partition(email)] {
            let doomed = |item: &Item| until.is_none_or(|until| outbox::was_asked_by(item, until));
            self.clear_partition(Table::Outbox, &partition, doomed).await?;
        }
        Ok(())
    }

    /// Deletes everything that is stored under an account's id, except the account itself.
    async fn clear_rest_of(&self, account: &Account) -> Result<(), Fault> {
        if let Some(listed) = self.account_and_mail_rate(account.id).await?.1.listed(account.id) {
            self.write(listed.removed()).await.map(drop)?;
        }
        // Requests for its former addresses are in the Outbox too. The items of the former addresses are deleted after them.
        for (former, until) in self.former_addresses(account.id).await? {
            self.clear_requests_for(&former, Some(until)).await?;
        }
        self.clear_under(account.id).await?;
        self.unlock(account).await
    }

    /// Deletes what is stored under an id besides the account itself, and the notices to it.
    pub(crate) async fn clear_under(&self, account: AccountId) -> Result<(), Fault> {
        let partition = account::partition(account);
        self.clear_partition_and(Table::Accounts, &partition, |item| !item.is_at(account::SORT), session::imported::elsewhere).await?;
        self.clear_partition(Table::Outbox, &outbox::notice_partition(account), |_| true).await?;
        self.clear_partition(Table::Outbox, &outbox::address_partition(account), |_| true).await
    }
}
