//! The Outbox: mail as data. The item is the truth; the stream only says that there is one.

use std::{fmt, time::Duration};

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

/// How long an entry that was never finished, or that failed for good, can be looked at and sent once more.
const FAILED_LIFETIME: Duration = span::days(14);
/// How long a finished entry is kept. Its address is removed at once.
const DONE_LIFETIME: Duration = span::days(1);
/// What an entry holds of its tries.
const TRIES: [&str; 6] = ["attempts", "done_at", "failed_at", "lease_until", "outcome", "worker"];

/// A kind of mail. The partition key of an entry begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A reset link.
    Reset,
    /// A notice of a change.
    Notice,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Notice => "notice",
        }
    }

    fn partition(self, subject: impl fmt::Display) -> String {
        format!("{}#{subject}", self.prefix())
    }
}

/// The key of an entry. It prints as `partition/sort`, which holds a digest or an account's id and no address.
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
        [Kind::Reset, Kind::Notice].into_iter().find(|kind| kind.prefix() == prefix)
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

/// How a password came to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// By somebody signed in who knew the old one.
    Changed,
    /// By a reset link.
    Reset,
}

impl ChangeKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Reset => "reset",
        }
    }

    fn stored(text: &str) -> Option<Self> {
        [Self::Changed, Self::Reset].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An account's password was changed, and its owner is to be told.
#[derive(Clone)]
pub struct Notice {
    /// Which notice: a UUID, version 7.
    pub id: uuid::Uuid,
    /// Whose password.
    pub account: AccountId,
    /// Where to: the account's address at that time.
    pub email: EmailAddress,
    /// How it was changed.
    pub kind: ChangeKind,
    /// When it was changed.
    pub changed_at: Timestamp,
    /// Who changed it.
    pub caller: Caller,
}

/// What an entry asks to be sent.
#[derive(Clone)]
pub enum Payload {
    /// A reset link.
    Reset(ResetRequest),
    /// A notice of a change.
    Notice(Notice),
}

/// An entry under lease.
pub struct Entry {
    /// What to send.
    pub payload: Payload,
    /// When it was last asked for: an operator may have it sent once more.
    pub requested_at: Timestamp,
    /// How often it has been leased, this time included.
    pub attempts: u32,
}

/// The outcome of asking for a lease.
pub enum Lease {
    /// The entry is ours until the lease runs out.
    Ours(Box<Entry>),
    /// It is done, or gone: nothing to do.
    Done,
    /// Another worker has it. Should that one die, the entry must be asked for again.
    Theirs,
}

/// Mail that was not sent.
#[derive(Clone)]
pub struct FailedMail {
    /// The key of its entry.
    pub key: EntryKey,
    /// The address it was for.
    pub email: Option<String>,
    /// When it last failed.
    pub failed_at: Timestamp,
    /// Why: a code of the mail service, or ours.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether it failed for good. Otherwise it is tried again by itself.
    pub for_good: bool,
}

/// The outcome of sending failed mail once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// It is a new entry now, and on its way.
    Now,
    /// There is no such mail that failed for good.
    NotFailed,
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

/// Where mail to an account is left.
pub(crate) fn partitions_of(account: &Account) -> [String; 2] {
    [Kind::Notice.partition(account.id), request_partition(&account.email)]
}

fn request_partition(email: &EmailAddress) -> String {
    Kind::Reset.partition(subject_digest(email.folded()))
}

impl Store {
    /// Leaves a reset request, unless there is one for the same address in this cool-down window. The answer is the same either way.
    pub async fn request_reset(&self, request: &ResetRequest, cool_down: Duration) -> Result<(), Fault> {
        let window = window_start(request.requested_at, cool_down).to_string();
        self.write(reset_request(request, &window).when("attribute_not_exists(pk)")).await.map(drop)
    }

    /// Leaves a reset request outside any cool-down window, for an operator.
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

    /// Finishes an entry: it is not sent again. Its address and earlier failures are removed; the result stays a day.
    pub async fn finish(&self, key: &EntryKey, result: &str, now: Timestamp) -> Result<(), Fault> {
        let expression = "SET done_at = :now, outcome = :outcome, expires_at = :expires \
             REMOVE failed_at, lease_until, worker, email, email_folded, address";
        self.mark(key, expression, result, now, DONE_LIFETIME).await
    }

    /// Gives an entry up: it failed for good, and stays for an operator to see and to send once more.
    pub async fn give_up(&self, key: &EntryKey, reason: &str, now: Timestamp) -> Result<(), Fault> {
        let expression = "SET done_at = :now, failed_at = :now, outcome = :outcome, expires_at = :expires REMOVE lease_until, worker";
        self.mark(key, expression, reason, now, FAILED_LIFETIME).await
    }

    /// Hands an entry back after a failure that may pass, for the stream's next try.
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

    /// Mail that failed, for good or until its next try, oldest first.
    pub async fn failed_mail(&self) -> Result<Vec<FailedMail>, Fault> {
        let entries = self.scan(Table::Outbox, "outbox entry", "attribute_exists(failed_at)").await?;
        let mut mail: Vec<FailedMail> = entries.iter().map(read_failed).collect::<Result<_, _>>()?;
        mail.sort_by_key(|mail| mail.failed_at);
        Ok(mail)
    }

    /// Sends mail that failed for good once more: a new entry, asked for now, takes the place of the old one, because the stream brings the
    /// mailer new entries only.
    pub async fn redrive(&self, old: &EntryKey, now: Timestamp) -> Result<Redriven, Fault> {
        let Some(entry) = self.read(&old.key()).await? else { return Ok(Redriven::NotFailed) };
        let new = EntryKey::new(&old.partition, &self.entropy().uuid(now).to_string());
        // A notice says when the password was changed, however late it is sent.
        let changed_at = entry.optional_instant("changed_at").or(entry.optional_instant("requested_at"));
        let fresh = [("requested_at", millis(now)), ("expires_at", seconds(after(now, FAILED_LIFETIME)))];
        let fresh = fresh.into_iter().chain(changed_at.map(|changed_at| ("changed_at", millis(changed_at))));
        let kept = entry.into_attributes().filter(|(name, _)| !TRIES.contains(&name.as_str()));
        let attributes = kept.chain(fresh.map(|(name, value)| (name.to_owned(), value)));
        let gone = Write::delete(old.key()).when("attribute_exists(failed_at) AND attribute_exists(done_at)");
        let writes = vec![gone, Write::put(new.key(), attributes)];
        Ok(self.transact("redrive", writes).await?.or(Redriven::Now, Redriven::NotFailed))
    }
}

/// When the window of this length that holds `instant` began, in seconds.
fn window_start(instant: Timestamp, length: Duration) -> i64 {
    let length = i64::try_from(length.as_secs()).unwrap_or(i64::MAX).max(1);
    instant.as_second() - instant.as_second().rem_euclid(length)
}

fn caller_attributes(caller: &Caller) -> impl Iterator<Item = (&'static str, Value)> {
    let address = caller.address.map(|address| address.to_string()).unwrap_or_default();
    let browser = caller.agent.map(|agent| agent.to_string()).unwrap_or_default();
    let language = caller.language.map(|language| ("language", text(language.tag())));
    [("address", text(address)), ("browser", text(browser))].into_iter().chain(language)
}

fn read_caller(item: &Item) -> Caller {
    Caller {
        address: item.optional_text("address").and_then(|address| address.parse().ok()),
        agent: item.optional_text("browser").and_then(|browser| browser.parse().ok()),
        language: item.optional_text("language").and_then(Language::of_tag),
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
            // An entry from before mail could be sent once more has one instant.
            changed_at: item.optional_instant("changed_at").unwrap_or(requested_at),
            caller,
        }),
    };
    Ok(Entry { payload, requested_at, attempts: item.number("attempts")? })
}

fn read_failed(item: &Item) -> Result<FailedMail, Fault> {
    Ok(FailedMail {
        key: EntryKey::of(item)?,
        email: item.optional_text("email").map(str::to_owned),
        failed_at: item.instant("failed_at")?,
        reason: item.optional_text("outcome").unwrap_or_default().to_owned(),
        attempts: item.optional_number("attempts").unwrap_or_default(),
        for_good: item.optional_instant("done_at").is_some(),
    })
}

/// Requests older than this are not worth sending any more at `now`.
#[must_use]
pub fn oldest_worth_sending(now: Timestamp) -> Timestamp {
    before(now, span::hours(1))
}
