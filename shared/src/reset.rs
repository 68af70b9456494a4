//! Reset links: they replace a forgotten password, once. An account has one, overwritten by the newest.

use std::time::Duration;

use crate::{
    account::{self, Account, AccountId},
    clock::{Timestamp, after},
    config::{Settings, span},
    fault::Fault,
    link::{Kept, Links, LiveLink, Mailed},
    outbox::{self, Notice},
    password::StoredPassword,
    session::Sessions,
    store::{Item, Key, Store, Table, Write, millis, number, text},
    token::{Digest, Reset, Token},
};

/// The sort key of a reset link.
const SORT: &str = "reset";

impl Mailed for Reset {
    const KIND: &'static str = "reset link";
    const KEPT: Kept = Kept::Newest(SORT);
}

/// A reset link as the store holds it.
#[derive(Clone, Debug)]
pub struct ResetLink {
    /// The digest of its token.
    pub digest: Digest<Reset>,
    /// When it was asked for. Only the newest request has a link.
    pub requested_at: Timestamp,
    /// When it was made.
    pub issued_at: Timestamp,
    /// Until when it works.
    pub valid_until: Timestamp,
    /// How many mails the mail service has accepted since the account last had no live link. The cool-down grows with it.
    pub sent: u32,
    /// When the last of them was accepted.
    pub sent_at: Option<Timestamp>,
}

impl ResetLink {
    /// Whether the link has not expired at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.valid_until
    }

    /// Whether another mail would come too soon: a live link was sent less than its cool-down ago.
    #[must_use]
    pub fn cools_down(&self, cool_down: &[Duration], now: Timestamp) -> bool {
        let step = usize::try_from(self.sent).unwrap_or(usize::MAX).saturating_sub(1);
        let Some(wait) = cool_down.get(step).or(cool_down.last()) else { return false };
        self.is_live(now) && self.sent_at.is_some_and(|sent_at| now < after(sent_at, *wait))
    }
}

/// The outcome of spending a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// The link was spent by this call.
    Now,
    /// There is no such link: unknown, expired, used, or its account cannot be opened.
    NotValid,
}

/// The outcome of storing a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredLink {
    /// It is the account's only link now.
    Now,
    /// A newer request or a newer password was there, or the account cannot be opened. Nothing was written.
    Overtaken,
}

/// The rules of reset links.
#[derive(Clone, Copy, Debug)]
pub struct ResetLinks {
    sessions: Sessions,
}

impl ResetLinks {
    /// `SESSIONS_NOT_BEFORE` ends links too.
    pub fn configured(settings: &mut Settings) -> Self {
        Self { sessions: Sessions::configured(settings) }
    }

    /// The link with this token, if it works. One consistent read; nothing is spent.
    pub async fn check(&self, store: &Store, token: &Token<Reset>, now: Timestamp) -> Result<Option<LiveLink<Reset>>, Fault> {
        let Some(link) = Links::live(store, token, now).await? else { return Ok(None) };
        let ended = self.sessions.ended_by_switch(link.item.instant("issued_at")?);
        Ok((!ended).then_some(link))
    }
}

/// `RESET_COOL_DOWN`: how long after a reset mail the next one to the same account may go out, growing with each: `1m,5m,15m` by default.
pub fn cool_down(settings: &mut Settings) -> Vec<Duration> {
    let default = vec![span::minutes(1), span::minutes(5), span::minutes(15)];
    settings.parsed("RESET_COOL_DOWN", default, |text| {
        let spans: Result<Vec<Duration>, _> = text.split(',').map(|entry| humantime::parse_duration(entry.trim())).collect();
        // Ten minutes is the shortest life of a link. A longer cool-down would leave the owner with an expired one.
        let is_sane = |span: &Duration| *span >= span::seconds(1) && *span <= span::hours(1) && span.subsec_nanos() == 0;
        spans.ok().filter(|spans| spans.iter().all(is_sane)).ok_or_else(|| "must be spans such as 1m,5m,15m, each 1s to 1h".to_owned())
    })
}

impl Store {
    /// A reset link and its account, each if it exists, in one consistent read.
    pub async fn reset_link(&self, account: AccountId) -> Result<(Option<Account>, Option<ResetLink>), Fault> {
        let [account, link] = self.read_all(Table::Accounts, [account::key(account), key(account)]).await?;
        Ok((account.as_ref().map(account::read).transpose()?, link.as_ref().map(read).transpose()?))
    }

    /// Makes `link` the account's only link, unless its request is older than the last password change or than the current link's request.
    pub async fn store_reset_link(&self, account: AccountId, link: &ResetLink) -> Result<StoredLink, Fault> {
        let mut besides =
            vec![("requested_at", millis(link.requested_at)), ("issued_at", millis(link.issued_at)), ("sent", number(link.sent))];
        besides.extend(link.sent_at.map(|sent_at| ("sent_at", millis(sent_at))));
        let newest = Links::put(account, &link.digest, link.valid_until, besides)
            .when("attribute_not_exists(pk) OR requested_at <= :requested")
            .with(":requested", millis(link.requested_at));
        let writes = vec![account::resettable(account, link.requested_at), newest];
        Ok(self.transact("store reset link", writes).await?.or(StoredLink::Now, StoredLink::Overtaken))
    }

    /// Notes that the mail service accepted the link's mail, if the link is still the current one.
    pub async fn mark_link_sent(&self, account: AccountId, link: &ResetLink, now: Timestamp) -> Result<(), Fault> {
        let mark = Write::update(key(account), "SET sent_at = :now, sent = :sent")
            .when("digest = :digest")
            .with(":now", millis(now))
            .with(":sent", number(link.sent.saturating_add(1)))
            .with(":digest", text(link.digest.as_str()));
        self.write(mark).await.map(drop)
    }

    /// Spends a reset link: sets the new password, ends every session and leaves a notice to send, all or nothing, once.
    pub async fn spend_reset(
        &self,
        account: AccountId,
        link: &Digest<Reset>,
        password: &StoredPassword,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<Spent, Fault> {
        let writes = vec![account::password_reset(account, password, now), Links::spend(account, link, now), outbox::notice(notice)];
        Ok(self.transact("spend reset", writes).await?.or(Spent::Now, Spent::NotValid))
    }
}

/// The write that makes an account's reset link work no more, if it has one.
pub(crate) fn forgotten(account: AccountId) -> Write {
    Write::delete(key(account))
}

fn key(account: AccountId) -> Key {
    Key::new(Table::Accounts, Reset::KIND, account::partition(account), SORT)
}

fn read(item: &Item) -> Result<ResetLink, Fault> {
    Ok(ResetLink {
        digest: Digest::stored(item.text("digest")?.to_owned()),
        requested_at: item.instant("requested_at")?,
        issued_at: item.instant("issued_at")?,
        valid_until: item.instant("valid_until")?,
        sent: item.number("sent")?,
        sent_at: item.optional_instant("sent_at"),
    })
}
