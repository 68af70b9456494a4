//! The deletion of an account at its owner's request. The account is deactivated at once, and deleted when the grace period is over. Until then its owner
//! can cancel the deletion with the link of a notice, so that somebody who learned the password cannot destroy the account for good.
//!
//! The transaction that deactivates the account also adds it to the list of `deletion_list`, and cancelling removes it from the list. Only the account's item
//! decides whether it is deleted; the list is an index.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    account::{self, Account, EmailAddress, RequestedDeletion},
    caller::Caller,
    clock::{Timestamp, after},
    config::{Settings, span},
    deletion_list::{self, DueDeletion},
    event::EventKind,
    fault::Fault,
    lifecycle::Deleted,
    link,
    outbox::{self, ChangeKind, Notice},
    session,
    store::{Store, Write, Written},
    token::{Digest, Session},
};

/// The grace period: how long a requested deletion can be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionGrace(Duration);

impl DeletionGrace {
    /// `DELETION_GRACE`: 0, or 1h to 30d, default 3d. The mail itself may take up to an hour.
    pub fn configured(settings: &mut Settings) -> Self {
        Self(settings.span_or_zero("DELETION_GRACE", span::days(3), span::hours(1), span::days(30)))
    }

    /// The deletion of this account. It is not due before the reservation of its last former address has ended. Otherwise a thief who learned the password
    /// and changed the address could delete the account before the owner gives the address back.
    fn from(self, account: &Account, asked_at: Timestamp) -> RequestedDeletion {
        let due_at = account.reserved(asked_at).map(|former| former.until).fold(after(asked_at, self.0), Timestamp::max);
        RequestedDeletion { asked_at, due_at, has_begun: false }
    }
}

/// The outcome of requesting a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionRequested {
    /// The account is deactivated, and will be deleted.
    Now,
    /// The session that makes the request has ended since the account was read, or all sessions have, for example by a change of the password. Nothing was
    /// written.
    Overtaken,
}

/// The outcome of carrying out a deletion that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    /// The account and all its data are deleted.
    Deleted,
    /// It was cancelled, or the account was deleted in another way. It is no longer listed.
    Dropped,
    /// The account changed in the meantime. It is still listed.
    Later,
    /// A former address is reserved for the account, whose mailbox can still cancel the deletion. It is still listed.
    Kept,
}

impl Store {
    /// Deactivates an account and lists it, in one transaction: ends every session and the reset link, and leaves a notice with a link that cancels the
    /// deletion, to its address and to every former address that is reserved for it. A deletion that is due at once has no notice, because its link would
    /// not work.
    pub async fn request_deletion(
        &self,
        account: &Account,
        session: &Digest<Session>,
        grace: DeletionGrace,
        caller: Caller,
        now: Timestamp,
    ) -> Result<DeletionRequested, Fault> {
        let deletion = grace.from(account, now);
        let former = account.reserved(now).map(|former| &former.email);
        let mut mailboxes: BTreeMap<&str, &EmailAddress> = former.chain([&account.email]).map(|email| (email.folded(), email)).collect();
        if deletion.due_at <= now {
            mailboxes.clear();
        }
        let caller = caller.in_language(account.language());
        let notices = mailboxes.into_values().map(|email| {
            let (id, email) = (self.entropy().uuid(now), email.clone());
            outbox::notice(&Notice { id, account: account.id, email, kind: ChangeKind::Deletion, changed_at: now, caller })
        });
        // Every link that would work again after a reactivation ends here.
        let ends = [session::ended(account.id, session)].into_iter().chain(link::ended(account.id));
        let writes = [account::deletion_requested(account, &deletion), deletion_list::listed(account.id, &deletion)]
            .into_iter()
            .chain(ends)
            .chain(notices);
        let writes = writes.chain(self.event(EventKind::AccountDeactivated, account.id, now)).collect();
        Ok(self.transact("leave", writes).await?.or(DeletionRequested::Now, DeletionRequested::Overtaken))
    }

    /// Carries out a deletion that is due. Either the deletion or its cancellation happens, never both: the first write marks that the deletion has begun, on
    /// condition that it was not cancelled. After an interruption the next call continues; the list entry is deleted last.
    ///
    /// The address may have been changed between the read of the account and its deactivation, so this checks again whether a former address is reserved.
    /// The address of an inactive account cannot change.
    pub async fn sweep(&self, listed: &DueDeletion, now: Timestamp) -> Result<Swept, Fault> {
        let (id, due_at) = (listed.account, listed.due_at);
        let waits = |account: &Account| {
            let is_this = account.deletion.is_some_and(|deletion| deletion.due_at == due_at && !deletion.has_begun);
            is_this && account.reserved(now).next().is_some()
        };
        if self.account(id).await?.as_ref().is_some_and(waits) {
            return Ok(Swept::Kept);
        }
        let begun = matches!(self.write(account::deletion_begun(id, due_at, now)).await?, Written::Done(_));
        let swept = match self.account(id).await? {
            Some(account) if begun => match self.delete_inactive(&account, now).await? {
                Deleted::Now => Swept::Deleted,
                Deleted::Overtaken => return Ok(Swept::Later),
            },
            Some(_) => Swept::Dropped,
            // If it was interrupted after deleting the account, it may not have deleted items that were written late.
            None => {
                self.clear_under(id).await?;
                Swept::Dropped
            }
        };
        self.write(Write::delete(listed.key())).await.map(|_| swept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grace(text: &str) -> Result<DeletionGrace, String> {
        let mut settings = Settings::from_pairs([("DELETION_GRACE".to_owned(), text.to_owned())]);
        let grace = DeletionGrace::configured(&mut settings);
        settings.finish().map(|()| grace).map_err(|complaint| complaint.to_string())
    }

    #[test]
    fn the_days_of_grace_are_none_or_an_hour_to_thirty_days() {
        assert_eq!(grace(""), Ok(DeletionGrace(span::days(3))));
        for (text, seconds) in [("0", 0), ("0d", 0), ("1h", 3600), ("30d", 30 * 24 * 3600)] {
            assert_eq!(grace(text), Ok(DeletionGrace(span::seconds(seconds))), "{text}");
        }
        for wrong in ["59m", "31d", "-1d", "3", "soon"] {
            assert_eq!(grace(wrong).unwrap_err(), "DELETION_GRACE: must be 0, or 1h to 30d", "{wrong}");
        }
    }
}
