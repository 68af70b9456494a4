//! The sessions of an account: listing them, and ending them one by one.

use std::cmp::Reverse;

use super::{PresentedToken, SORT_PREFIX, SessionRecord, Sessions, SignedIn, key, read};
use crate::{
    account::{self, Account},
    clock::Timestamp,
    event::EventKind,
    fault::Fault,
    store::{Item, Store, Table, Write},
    token::{Digest, Session, subject_digest},
};

/// The number of characters of a session's id: 132 bits, so that no two sessions have the same.
const ID_LENGTH: usize = 22;

/// A live session of an account.
pub struct ListedSession {
    /// Its digest.
    digest: Digest<Session>,
    /// Its item.
    pub record: SessionRecord,
}

/// The outcome of ending sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// They have ended.
    Now,
    /// The account's sessions were ended since it was read, for example by a change of the password. Nothing was written.
    Overtaken,
}

/// The id by which its owner names a session. It opens nothing, and it is not the key under which the session is stored.
fn id_of(digest: &Digest<Session>) -> String {
    let mut id = subject_digest(digest.as_str());
    id.truncate(ID_LENGTH);
    id
}

/// Reads a session from its item.
pub(crate) fn listed(item: &Item) -> Result<ListedSession, Fault> {
    let record = read(item)?;
    let digest = item.text("sk")?.strip_prefix(SORT_PREFIX).ok_or(item.unreadable("sk"))?;
    Ok(ListedSession { digest: Digest::stored(digest.to_owned()), record })
}

/// The id of the session with this sort key.
pub(crate) fn id_in(sort: &str) -> Option<String> {
    sort.strip_prefix(SORT_PREFIX).map(|digest| id_of(&Digest::stored(digest.to_owned())))
}

impl ListedSession {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> String {
        id_of(&self.digest)
    }

    /// Whether it is the session of this token.
    #[must_use]
    pub fn is_of(&self, token: &PresentedToken) -> bool {
        self.has(&token.digest())
    }

    /// Whether it is the session with this digest.
    pub(crate) fn has(&self, digest: &Digest<Session>) -> bool {
        self.digest == *digest
    }
}

impl SignedIn {
    /// The id of the session that makes the request.
    #[must_use]
    pub fn session_id(&self) -> String {
        id_of(&self.token.digest())
    }
}

impl Sessions {
    /// Every session of the account that a check would accept at `now`, the newest first. One query.
    ///
    /// `None` if the account has changed since it was read: a session has moved to a later epoch by a change of the password, and would be missing.
    pub async fn list(&self, store: &Store, account: &Account, now: Timestamp) -> Result<Option<Vec<ListedSession>>, Fault> {
        let mut sessions = store.stored_sessions(account).await?;
        if sessions.iter().any(|session| session.record.epoch > account.epoch) {
            return Ok(None);
        }
        sessions.retain(|session| self.is_valid(account, &session.record, now));
        sessions.sort_by_cached_key(|session| (Reverse(session.record.created_at), session.id()));
        Ok(Some(sessions))
    }

    /// Whether a check would accept this session of the account.
    pub(crate) fn lets_in(&self, account: &Account, session: &ListedSession, now: Timestamp) -> bool {
        self.is_valid(account, &session.record, now)
    }

    /// When a session was last used, to the day, in seconds since 1970. It is known only with `SESSION_IDLE`.
    #[must_use]
    pub fn last_seen(&self, session: &SessionRecord) -> Option<i64> {
        self.idle.last_seen(session.created_at, session.seen_on)
    }
}

impl Store {
    /// The stored sessions of an account, in no order, valid or not.
    async fn stored_sessions(&self, account: &Account) -> Result<Vec<ListedSession>, Fault> {
        let items = self.read_prefixed(Table::Accounts, "session", &account::partition(account.id), SORT_PREFIX).await?;
        items.iter().map(listed).collect()
    }

    /// Ends these sessions of an account together, if its sessions were not ended otherwise since it was read. That is checked even if there is no session
    /// to end, so that the answer is correct. If one has already ended, another request has left its event. A transaction has at most 100 writes: two for
    /// a session, if sessions are recorded.
    pub async fn end_listed(&self, account: &Account, sessions: &[&ListedSession], now: Timestamp) -> Result<Ended, Fault> {
        let mut left = sessions.to_vec();
        loop {
            let mut writes = vec![account::unchanged(account)];
            for session in &left {
                let end = Write::delete(key(account.id, &session.digest));
                match self.event(EventKind::SessionEnded, account.id, now) {
                    Some(event) => writes.extend([end.when("attribute_exists(pk)"), event]),
                    None => writes.push(end),
                }
            }
            let outcome = self.transact("end sessions", writes).await?;
            if outcome.refused_at(0) {
                return Ok(Ended::Overtaken);
            }
            let before = left.len();
            left =
                left.into_iter().enumerate().filter(|(place, _)| !outcome.refused_at(1 + 2 * place)).map(|(_, session)| session).collect();
            if left.len() == before {
                return Ok(outcome.or(Ended::Now, Ended::Overtaken));
            }
        }
    }
}
