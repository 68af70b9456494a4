//! The Outbox: mail to be sent, as items. Only the stored item counts; the stream announces it.

mod address;
mod change_kind;
mod daily;
mod entry;
mod open;

use std::time::Duration;

pub(crate) use self::address::{address_partition, address_request};
use self::entry::{FAILED_LIFETIME, read};
pub use self::{
    change_kind::ChangeKind,
    entry::{AddressRequest, Entry, EntryKey, Kind, Notice, Notices, Payload, ResetRequest, VerificationRequest, oldest_worth_sending},
    open::{FailedMail, OpenMail, Redriven},
};
pub(crate) use self::{
    daily::id_of_day,
    entry::{
        notice, notices, notices_attributes, read_notices, request_partition, reset_request, verification_partition, verification_request,
    },
};
use crate::{
    account::{Account, AccountId, EmailAddress},
    caller::Caller,
    clock::{Timestamp, after},
    config::span,
    fault::Fault,
    store::{Item, Store, Write, Written, millis, number, seconds, text},
};

/// Only one of the requests for an address within this time is stored, which limits the cost of a flood. The mailer limits the number of mails, because it
/// knows which link the owner has.
const REQUEST_WINDOW: Duration = span::seconds(10);
/// How long a finished entry is kept. Its address is removed at once.
const DONE_LIFETIME: Duration = span::days(1);
/// The outcome of every finished entry. It does not say whether a mail was sent, because a function that may write here can read the item that it
/// replaces, and could learn who has an account.
const HANDLED: &str = "handled";

/// The outcome of asking for a lease.
pub enum Lease {
    /// This worker has the entry until the lease ends.
    Ours(Box<Entry>),
    /// The entry is done or does not exist, so there is nothing to do.
    Done,
    /// Another worker has it. The entry must be tried again later, in case that worker fails.
    Theirs,
}

/// The write that allows another reset request for this address, because the link of an earlier one has ended with the password.
pub(crate) fn asked_for_again(email: &EmailAddress, now: Timestamp) -> Write {
    Write::delete(EntryKey::new(&request_partition(email), &window_start(now).to_string()).key())
}

/// The partition of notices for an account.
pub(crate) fn notice_partition(account: AccountId) -> String {
    Kind::Notice.partition(account)
}

/// Whether a request for a link was left at this instant or before. A retry by an operator keeps the original time.
pub(crate) fn was_asked_by(item: &Item, instant: Timestamp) -> bool {
    item.optional_instant("changed_at").or_else(|| item.optional_instant("requested_at")).is_none_or(|asked_at| asked_at <= instant)
}

impl Store {
    /// The write that leaves a notice to the owner of this account.
    pub(crate) fn notice_to_owner(&self, account: &Account, kind: ChangeKind, caller: Caller, now: Timestamp) -> Write {
        notice(&Notice::to_owner(account, self.entropy().uuid(now), kind, caller, now))
    }

    /// Leaves a reset request, unless there is one for the same address in this window. The answer is the same either way.
    pub async fn request_reset(&self, request: &ResetRequest) -> Result<(), Fault> {
        let window = window_start(request.requested_at).to_string();
        self.write(reset_request(request, &window).when("attribute_not_exists(pk)")).await.map(drop)
    }

    /// Leaves a request for a verification link, unless there is one for the same address in this window. The answer is the same either way.
    pub async fn request_verification(&self, request: &VerificationRequest) -> Result<(), Fault> {
        let window = window_start(request.requested_at).to_string();
        self.write(verification_request(request, &window).when("attribute_not_exists(pk)")).await.map(drop)
    }

    /// Takes an entry for `lease`, if no other worker has it and it is not done.
    pub async fn lease(&self, key: &EntryKey, lease: Duration, now: Timestamp) -> Result<Lease, Fault> {
        let take = Write::update(key.key(), "SET lease_until = :until, worker = :worker ADD attempts :one")
            .when(
                "attribute_exists(pk) AND attribute_not_exists(done_at) AND \
                 (attribute_not_exists(lease_until) OR lease_until <= :now OR worker = :worker)",
            )
            .with(":until", millis(after(now, lease)))
            .with(":now", millis(now))
            .with(":worker", text(self.attempt_id()))
            .with(":one", number(1))
            .show_new()
            .show_refusing();
        match self.write(take).await? {
            Written::Done(entry) => Ok(Lease::Ours(Box::new(read(&entry)?))),
            // A lease is refused by an entry that another worker has; otherwise it is done, or there is none.
            Written::Refused(entry) if entry.has("pk") && !entry.has("done_at") => Ok(Lease::Theirs),
            Written::Refused(_) => Ok(Lease::Done),
        }
    }

    /// Finishes an entry, so that it is not sent again. Its address and earlier failures are removed, and the rest stays for a day.
    pub async fn finish(&self, key: &EntryKey, now: Timestamp) -> Result<(), Fault> {
        self.write(finished(key, now)).await.map(drop)
    }

    /// Gives up an entry that has failed permanently, and keeps it so that an operator can look at it and retry it.
    pub async fn give_up(&self, key: &EntryKey, reason: &str, now: Timestamp) -> Result<(), Fault> {
        let expression = "SET done_at = :now, failed_at = :now, outcome = :outcome, expires_at = :expires REMOVE lease_until, worker";
        self.write(marked(key, expression, reason, now, FAILED_LIFETIME)).await.map(drop)
    }

    /// Returns an entry after a transient failure, for the stream's next try.
    pub async fn hand_back(&self, key: &EntryKey, reason: &str, now: Timestamp) -> Result<(), Fault> {
        let expression = "SET failed_at = :now, outcome = :outcome, expires_at = :expires REMOVE lease_until, worker";
        self.write(marked(key, expression, reason, now, FAILED_LIFETIME)).await.map(drop)
    }
}

/// The write that finishes an entry.
pub(crate) fn finished(key: &EntryKey, now: Timestamp) -> Write {
    let expression = "SET done_at = :now, outcome = :outcome, expires_at = :expires \
         REMOVE failed_at, lease_until, worker, email, email_folded, address";
    marked(key, expression, HANDLED, now, DONE_LIFETIME)
}

fn marked(key: &EntryKey, expression: &str, outcome: &str, now: Timestamp, kept: Duration) -> Write {
    Write::update(key.key(), expression)
        .when("attribute_exists(pk)")
        .with(":now", millis(now))
        .with(":outcome", text(outcome))
        .with(":expires", seconds(after(now, kept)))
}

/// The start, in seconds, of the window that contains `instant`.
fn window_start(instant: Timestamp) -> i64 {
    let length = i64::try_from(REQUEST_WINDOW.as_secs()).unwrap_or(i64::MAX).max(1);
    instant.as_second() - instant.as_second().rem_euclid(length)
}
