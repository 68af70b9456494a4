//! The Outbox: mail to be sent, as items. The item decides; the stream only announces it.

mod open;

use std::{fmt, time::Duration};

pub use self::open::{FailedMail, OpenMail, Redriven};
use crate::{
    account::{Account, AccountId, EmailAddress, email_key},
    caller::Caller,
    clock::{Timestamp, after, before},
    config::span,
    fault::Fault,
    language::Language,
    store::{Item, Key, Store, Table, Value, Write, Written, millis, number, seconds, text},
    token::subject_digest,
};

/// How long an entry is kept that was never finished or that failed for good, so that an operator can look at it and retry it.
const FAILED_LIFETIME: Duration = span::days(14);
/// Of the requests for one address within this time one is kept, which bounds the cost of a flood. The mailer decides how many mails are sent, because it
/// knows which link the owner holds.
const REQUEST_WINDOW: Duration = span::seconds(10);
/// How long a finished entry is kept. Its address is removed at once.
const DONE_LIFETIME: Duration = span::days(1);
/// The outcome of every finished entry. If it contained whether a mail was sent, a function that may write here, and read what it replaced, could learn
/// who has an account.
const HANDLED: &str = "handled";

/// A kind of mail. The partition key of an entry begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A reset link.
    Reset,
    /// A notice of a change.
    Notice,
}

impl Kind {
    /// The word for it in keys and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Notice => "notice",
        }
    }

    /// Reads that word.
    pub(crate) fn stored(text: &str) -> Option<Self> {
        [Self::Reset, Self::Notice].into_iter().find(|kind| kind.as_str() == text)
    }

    fn partition(self, subject: impl fmt::Display) -> String {
        format!("{}#{subject}", self.as_str())
    }
}

/// The key of an entry. It displays as `partition/sort`, which contains a digest or an account's id and no address.
#[derive(Clone, PartialEq, Eq)]
pub struct EntryKey {
    partition: String,
    sort: String,
}

impl EntryKey {
    /// The key with these parts.
    #[must_use]
    pub fn new(partition: &str, sort: &str) -> Self {
        Self { partition: partition.to_owned(), sort: sort.to_owned() }
    }

    /// The key that prints as this text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.split_once('/').map(|(partition, sort)| Self::new(partition, sort))
    }

    /// The kind of mail that such an entry asks for, if there is one.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        let (prefix, _) = self.partition.split_once('#')?;
        Kind::stored(prefix)
    }

    fn of(item: &Item) -> Result<Self, Fault> {
        Ok(Self::new(item.text("pk")?, item.text("sk")?))
    }

    fn key(&self) -> Key {
        Key::new(Table::Outbox, "outbox entry", &self.partition, &self.sort)
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.partition, self.sort)
    }
}

/// Someone asked for a reset link for an address, which may or may not be an account's.
#[derive(Clone)]
pub struct ResetRequest {
    /// The address.
    pub email: EmailAddress,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// Who asked.
    pub caller: Caller,
}

/// How a password was changed, or what else was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// By a logged-in person who knew the old one.
    Changed,
    /// By a reset link.
    Reset,
    /// It was not: an operator changed the account's e-mail address. The notice goes to the former one.
    Email,
    /// It was not: an operator changed the account's username.
    Username,
}

impl ChangeKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Reset => "reset",
            Self::Email => "email",
            Self::Username => "username",
        }
    }

    fn stored(text: &str) -> Option<Self> {
        [Self::Changed, Self::Reset, Self::Email, Self::Username].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An account's password or one of its names was changed, and its owner is to be told.
#[derive(Clone)]
pub struct Notice {
    /// The notice's id: a UUID, version 7.
    pub id: uuid::Uuid,
    /// The account.
    pub account: AccountId,
    /// The account's address until then, to which it is sent.
    pub email: EmailAddress,
    /// How it was changed.
    pub kind: ChangeKind,
    /// When it was changed.
    pub changed_at: Timestamp,
    /// Who changed it.
    pub caller: Caller,
}

/// The mail that an entry asks for.
#[derive(Clone)]
pub enum Payload {
    /// A reset link.
    Reset(ResetRequest),
    /// A notice of a change.
    Notice(Notice),
}

impl Payload {
    /// Who asked for the mail.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        match self {
            Self::Reset(request) => &request.caller,
            Self::Notice(notice) => &notice.caller,
        }
    }
}

/// An entry under lease.
pub struct Entry {
    /// The mail to send.
    pub payload: Payload,
    /// When it was last requested. An operator may have requested it again.
    pub requested_at: Timestamp,
    /// How often it has been leased, including this time.
    pub attempts: u32,
}

/// The outcome of asking for a lease.
pub enum Lease {
    /// The entry is ours until the lease ends.
    Ours(Box<Entry>),
    /// The entry is done or does not exist, so there is nothing to do.
    Done,
    /// Another worker has it. The entry must be tried again later, in case that worker fails.
    Theirs,
}

/// The write that leaves a notice, for the transaction that causes it.
pub(crate) fn notice(notice: &Notice) -> Write {
    let key = EntryKey::new(&Kind::Notice.partition(notice.account), &notice.id.to_string());
    let attributes = [
        ("email", text(notice.email.as_str())),
        ("change", text(notice.kind.as_str())),
        ("changed_at", millis(notice.changed_at)),
        ("requested_at", millis(notice.changed_at)),
        ("expires_at", seconds(after(notice.changed_at, FAILED_LIFETIME))),
    ];
    Write::put(key.key(), attributes.into_iter().chain(caller_attributes(&notice.caller)))
}

/// The write that leaves a reset request. Of several with the same sort key the last one stays: in a transaction it names the cause.
pub(crate) fn reset_request(request: &ResetRequest, sort: &str) -> Write {
    let key = EntryKey::new(&request_partition(&request.email), sort);
    let attributes = [
        ("email", text(request.email.as_str())),
        ("email_folded", text(request.email.folded())),
        ("requested_at", millis(request.requested_at)),
        ("expires_at", seconds(after(request.requested_at, FAILED_LIFETIME))),
    ];
    Write::put(key.key(), attributes.into_iter().chain(caller_attributes(&request.caller)))
}

/// The write that allows another reset request for this address, because the link of an earlier one has ended with the password.
pub(crate) fn asked_for_again(email: &EmailAddress, now: Timestamp) -> Write {
    Write::delete(EntryKey::new(&request_partition(email), &window_start(now).to_string()).key())
}

/// Where mail to an account is left.
pub(crate) fn partitions_of(account: &Account) -> [String; 2] {
    [Kind::Notice.partition(account.id), request_partition(&account.email)]
}

/// Where reset requests for an address are left.
pub(crate) fn request_partition(email: &EmailAddress) -> String {
    Kind::Reset.partition(subject_digest(email.folded()))
}

impl Store {
    /// Leaves a reset request, unless there is one for the same address in this window. The answer is the same either way.
    pub async fn request_reset(&self, request: &ResetRequest) -> Result<(), Fault> {
        let window = window_start(request.requested_at).to_string();
        self.write(reset_request(request, &window).when("attribute_not_exists(pk)")).await.map(drop)
    }

    /// Leaves a reset request outside any window, for an operator.
    pub async fn request_reset_at_once(&self, request: &ResetRequest) -> Result<(), Fault> {
        let sort = self.entropy().uuid(request.requested_at).to_string();
        self.write(reset_request(request, &sort)).await.map(drop)
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
        let expression = "SET done_at = :now, outcome = :outcome, expires_at = :expires \
             REMOVE failed_at, lease_until, worker, email, email_folded, address";
        self.mark(key, expression, HANDLED, now, DONE_LIFETIME).await
    }

    /// Gives up an entry that has failed for good, and keeps it so that an operator can look at it and retry it.
    pub async fn give_up(&self, key: &EntryKey, reason: &str, now: Timestamp) -> Result<(), Fault> {
        let expression = "SET done_at = :now, failed_at = :now, outcome = :outcome, expires_at = :expires REMOVE lease_until, worker";
        self.mark(key, expression, reason, now, FAILED_LIFETIME).await
    }

    /// Returns an entry after a transient failure, for the stream's next try.
    pub async fn hand_back(&self, key: &EntryKey, reason: &str, now: Timestamp) -> Result<(), Fault> {
        let expression = "SET failed_at = :now, outcome = :outcome, expires_at = :expires REMOVE lease_until, worker";
        self.mark(key, expression, reason, now, FAILED_LIFETIME).await
    }

    async fn mark(&self, key: &EntryKey, expression: &str, outcome: &str, now: Timestamp, kept: Duration) -> Result<(), Fault> {
        let mark = Write::update(key.key(), expression)
            .when("attribute_exists(pk)")
            .with(":now", millis(now))
            .with(":outcome", text(outcome))
            .with(":expires", seconds(after(now, kept)));
        self.write(mark).await.map(drop)
    }
}

/// The start, in seconds, of the window that contains `instant`.
fn window_start(instant: Timestamp) -> i64 {
    let length = i64::try_from(REQUEST_WINDOW.as_secs()).unwrap_or(i64::MAX).max(1);
    instant.as_second() - instant.as_second().rem_euclid(length)
}

fn caller_attributes(caller: &Caller) -> impl Iterator<Item = (&'static str, Value)> {
    let address = caller.address.map(|address| address.to_string()).unwrap_or_default();
    let browser = caller.agent.map(|agent| agent.to_string()).unwrap_or_default();
    let language = caller.language.map(|language| ("language", text(language.tag())));
    let request_id = caller.request_id.map(|id| ("request_id", text(id.to_string())));
    [("address", text(address)), ("browser", text(browser))].into_iter().chain(language).chain(request_id)
}

fn read_caller(item: &Item) -> Caller {
    Caller {
        address: item.optional_text("address").and_then(|address| address.parse().ok()),
        agent: item.optional_text("browser").and_then(|browser| browser.parse().ok()),
        language: item.optional_text("language").and_then(Language::of_tag),
        request_id: item.optional_text("request_id").and_then(|id| id.parse().ok()),
    }
}

fn read(item: &Item) -> Result<Entry, Fault> {
    let requested_at = item.instant("requested_at")?;
    let (key, caller) = (EntryKey::of(item)?, read_caller(item));
    let payload = match key.kind().ok_or(item.unreadable("pk"))? {
        Kind::Reset => Payload::Reset(ResetRequest {
            email: EmailAddress::stored(item.text("email")?, item.text("email_folded")?),
            requested_at,
            caller,
        }),
        Kind::Notice => Payload::Notice(Notice {
            id: item.parsed("sk")?,
            account: key.partition.split_once('#').and_then(|(_, id)| id.parse().ok()).ok_or(item.unreadable("pk"))?,
            email: EmailAddress::stored(item.text("email")?, &email_key(item.text("email")?)),
            kind: ChangeKind::stored(item.text("change")?).ok_or(item.unreadable("change"))?,
            // Entries from before mail could be retried have one instant only.
            changed_at: item.optional_instant("changed_at").unwrap_or(requested_at),
            caller,
        }),
    };
    Ok(Entry { payload, requested_at, attempts: item.number("attempts")? })
}

/// Requests older than this are not worth sending any more at `now`.
#[must_use]
pub fn oldest_worth_sending(now: Timestamp) -> Timestamp {
    before(now, span::hours(1))
}
