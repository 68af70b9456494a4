//! Reset links: whether one works.

use crate::{
    account::Account,
    clock::Timestamp,
    config::Settings,
    session::Sessions,
    store::{Fault, Store},
    token::{Digest, Reset, Token},
};

/// The rules of reset links.
#[derive(Clone, Copy, Debug)]
pub struct ResetLinks {
    sessions: Sessions,
}

/// A link that works, and whose.
pub struct WorkingLink {
    /// The account.
    pub account: Account,
    /// What the store knows the link by.
    pub digest: Digest<Reset>,
}

impl ResetLinks {
    /// `SESSIONS_NOT_BEFORE` ends links too.
    pub fn configured(settings: &mut Settings) -> Self {
        Self { sessions: Sessions::configured(settings) }
    }

    /// Whose working link has this token. One consistent read; nothing is spent.
    pub async fn check(&self, store: &Store, token: &str, now: Timestamp) -> Result<Option<WorkingLink>, Fault> {
        let Some(token) = Token::<Reset>::parse(token) else { return Ok(None) };
        let digest = token.digest();
        let (account, link) = store.reset_link(token.account()).await?;
        let link = link.filter(|link| link.digest == digest && link.is_live(now) && !self.sessions.ended_by_lever(link.issued_at));
        let account = account.filter(|account| account.usable_password().is_some());
        Ok(account.zip(link).map(|(account, _)| WorkingLink { account, digest }))
    }
}
