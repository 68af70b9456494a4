//! Leaving: an account that its own password asks to be deleted. It is out of use at once, and is deleted when the days of grace are over. Until then its
//! owner can take it back with the link of a notice, so that somebody who learned the password cannot destroy it for good.
//!
//! An account that is leaving is in a list: one item in one of sixteen partitions, sorted by the instant at which it is due. The account decides, the list
//! only says where to look: what calls a deletion off takes it from the list in the same transaction, and what is listed without a deletion is dropped.

use std::time::Duration;

use crate::{
    account::{self, Account, AccountId, Leaving},
    caller::Caller,
    clock::{Timestamp, after},
    config::{Settings, span},
    disavow,
    event::EventKind,
    fault::Fault,
    lifecycle::Deleted,
    outbox::{self, ChangeKind, Notice},
    reset,
    store::{Item, Key, Store, Table, Transacted, Value, Write, Written},
    token::{Digest, Disavow},
};

/// The number of partitions of the list: an hour in which many leave is spread over them, and one look queries them all.
pub const LISTS: u32 = 16;
/// How the partition of a list begins; its number as a hexadecimal digit follows.
const PARTITION: &str = "sweep#";

/// How long an account that was asked to be deleted can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionGrace(Duration);

impl DeletionGrace {
    /// `DELETION_GRACE`: 0, or 1h to 30d, default 3d. In less than an hour an owner may not even have the mail.
    pub fn configured(settings: &mut Settings) -> Self {
        Self(settings.parsed("DELETION_GRACE", span::days(3), |text| {
            let grace = humantime::parse_duration(text).ok();
            let is_allowed = |grace: &Duration| grace.is_zero() || (span::hours(1)..=span::days(30)).contains(grace);
            grace.filter(is_allowed).ok_or_else(|| "must be 0, or 1h to 30d".to_owned())
        }))
    }

    /// Whether accounts are deleted at once, and cannot be taken back.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.0.is_zero()
    }

    fn from(self, asked_at: Timestamp) -> Leaving {
        Leaving { asked_at, due_at: after(asked_at, self.0), has_begun: false }
    }
}

/// The outcome of asking for a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The account is out of use, and will be deleted.
    Now(Listed),
    /// The account's sessions were ended since it was read, for example by a change of the password. Nothing was written.
    Overtaken,
}

/// An account in the list of those that are to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The account.
    pub account: AccountId,
    due_at: Timestamp,
}

/// The outcome of carrying out a deletion that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    /// The account and all its data are deleted.
    Deleted,
    /// It was called off, or the account was deleted otherwise. It is listed no longer.
    Dropped,
    /// The account changed meanwhile. It is still listed.
    Later,
}

/// The write that lists an account whose deletion is due.
pub(crate) fn listed(account: AccountId, leaving: &Leaving) -> Write {
    Write::put(Listed { account, due_at: leaving.due_at }.key(), std::iter::empty::<(&str, Value)>())
}

/// The write that takes an account from the list.
pub(crate) fn called_off(account: AccountId, leaving: &Leaving) -> Write {
    Write::delete(Listed { account, due_at: leaving.due_at }.key())
}

impl Listed {
    fn key(&self) -> Key {
        // The last digit of an id is random, whoever made it.
        let list = u32::try_from(self.account.uuid().as_u128() % u128::from(LISTS)).unwrap_or_default();
        Key::new(Table::Accounts, "deletion", partition(list), format!("{}#{}", sortable(self.due_at), self.account))
    }

    fn read(item: &Item) -> Result<Self, Fault> {
        let (due_at, account) = item.text("sk")?.split_once('#').ok_or(item.unreadable("sk"))?;
        let (due_at, account) = (due_at.parse().ok(), account.parse().ok());
        let (due_at, account) = due_at.zip(account).ok_or(item.unreadable("sk"))?;
        Ok(Self { account, due_at })
    }
}

fn partition(list: u32) -> String {
    format!("{PARTITION}{:x}", list % LISTS)
}

/// An instant as text that sorts by time (RFC 3339, in milliseconds).
fn sortable(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

impl Store {
    /// Puts an account out of use and lists it, all or nothing: ends every session and the reset link, and leaves a notice, whose link calls the deletion
    /// off. Without days of grace there is no notice, because its link would open nothing.
    pub async fn leave(&self, account: &Account, grace: DeletionGrace, caller: Caller, now: Timestamp) -> Result<Left, Fault> {
        let leaving = grace.from(now);
        let notice = (!grace.is_none()).then(|| {
            let caller = caller.in_language(account.language());
            let (id, email) = (self.entropy().uuid(now), account.email.clone());
            outbox::notice(&Notice { id, account: account.id, email, kind: ChangeKind::Deletion, changed_at: now, caller })
        });
        // Whatever else is under way for the account, and would still work after it came back, ends here.
        let ends = [reset::forgotten(account.id)];
        let writes = [account::left(account, &leaving), listed(account.id, &leaving)].into_iter().chain(ends).chain(notice);
        let writes = writes.chain(self.event(EventKind::AccountDeactivated, account.id, now)).collect();
        let done = Left::Now(Listed { account: account.id, due_at: leaving.due_at });
        Ok(self.transact("leave", writes).await?.or(done, Left::Overtaken))
    }

    /// Stores the link of a notice of this deletion, which works as long as other such links, and until the account is deleted. `false` if the account is
    /// gone.
    pub async fn store_deletion_link(
        &self,
        account: AccountId,
        leaving: &Leaving,
        link: &Digest<Disavow>,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let until = leaving.due_at.max(after(now, disavow::DISAVOWAL_LIFETIME));
        let writes = vec![account::existing(account), disavow::link_until(account, link, now, until)];
        Ok(self.transact("store deletion link", writes).await? == Transacted::Done)
    }

    /// The accounts of one list that are due at `now`, the longest due first, and the number of items that cannot be read.
    pub async fn due_deletions(&self, list: u32, now: Timestamp) -> Result<(Vec<Listed>, usize), Fault> {
        let end = sortable(after(now, Duration::from_millis(1)));
        let items = self.read_below(Table::Accounts, "deletion", &partition(list), &end).await?;
        let due: Vec<Listed> = items.iter().filter_map(|item| Listed::read(item).ok()).collect();
        let unreadable = items.len() - due.len();
        Ok((due, unreadable))
    }

    /// Carries out a deletion that is due. Of this and of what calls it off, one happens: the first write marks that it has begun, on condition that it was
    /// not called off. Cut off anywhere, it goes on where it was when it is called again: the item of the list is deleted last.
    pub async fn sweep(&self, listed: &Listed, now: Timestamp) -> Result<Swept, Fault> {
        let Listed { account: id, due_at } = *listed;
        let begun = matches!(self.write(account::deletion_begun(id, due_at, now)).await?, Written::Done(_));
        let swept = match self.account(id).await? {
            Some(account) if begun => match self.delete_inactive(&account, now).await? {
                Deleted::Now => Swept::Deleted,
                Deleted::Overtaken => return Ok(Swept::Later),
            },
            Some(_) => Swept::Dropped,
            // Cut off after the account was deleted, it may not have looked once more for what came late.
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
        for (text, is_none) in [("0", true), ("0d", true), ("1h", false), ("30d", false)] {
            assert_eq!(grace(text).map(DeletionGrace::is_none), Ok(is_none), "{text}");
        }
        for wrong in ["59m", "31d", "-1d", "3", "soon"] {
            assert_eq!(grace(wrong).unwrap_err(), "DELETION_GRACE: must be 0, or 1h to 30d", "{wrong}");
        }
    }

    #[test]
    fn keys_of_the_list_sort_by_time_and_every_account_has_one_list() {
        let instants = ["2026-01-31T23:59:59.999Z", "2026-02-01T00:00:00Z", "2026-11-01T00:00:00.001Z", "2027-01-01T00:00:00Z"];
        let sorted = instants.map(|instant| sortable(instant.parse().unwrap()));
        assert!(sorted.is_sorted() && sorted.iter().all(|text| text.len() == sorted[0].len()), "{sorted:?}");
        let lists: std::collections::BTreeSet<String> = (0..64).map(partition).collect();
        assert_eq!(lists.len(), 16);
    }
}
