//! Entries of the Outbox: their keys, their contents, and how they are written and read.

use std::{fmt, time::Duration};

use super::change_kind::ChangeKind;
use crate::{
    account::{Account, AccountId, EmailAddress, email_key},
    caller::Caller,
    clock::{Timestamp, after, before},
    config::span,
    fault::Fault,
    language::Language,
    store::{Item, Key, Table, Value, Write, millis, number, seconds, text, truth},
    token::subject_digest,
};

/// How long an entry is kept that was never finished or that failed for good, so that an operator can look at it and retry it.
pub(super) const FAILED_LIFETIME: Duration = span::days(14);

/// A kind of mail. The partition key of an entry begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A reset link.
    Reset,
    /// A notice of a change.
    Notice,
    /// A link that shows that an address is its account's.
    Verify,
}

impl Kind {
    /// Its name in keys and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Notice => "notice",
            Self::Verify => "verify",
        }
    }

    /// Parses that name.
    pub(crate) fn stored(text: &str) -> Option<Self> {
        [Self::Reset, Self::Notice, Self::Verify].into_iter().find(|kind| kind.as_str() == text)
    }

    pub(super) fn partition(self, subject: impl fmt::Display) -> String {
        format!("{}#{subject}", self.as_str())
    }
}

/// The key of an entry. It displays as `partition/sort`, which contains a digest or an account's id and no address.
#[derive(Clone, PartialEq, Eq)]
pub struct EntryKey {
    pub(super) partition: String,
    pub(super) sort: String,
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

    /// Its sort key: the id of the entry's cause, or the time of an API request.
    #[must_use]
    pub fn cause(&self) -> &str {
        &self.sort
    }

    /// Whether it is the key of a reset request that anybody may have made through the API. Only these have a number as sort key.
    #[must_use]
    pub fn is_of_anybody(&self) -> bool {
        self.kind() == Some(Kind::Reset) && self.sort.parse::<i64>().is_ok()
    }

    pub(super) fn of(item: &Item) -> Result<Self, Fault> {
        Ok(Self::new(item.text("pk")?, item.text("sk")?))
    }

    pub(super) fn key(&self) -> Key {
        Key::new(Table::Outbox, "outbox entry", &self.partition, &self.sort)
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.partition, self.sort)
    }
}

/// A request for a reset link for an address, which may or may not be an account's.
#[derive(Clone)]
pub struct ResetRequest {
    /// The address.
    pub email: EmailAddress,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// Who asked.
    pub caller: Caller,
    /// Whether an operator invites the owner to choose a first password. The mail then has another text than for a forgotten password.
    pub invites: bool,
}

/// A request for a link that verifies an address, at registration or later. The address may have no account.
#[derive(Clone)]
pub struct VerificationRequest {
    /// The address.
    pub email: EmailAddress,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// Who asked.
    pub caller: Caller,
}

/// A request for the link that confirms a change of address, by somebody who knew the password. The new address is stored with the account and not in the
/// entry, so the link cannot be mailed to another address.
#[derive(Clone)]
pub struct AddressRequest {
    /// The account.
    pub account: AccountId,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// Who asked.
    pub caller: Caller,
}

/// A notice to an account's owner, for example of a changed password or name, or of a login from a new place.
#[derive(Clone)]
pub struct Notice {
    /// The notice's id: a UUID, of version 7 or, for a login, the one of the day.
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

impl Notice {
    /// The notice to the owner of this account, at its address and in its language.
    #[must_use]
    pub fn to_owner(account: &Account, id: uuid::Uuid, kind: ChangeKind, caller: Caller, changed_at: Timestamp) -> Self {
        let caller = caller.in_language(account.language());
        Self { id, account: account.id, email: account.email.clone(), kind, changed_at, caller }
    }
}

/// One or several changes of a password, or logins from new places, that the owner is told of in one mail.
#[derive(Clone)]
pub struct Notices {
    /// The notice of the newest change, or of the newest login if there was no change.
    pub newest: Notice,
    /// The number of changes, or of logins.
    pub changes: u64,
    /// When the first of them was made.
    pub first_changed_at: Timestamp,
    /// Whether somebody also logged in from a new place, besides the changes.
    pub signed_in: bool,
}

impl Notices {
    /// The changes of both, in one mail. It describes the newest change and counts the others. If there were logins besides a change, it says so without
    /// counting them.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match [&self, &other].map(|notices| notices.newest.kind == ChangeKind::SignIn) {
            [true, false] => return Self { signed_in: true, ..other },
            [false, true] => return Self { signed_in: true, ..self },
            _ => {}
        }
        let signed_in = self.signed_in || other.signed_in;
        let changes = self.changes.saturating_add(other.changes);
        let first_changed_at = self.first_changed_at.min(other.first_changed_at);
        let newest = if other.newest.changed_at >= self.newest.changed_at { other.newest } else { self.newest };
        Self { newest, changes, first_changed_at, signed_in }
    }
}

impl From<Notice> for Notices {
    fn from(notice: Notice) -> Self {
        Self { changes: 1, first_changed_at: notice.changed_at, newest: notice, signed_in: false }
    }
}

/// The mail that an entry asks for.
#[derive(Clone)]
pub enum Payload {
    /// A reset link.
    Reset(ResetRequest),
    /// A notice of one or several changes.
    Notice(Notices),
    /// A link that shows that an address is its account's.
    Verify(VerificationRequest),
    /// A link that gives an account another address.
    Address(AddressRequest),
}

impl Payload {
    /// The kind of mail.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Reset(_) => Kind::Reset,
            Self::Notice(_) => Kind::Notice,
            Self::Verify(_) | Self::Address(_) => Kind::Verify,
        }
    }

    /// Who asked for the mail.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        match self {
            Self::Reset(request) => &request.caller,
            Self::Notice(notices) => &notices.newest.caller,
            Self::Verify(request) => &request.caller,
            Self::Address(request) => &request.caller,
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

/// The write that leaves a notice, for the transaction that causes it.
pub(crate) fn notice(notice: &Notice) -> Write {
    notices(&notice.clone().into(), notice.changed_at)
}

/// The write that leaves a notice of one or several changes, to be sent from `requested_at` on.
pub(crate) fn notices(notices: &Notices, requested_at: Timestamp) -> Write {
    let key = EntryKey::new(&Kind::Notice.partition(notices.newest.account), &notices.newest.id.to_string());
    let times = [("requested_at", millis(requested_at)), ("expires_at", seconds(after(requested_at, FAILED_LIFETIME)))];
    Write::put(key.key(), notices_attributes(notices).chain(times))
}

/// The attributes of notices, in an entry or in another item.
pub(crate) fn notices_attributes(notices: &Notices) -> impl Iterator<Item = (&'static str, Value)> {
    let newest = &notices.newest;
    let change =
        [("email", text(newest.email.as_str())), ("change", text(newest.kind.as_str())), ("changed_at", millis(newest.changed_at))];
    let several = [("changes", number(notices.changes)), ("first_changed_at", millis(notices.first_changed_at))];
    let several = several.into_iter().filter(|_| notices.changes > 1);
    let signed_in = notices.signed_in.then(|| ("signed_in", truth(true)));
    change.into_iter().chain(several).chain(signed_in).chain(caller_attributes(&newest.caller))
}

/// The notices whose attributes an item has.
pub(crate) fn read_notices(item: &Item, id: uuid::Uuid, account: AccountId) -> Result<Notices, Fault> {
    // Entries from before mail could be retried have one instant only.
    let changed_at = item.optional_instant("changed_at").map_or_else(|| item.instant("requested_at"), Ok)?;
    let newest = Notice {
        id,
        account,
        email: EmailAddress::stored(item.text("email")?, &email_key(item.text("email")?)),
        kind: ChangeKind::stored(item.text("change")?).ok_or(item.unreadable("change"))?,
        changed_at,
        caller: read_caller(item),
    };
    let changes = item.optional_number("changes").unwrap_or(1);
    let first_changed_at = item.optional_instant("first_changed_at").unwrap_or(changed_at);
    Ok(Notices { newest, changes, first_changed_at, signed_in: item.truth("signed_in").unwrap_or(false) })
}

/// The write that leaves a reset request. It replaces one with the same sort key, which in a transaction is an id of the cause.
pub(crate) fn reset_request(request: &ResetRequest, sort: &str) -> Write {
    let key = EntryKey::new(&request_partition(&request.email), sort);
    let invites = request.invites.then(|| ("invites", truth(true)));
    Write::put(key.key(), request_attributes(&request.email, request.requested_at, &request.caller).chain(invites))
}

/// The write that leaves a request for a verification link.
pub(crate) fn verification_request(request: &VerificationRequest, sort: &str) -> Write {
    let key = EntryKey::new(&verification_partition(&request.email), sort);
    Write::put(key.key(), request_attributes(&request.email, request.requested_at, &request.caller))
}

fn request_attributes(email: &EmailAddress, requested_at: Timestamp, caller: &Caller) -> impl Iterator<Item = (&'static str, Value)> {
    let attributes = [
        ("email", text(email.as_str())),
        ("email_folded", text(email.folded())),
        ("requested_at", millis(requested_at)),
        ("expires_at", seconds(after(requested_at, FAILED_LIFETIME))),
    ];
    attributes.into_iter().chain(caller_attributes(caller))
}

/// The partition of reset requests for an address, whether or not it has an account.
pub(crate) fn request_partition(email: &EmailAddress) -> String {
    Kind::Reset.partition(subject_digest(email.folded()))
}

/// The partition of requests for verification links to an address, whether or not it has an account.
pub(crate) fn verification_partition(email: &EmailAddress) -> String {
    Kind::Verify.partition(subject_digest(email.folded()))
}

pub(super) fn caller_attributes(caller: &Caller) -> impl Iterator<Item = (&'static str, Value)> {
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

/// The entry that an item is.
pub(super) fn read(item: &Item) -> Result<Entry, Fault> {
    let requested_at = item.instant("requested_at")?;
    let key = EntryKey::of(item)?;
    let account = key.partition.split_once('#').and_then(|(_, id)| id.parse().ok());
    let payload = match key.kind().ok_or(item.unreadable("pk"))? {
        Kind::Reset => Payload::Reset(ResetRequest {
            email: EmailAddress::stored(item.text("email")?, item.text("email_folded")?),
            requested_at,
            caller: read_caller(item),
            invites: item.truth("invites").unwrap_or(false),
        }),
        Kind::Verify => match account {
            // A retried request still belongs to the change that was requested originally.
            Some(account) => {
                let requested_at = item.optional_instant("changed_at").unwrap_or(requested_at);
                Payload::Address(AddressRequest { account, requested_at, caller: read_caller(item) })
            }
            None => Payload::Verify(VerificationRequest {
                email: EmailAddress::stored(item.text("email")?, item.text("email_folded")?),
                requested_at,
                caller: read_caller(item),
            }),
        },
        Kind::Notice => {
            let account = account.ok_or(item.unreadable("pk"))?;
            Payload::Notice(read_notices(item, item.parsed("sk")?, account)?)
        }
    };
    Ok(Entry { payload, requested_at, attempts: item.number("attempts")? })
}

/// Requests older than this are not worth sending any more at `now`.
#[must_use]
pub fn oldest_worth_sending(now: Timestamp) -> Timestamp {
    before(now, span::hours(1))
}
