//! Reset links, which replace a forgotten password once. An account has at most one; a newer one overwrites it.

use std::time::Duration;

use crate::{
    account::{self, Account, AccountId, KnownNetwork, NewPassword},
    client::Client,
    clock::Timestamp,
    config::{Settings, span},
    event::EventKind,
    fault::Fault,
    link::{Kept, KeptLink, Links, LiveLink, Mailed, NewLink, StoredLink},
    outbox::{self, Notice},
    password::StoredPassword,
    session::Sessions,
    store::{Store, Table},
    token::{Digest, Reset, Token},
};

impl Mailed for Reset {
    const KIND: &'static str = "reset link";
    const KEPT: Kept = Kept::Newest("reset");
}

/// The outcome of spending a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// The link was spent by this call.
    Now,
    /// There is no such link: unknown, expired, used, or its account cannot be opened.
    NotValid,
}

/// The rules of reset links.
#[derive(Clone, Copy, Debug)]
pub struct ResetLinks {
    sessions: Sessions,
    /// Whether a check also reads the account's profile, in the same call.
    with_profile: bool,
}

impl ResetLinks {
    /// `SESSIONS_NOT_BEFORE` ends links too.
    pub fn configured(settings: &mut Settings, now: Timestamp) -> Self {
        Self { sessions: Sessions::configured(settings, now), with_profile: false }
    }

    /// The same, and if `is_needed` a check also reads the account's profile, as an additional item of the same call.
    #[must_use]
    pub fn with_profile(self, is_needed: bool) -> Self {
        Self { with_profile: is_needed, ..self }
    }

    /// Whether `SESSIONS_NOT_BEFORE` has ended the links that were made at this instant.
    #[must_use]
    pub fn ended_by_switch(&self, made_at: Timestamp) -> bool {
        self.sessions.ended_by_switch(made_at)
    }

    /// The account's link, unless it has expired, was never mailed, or was ended by `SESSIONS_NOT_BEFORE`. It is the one that the owner may hold.
    #[must_use]
    pub fn in_use(&self, link: Option<&KeptLink<Reset>>, now: Timestamp) -> Option<KeptLink<Reset>> {
        link.filter(|link| link.is_in_use(now) && !self.ended_by_switch(link.issued_at)).cloned()
    }

    /// The link with this token, if it works. One consistent read, which does not use it up; no read if the text is not a token.
    pub async fn check(&self, store: &Store, token: Option<&Token<Reset>>, now: Timestamp) -> Result<Option<LiveLink<Reset>>, Fault> {
        let Some(token) = token else { return Ok(None) };
        let Some(link) = Links::live_with(store, token, self.with_profile, now).await? else { return Ok(None) };
        let ended = link.made_at.is_none_or(|made_at| self.ended_by_switch(made_at));
        Ok((!ended).then_some(link))
    }
}

/// `RESET_COOL_DOWN`: the time between reset mails to one account, growing with each of them.
///
/// The default is 1, 5 and 15 minutes, and then half of a link's lifetime, so that under constant requests by strangers each mailed link works for at
/// least that long.
pub fn cool_down(settings: &mut Settings, link_lifetime: Duration) -> Vec<Duration> {
    let half = link_lifetime / 2;
    let default = [span::minutes(1), span::minutes(5), span::minutes(15)].into_iter().filter(|step| *step < half).chain([half]).collect();
    settings.parsed("RESET_COOL_DOWN", default, |text| {
        let spans: Result<Vec<Duration>, _> = text.split(',').map(|entry| humantime::parse_duration(entry.trim())).collect();
        // With a cool-down of more than an hour most owners would have an expired link.
        let is_sane = |span: &Duration| *span >= span::seconds(1) && *span <= span::hours(1) && span.subsec_nanos() == 0;
        spans.ok().filter(|spans| spans.iter().all(is_sane)).ok_or_else(|| "must be spans such as 1m,5m,15m, each 1s to 1h".to_owned())
    })
}

impl Store {
    /// A reset link and its account, each if it exists, in one consistent read.
    pub async fn reset_link(&self, account: AccountId) -> Result<(Option<Account>, Option<KeptLink<Reset>>), Fault> {
        let [account, link] = self.read_all(Table::Accounts, [account::key(account), Links::<Reset>::newest_key(account)]).await?;
        Ok((account.as_ref().map(account::read).transpose()?, link.as_ref().map(Links::read).transpose()?))
    }

    /// Stores a link whose mail is about to be sent: beside `in_use`, the link that the owner may have, or in place of one that no longer works. `current`
    /// is the account's link as it was read.
    pub async fn store_reset_link(
        &self,
        account: &Account,
        link: &NewLink<Reset>,
        current: Option<&KeptLink<Reset>>,
        in_use: Option<&KeptLink<Reset>>,
    ) -> Result<StoredLink, Fault> {
        let store = Links::stored(account.id, link, current, in_use);
        let check = account::resettable(account.id, &account.email, link.requested_at);
        // A try that follows one that made a link for the same request is no other event.
        let is_first = current.is_none_or(|current| current.requested_at != link.requested_at);
        let event = is_first.then(|| self.event(EventKind::PasswordResetRequested, account.id, link.issued_at)).flatten();
        self.store_link("store reset link", check, store, event).await
    }

    /// Uses a reset link up once, in one transaction: sets the new password, ends every session and leaves a notice. Another link can be requested at
    /// once, because the earlier link has ended.
    pub async fn spend_reset(
        &self,
        account: AccountId,
        link: &Digest<Reset>,
        client: Client,
        password: &StoredPassword,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<Spent, Fault> {
        let password = NewPassword { stored: password, network: KnownNetwork::of(client, now) };
        let mut writes = vec![
            account::password_reset(account, password, now),
            Links::spend(account, link, now),
            outbox::asked_for_again(&notice.email, now),
            outbox::notice(notice),
        ];
        writes.extend(self.event_from(EventKind::PasswordReset, account, Some(client.site()), now));
        Ok(self.transact("spend reset", writes).await?.or(Spent::Now, Spent::NotValid))
    }
}
