//! Events: what has happened to accounts, for other programs to hear of.
//!
//! An event is an item in the Outbox, written in the transaction that makes it true: whatever fails, there is no change without its event and no event
//! without its change. The function `events` publishes it and then deletes it. If it fails in between, it publishes the event again, under the same id.
//!
//! An event names the account by its id and contains no other data of it: whoever hears of it reads what it needs with its own permissions.

mod bus;

use std::time::Duration;

use serde::Serialize;

pub use self::bus::{Bus, PutError};
use crate::{
    clock::{Timestamp, after, before, rfc3339},
    config::span,
    fault::Fault,
    id::AccountId,
    recording::Recording,
    store::{Item, Key, Store, Table, Value, Write, millis, seconds, text, truth},
};

/// How the partition of an account's events begins. The account's id follows.
const PARTITION: &str = "event#";
/// How long an event that is never published is kept, so that an operator can look at it and publish it again.
const LIFETIME: Duration = span::days(14);
/// For how long an event is tried. The stream announces it for 24 hours; this is a little less, so that it is marked before.
const TRIED_FOR: Duration = span::hours(23);

/// What has happened. A feature that brings another kind adds it here and to [`EventKind::ALL`]; its name is public and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// An account was created, by its owner or by an operator.
    AccountCreated,
    /// Its owner has shown that the e-mail address of an account is theirs, by the link of a mail to it.
    AccountVerified,
    /// An operator made an account active again.
    AccountActivated,
    /// An account was made inactive.
    AccountDeactivated,
    /// An account and its data were deleted.
    AccountDeleted,
    /// The username of an account was changed.
    AccountUpdated,
    /// The e-mail address of an account was changed.
    AddressChanged,
    /// A password was changed by somebody who knew it.
    PasswordChanged,
    /// A reset link was made. A request that leads to no link is no event, so that strangers cannot cause any.
    PasswordResetRequested,
    /// A password was replaced by a reset link.
    PasswordReset,
    /// A password was taken out of use, because its owner did not set it.
    PasswordDisavowed,
    /// A session was opened.
    SessionOpened,
    /// One session was ended by its holder.
    SessionEnded,
    /// Every session of an account was ended, without another change.
    SessionsEnded,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::AccountCreated,
        Self::AccountVerified,
        Self::AccountActivated,
        Self::AccountDeactivated,
        Self::AccountDeleted,
        Self::AccountUpdated,
        Self::AddressChanged,
        Self::PasswordChanged,
        Self::PasswordResetRequested,
        Self::PasswordReset,
        Self::PasswordDisavowed,
        Self::SessionOpened,
        Self::SessionEnded,
        Self::SessionsEnded,
    ];

    /// Its public name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccountCreated => "account.created",
            Self::AccountVerified => "account.verified",
            Self::AccountActivated => "account.activated",
            Self::AccountDeactivated => "account.deactivated",
            Self::AccountDeleted => "account.deleted",
            Self::AccountUpdated => "account.updated",
            Self::AddressChanged => "address.changed",
            Self::PasswordChanged => "password.changed",
            Self::PasswordResetRequested => "password.reset_requested",
            Self::PasswordReset => "password.reset",
            Self::PasswordDisavowed => "password.disavowed",
            Self::SessionOpened => "session.opened",
            Self::SessionEnded | Self::SessionsEnded => "session.ended",
        }
    }

    /// Whether it tells of all sessions or of one, if it tells of sessions that ended.
    const fn ends_all(self) -> Option<bool> {
        match self {
            Self::SessionEnded => Some(false),
            Self::SessionsEnded => Some(true),
            _ => None,
        }
    }

    /// The attributes of an item that say what has happened.
    fn attributes(self) -> impl Iterator<Item = (&'static str, Value)> {
        [("type", text(self.name()))].into_iter().chain(self.ends_all().map(|all| ("all", truth(all))))
    }

    /// The least recording with which it is written.
    const fn recorded_from(self) -> Recording {
        match self {
            Self::SessionOpened | Self::SessionEnded | Self::SessionsEnded => Recording::Sessions,
            _ => Recording::Accounts,
        }
    }
}

/// The key of an event in the Outbox. It displays as `partition/sort`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventKey {
    account: AccountId,
    sort: String,
}

impl EventKey {
    /// The key with these parts, if it is one of an event.
    #[must_use]
    pub fn of(partition: &str, sort: &str) -> Option<Self> {
        let account = partition.strip_prefix(PARTITION)?.parse().ok()?;
        (!sort.is_empty()).then(|| Self { account, sort: sort.to_owned() })
    }

    /// The key that displays as this text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.split_once('/').and_then(|(partition, sort)| Self::of(partition, sort))
    }

    fn key(&self) -> Key {
        Key::new(Table::Outbox, "event", format!("{PARTITION}{}", self.account), &self.sort)
    }
}

impl std::fmt::Display for EventKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{PARTITION}{}/{}", self.account, self.sort)
    }
}

/// Whether this is the partition of an account's events, which are no mail.
#[must_use]
pub fn is_events(partition: &str) -> bool {
    partition.starts_with(PARTITION)
}

/// An event that is not published yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its key in the Outbox.
    pub key: EventKey,
    /// Its id, which stays the same however often it is published: a UUID, version 7.
    pub id: uuid::Uuid,
    /// The name of what has happened. It is not read as an [`EventKind`], so that what a newer version writes is published too.
    pub kind: String,
    /// Whether all sessions ended or one, if some did.
    pub all: Option<bool>,
    /// The account to which it happened.
    pub account: AccountId,
    /// When it happened.
    pub at: Timestamp,
    /// When it was written, or when an operator last let it be published again.
    pub stored_at: Timestamp,
    /// Why it was given up, and when, if it was.
    pub given_up: Option<(String, Timestamp)>,
}

/// The public form of an event, the same on the bus and in a webhook.
#[derive(Serialize)]
struct Public<'a> {
    id: String,
    r#type: &'a str,
    timestamp: String,
    data: Data,
}

#[derive(Serialize)]
struct Data {
    account_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<bool>,
}

impl Event {
    /// Its public form, as JSON.
    #[must_use]
    pub fn public(&self) -> String {
        let data = Data { account_id: self.account.to_string(), all: self.all };
        let public = Public { id: self.id.to_string(), r#type: &self.kind, timestamp: rfc3339(self.at), data };
        // Texts only, which can always be written.
        serde_json::to_string(&public).unwrap_or_default()
    }

    /// Whether it has been tried for so long that the stream will not announce it much longer.
    #[must_use]
    pub fn is_too_old(&self, now: Timestamp) -> bool {
        self.stored_at < before(now, TRIED_FOR)
    }

    fn read(item: &Item) -> Result<Self, Fault> {
        let key = EventKey::of(item.text("pk")?, item.text("sk")?).ok_or(item.unreadable("pk"))?;
        Ok(Self {
            id: if item.has("id") { item.parsed("id")? } else { item.parsed("sk")? },
            kind: item.text("type")?.to_owned(),
            all: item.truth("all").ok(),
            account: key.account,
            at: item.instant("at")?,
            stored_at: item.instant("stored_at")?,
            given_up: item.optional_text("reason").map(str::to_owned).zip(item.optional_instant("given_up_at")),
            key,
        })
    }
}

/// The outcome of publishing an event again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Republished {
    /// It has been replaced by a new item with the same id, which will be published.
    Now,
    /// There is no such event that was given up.
    NotGivenUp,
}

impl Store {
    /// The write that leaves an event, for the transaction that makes it true; none if this deployment does not record such events.
    pub(crate) fn event(&self, kind: EventKind, account: AccountId, now: Timestamp) -> Option<Write> {
        let key = EventKey { account, sort: self.entropy().uuid(now).to_string() };
        let times = [("at", millis(now)), ("stored_at", millis(now)), ("expires_at", seconds(after(now, LIFETIME)))];
        (self.records() >= kind.recorded_from()).then(|| Write::put(key.key(), kind.attributes().chain(times)))
    }

    /// The event with this key, unless it is published or given up.
    pub async fn waiting_event(&self, key: &EventKey) -> Result<Option<Event>, Fault> {
        let event = self.read(&key.key()).await?.as_ref().map(Event::read).transpose()?;
        Ok(event.filter(|event| event.given_up.is_none()))
    }

    /// Deletes events that are published, at most 25.
    pub async fn forget_events(&self, events: &[&Event]) -> Result<(), Fault> {
        self.write_batch(events.iter().map(|event| Write::delete(event.key.key())).collect()).await
    }

    /// Gives up an event, and keeps it so that an operator can look at it and publish it again.
    pub async fn give_up_event(&self, key: &EventKey, reason: &str, now: Timestamp) -> Result<(), Fault> {
        let write = Write::update(key.key(), "SET given_up_at = :now, reason = :reason, expires_at = :expires")
            .when("attribute_exists(pk)")
            .with(":now", millis(now))
            .with(":reason", text(reason))
            .with(":expires", seconds(after(now, LIFETIME)));
        self.write(write).await.map(drop)
    }

    /// Events that were given up, or that the stream no longer announces, oldest first.
    pub async fn failed_events(&self, now: Timestamp) -> Result<Vec<Event>, Fault> {
        let condition = format!("begins_with(pk, :events) AND ({GIVEN_UP})");
        let values = [(":events", text(PARTITION)), (":stale", millis(stale(now)))];
        let items = self.scan(Table::Outbox, "event", &condition, values).await?;
        let mut events: Vec<Event> = items.iter().map(Event::read).collect::<Result<_, _>>()?;
        events.sort_by_key(|event| (event.at, event.id));
        Ok(events)
    }

    /// Publishes an event once more that was given up. A new item with the same id replaces the old one, because the stream announces only new items.
    pub async fn republish(&self, key: &EventKey, now: Timestamp) -> Result<Republished, Fault> {
        let Some(event) = self.read(&key.key()).await?.as_ref().map(Event::read).transpose()? else { return Ok(Republished::NotGivenUp) };
        let new = EventKey { account: event.account, sort: self.entropy().uuid(now).to_string() };
        let attributes = [
            ("id", text(event.id.to_string())),
            ("type", text(event.kind)),
            ("at", millis(event.at)),
            ("stored_at", millis(now)),
            ("expires_at", seconds(after(now, LIFETIME))),
        ];
        let gone = Write::delete(key.key()).when(GIVEN_UP).with(":stale", millis(stale(now)));
        let writes = vec![gone, Write::put(new.key(), attributes.into_iter().chain(event.all.map(|all| ("all", truth(all)))))];
        Ok(self.transact("publish event again", writes).await?.or(Republished::Now, Republished::NotGivenUp))
    }
}

/// An event that is marked as given up, or that nobody has handled while the stream announced it.
const GIVEN_UP: &str = "attribute_exists(given_up_at) OR stored_at < :stale";

/// Events that were written before this are no longer announced at `now`: the stream keeps a record for 24 hours.
fn stale(now: Timestamp) -> Timestamp {
    before(now, span::hours(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_form_names_the_account_and_nothing_else_of_it() {
        let account: AccountId = "01941f29-7c00-7000-8000-000000000000".parse().unwrap();
        let key = EventKey::parse(&format!("event#{account}/01941f29-7c00-7000-8000-000000000001")).unwrap();
        let at: Timestamp = "2026-11-24T09:00:00.123Z".parse().unwrap();
        let id = "01941f29-7c00-7000-8000-000000000001".parse().unwrap();
        let event =
            Event { key, id, kind: EventKind::PasswordReset.name().to_owned(), all: None, account, at, stored_at: at, given_up: None };
        insta::assert_snapshot!(event.public(), @r#"{"id":"01941f29-7c00-7000-8000-000000000001","type":"password.reset","timestamp":"2026-11-24T09:00:00Z","data":{"account_id":"01941f29-7c00-7000-8000-000000000000"}}"#);
        assert_eq!(event.key.to_string(), format!("event#{account}/{}", event.id));
    }

    #[test]
    fn no_two_kinds_are_told_alike() {
        let told: std::collections::BTreeSet<_> = EventKind::ALL.iter().map(|kind| (kind.name(), kind.ends_all())).collect();
        assert_eq!(told.len(), EventKind::ALL.len());
    }

    #[test]
    fn a_key_of_something_else_is_none_of_an_event() {
        for key in ["notice#01941f29-7c00-7000-8000-000000000000/x", "event#x/y", "event#01941f29-7c00-7000-8000-000000000000/", "held", ""]
        {
            assert_eq!(EventKey::parse(key), None, "{key}");
        }
    }
}
