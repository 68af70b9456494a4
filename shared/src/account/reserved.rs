//! Former addresses that an owner has changed. Each is reserved for the account for some days, so that the change can be undone, whoever made it.
//!
//! The account lists them, and its claim on each has the time until which it is reserved. The account also counts the changes of its address
//! (`address_no`), so that a mailed link identifies the mailbox to which it went.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Account, EmailAddress, Username,
    keys::{email_claim, key, username_claim},
};
use crate::{
    clock::Timestamp,
    fault::Fault,
    id::AccountId,
    store::{Item, Key, Store, Value, Write, millis, number, seconds, text, truth},
    token::{Digest, NewAddress},
};

/// An address that the account had until its owner changed it.
#[derive(Clone)]
pub struct FormerAddress {
    /// The number of the change that replaced it.
    pub no: u64,
    /// The address.
    pub email: EmailAddress,
    /// Until when it is reserved.
    pub until: Timestamp,
}

/// The form in which it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    no: u64,
    email: String,
    email_folded: String,
    until: i64,
}

/// The former addresses that an account's item lists, the oldest first.
pub(super) fn listed(item: &Item) -> Result<Vec<FormerAddress>, Fault> {
    let Some(text) = item.optional_text("former") else { return Ok(Vec::new()) };
    let unreadable = || item.unreadable("former");
    let stored: Vec<Stored> = serde_json::from_str(text).map_err(|_| unreadable())?;
    let former = |stored: Stored| {
        let until = Timestamp::from_millisecond(stored.until).map_err(|_| unreadable())?;
        Ok(FormerAddress { no: stored.no, email: EmailAddress::stored(&stored.email, &stored.email_folded), until })
    };
    stored.into_iter().map(former).collect()
}

/// The attribute that lists them.
pub(super) fn list(former: &[FormerAddress]) -> Value {
    let stored = former.iter().map(|former| Stored {
        no: former.no,
        email: former.email.as_str().to_owned(),
        email_folded: former.email.folded().to_owned(),
        until: former.until.as_millisecond(),
    });
    text(serde_json::to_string(&stored.collect::<Vec<_>>()).unwrap_or_default())
}

impl Account {
    /// Its former addresses that are still reserved, the oldest first.
    pub fn reserved(&self, now: Timestamp) -> impl Iterator<Item = &FormerAddress> {
        self.former.iter().filter(move |former| now < former.until)
    }

    /// The address that it had after `number` changes, if its owner has changed it since and it is still reserved.
    #[must_use]
    pub fn address_before(&self, number: u64, now: Timestamp) -> Option<&FormerAddress> {
        self.reserved(now).find(|former| Some(former.no) == number.checked_add(1))
    }

    /// The address to which mail about a time when the account had `email` goes, and its number: the present address, or a former one that is still
    /// reserved. `None` if it is neither.
    #[must_use]
    pub fn mailbox(&self, email: &EmailAddress, now: Timestamp) -> Option<(&EmailAddress, u64)> {
        if self.email.folded() == email.folded() {
            return Some((&self.email, self.address_no));
        }
        let former = self.reserved(now).filter(|former| former.email.folded() == email.folded()).last()?;
        Some((&former.email, former.no.saturating_sub(1)))
    }

    /// Its username if this address replaces the present one: a username that is the address changes with it. `None` if the address cannot be a username.
    #[must_use]
    pub fn username_with(&self, email: &EmailAddress) -> Option<Username> {
        if self.username.folded() == self.email.folded() { Username::parse(email.as_str()).ok() } else { Some(self.username.clone()) }
    }
}

/// Adds the condition that the account's address was not changed since it was read.
pub(super) fn when_address_is_same(write: Write, account: &Account) -> Write {
    match account.address_no {
        0 => write.when("attribute_not_exists(address_no)"),
        no => write.when("address_no = :address_no").with(":address_no", number(no)),
    }
}

/// A confirmed change of address.
pub(crate) struct Confirmed<'a> {
    /// The new address.
    pub(crate) email: &'a EmailAddress,
    /// The username, which follows the address if it was the old one.
    pub(crate) username: &'a Username,
    /// The link that confirmed it.
    pub(crate) link: &'a Digest<NewAddress>,
    /// Until when the old address is reserved, if it is.
    pub(crate) kept_until: Option<Timestamp>,
    /// When it was confirmed.
    pub(crate) now: Timestamp,
}

/// Gives an account the address that its owner has confirmed, reserves or frees the old one, and moves the claims, if the account is as it was read and no
/// account has the new address. The first write is the account's. The condition on the epoch also ensures that the password is still the one with which
/// the change was requested, because every change of it raises the epoch.
pub(crate) fn confirmed(account: &Account, change: &Confirmed<'_>) -> Vec<Write> {
    let Confirmed { email, username, now, .. } = *change;
    let no = account.address_no.saturating_add(1);
    let kept = change.kept_until.map(|until| FormerAddress { no, email: account.email.clone(), until });
    let former: Vec<FormerAddress> = account.reserved(now).cloned().chain(kept).collect();
    let set = "SET email = :email, email_folded = :folded, username = :username, username_folded = :username_folded, verified_at = :now, \
               verified_by = :link, address_no = :no";
    let write = if former.is_empty() {
        Write::update(key(account.id), format!("{set} REMOVE undeliverable, undeliverable_at, former"))
    } else {
        Write::update(key(account.id), format!("{set}, former = :former REMOVE undeliverable, undeliverable_at"))
            .with(":former", list(&former))
    };
    let write = write
        .when("epoch = :epoch AND active = :true AND email_folded = :was AND username_folded = :named")
        .with(":email", text(email.as_str()))
        .with(":folded", text(email.folded()))
        .with(":username", text(username.as_str()))
        .with(":username_folded", text(username.folded()))
        .with(":now", millis(now))
        .with(":link", text(change.link.as_str()))
        .with(":no", number(no))
        .with(":epoch", number(account.epoch))
        .with(":true", truth(true))
        .with(":was", text(account.email.folded()))
        .with(":named", text(account.username.folded()));
    let old = match change.kept_until {
        Some(until) => kept_claim(account.id, account.email.folded(), until),
        None => released(account.id, email_claim(account.email.folded())),
    };
    let mut writes = vec![when_address_is_same(write, account), claimed(account.id, email, now), old];
    writes.extend(moved_username(account, username));
    writes
}

/// A former address that is given back to an account.
#[derive(Clone)]
pub(crate) struct GivenBack {
    /// The address.
    pub(crate) email: EmailAddress,
    /// The username, which changes with the address if it was the present address.
    pub(crate) username: Username,
    /// Whether the address is verified.
    pub(crate) is_verified: bool,
    /// The former addresses that stay reserved: those that are older.
    kept: Vec<FormerAddress>,
}

impl GivenBack {
    /// Gives this former address back to the account. `otherwise` is the username of an account whose username is its address, if the former address
    /// cannot be a username or is another account's username.
    pub(crate) fn of(account: &Account, former: &FormerAddress, otherwise: Option<Username>, is_verified: bool) -> Self {
        let follows = account.username.folded() == account.email.folded();
        let username = otherwise.filter(|_| follows).or_else(|| account.username_with(&former.email));
        let kept = account.former.iter().filter(|other| other.no < former.no).cloned().collect();
        // If no name is allowed, the account keeps its own, and the caller tries again with another.
        let username = username.unwrap_or_else(|| account.username.clone());
        Self { email: former.email.clone(), username, is_verified, kept }
    }

    /// The assignments and removals for the account's update expression.
    pub(super) fn expressions(&self) -> (String, String) {
        let mut set =
            ", email = :email, email_folded = :folded, username = :username, username_folded = :username_folded, address_no = :no"
                .to_owned();
        let mut removed = "undeliverable, undeliverable_at, verified_by".to_owned();
        if self.is_verified {
            set += ", verified_at = :now";
        } else {
            removed += ", verified_at";
        }
        if self.kept.is_empty() {
            removed += ", former";
        } else {
            set += ", former = :former";
        }
        (set, removed)
    }

    pub(super) fn values(&self, account: &Account, write: Write) -> Write {
        let write = if self.kept.is_empty() { write } else { write.with(":former", list(&self.kept)) };
        write
            .with(":email", text(self.email.as_str()))
            .with(":folded", text(self.email.folded()))
            .with(":username", text(self.username.as_str()))
            .with(":username_folded", text(self.username.folded()))
            .with(":no", number(account.address_no.saturating_add(1)))
    }

    /// The addresses that the account had after this one, except the present one, and that are still reserved.
    pub(crate) fn void<'a>(&self, account: &'a Account, now: Timestamp) -> BTreeMap<&'a str, &'a EmailAddress> {
        let since = account.reserved(now).filter(|former| self.kept.iter().all(|kept| kept.no != former.no));
        let others = since.map(|former| (former.email.folded(), &former.email));
        others.filter(|(folded, _)| *folded != self.email.folded() && *folded != account.email.folded()).collect()
    }

    /// The writes that move the claims. The claim on the address becomes permanent again, and those on the addresses since then end, except those whose
    /// reservation has ended and that may belong to another account by now. The first write is the claim on the username, if that moves.
    pub(crate) fn claims(&self, account: &Account, now: Timestamp) -> Vec<Write> {
        let back =
            Write::put(email_claim(self.email.folded()), [("account_id", text(account.id.to_string()))]).when("account_id = :account");
        let back = back.with(":account", text(account.id.to_string()));
        let ends = self.void(account, now).into_keys().chain([account.email.folded()]).filter(|folded| *folded != self.email.folded()).map(
            |folded| match self.kept.iter().rfind(|kept| kept.email.folded() == folded) {
                Some(kept) => kept_claim(account.id, folded, kept.until),
                None => released(account.id, email_claim(folded)),
            },
        );
        moved_username(account, &self.username).into_iter().chain([back]).chain(ends).collect()
    }
}

/// The write for an account's claim on an address, if no other account has it.
pub(super) fn claimed(id: AccountId, email: &EmailAddress, now: Timestamp) -> Write {
    Write::put(email_claim(email.folded()), [("account_id", text(id.to_string()))])
        .when("attribute_not_exists(pk) OR account_id = :account OR reserved_until <= :now")
        .with(":account", text(id.to_string()))
        .with(":now", millis(now))
}

/// The write for an account's claim on a former address, which ends at that time.
fn kept_claim(id: AccountId, folded: &str, until: Timestamp) -> Write {
    kept_until(id, folded, until).when("account_id = :account").with(":account", text(id.to_string()))
}

fn kept_until(id: AccountId, folded: &str, until: Timestamp) -> Write {
    let attributes = [("account_id", text(id.to_string())), ("reserved_until", millis(until)), ("expires_at", seconds(until))];
    Write::put(email_claim(folded), attributes)
}

/// Ends a claim of an account, if there is one.
fn released(id: AccountId, claim: Key) -> Write {
    Write::delete(claim).when("attribute_not_exists(pk) OR account_id = :account").with(":account", text(id.to_string()))
}

/// Moves the claim on a username, if it is another one.
fn moved_username(account: &Account, username: &Username) -> Vec<Write> {
    if account.username.folded() == username.folded() {
        return Vec::new();
    }
    let taken =
        Write::put(username_claim(username.folded()), [("account_id", text(account.id.to_string()))]).when("attribute_not_exists(pk)");
    vec![taken, released(account.id, username_claim(account.username.folded()))]
}

/// The writes that free the former addresses of an account, except those that it has or gets.
pub(crate) fn freed(account: &Account, now: Timestamp, others: &[&EmailAddress]) -> Vec<Write> {
    let kept = |folded: &str| folded == account.email.folded() || others.iter().any(|other| other.folded() == folded);
    let former: BTreeSet<&str> = account.reserved(now).map(|former| former.email.folded()).filter(|folded| !kept(folded)).collect();
    former.into_iter().map(|folded| released(account.id, email_claim(folded))).collect()
}

impl Store {
    /// Frees the former addresses that are not kept any more, if the account still has the claims on them. Another account may have one by now.
    pub(crate) async fn free_expired(&self, account: &Account, now: Timestamp) -> Result<(), Fault> {
        for former in account.former.iter().filter(|former| former.until <= now) {
            let free = Write::delete(email_claim(former.email.folded()))
                .when("account_id = :account AND reserved_until <= :now")
                .with(":account", text(account.id.to_string()))
                .with(":now", millis(now));
            self.write(free).await.map(drop)?;
        }
        Ok(())
    }
}

/// The former addresses, folded, that are reserved for an imported account, and the write that reserves each if no account has it.
pub(crate) fn imported(account: &Account, now: Timestamp) -> Vec<(String, Write)> {
    let former: BTreeSet<&str> = account.reserved(now).map(|former| former.email.folded()).collect();
    let until = |folded: &str| account.reserved(now).filter(|former| former.email.folded() == folded).map(|former| former.until).max();
    let claim = |folded: &str| Some((folded.to_owned(), kept_until(account.id, folded, until(folded)?).when("attribute_not_exists(pk)")));
    former.into_iter().filter(|folded| *folded != account.email.folded()).filter_map(claim).collect()
}
