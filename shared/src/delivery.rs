//! The delivery record: the outcomes of an account's mail, for the operator. It is an item in the account's partition.
//!
//! The record is not in the Outbox, because a function that may write there could learn from it who has an account. It contains times, outcomes and ids of
//! the mail service and of requests, and no address, token or digest.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    account,
    clock::{Timestamp, after},
    config::span,
    fault::Fault,
    id::AccountId,
    outbox::Kind,
    store::{Item, Key, MAX_TRIES, Store, Table, Write, number, seconds, text},
};

/// The sort key of the record.
const SORT: &str = "mail";
/// Maximum number of entries of a record. An entry has at most 220 bytes, so that the record fits into the 4 KB that one read unit reads.
const MAX_ENTRIES: usize = 16;
/// How long a record is kept after its last entry.
const LIFETIME: Duration = span::days(30);

/// The outcome of a requested mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The mail service has accepted it, under this id.
    Sent(String),
    /// It was not sent, on purpose.
    Suppressed(Suppressed),
    /// It failed permanently: a code of the mail service, or ours.
    Failed(String),
}

/// Why a mail was not sent on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suppressed {
    /// A link that still works was mailed less than its cool-down ago.
    CoolingDown,
    /// A newer request has or will get the link.
    NewerRequest,
    /// The password was set, or the address changed, after the request.
    Overtaken,
    /// The account is inactive or has no usable password.
    NoPassword,
    /// The address is verified already.
    Verified,
}

impl Suppressed {
    const ALL: [Self; 5] = [Self::CoolingDown, Self::NewerRequest, Self::Overtaken, Self::NoPassword, Self::Verified];

    /// Its name in records and log lines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CoolingDown => "cooling down",
            Self::NewerRequest => "newer request",
            Self::Overtaken => "overtaken",
            Self::NoPassword => "no usable password",
            Self::Verified => "verified already",
        }
    }
}

/// An entry of the record: a requested mail and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The kind of mail.
    pub kind: Kind,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When the mailer finished it.
    pub done_at: Timestamp,
    /// The outcome.
    pub outcome: Outcome,
    /// The id of the API request that caused it, if there was one.
    pub request_id: Option<uuid::Uuid>,
    /// How often the same outcome occurred in a row. The times and the id are those of the last.
    pub times: u32,
}

/// The form in which an entry is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    kind: String,
    requested_at: i64,
    done_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    times: u32,
}

impl Store {
    /// The record of an account's mail, oldest first.
    pub async fn deliveries(&self, account: AccountId) -> Result<Vec<Delivery>, Fault> {
        self.read(&key(account)).await?.as_ref().map_or_else(|| Ok(Vec::new()), read)
    }

    /// Adds an entry to the record of an account's mail. One read and one write.
    pub async fn note_delivery(&self, account: AccountId, delivery: &Delivery) -> Result<(), Fault> {
        for _ in 0..MAX_TRIES {
            let before = self.read(&key(account)).await?;
            let version: u64 = before.as_ref().and_then(|item| item.optional_number("version")).unwrap_or_default();
            let entries = before.as_ref().map(read).transpose()?.unwrap_or_default();
            // The answer to the first try was lost, and this is what it wrote.
            if entries.last().is_some_and(|last| is_same(last, delivery)) {
                return Ok(());
            }
            let entries = with(entries, delivery.clone());
            let entries = entries.iter().map(stored).collect::<Vec<_>>();
            let entries = serde_json::to_string(&entries).map_err(|_| Fault::Internal("writing a record of mail"))?;
            let attributes =
                [("entries", text(entries)), ("version", number(version + 1)), ("expires_at", seconds(after(delivery.done_at, LIFETIME)))];
            let put = Write::put(key(account), attributes).when("attribute_not_exists(pk) OR version = :version");
            let writes = vec![account::existing(account), put.with(":version", number(version))];
            if !self.transact("record mail", writes).await?.refused_at(1) {
                // It is recorded, or the account no longer exists.
                return Ok(());
            }
        }
        Err(Fault::OutOfTime)
    }
}

/// Whether both entries are about the same mail.
fn is_same(one: &Delivery, other: &Delivery) -> bool {
    let told = |delivery: &Delivery| (delivery.kind, delivery.requested_at.as_millisecond(), delivery.done_at.as_millisecond());
    told(one) == told(other) && one.outcome == other.outcome
}

/// The entries with one more. If it only repeats the last entry, that entry's count is raised, so that a flood of requests does not push out earlier
/// entries.
fn with(mut entries: Vec<Delivery>, new: Delivery) -> Vec<Delivery> {
    match entries.last_mut() {
        Some(last) if last.kind == new.kind && last.outcome == new.outcome && !matches!(new.outcome, Outcome::Sent(_)) => {
            *last = Delivery { times: last.times.saturating_add(1), ..new };
        }
        _ => entries.push(new),
    }
    entries.drain(..entries.len().saturating_sub(MAX_ENTRIES));
    entries
}

fn key(account: AccountId) -> Key {
    Key::new(Table::Accounts, "record of mail", account::partition(account), SORT)
}

fn stored(delivery: &Delivery) -> Stored {
    let (sent, suppressed, failed) = match &delivery.outcome {
        Outcome::Sent(id) => (Some(id.clone()), None, None),
        Outcome::Suppressed(why) => (None, Some(why.as_str().to_owned()), None),
        Outcome::Failed(why) => (None, None, Some(why.clone())),
    };
    Stored {
        kind: delivery.kind.as_str().to_owned(),
        requested_at: delivery.requested_at.as_millisecond(),
        done_at: delivery.done_at.as_millisecond(),
        sent,
        suppressed,
        failed,
        request_id: delivery.request_id.map(|id| id.to_string()),
        times: delivery.times,
    }
}

fn read(item: &Item) -> Result<Vec<Delivery>, Fault> {
    let stored: Vec<Stored> = serde_json::from_str(item.text("entries")?).map_err(|_| item.unreadable("entries"))?;
    // An entry of a kind that only a later version knows is left out.
    Ok(stored.into_iter().filter_map(read_entry).collect())
}

fn read_entry(stored: Stored) -> Option<Delivery> {
    let outcome = match (stored.sent, stored.suppressed, stored.failed) {
        (Some(id), ..) => Outcome::Sent(id),
        (_, Some(why), _) => Outcome::Suppressed(Suppressed::ALL.into_iter().find(|known| known.as_str() == why)?),
        (.., why) => Outcome::Failed(why?),
    };
    Some(Delivery {
        kind: Kind::stored(&stored.kind)?,
        requested_at: Timestamp::from_millisecond(stored.requested_at).ok()?,
        done_at: Timestamp::from_millisecond(stored.done_at).ok()?,
        outcome,
        request_id: stored.request_id.and_then(|id| id.parse().ok()),
        times: stored.times,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(outcome: Outcome, minute: i64) -> Delivery {
        let done_at = Timestamp::from_second(60 * minute).unwrap();
        Delivery { kind: Kind::Reset, requested_at: done_at, done_at, outcome, request_id: None, times: 1 }
    }

    #[test]
    fn a_flood_of_requests_pushes_nothing_out() {
        let sent = |minute| delivery(Outcome::Sent(format!("id {minute}")), minute);
        let mut entries = vec![sent(0)];
        for minute in 1..1000 {
            entries = with(entries, delivery(Outcome::Suppressed(Suppressed::CoolingDown), minute));
        }
        assert_eq!(entries.len(), 2);
        assert_eq!((&entries[0], entries[1].times), (&sent(0), 999));
        assert_eq!(entries[1].done_at, Timestamp::from_second(60 * 999).unwrap(), "the last of them");
        for minute in 1000..1030 {
            entries = with(entries, sent(minute));
        }
        assert_eq!((entries.len(), &entries[MAX_ENTRIES - 1]), (MAX_ENTRIES, &sent(1029)));
    }

    #[test]
    fn what_is_stored_is_read_again_and_is_short() {
        let id = "0100018f2c3d4e5f-6a7b8c9d-0e1f-2a3b-4c5d-6e7f8a9b0c1d-000000".to_owned();
        let outcomes = [Outcome::Sent(id), Outcome::Suppressed(Suppressed::Overtaken), Outcome::Failed("MessageRejected".to_owned())];
        for outcome in outcomes {
            let delivery = Delivery { request_id: Some(uuid::Uuid::from_u128(7)), ..delivery(outcome, 29_000_000) };
            let text = serde_json::to_string(&stored(&delivery)).unwrap();
            assert!(text.len() <= 220, "{}", text.len());
            assert_eq!(read_entry(serde_json::from_str(&text).unwrap()), Some(delivery));
        }
    }
}
