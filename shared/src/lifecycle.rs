//! Operations on an account as a whole: invite, bring in, activate, deactivate, delete. They are above the features because they involve all of them.

use crate::{
    account::{self, Account, AccountId, BroughtIn, EmailAddress, Registered, Username},
    caller::Caller,
    clock::Timestamp,
    deletion,
    event::EventKind,
    fault::Fault,
    limit,
    link::{self, Links},
    outbox::{self, ChangeKind, Notice, ResetRequest, VerificationRequest},
    password::StoredPassword,
    session,
    store::{Item, Store, Table, Transacted, Write},
    token::{NewAddress, Reset},
};

/// Maximum number of tries while others change the account.
const MAX_TRIES: u32 = 5;

/// The outcome of activating or deactivating an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switched {
    /// It is done.
    Now,
    /// There is no such account.
    Missing,
    /// Its deletion has begun, which nothing calls off. Nothing was written.
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

/// The outcome of giving an account another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renamed {
    /// It has the new name, and a notice is on its way.
    Now,
    /// Another account has the name. Nothing was written.
    Taken,
    /// The account's names changed since they were read, or it is gone. Nothing was written.
    Overtaken,
}

/// The outcome of requesting a link for an account that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requested {
    /// The link is on its way.
    Now,
    /// The account has changed since it was read: its password, or it is inactive or gone. Nothing was written.
    Overtaken,
}

impl Store {
    /// Registers an account and leaves the request for the link that shows that its address is its own, or does nothing.
    pub async fn register_and_verify(&self, account: &Account, request: &VerificationRequest) -> Result<Registered, Fault> {
        self.register_with(account, Some(outbox::verification_request(request, &account.id.to_string()))).await
    }

    /// Registers an account and leaves the request for the reset link that lets its owner choose a password, or does nothing.
    pub async fn invite(&self, account: &Account, request: &ResetRequest) -> Result<Registered, Fault> {
        self.register_with(account, Some(outbox::reset_request(request, &account.id.to_string()))).await
    }

    /// Writes an account from elsewhere, which may bring its id along, and the request for the link that lets its owner choose a password, where there
    /// is one, or does nothing.
    pub async fn bring_in(&self, account: &Account, invitation: Option<&ResetRequest>, now: Timestamp) -> Result<BroughtIn, Fault> {
        let invitation = invitation.map(|request| outbox::reset_request(request, &account.id.to_string()));
        let deletion = account.leaving.iter().map(|leaving| deletion::listed(account.id, leaving));
        self.bring_in_with(account, invitation.into_iter().chain(deletion), now).await
    }

    /// Gives an account without a usable password one that nobody knows, and leaves the request for the link that replaces it, or does nothing. A link
    /// of before does not come back with the password.
    pub async fn invite_again(&self, account: AccountId, unknowable: &StoredPassword, request: &ResetRequest) -> Result<Requested, Fault> {
        let once = self.entropy().uuid(request.requested_at).to_string();
        let writes =
            vec![account::first_password(account, unknowable), Links::<Reset>::forgotten(account), outbox::reset_request(request, &once)];
        Ok(self.transact("invite", writes).await?.or(Requested::Now, Requested::Overtaken))
    }

    /// Leaves a reset request outside any window, for an operator, if it will lead to a link: the account can be opened, and its password is older.
    pub async fn request_reset_at_once(&self, account: AccountId, request: &ResetRequest) -> Result<Requested, Fault> {
        let once = self.entropy().uuid(request.requested_at).to_string();
        let writes = vec![account::resettable(account, &request.email, request.requested_at), outbox::reset_request(request, &once)];
        Ok(self.transact("request reset", writes).await?.or(Requested::Now, Requested::Overtaken))
    }

    /// Makes an account active, and calls off its own deletion. It is an event only if it was not active before.
    pub async fn activate(&self, account: AccountId, now: Timestamp) -> Result<Switched, Fault> {
        let mut deletion = None;
        for _ in 0..MAX_TRIES {
            let writes = [account::activated(account, deletion.as_ref())].into_iter();
            let called_off = deletion.iter().map(|leaving| deletion::called_off(account, leaving));
            let writes = writes.chain(called_off).chain(self.event(EventKind::AccountActivated, account, now)).collect();
            if self.transact("activate account", writes).await? == Transacted::Done {
                return Ok(Switched::Now);
            }
            deletion = match self.account(account).await? {
                None => return Ok(Switched::Missing),
                Some(current) if current.active => return Ok(Switched::Now),
                Some(current) if current.leaving.is_some_and(|deletion| deletion.has_begun) => return Ok(Switched::BeingDeleted),
                Some(current) => current.leaving,
            };
        }
        Err(Fault::OutOfTime)
    }

    /// Makes an account inactive and ends its sessions and links, so that none of them works when it is activated again, and calls off its own deletion. It
    /// is an event only if it was active before.
    ///
    /// Only what gives the account a former address back works again once it is active: otherwise an account that is switched off because a thief has it
    /// would stay the thief's, and its owner's address would be anybody's.
    pub async fn deactivate(&self, account: AccountId, now: Timestamp) -> Result<Switched, Fault> {
        let (mut now, mut was_active, mut deletion) = (now, true, None);
        for _ in 0..MAX_TRIES {
            let event = self.event(EventKind::AccountDeactivated, account, now).filter(|_| was_active);
            let off = account::deactivated(account, was_active, deletion.as_ref(), now);
            let called_off = deletion.iter().map(|leaving| deletion::called_off(account, leaving));
            let writes = [off].into_iter().chain(link::ended(account)).chain(called_off).chain(event).collect();
            if !self.transact("deactivate account", writes).await?.refused_at(0) {
                return Ok(Switched::Now);
            }
            let Some(current) = self.account(account).await? else { return Ok(Switched::Missing) };
            if current.leaving.is_some_and(|leaving| leaving.has_begun) {
                return Ok(Switched::BeingDeleted);
            }
            (was_active, deletion) = (current.active, current.leaving);
            now = now.max(current.disavowals_before.unwrap_or(now));
        }
        Err(Fault::OutOfTime)
    }

    /// Gives an account another e-mail address, and leaves a notice to the former one. Links that were mailed to that one end; sessions go on.
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

    /// Gives an account another username, and leaves a notice to its address.
    pub async fn set_username(&self, account: &Account, username: &Username, now: Timestamp) -> Result<Renamed, Fault> {
        let mut writes = account::with_username(account, username);
        let moves = writes.len() > 1;
        writes.push(self.notice_to_owner(account, ChangeKind::Username, Caller::default(), now));
        writes.extend(self.event(EventKind::AccountUpdated, account.id, now));
        self.rename("set username", writes, moves).await
    }

    /// Gives an account another username for its owner, and leaves this notice. Sessions go on. It happens only while the account is as it was when its
    /// password was asked for.
    pub async fn change_username(&self, account: &Account, username: &Username, notice: &Notice, now: Timestamp) -> Result<Renamed, Fault> {
        let mut writes = account::with_own_username(account, username);
        let moves = writes.len() > 1;
        writes.push(outbox::notice(notice));
        writes.extend(self.event(EventKind::AccountUpdated, account.id, now));
        self.rename("change username", writes, moves).await
    }

    /// Carries out the writes of another name. If the name moves, the second of them is its claim.
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
    /// It is deactivated first, so that nothing new comes. The account and its claims are deleted together when the rest is gone: a deletion that is cut
    /// off leaves an inactive account, which can be deleted again. After that the rest is looked for once more, because a notice may have been under way,
    /// but not under the account's names, which may be another's by then. What is written even later (a session, by a login that had read the account
    /// before) opens nothing, and expires.
    pub async fn delete_account(&self, account: &Account, now: Timestamp) -> Result<Deleted, Fault> {
        if self.deactivate(account.id, now).await? == Switched::Missing {
            return Ok(Deleted::Overtaken);
        }
        self.delete_inactive(account, now).await
    }

    /// Deletes an account that is inactive.
    pub(crate) async fn delete_inactive(&self, account: &Account, now: Timestamp) -> Result<Deleted, Fault> {
        // Its names may have changed since it was read, and may change meanwhile.
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
            tracing::warn!(%fault, "not looked for once more");
        }
        Ok(Deleted::Now)
    }

    /// Deletes the requests for links to an address: all of them, or those of the time until somebody else could have it.
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
        // Requests for an address that it had lie in the Outbox too, and the item that says so is deleted after them.
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
