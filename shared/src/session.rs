//! Sessions: opened by a login, valid under the account's current epoch, ended by any change of it.

use std::time::Duration;

use crate::{
    account::Account,
    clock::{Timestamp, after},
    config::{Settings, span},
    entropy::Entropy,
    http::{Refusal, Request, credentials},
    store::{Fault, Store, Window},
    token::{Session, Token},
};

/// A session as the store holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// The account's epoch that was read before the password was verified.
    pub epoch: u64,
    /// When it was opened.
    pub created_at: Timestamp,
    /// Until when it is valid: absolute, never extended (ASVS 5.0, 7.3.2).
    pub valid_until: Timestamp,
}

/// Who makes a request.
pub struct SignedIn {
    /// The account.
    pub account: Account,
    /// The token that proved it.
    pub token: Token<Session>,
}

/// Why a token signs nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSignedIn {
    /// Unknown, expired or ended.
    Invalid,
    /// Its account is switched off.
    Inactive,
}

impl From<NotSignedIn> for Refusal {
    fn from(reason: NotSignedIn) -> Self {
        Self::Unauthenticated(match reason {
            NotSignedIn::Invalid => "Invalid token.",
            NotSignedIn::Inactive => "User inactive or deleted.",
        })
    }
}

/// The rules of sessions.
#[derive(Clone, Copy, Debug)]
pub struct Sessions {
    /// How long a session lasts.
    pub lifetime: Duration,
    /// Everything opened earlier is over: an emergency lever.
    pub not_before: Option<Timestamp>,
}

impl Sessions {
    /// `SESSION_LIFETIME` (5m to 365d, default 30d) and `SESSIONS_NOT_BEFORE`.
    pub fn configured(settings: &mut Settings) -> Self {
        Self {
            lifetime: settings.span("SESSION_LIFETIME", span::days(30), span::minutes(5), span::days(365)),
            not_before: settings.instant("SESSIONS_NOT_BEFORE"),
        }
    }

    /// Whether something made at `instant` is over because of the lever.
    #[must_use]
    pub fn ended_by_lever(&self, instant: Timestamp) -> bool {
        self.not_before.is_some_and(|not_before| instant < not_before)
    }

    /// Opens a session of `account`, as it was read before its password was verified, and clears the window that let the login through.
    pub async fn open(
        &self,
        store: &Store,
        account: &Account,
        clear: &Window,
        entropy: &Entropy,
        now: Timestamp,
    ) -> Result<(Token<Session>, SessionRecord), Fault> {
        let token = Token::generate(account.id, entropy);
        let session = SessionRecord { epoch: account.epoch, created_at: now, valid_until: after(now, self.lifetime) };
        store.open_session(account.id, &token.digest(), &session, clear).await?;
        Ok((token, session))
    }

    /// Who holds this token. One consistent read; nothing is written.
    pub async fn check(&self, store: &Store, text: &str, now: Timestamp) -> Result<Result<SignedIn, NotSignedIn>, Fault> {
        let Some(token) = Token::<Session>::parse(text) else { return Ok(Err(NotSignedIn::Invalid)) };
        let (account, session) = store.session(token.account(), &token.digest()).await?;
        Ok(match (account, session) {
            (Some(account), Some(session)) if self.is_valid(&account, &session, now) => {
                if account.active {
                    Ok(SignedIn { account, token })
                } else {
                    Err(NotSignedIn::Inactive)
                }
            }
            _ => Err(NotSignedIn::Invalid),
        })
    }

    /// Who makes this request, by its Authorization header; whoever does not is told why.
    pub async fn authenticate(&self, store: &Store, request: &Request, now: Timestamp) -> Result<SignedIn, Refusal> {
        let token = credentials(&request.headers)?;
        Ok(self.check(store, token, now).await??)
    }

    fn is_valid(&self, account: &Account, session: &SessionRecord, now: Timestamp) -> bool {
        session.epoch == account.epoch && now < session.valid_until && !self.ended_by_lever(session.created_at)
    }
}
