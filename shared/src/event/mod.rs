//! Events: they report to other programs what has happened to accounts.
//!
//! An event is an item in the Outbox, written in the transaction of the change that it reports. So whatever fails, there is no change without its event
//! and no event without its change. The function `events` publishes it and then deletes it. If it fails in between, it publishes the event again, under
//! the same id.
//!
//! An event names the account by its id and contains no other data of it. A receiver reads what it needs with its own permissions. With `EVENT_DATA=full`
//! the names of the account are added when the event is published, so that they are not stored in the Outbox, and the caller's network when the event is
//! written, because it is not known later.

mod bus;
mod details;

use std::time::Duration;

pub use self::{
    bus::{Bus, PutError},
    details::{Details, Exported, Names},
};
use crate::{
    client::Network,
    clock::{Timestamp, after, before},
    config::span,
    fault::Fault,
    id::AccountId,
    recording::{EventData, Recording},
    store::{Item, Key, Store, Table, Value, Write, Written, millis, seconds, text},
};

/// The prefix of the partition key of an account's events. The account's id follows.
const PARTITION: &str = "event#";
/// The text that follows it for events that are about all accounts.
const ALL_ACCOUNTS: &str = "accounts";
/// How long an event that is never published is kept, so that an operator can look at it and publish it again.
const LIFETIME: Duration = span::days(14);
/// For how long publishing an event is tried. The stream announces it for 24 hours; this is a little less, so that the event is marked before that ends.
const TRIED_FOR: Duration = span::hours(23);

/// The kind of an event. A feature adds its kinds here and to [`EventKind::ALL`]. Their names are public and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// An account was created, by its owner or by an operator.
    AccountCreated,
    /// The e-mail address of an account was verified, by the link of a mail to it.
    AccountVerified,
    /// An operator made an account active again.
    AccountActivated,
    /// An account was made inactive.
    AccountDeactivated,
    /// An account and its data were deleted.
    AccountDeleted,
    /// The username of an account was changed, or one of its declared fields.
    AccountUpdated,
    /// The e-mail address of an account was changed.
    AddressChanged,
    /// A password was changed by somebody who knew it.
    PasswordChanged,
    /// A reset link was made. A request that leads to no link is no event, so that strangers cannot cause any.
    PasswordResetRequested,
    /// A password was replaced by a reset link.
    PasswordReset,
    /// A password was disabled by "this wasn't me".
    PasswordDisavowed,
    /// A session was opened.
    SessionOpened,
    /// One session was ended by its holder.
    SessionEnded,
    /// Every session of an account was ended, without another change.
    SessionsEnded,
    /// An operator exported accounts, or one.
    AccountsExported,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
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
        Self::AccountsExported,
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
            Self::AccountsExported => "accounts.exported",
        }
    }

    /// For ended sessions: whether it is about all sessions or one.
    const fn ends_all(self) -> Option<bool> {
        match self {
            Self::SessionEnded => Some(false),
            Self::SessionsEnded => Some(true),
            _ => None,
        }
    }

    /// The lowest setting of `EVENTS` with which it is written.
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
    /// The account, unless the event is about all accounts.
    account: Option<AccountId>,
    sort: String,
}

/// The partition of an account's events.
pub(crate) fn partition(account: AccountId) -> String {
    format!("{PARTITION}{account}")
}

impl EventKey {
    /// The key with these parts, if it is one of an event.
    #[must_use]
    pub fn of(partition: &str, sort: &str) -> Option<Self> {
        let account = match partition.strip_prefix(PARTITION)? {
            ALL_ACCOUNTS => None,
            account => Some(account.parse().ok()?),
        };
        (!sort.is_empty()).then(|| Self { account, sort: sort.to_owned() })
    }

    /// The key that displays as this text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.split_once('/').and_then(|(partition, sort)| Self::of(partition, sort))
    }

    fn partition(&self) -> String {
        self.account.map_or_else(|| format!("{PARTITION}{ALL_ACCOUNTS}"), partition)
    }

    fn key(&self) -> Key {
        Key::new(Table::Outbox, "event", self.partition(), &self.sort)
    }
}

impl std::fmt::Display for EventKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.partition(), self.sort)
    }
}

/// Whether this is the partition of an account's events, which are not mail.
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
    /// The name of its kind. It is not parsed as an [`EventKind`], so that events of a newer version are published too.
    pub kind: String,
    /// Its other data.
    pub details: Details,
    /// The account, unless the event is about all accounts.
    pub account: Option<AccountId>,
    /// The names of the account, if events contain them and the account still exists.
    pub names: Option<Names>,
    /// When it happened.
    pub at: Timestamp,
    /// When it was written, or when an operator last retried it.
    pub stored_at: Timestamp,
    /// The time at which it was given up, and the reason, if it was.
    pub given_up: Option<(String, Timestamp)>,
}

impl Event {
    /// Whether it has been tried for so long that the stream will soon stop announcing it.
    #[must_use]
    pub fn is_too_old(&self, now: Timestamp) -> bool {
        self.stored_at < before(now, TRIED_FOR)
    }

    fn read(item: &Item) -> Result<Self, Fault> {
        let key = EventKey::of(item.text("pk")?, item.text("sk")?).ok_or(item.unreadable("pk"))?;
        Ok(Self {
            id: if item.has("id") { item.parsed("id")? } else { item.parsed("sk")? },
            kind: item.text("type")?.to_owned(),
            details: Details::read(item),
            account: key.account,
            names: None,
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
    /// The write that leaves an event, for the transaction of the change that it reports; `None` if this deployment does not record such events.
    pub(crate) fn event(&self, kind: EventKind, account: AccountId, now: Timestamp) -> Option<Write> {
        self.event_with(kind, Some(account), Details::default(), now)
    }

    /// The same, with the network from which the event was caused. The network is written only with `EVENT_DATA=full`.
    pub(crate) fn event_from(&self, kind: EventKind, account: AccountId, network: Option<Network>, now: Timestamp) -> Option<Write> {
        let network = network.filter(|_| self.event_data() == EventData::Full);
        self.event_with(kind, Some(account), Details { network, ..Details::default() }, now)
    }

    fn event_with(&self, kind: EventKind, account: Option<AccountId>, details: Details, now: Timestamp) -> Option<Write> {
        if self.records() < kind.recorded_from() {
            return None;
        }
        let key = EventKey { account, sort: self.entropy().uuid(now).to_string() };
        let details = Details { all: kind.ends_all(), ..details };
        Some(Write::put(key.key(), [("type", text(kind.name()))].into_iter().chain(details.attributes()).chain(times(now, now))))
    }

    /// Leaves the event of an export of one account or of all. Returns whether this deployment records such events.
    pub async fn tell_export(&self, account: Option<AccountId>, exported: Exported, now: Timestamp) -> Result<bool, Fault> {
        let details = Details { exported: Some(exported), ..Details::default() };
        match self.event_with(EventKind::AccountsExported, account, details, now) {
            Some(event) => self.write(event).await.map(|written| matches!(written, Written::Done(_))),
            None => Ok(false),
        }
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

    /// Retries an event that was given up. A new item with the same id replaces the old one, because the stream announces only new items.
    pub async fn republish(&self, key: &EventKey, now: Timestamp) -> Result<Republished, Fault> {
        let Some(event) = self.read(&key.key()).await?.as_ref().map(Event::read).transpose()? else { return Ok(Republished::NotGivenUp) };
        let new = EventKey { account: event.account, sort: self.entropy().uuid(now).to_string() };
        let which = [("id", text(event.id.to_string())), ("type", text(event.kind))];
        let again = Write::put(new.key(), which.into_iter().chain(event.details.attributes()).chain(times(event.at, now)));
        let gone = Write::delete(key.key()).when(GIVEN_UP).with(":stale", millis(stale(now)));
        Ok(self.transact("publish event again", vec![gone, again]).await?.or(Republished::Now, Republished::NotGivenUp))
    }
}

/// The attributes that say when an event happened, and when it was written.
fn times(at: Timestamp, now: Timestamp) -> [(&'static str, Value); 3] {
    [("at", millis(at)), ("stored_at", millis(now)), ("expires_at", seconds(after(now, LIFETIME)))]
}

/// The condition for an event that is marked as given up, or that was not handled while the stream announced it.
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
        let kind = EventKind::PasswordReset.name().to_owned();
        let mut event =
            Event { key, id, kind, details: Details::default(), account: Some(account), names: None, at, stored_at: at, given_up: None };
        insta::assert_snapshot!(event.public(), @r#"{"id":"01941f29-7c00-7000-8000-000000000001","type":"password.reset","timestamp":"2026-11-24T09:00:00Z","data":{"account_id":"01941f29-7c00-7000-8000-000000000000"}}"#);
        assert_eq!(event.key.to_string(), format!("event#{account}/{}", event.id));

        // With all data that an event can have.
        event.names = Some(Names { username: "ann".to_owned(), email: "ann@example.com".to_owned() });
        let exported =
            Exported { count: 1, format: "jsonl".to_owned(), with_hashes: true, caller: Some("arn:aws:iam::1:user/eve".to_owned()) };
        event.details = Details { all: Some(true), network: Some(Network::stored("192.0.2.0".to_owned())), exported: Some(exported) };
        insta::assert_snapshot!(event.public().split_once("\"data\":").unwrap().1, @r#"{"account_id":"01941f29-7c00-7000-8000-000000000000","username":"ann","email":"ann@example.com","network":"192.0.2.0","all":true,"count":1,"format":"jsonl","with_hashes":true,"caller":"arn:aws:iam::1:user/eve"}}"#);
    }

    #[test]
    fn no_two_kinds_are_told_alike() {
        let told: std::collections::BTreeSet<_> = EventKind::ALL.iter().map(|kind| (kind.name(), kind.ends_all())).collect();
        assert_eq!(told.len(), EventKind::ALL.len());
    }

    #[test]
    fn a_key_of_something_else_is_none_of_an_event() {
        assert_eq!(EventKey::parse("event#accounts/x").map(|key| key.to_string()).as_deref(), Some("event#accounts/x"));
        for key in ["notice#01941f29-7c00-7000-8000-000000000000/x", "event#x/y", "event#01941f29-7c00-7000-8000-000000000000/", "held", ""]
        {
            assert_eq!(EventKey::parse(key), None, "{key}");
        }
    }
}
