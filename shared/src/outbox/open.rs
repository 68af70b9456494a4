//! Mail that is not sent yet or that failed, for the operator.

use super::{
    address_partition,
    entry::{EntryKey, FAILED_LIFETIME, Kind, oldest_worth_sending},
    notice_partition, request_partition, verification_partition,
};
use crate::{
    account::Account,
    clock::{Timestamp, after, before},
    config::span,
    fault::Fault,
    store::{Item, Store, Table, Write, millis, seconds},
};

/// The attributes of an entry that describe its tries.
const TRIES: [&str; 6] = ["attempts", "done_at", "failed_at", "lease_until", "outcome", "worker"];

/// Mail that was not sent.
#[derive(Clone)]
pub struct FailedMail {
    /// The key of its entry.
    pub key: EntryKey,
    /// The address that it was for.
    pub email: Option<String>,
    /// When it last failed.
    pub failed_at: Timestamp,
    /// The reason: a code of the mail service, or ours.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether it failed permanently. Otherwise it is retried automatically.
    pub for_good: bool,
}

/// The outcome of retrying failed mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// It has been replaced by a new entry, which will be sent.
    Now,
    /// There is no such mail that failed permanently.
    NotFailed,
}

/// Mail to an account that is not sent yet, or failed.
#[derive(Clone)]
pub struct OpenMail {
    /// The kind of mail, if it is known.
    pub kind: Option<Kind>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// The failure, if it was tried and failed.
    pub failed: Option<FailedMail>,
}

impl Store {
    /// Mail that failed, permanently or until its next try, and mail that the stream no longer delivers, oldest first.
    pub async fn failed_mail(&self, now: Timestamp) -> Result<Vec<FailedMail>, Fault> {
        let condition = format!("attribute_exists(failed_at) OR {GIVEN_UP}");
        let entries = self.scan(Table::Outbox, "outbox entry", &condition, [(":stale", millis(stale(now)))]).await?;
        let mut mail: Vec<FailedMail> = entries.iter().map(|item| read_failed(item, now)).collect::<Result<_, _>>()?;
        mail.sort_by_key(|mail| mail.failed_at);
        Ok(mail)
    }

    /// Retries mail that failed permanently or that the stream no longer delivers. A new entry with the present time replaces the old one, because the
    /// stream delivers only new entries to the mailer.
    pub async fn redrive(&self, old: &EntryKey, now: Timestamp) -> Result<Redriven, Fault> {
        let Some(entry) = self.read(&old.key()).await? else { return Ok(Redriven::NotFailed) };
        let new = EntryKey::new(&old.partition, &self.entropy().uuid(now).to_string());
        // A notice states when the password was changed, however late it is sent.
        let changed_at = entry.optional_instant("changed_at").or(entry.optional_instant("requested_at"));
        let fresh = [("requested_at", millis(now)), ("expires_at", seconds(after(now, FAILED_LIFETIME)))];
        let fresh = fresh.into_iter().chain(changed_at.map(|changed_at| ("changed_at", millis(changed_at))));
        let kept = entry.into_attributes().filter(|(name, _)| !TRIES.contains(&name.as_str()));
        let attributes = kept.chain(fresh.map(|(name, value)| (name.to_owned(), value)));
        let gone = Write::delete(old.key())
            .when(
                "(attribute_exists(failed_at) AND attribute_exists(done_at)) OR (attribute_not_exists(done_at) AND requested_at < :stale)",
            )
            .with(":stale", millis(stale(now)));
        let writes = vec![gone, Write::put(new.key(), attributes)];
        Ok(self.transact("redrive", writes).await?.or(Redriven::Now, Redriven::NotFailed))
    }

    /// Mail to an account that waits or failed, oldest first.
    pub async fn open_mail_of(&self, account: &Account, now: Timestamp) -> Result<Vec<OpenMail>, Fault> {
        let mut mail = Vec::new();
        let of_address = [request_partition(&account.email), verification_partition(&account.email)];
        for partition in [notice_partition(account.id), address_partition(account.id)].into_iter().chain(of_address) {
            for item in self.read_partition(Table::Outbox, "outbox entry", &partition).await? {
                let (failed, requested_at) = (item.has("failed_at") || is_given_up(&item, now)?, item.instant("requested_at")?);
                if failed || !item.has("done_at") {
                    let failed = failed.then(|| read_failed(&item, now)).transpose()?;
                    mail.push(OpenMail { kind: EntryKey::of(&item)?.kind(), requested_at, failed });
                }
            }
        }
        mail.sort_by_key(|mail| mail.requested_at);
        Ok(mail)
    }
}

/// An entry that is not done and that the stream no longer delivers, for example because the mailer was stopped for more than an hour.
const GIVEN_UP: &str = "(attribute_not_exists(done_at) AND requested_at < :stale)";

/// Entries that were requested before this are no longer delivered at `now`. It is an hour ago, plus more than a lease.
fn stale(now: Timestamp) -> Timestamp {
    before(oldest_worth_sending(now), span::minutes(2))
}

/// The same condition as [`GIVEN_UP`], for an entry that was read.
fn is_given_up(item: &Item, now: Timestamp) -> Result<bool, Fault> {
    Ok(!item.has("done_at") && item.instant("requested_at")? < stale(now))
}

fn read_failed(item: &Item, now: Timestamp) -> Result<FailedMail, Fault> {
    let requested_at = item.instant("requested_at")?;
    let given_up = is_given_up(item, now)?;
    Ok(FailedMail {
        key: EntryKey::of(item)?,
        email: item.optional_text("email").map(str::to_owned),
        failed_at: item.optional_instant("failed_at").unwrap_or(requested_at),
        reason: item.optional_text("outcome").unwrap_or("never tried").to_owned(),
        attempts: item.optional_number("attempts").unwrap_or_default(),
        for_good: given_up || item.has("done_at"),
    })
}
