//! The item with the values of an account's declared fields.
//!
//! It is an item of its own, because the account's item is read at every check of a token. A field that is no longer declared is hidden, but its value
//! stays.

use super::{
    Account,
    item::{in_use, unchanged},
    keys::partition,
};
use crate::{
    clock::Timestamp,
    event::EventKind,
    fault::Fault,
    id::AccountId,
    profile::{Changes, PREFIX, Profile, Scalar},
    store::{Item, Key, Store, Table, Value, Write, millis, number, text, truth},
};

/// The sort key of the item.
pub(super) const SORT: &str = "profile";

/// The outcome of changing a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profiled {
    /// It is changed.
    Now,
    /// The account's sessions have ended since it was read, or it is inactive or gone. Nothing was written.
    Overtaken,
}

impl Store {
    /// The profile of an account, empty if it has none. One read.
    pub async fn profile(&self, account: AccountId) -> Result<Profile, Fault> {
        Ok(self.read(&key(account)).await?.map(read).unwrap_or_default())
    }

    /// Changes these fields of an account's profile and no others, if the account is active and its sessions were not ended since it was read, and leaves
    /// the event. Simultaneous changes of different fields both take effect, and none recreates the profile of a deleted account.
    pub async fn change_profile(&self, account: &Account, changes: &Changes, now: Timestamp) -> Result<Profiled, Fault> {
        let mut writes = vec![unchanged(account), changed(account.id, changes, now)];
        writes.extend(self.event(EventKind::AccountUpdated, account.id, now));
        Ok(self.transact("change profile", writes).await?.or(Profiled::Now, Profiled::Overtaken))
    }

    /// Sets these fields for an operator, if the account is active, and leaves the event. An account that is being deleted is inactive, so no profile
    /// remains.
    pub async fn set_profile(&self, account: AccountId, changes: &Changes, now: Timestamp) -> Result<Profiled, Fault> {
        let mut writes = vec![in_use(account), changed(account, changes, now)];
        writes.extend(self.event(EventKind::AccountUpdated, account, now));
        Ok(self.transact("set profile", writes).await?.or(Profiled::Now, Profiled::Overtaken))
    }
}

/// The write that creates the profile of a new account, if it has one. It needs no condition, because the account's own write requires that the id is new.
pub(super) fn creation(account: &Account) -> Option<Write> {
    let values = account.profile.iter().map(|(name, value)| (format!("{PREFIX}{name}"), stored(value)));
    let attributes = values.chain([("changed_at".to_owned(), millis(account.created_at))]);
    (!account.profile.is_empty()).then(|| Write::put(key(account.id), attributes))
}

/// Reads a profile from its item.
pub(crate) fn read(item: Item) -> Profile {
    let value = |value: Value| match value {
        Value::S(text) => Some(Scalar::Text(text)),
        Value::Bool(truth) => Some(Scalar::Truth(truth)),
        Value::N(number) => number.parse().ok().map(Scalar::Number),
        _ => None,
    };
    let changed_at = item.optional_instant("changed_at");
    let values = item.into_attributes().filter_map(|(name, stored)| Some((name.strip_prefix(PREFIX)?.to_owned(), value(stored)?)));
    let mut profile: Profile = values.collect();
    profile.changed_at = changed_at;
    profile
}

fn changed(account: AccountId, changes: &Changes, now: Timestamp) -> Write {
    let (mut set, mut removed, mut values) = (vec!["changed_at = :now".to_owned()], Vec::new(), Vec::new());
    for (field, value) in changes {
        match value {
            Some(value) => {
                set.push(format!("{} = {}", field.attribute, field.placeholder));
                values.push((field.placeholder, stored(value)));
            }
            None => removed.push(field.attribute),
        }
    }
    let removal = if removed.is_empty() { String::new() } else { format!(" REMOVE {}", removed.join(", ")) };
    let update = Write::update(key(account), format!("SET {}{removal}", set.join(", "))).with(":now", millis(now));
    values.into_iter().fold(update, |update, (placeholder, value)| update.with(placeholder, value))
}

fn stored(value: &Scalar) -> Value {
    match value {
        Scalar::Text(value) => text(value),
        Scalar::Truth(value) => truth(*value),
        Scalar::Number(value) => number(value),
    }
}

/// The key of an account's profile.
pub(crate) fn key(account: AccountId) -> Key {
    Key::new(Table::Accounts, "profile", partition(account), SORT)
}
