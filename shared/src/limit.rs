//! Limits on the number of attempts of a client or at an account.
//!
//! A limit is a number of attempts in a window of fixed length, written like `60/5m`. Windows begin at multiples of their length, so twice the number of
//! attempts may come together around a boundary. The maximum in a day is the number times the windows in it.

use std::{fmt, time::Duration};

use futures_util::future::join;

use crate::{
    account::{Account, KnownNetwork},
    client::{Client, Network},
    clock::{Timestamp, after, before},
    config::{Settings, span},
    fault::Fault,
    http::Refusal,
    metric::Metric,
    store::{Key, Store, Table, Write, Written, number, seconds, text},
    token::subject_digest,
};

/// The rule that counts attempts to log in to an account.
pub const LOGIN_ACCOUNT: &str = "login-account";
/// The rule that counts attempts to change an account's password.
pub(crate) const CHANGE_ACCOUNT: &str = "change-account";
/// The rule that counts an owner's changes of the username. Each of them sends a mail.
pub const RENAME_ACCOUNT: &str = "rename-account";
/// How often an owner may change the username.
pub const RENAMES: Limit = Limit::new(5, span::days(1));

/// The rule that counts an owner's exports.
pub const EXPORT_ACCOUNT: &str = "export-account";
/// How often the sessions of an account may export it. An export reads everything that is stored about the account.
pub const EXPORTS: Limit = Limit::new(10, span::days(1));

/// The rule that counts an owner's requests for another address. Each sends two mails.
pub const ADDRESS_ACCOUNT: &str = "address-account";
/// The rule that counts the requests of all accounts for one address, whose mailbox may be a stranger's.
pub const ADDRESS_TARGET: &str = "address-target";
/// How often another address may be requested, by one account and for one mailbox.
pub const ADDRESS_CHANGES: Limit = Limit::new(5, span::days(1));

/// How long a network of the owner has a window of its own. This is longer than every session (`SESSION_LIFETIME` is at most 365 days), so that an
/// owner who logs in only when a session has ended still has one.
const NETWORK_LIFETIME: Duration = span::days(400);
/// The maximum number of an account's networks with a window of their own.
const MAX_NETWORKS: usize = 8;

/// A number of attempts per window, such as 60 in 5 minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The number of attempts.
    pub allowed: u32,
    /// The length of a window, in whole seconds.
    pub window: Duration,
}

impl Limit {
    /// Counts an attempt of this subject under `rule`, by the holder of a session. Over the limit it is refused.
    pub async fn admit(&self, store: &Store, rule: &'static str, subject: &str, now: Timestamp) -> Result<(), Refusal> {
        let window = self.window(rule, subject, now);
        match store.count(&window).await? {
            Attempt::Granted => Ok(()),
            Attempt::Refused => {
                Metric::CHANGES_LIMITED.count();
                Err(Refusal::Throttled { retry_after: window.ends_in(now) })
            }
        }
    }

    /// A limit of `allowed` attempts per `window`.
    #[must_use]
    pub const fn new(allowed: u32, window: Duration) -> Self {
        Self { allowed, window }
    }

    /// The limit in this variable, or `default`.
    pub fn configured(settings: &mut Settings, name: &str, default: Self) -> Self {
        settings.parsed(name, default, |text| {
            let parsed = text.split_once('/').and_then(|(allowed, window)| {
                let limit = Self { allowed: allowed.trim().parse().ok()?, window: humantime::parse_duration(window.trim()).ok()? };
                let is_sane = limit.allowed >= 1 && limit.window >= span::seconds(1) && limit.window <= span::days(1);
                (is_sane && limit.window.subsec_nanos() == 0).then_some(limit)
            });
            parsed.ok_or_else(|| "must be attempts/window such as 60/5m, the window 1s to 1day".to_owned())
        })
    }

    /// `LOGIN_ACCOUNT_LIMIT`: the limit of logins to one account.
    pub fn of_logins(settings: &mut Settings) -> Self {
        Self::configured(settings, "LOGIN_ACCOUNT_LIMIT", Self::new(10, span::minutes(15)))
    }

    /// The window at `now` in which `rule` counts `subject`.
    #[must_use]
    pub fn window(self, rule: &str, subject: &str, now: Timestamp) -> Window {
        let length = i64::try_from(self.window.as_secs()).unwrap_or(i64::MAX).max(1);
        let starts_at = Timestamp::from_second(now.as_second() - now.as_second().rem_euclid(length)).unwrap_or(now);
        Window { subject: counted_under(rule, subject), starts_at, ends_at: after(starts_at, self.window), allowed: self.allowed }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.allowed, humantime::format_duration(self.window))
    }
}

/// A limit of attempts per client. A client over it gets 429, because it may know that it has exceeded its own limit.
#[derive(Clone, Copy, Debug)]
pub struct ClientLimit {
    rule: &'static str,
    limit: Limit,
    refusals: Metric,
}

impl ClientLimit {
    /// `CONFIRM_CLIENT_LIMIT`: the limit of those who use links of mails, counted under `rule`, and that of those who open them. Opening a page has
    /// its own counter, shared by all such pages, so that a mail scanner cannot use up its reader's attempts.
    pub fn of_mailed_links(settings: &mut Settings, rule: &'static str) -> [Self; 2] {
        let default = Limit::new(30, span::minutes(5));
        [rule, "confirm-page"].map(|rule| Self::configured(settings, rule, "CONFIRM_CLIENT_LIMIT", default, Metric::RESETS_LIMITED))
    }

    /// `RESET_CLIENT_LIMIT`: the limit of those who request a mailed link, and that of those who export their account, counted under `rule`; its refusals are
    /// counted by the metric `refusals`.
    pub fn of_requested_links_and_exports(settings: &mut Settings, rule: &'static str, refusals: Metric) -> Self {
        Self::configured(settings, rule, "RESET_CLIENT_LIMIT", Limit::new(20, span::hours(1)), refusals)
    }

    /// The limit in the variable `name`, or `default`, counted under `rule`; its refusals are counted by the metric `refusals`.
    pub fn configured(settings: &mut Settings, rule: &'static str, name: &str, default: Limit, refusals: Metric) -> Self {
        Self { rule, limit: Limit::configured(settings, name, default), refusals }
    }

    /// Counts an attempt of `client` and does `look_up` at the same time, and returns the result of the look-up. Over the limit the attempt is refused,
    /// and the result of the look-up is dropped. `look_up` must only read; hashes and writes come afterwards. Both calls take one round trip.
    pub fn admit_while<T>(
        &self,
        store: &Store,
        client: Client,
        now: Timestamp,
        look_up: impl Future<Output = T>,
    ) -> impl Future<Output = Result<T, Refusal>> {
        // Boxed, because two calls of the SDK need much memory.
        let both = Box::pin(join(self.admit(store, client, now), look_up));
        async {
            let (admitted, found) = both.await;
            admitted.map(|()| found)
        }
    }

    /// Counts an attempt of `client`, or refuses it over the limit. One write.
    pub async fn admit(&self, store: &Store, client: Client, now: Timestamp) -> Result<(), Refusal> {
        let window = self.limit.window(self.rule, client.counted().as_str(), now);
        match store.count(&window).await? {
            Attempt::Granted => Ok(()),
            Attempt::Refused => {
                self.refusals.count();
                Err(Refusal::Throttled { retry_after: window.ends_in(now) })
            }
        }
    }
}

/// A window of a limit: a rule, a subject, and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The rule and the digest of its subject.
    pub(crate) subject: String,
    /// When the window began.
    pub(crate) starts_at: Timestamp,
    /// When it ends.
    pub(crate) ends_at: Timestamp,
    /// How many attempts it allows.
    pub(crate) allowed: u32,
}

/// Whether an attempt was within its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It was, and is counted.
    Granted,
    /// The window was full.
    Refused,
}

impl Window {
    fn key(&self) -> Key {
        Key::new(Table::Limits, "window", &self.subject, self.starts_at.as_second().to_string())
    }

    /// The write that clears the window.
    pub(crate) fn cleared(&self) -> Write {
        Write::delete(self.key())
    }

    /// Whole seconds until the window ends, at least 1, for `Retry-After`.
    #[must_use]
    pub(crate) fn ends_in(&self, now: Timestamp) -> u64 {
        let left = self.ends_at.duration_since(now);
        let whole = u64::try_from(left.as_secs()).unwrap_or(0);
        (whole + u64::from(left.subsec_nanos() > 0)).max(1)
    }
}

impl Store {
    /// Counts an attempt, if its window has room. Of any number of simultaneous attempts, no more are accepted than the window allows.
    pub async fn count(&self, window: &Window) -> Result<Attempt, Fault> {
        let attempt = self.attempt_id();
        let count = Write::update(window.key(), "SET expires_at = :expires, attempt = :attempt ADD hits :one")
            .when("attribute_not_exists(hits) OR (hits < :allowed AND attempt <> :attempt)")
            .with(":attempt", text(&attempt))
            // Stored a day longer than the window, so that an operator can look at it.
            .with(":expires", seconds(after(window.ends_at, span::days(1))))
            .with(":one", number(1))
            .with(":allowed", number(window.allowed))
            .show_refusing();
        Ok(match self.write(count).await? {
            Written::Done(_) => Attempt::Granted,
            // The SDK repeats a call whose answer was lost. Then this attempt itself may have filled the window.
            Written::Refused(counted) if counted.optional_text("attempt") == Some(&attempt) => Attempt::Granted,
            Written::Refused(_) => Attempt::Refused,
        })
    }
}

/// The subject under which a login is counted.
///
/// The subject contains the time at which the password was set, so only a new password opens a new window. The end of sessions does not, because everybody
/// who is logged in can cause it. A network from which the owner registered, reset the password or logged in has a window of its own, so that a stranger
/// who guesses from another network does not lock the owner out. An unknown name is counted like a known one.
#[must_use]
pub fn login_subject(name: &str, account: Option<&Account>, client: Client, now: Timestamp) -> String {
    let Some(account) = account else { return format!("name {}", name.to_lowercase()) };
    let site = client.site();
    let known = known_networks(account, now).any(|network| *network == site);
    let network = if known { site.as_str() } else { "" };
    login_subject_of(account, network)
}

fn login_subject_of(account: &Account, network: &str) -> String {
    format!("account {} {} {network}", account.id, account.password_changed_at.as_millisecond())
}

/// The number of login attempts at an account in the present window, from one of the networks that it knows or from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginTries {
    /// The network; `None` stands for every network that the account does not know.
    pub network: Option<Network>,
    /// The number of attempts.
    pub tries: u32,
    /// Whether further attempts are refused.
    pub is_limited: bool,
    /// When the window ends.
    pub until: Timestamp,
}

impl Store {
    /// The present login windows of an account that have attempts. One read for each network that it knows, and one more.
    pub async fn login_tries(&self, account: &Account, limit: Limit, now: Timestamp) -> Result<Vec<LoginTries>, Fault> {
        let mut found = Vec::new();
        for network in known_networks(account, now).map(Some).chain([None]) {
            let subject = login_subject_of(account, network.map_or("", Network::as_str));
            let window = limit.window(LOGIN_ACCOUNT, &subject, now);
            let tries = self.read(&window.key()).await?.and_then(|item| item.optional_number("hits")).unwrap_or_default();
            if tries > 0 {
                let (network, is_limited) = (network.cloned(), tries >= limit.allowed);
                found.push(LoginTries { network, tries, is_limited, until: window.ends_at });
            }
        }
        Ok(found)
    }
}

/// The subject under which an attempt to change a password is counted: the account, even after its password has changed. A change that succeeds is
/// counted too, because each sends a mail.
#[must_use]
pub(crate) fn change_subject(account: &Account) -> String {
    format!("account {}", account.id)
}

/// The partitions of an account's counters: logins with its current password from unknown networks and from its own networks, changes of password,
/// username and address, and exports.
pub(crate) fn windows_of(account: &Account) -> Vec<String> {
    let networks = account.networks.iter().map(|known| known.network.as_str()).chain([""]);
    let logins = networks.map(|network| counted_under(LOGIN_ACCOUNT, &login_subject_of(account, network)));
    let others = [RENAME_ACCOUNT, ADDRESS_ACCOUNT, EXPORT_ACCOUNT].map(|rule| counted_under(rule, &account.id.to_string()));
    logins.chain([counted_under(CHANGE_ACCOUNT, &change_subject(account))]).chain(others).collect()
}

fn counted_under(rule: &str, subject: &str) -> String {
    format!("{rule}#{}", subject_digest(subject))
}

/// The networks that still count as the account's own at `now`.
fn known_networks(account: &Account, now: Timestamp) -> impl Iterator<Item = &Network> {
    let oldest = before(now, NETWORK_LIFETIME);
    account.networks.iter().filter(move |known| known.seen_at > oldest).take(MAX_NETWORKS).map(|known| &known.network)
}

/// Whether the account knows networks, and this client's is none of them.
#[must_use]
pub(crate) fn is_new_network(account: &Account, client: Client, now: Timestamp) -> bool {
    let site = client.site();
    let mut known = known_networks(account, now).peekable();
    known.peek().is_some() && known.all(|network| *network != site)
}

/// The account's networks after a login of `client`, if they differ from the stored ones: at most 8, newest first, none older than 400 days.
///
/// A network is stored at most once a day, so few logins need this write.
#[must_use]
pub fn remembered_networks(account: &Account, client: Client, now: Timestamp) -> Option<Vec<KnownNetwork>> {
    let site = client.site();
    let fresh = before(now, span::days(1));
    if account.networks.iter().any(|known| known.network == site && known.seen_at > fresh) {
        return None;
    }
    let oldest = before(now, NETWORK_LIFETIME);
    let others = account.networks.iter().filter(|known| known.network != site && known.seen_at > oldest).cloned();
    Some(std::iter::once(KnownNetwork::of(client, now)).chain(others).take(MAX_NETWORKS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_attempts_in_a_window() {
        let mut settings = Settings::from_pairs([("A".to_owned(), "3/1m".to_owned()), ("B".to_owned(), "0/1m".to_owned())]);
        let default = Limit::new(60, span::minutes(5));
        assert_eq!(Limit::configured(&mut settings, "A", default), Limit::new(3, span::minutes(1)));
        assert_eq!(Limit::configured(&mut settings, "C", default).to_string(), "60/5m");
        Limit::configured(&mut settings, "B", default);
        assert!(settings.finish().is_err());
    }

    #[test]
    fn a_window_says_when_it_ends() {
        let now: Timestamp = "2026-01-01T00:04:18.5Z".parse().unwrap();
        let window = Limit::new(60, span::minutes(5)).window("login", "somebody", now);
        assert_eq!(window.starts_at.to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(window.ends_in(now), 42);
        assert!(!window.subject.contains("somebody"));
    }
}
