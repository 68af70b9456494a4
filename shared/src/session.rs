//! Sessions. A login opens one, and it is valid only under the epoch that the account had then.

mod idle;
pub(crate) mod imported;
mod list;

use std::time::Duration;

use self::idle::Idle;
pub(crate) use self::list::{id_in, listed};
pub use self::{
    imported::{CarriedOver, ImportedToken},
    list::{Ended, ListedSession},
};
use crate::{
    account::{self, Account, AccountId},
    agent::Agent,
    caller::Caller,
    client::{Client, Network},
    clock::{Timestamp, after},
    config::{Settings, span},
    entropy::Entropy,
    event::EventKind,
    fault::Fault,
    http::{Refusal, Request, credentials},
    limit::Window,
    store::{Item, Key, Store, Table, Write, millis, number, seconds, text},
    telemetry,
    token::{Digest, Session, Token},
};

/// Maximum difference between the clocks of an operator and a function.
const CLOCK_SKEW: Duration = span::minutes(5);

/// The prefix of a session's sort key; the digest of its token follows.
const SORT_PREFIX: &str = "session#";

/// A stored session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// The account's epoch that was read before the password was verified.
    pub epoch: u64,
    /// When it was opened.
    pub created_at: Timestamp,
    /// Until when it is valid: absolute, never extended (ASVS 5.0, 7.3.2).
    pub valid_until: Timestamp,
    /// The network from which it was opened: an IPv4 /24 or an IPv6 /48. Sessions of earlier versions do not have it.
    pub network: Option<Network>,
    /// The browser in which it was opened, if it was recognised. Sessions of earlier versions do not have it.
    pub agent: Option<Agent>,
    /// The day on which it was last used, counted from 1970. It is stored only with `SESSION_IDLE`.
    seen_on: Option<i64>,
}

/// The account that a request is authenticated as, and the token.
pub struct SignedIn {
    /// The account.
    pub account: Account,
    /// The token that proved it.
    pub token: PresentedToken,
}

/// The token of a request: the account that it claims, and its digest. Only the stored session proves the claim.
pub struct PresentedToken {
    account: AccountId,
    digest: Digest<Session>,
}

impl PresentedToken {
    /// The account that it claims to belong to.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> Digest<Session> {
        self.digest.clone()
    }
}

/// The outcome of checking a token.
pub enum Checked {
    /// The token is valid.
    SignedIn(Box<SignedIn>),
    /// The token is not valid.
    Not(SessionError),
}

/// Why a token is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// Unknown, expired or ended.
    Invalid,
    /// Its account is inactive.
    Inactive,
}

impl From<SessionError> for Refusal {
    fn from(reason: SessionError) -> Self {
        Self::Unauthenticated(match reason {
            SessionError::Invalid => "Invalid token.",
            SessionError::Inactive => "User inactive or deleted.",
        })
    }
}

/// The rules of sessions.
#[derive(Clone, Copy, Debug)]
pub struct Sessions {
    /// How long a session lasts.
    lifetime: Duration,
    /// Sessions opened earlier have ended: an emergency switch.
    not_before: Option<Timestamp>,
    /// After this number of days without use a session ends.
    idle: Idle,
    /// Whether tokens that were imported from another site are looked up.
    imported: bool,
    /// Whether a check also reads the account's profile, in the same call.
    with_profile: bool,
}

impl Sessions {
    /// `SESSION_LIFETIME` (5m to 365d, default 30d), `SESSION_IDLE` (off, the default, or 1d to 90d), `IMPORTED_TOKENS` (off, the default, or on) and
    /// `SESSIONS_NOT_BEFORE`. A time in the future is refused, because every session would end when it is opened, and every link when it is mailed.
    pub fn configured(settings: &mut Settings, now: Timestamp) -> Self {
        let lifetime = settings.span("SESSION_LIFETIME", span::days(30), span::minutes(5), span::days(365));
        let not_before = settings.instant("SESSIONS_NOT_BEFORE");
        if not_before.is_some_and(|not_before| not_before > after(now, CLOCK_SKEW)) {
            settings.complain("SESSIONS_NOT_BEFORE: must not lie in the future".to_owned());
        }
        let imported = settings.parsed("IMPORTED_TOKENS", false, |text| match text {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err("must be on or off".to_owned()),
        });
        Self { lifetime, not_before, idle: Idle::configured(settings), imported, with_profile: false }
    }

    /// Whether tokens that were imported from another site are valid sessions.
    #[must_use]
    pub fn take_imported_tokens(&self) -> bool {
        self.imported
    }

    /// The same, and if `is_needed` a check also reads the account's profile, as an additional item of the same call.
    #[must_use]
    pub fn with_profile(self, is_needed: bool) -> Self {
        Self { with_profile: is_needed, ..self }
    }

    /// Whether the emergency switch has ended what was made at `instant`.
    #[must_use]
    pub fn ended_by_switch(&self, instant: Timestamp) -> bool {
        self.not_before.is_some_and(|not_before| instant < not_before)
    }

    /// Opens a session of `account`, as it was read before its password was verified, for `caller`. It also clears the window that counted the login, and
    /// leaves the event if sessions are recorded. This is one call with independent writes. It succeeds when all are done, so there is no answer without
    /// its event. If it fails, there may be an event of a session whose token nobody got.
    pub async fn open(
        &self,
        store: &Store,
        account: &Account,
        caller: &Caller,
        clear: &Window,
        entropy: &Entropy,
        now: Timestamp,
    ) -> Result<(Token<Session>, SessionRecord), Fault> {
        let token = Token::generate(account.id, entropy);
        let session = SessionRecord {
            epoch: account.epoch,
            created_at: now,
            valid_until: after(now, self.lifetime),
            network: caller.address.map(|address| Client::at(address).site()),
            agent: caller.agent,
            seen_on: self.idle.day_of_login(now),
        };
        let mut writes = vec![session.put(account.id, &token.digest()), clear.cleared()];
        writes.extend(store.event_from(EventKind::SessionOpened, account.id, session.network.clone(), now));
        store.write_batch(writes).await?;
        Ok((token, session))
    }

    /// Checks a token. One consistent read, and one before it for an imported token. It writes nothing, unless `SESSION_IDLE` is set: then the first check
    /// of a day stores the day.
    pub async fn check(&self, store: &Store, token: &str, now: Timestamp) -> Result<Checked, Fault> {
        let Some(token) = self.presented(store, token).await? else { return Ok(Checked::Not(SessionError::Invalid)) };
        let keys = [account::key(token.account), key(token.account, &token.digest)];
        let profile = self.with_profile.then(|| account::profile_key(token.account));
        let ([Some(account), Some(session)], profile) = store.read_all_and(Table::Accounts, keys, profile).await? else {
            return Ok(Checked::Not(SessionError::Invalid));
        };
        let (mut account, session) = (account::read(&account)?, read(&session)?);
        account.profile = profile.map(account::read_profile).unwrap_or_default();
        Ok(if !self.is_valid(&account, &session, now) {
            Checked::Not(SessionError::Invalid)
        } else if account.active {
            self.note_use(store, &token, &session, now).await;
            Checked::SignedIn(Box::new(SignedIn { account, token }))
        } else {
            Checked::Not(SessionError::Inactive)
        })
    }

    /// Parses a token; `None` if it is invalid. Our tokens contain their account's id. That of an imported token is looked up, which alone grants nothing:
    /// the session is read afterwards, as for every token.
    async fn presented(&self, store: &Store, text: &str) -> Result<Option<PresentedToken>, Fault> {
        if let Some(token) = Token::<Session>::parse(text) {
            return Ok(Some(PresentedToken { account: token.account(), digest: token.digest() }));
        }
        let Some(token) = ImportedToken::parse(text).filter(|_| self.imported) else { return Ok(None) };
        // Boxed, because otherwise the future of every check would have the size for this one.
        let owner = Box::pin(store.owner_of(&token)).await?;
        Ok(owner.map(|account| PresentedToken { account, digest: token.digest().clone() }))
    }

    /// Stores that a session was used today, if `SESSION_IDLE` is set and it is not stored yet. A failure does not change the answer, because the session
    /// then only seems to have been used longer ago. A session that has ended in the meantime stays ended.
    async fn note_use(&self, store: &Store, token: &PresentedToken, session: &SessionRecord, now: Timestamp) {
        let Some(day) = self.idle.day_to_store(session.created_at, session.seen_on, now) else { return };
        let used = Write::update(key(token.account, &token.digest), "SET seen_on = :day")
            .when("attribute_exists(pk) AND (attribute_not_exists(seen_on) OR seen_on < :day)")
            .with(":day", number(day));
        if let Err(fault) = store.write(used).await {
            tracing::warn!(%fault, "use of a session not stored");
        }
    }

    /// The account behind a request, by its Authorization header, or the reason why there is none.
    pub async fn authenticate(&self, store: &Store, request: &Request, now: Timestamp) -> Result<SignedIn, Refusal> {
        match self.check(store, credentials(&request.headers)?, now).await? {
            Checked::SignedIn(signed_in) => {
                telemetry::note_account(signed_in.account.id);
                Ok(*signed_in)
            }
            Checked::Not(reason) => Err(reason.into()),
        }
    }

    fn is_valid(&self, account: &Account, session: &SessionRecord, now: Timestamp) -> bool {
        session.epoch == account.epoch
            && now < session.valid_until
            && !self.ended_by_switch(session.created_at)
            && !self.idle.has_ended(session.created_at, session.seen_on, now)
    }
}

impl SessionRecord {
    fn put(&self, account: AccountId, digest: &Digest<Session>) -> Write {
        let attributes = [
            ("epoch", number(self.epoch)),
            ("created_at", millis(self.created_at)),
            ("valid_until", millis(self.valid_until)),
            ("expires_at", seconds(self.valid_until)),
        ];
        let network = self.network.as_ref().map(|network| ("network", text(network.as_str())));
        let agent = self.agent.map(|agent| ("browser", text(agent.to_string())));
        let seen_on = self.seen_on.map(|day| ("seen_on", number(day)));
        Write::put(key(account, digest), attributes.into_iter().chain(network).chain(agent).chain(seen_on))
    }
}

impl Store {
    /// Ends one session. If it has already ended, another request has left the event.
    pub async fn end_session(&self, account: AccountId, digest: &Digest<Session>, now: Timestamp) -> Result<(), Fault> {
        let end = Write::delete(key(account, digest));
        match self.event(EventKind::SessionEnded, account, now) {
            Some(event) => self.transact("end session", vec![end.when("attribute_exists(pk)"), event]).await.map(drop),
            None => self.write(end).await.map(drop),
        }
    }

    /// Ends every session of an account. If the account does not exist, it has no sessions either.
    pub async fn end_sessions(&self, account: AccountId, now: Timestamp) -> Result<(), Fault> {
        let end = account::end_sessions(account);
        match self.event(EventKind::SessionsEnded, account, now) {
            Some(event) => self.transact("end sessions", vec![end, event]).await.map(drop),
            None => self.write(end).await.map(drop),
        }
    }
}

/// The write that ends a session, on condition that it has not ended yet.
pub(crate) fn ended(account: AccountId, digest: &Digest<Session>) -> Write {
    Write::delete(key(account, digest)).when("attribute_exists(pk)")
}

/// The write that moves a session to the account's next epoch, which ends all the others.
pub(crate) fn carried_over(account: &Account, digest: &Digest<Session>) -> Write {
    Write::update(key(account.id, digest), "SET epoch = :next")
        .when("epoch = :epoch")
        .with(":epoch", number(account.epoch))
        .with(":next", number(account.epoch + 1))
}

fn key(account: AccountId, digest: &Digest<Session>) -> Key {
    Key::new(Table::Accounts, "session", account::partition(account), format!("{SORT_PREFIX}{}", digest.as_str()))
}

fn read(item: &Item) -> Result<SessionRecord, Fault> {
    Ok(SessionRecord {
        epoch: item.number("epoch")?,
        created_at: item.instant("created_at")?,
        valid_until: item.instant("valid_until")?,
        network: item.optional_text("network").map(|network| Network::stored(network.to_owned())),
        agent: item.optional_text("browser").and_then(|agent| agent.parse().ok()),
        seen_on: item.optional_number("seen_on"),
    })
}
