//! The list of accounts whose deletion their owners have requested: one item each, in one of sixteen partitions, sorted by the time at which the deletion
//! is due. An entry whose account has no deletion of that time is dropped when it is due.

use std::time::Duration;

use crate::{
    account::{AccountId, RequestedDeletion},
    clock::{Timestamp, after},
    fault::Fault,
    store::{Item, Key, Store, Table, Value, Write},
};

/// The number of partitions of the list. Many requests within an hour are spread over them, and each call of the sweeper queries all.
pub const LISTS: u32 = 16;
/// The prefix of a list's partition key; the list's number as a hexadecimal digit follows.
const PARTITION: &str = "sweep#";

/// An entry in the list of accounts to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueDeletion {
    /// The account.
    pub account: AccountId,
    pub(crate) due_at: Timestamp,
}

/// The write that lists an account whose deletion is due.
pub(crate) fn listed(account: AccountId, deletion: &RequestedDeletion) -> Write {
    Write::put(DueDeletion { account, due_at: deletion.due_at }.key(), std::iter::empty::<(&str, Value)>())
}

/// The write that removes an account from the list.
pub(crate) fn called_off(account: AccountId, deletion: &RequestedDeletion) -> Write {
    Write::delete(DueDeletion { account, due_at: deletion.due_at }.key())
}

impl DueDeletion {
    pub(crate) fn key(&self) -> Key {
        // The last digit of an id is random, also in an imported id.
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
    /// The accounts of one list that are due at `now`, the oldest first, and the number of items that cannot be read.
    pub async fn due_deletions(&self, list: u32, now: Timestamp) -> Result<(Vec<DueDeletion>, usize), Fault> {
        let end = sortable(after(now, Duration::from_millis(1)));
        let items = self.read_below(Table::Accounts, "deletion", &partition(list), &end).await?;
        let due: Vec<DueDeletion> = items.iter().filter_map(|item| DueDeletion::read(item).ok()).collect();
        let unreadable = items.len() - due.len();
        Ok((due, unreadable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_list_sort_by_time_and_every_account_has_one_list() {
        let instants = ["2026-01-31T23:59:59.999Z", "2026-02-01T00:00:00Z", "2026-11-01T00:00:00.001Z", "2027-01-01T00:00:00Z"];
        let sorted = instants.map(|instant| sortable(instant.parse().unwrap()));
        assert!(sorted.is_sorted() && sorted.iter().all(|text| text.len() == sorted[0].len()), "{sorted:?}");
        let lists: std::collections::BTreeSet<String> = (0..64).map(partition).collect();
        assert_eq!(lists.len(), 16);
    }
}
