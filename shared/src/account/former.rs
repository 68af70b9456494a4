//! Former addresses of accounts, changed by their owner or an operator. Each is stored until the notice of the change has been sent or given up, so that
//! the mailer can check that the notice goes to an address of the account.

use std::time::Duration;

use super::{EmailAddress, keys::partition};
use crate::{
    clock::{Timestamp, after},
    config::span,
    fault::Fault,
    id::AccountId,
    store::{Item, Key, Store, Table, Write, seconds, text},
    token::subject_digest,
};

/// How long it is kept: as long as mail that failed.
const LIFETIME: Duration = span::days(14);

/// How its sort key begins; the instant of the change in milliseconds and a digest of the address follow.
const SORT_PREFIX: &str = "former#";

fn key(account: AccountId, email: &EmailAddress, changed_at: Timestamp) -> Key {
    let sort = format!("{SORT_PREFIX}{}#{}", changed_at.as_millisecond(), subject_digest(email.folded()));
    Key::new(Table::Accounts, "former address", partition(account), sort)
}

/// The write that stores the address that an account had until `changed_at`.
pub(crate) fn former(account: AccountId, email: &EmailAddress, changed_at: Timestamp) -> Write {
    let attributes =
        [("email", text(email.as_str())), ("email_folded", text(email.folded())), ("expires_at", seconds(after(changed_at, LIFETIME)))];
    Write::put(key(account, email, changed_at), attributes)
}

fn read(item: &Item) -> Result<EmailAddress, Fault> {
    Ok(EmailAddress::stored(item.text("email")?, item.text("email_folded")?))
}

/// A former address, and the instant until which the account had it.
pub(crate) fn had_until(item: &Item) -> Result<(EmailAddress, Timestamp), Fault> {
    let changed_at = item.text("sk")?.split('#').nth(1).and_then(|millis| Timestamp::from_millisecond(millis.parse().ok()?).ok());
    Ok((read(item)?, changed_at.ok_or(item.unreadable("sk"))?))
}

impl Store {
    /// Whether the account had this address until `changed_at`.
    pub async fn had_address(&self, account: AccountId, email: &EmailAddress, changed_at: Timestamp) -> Result<bool, Fault> {
        let former = self.read(&key(account, email, changed_at)).await?.as_ref().map(read).transpose()?;
        Ok(former.is_some_and(|former| former.folded() == email.folded()))
    }

    /// The former addresses that are still stored, each with the instant until which the account had it.
    pub(crate) async fn former_addresses(&self, account: AccountId) -> Result<Vec<(EmailAddress, Timestamp)>, Fault> {
        let items = self.read_partition(Table::Accounts, "former address", &partition(account)).await?;
        items.iter().filter(|item| item.optional_text("sk").is_some_and(|sort| sort.starts_with(SORT_PREFIX))).map(had_until).collect()
    }
}
