//! Limits: how often a client or an account may try.
//!
//! A limit is a number of attempts in a window of fixed length, written like `60/5m`. Windows begin at multiples of their length, so that any two
//! windows' worth may fall together around a boundary; the bound that holds over a day is the number times the windows in it.

use std::{fmt, time::Duration};

use crate::{
    account::{Account, KnownNetwork},
    client::{Client, Network},
    clock::{Timestamp, after, before},
    config::{Settings, span},
    http::Refusal,
    metric::Metric,
    store::{Attempt, Store, Window},
    token::subject_digest,
};

/// The rule that counts logins tried at an account.
pub const LOGIN_ACCOUNT: &str = "login-account";
/// The rule that counts password changes tried at an account.
pub const CHANGE_ACCOUNT: &str = "change-account";

/// For how long a network that logged in to an account keeps a window of its own there.
pub const NETWORK_LIFETIME: Duration = span::days(30);
/// How many networks of an account have one at most.
pub const NETWORKS_AT_MOST: usize = 8;

/// So many attempts in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Attempts.
    pub allowed: u32,
    /// The length of a window, in whole seconds.
    pub window: Duration,
}

impl Limit {
    /// So many attempts in so much time.
    #[must_use]
    pub const fn new(allowed: u32, window: Duration) -> Self {
        Self { allowed, window }
    }

    /// The limit in this variable, or `default`.
    pub fn configured(settings: &mut Settings, name: &str, default: Self) -> Self {
        settings.parsed(name, default, |text| {
            let parsed = text.split_once('/').and_then(|(allowed, window)| {
                let limit = Self { allowed: allowed.trim().parse().ok()?, window: humantime::parse_duration(window.trim()).ok()? };
                let sane = limit.allowed >= 1 && limit.window >= span::seconds(1) && limit.window <= span::days(1);
                (sane && limit.window.subsec_nanos() == 0).then_some(limit)
            });
            parsed.ok_or_else(|| "must be attempts/window such as 60/5m, the window 1s to 1day".to_owned())
        })
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

/// A limit of attempts per client; the client is told (429), as its own excess is no secret.
#[derive(Clone, Copy, Debug)]
pub struct ClientLimit {
    rule: &'static str,
    limit: Limit,
    refusals: Metric,
}

impl ClientLimit {
    /// The limit in the variable `name`, or `default`, counted under `rule`; its refusals under `refusals`.
    pub fn configured(settings: &mut Settings, rule: &'static str, name: &str, default: Limit, refusals: Metric) -> Self {
        Self { rule, limit: Limit::configured(settings, name, default), refusals }
    }

    /// Counts an attempt of `client` and refuses what is too much. One write.
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

impl Window {
    /// Whole seconds until the window ends: what `Retry-After` says. At least 1.
    #[must_use]
    pub fn ends_in(&self, now: Timestamp) -> u64 {
        let left = self.ends_at.duration_since(now);
        let whole = u64::try_from(left.as_secs()).unwrap_or(0);
        (whole + u64::from(left.subsec_nanos() > 0)).max(1)
    }
}

/// Whom an attempt to log in is counted against.
///
/// The subject holds the account's epoch, so a changed password opens a new window. A network that logged in lately has a window of its own,
/// so that whoever guesses elsewhere does not shut out the owner. A name that nobody has is counted like one that somebody has.
#[must_use]
pub fn login_subject(name: &str, account: Option<&Account>, client: Client, now: Timestamp) -> String {
    let Some(account) = account else { return format!("name {}", name.to_lowercase()) };
    let site = client.site();
    let known = known_networks(account, now).any(|network| *network == site);
    let network = if known { site.as_str() } else { "" };
    format!("account {} {} {network}", account.id, account.epoch)
}

/// Whom an attempt to change a password is counted against: an account under its current epoch.
#[must_use]
pub fn change_subject(account: &Account) -> String {
    format!("account {} {}", account.id, account.epoch)
}

/// Where the attempts at an account under its current epoch are counted: its logins from anywhere and from its own networks, its changes.
#[must_use]
pub fn windows_of(account: &Account) -> Vec<String> {
    let networks = account.networks.iter().map(|known| known.network.as_str()).chain([""]);
    let logins = networks.map(|network| counted_under(LOGIN_ACCOUNT, &format!("account {} {} {network}", account.id, account.epoch)));
    logins.chain([counted_under(CHANGE_ACCOUNT, &change_subject(account))]).collect()
}

fn counted_under(rule: &str, subject: &str) -> String {
    format!("{rule}#{}", subject_digest(subject))
}

/// The networks that still count as the account's own at `now`.
fn known_networks(account: &Account, now: Timestamp) -> impl Iterator<Item = &Network> {
    let oldest = before(now, NETWORK_LIFETIME);
    account.networks.iter().filter(move |known| known.seen_at > oldest).take(NETWORKS_AT_MOST).map(|known| &known.network)
}

/// The account's networks after a login of `client`, if they differ from what it has: at most [`NETWORKS_AT_MOST`], the newest, none too old.
///
/// A network is noted at most once a day, so that a login seldom costs the write.
#[must_use]
pub fn remembered_networks(account: &Account, client: Client, now: Timestamp) -> Option<Vec<KnownNetwork>> {
    let site = client.site();
    let fresh = before(now, span::days(1));
    if account.networks.iter().any(|known| known.network == site && known.seen_at > fresh) {
        return None;
    }
    let oldest = before(now, NETWORK_LIFETIME);
    let others = account.networks.iter().filter(|known| known.network != site && known.seen_at > oldest).cloned();
    Some(std::iter::once(KnownNetwork { network: site.clone(), seen_at: now }).chain(others).take(NETWORKS_AT_MOST).collect())
}

/// `RESET_COOL_DOWN`: how long after a reset mail the next one to the same account may go out, growing with each: `1m,5m,15m` by default.
pub fn cool_down(settings: &mut Settings) -> Vec<Duration> {
    let default = vec![span::minutes(1), span::minutes(5), span::minutes(15)];
    settings.parsed("RESET_COOL_DOWN", default, |text| {
        let spans: Result<Vec<Duration>, _> = text.split(',').map(|entry| humantime::parse_duration(entry.trim())).collect();
        // Ten minutes is the shortest life of a link: a cool-down beyond it would leave the owner with a dead one.
        let sane = |span: &Duration| *span >= span::seconds(1) && *span <= span::hours(1) && span.subsec_nanos() == 0;
        spans.ok().filter(|spans| spans.iter().all(sane)).ok_or_else(|| "must be spans such as 1m,5m,15m, each 1s to 1h".to_owned())
    })
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
