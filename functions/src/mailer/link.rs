//! The links that a request asks for, to reset a password or to verify an address. They are stored before their mail is sent.

use std::time::Duration;

use doorward::{
    account::AccountId,
    clock::{Timestamp, after},
    delivery::Suppressed,
    link::{KeptLink, NewLink},
    token::{Purpose, Token},
};

use super::{Mailer, deliver::Handled};

/// A link that is stored and about to be mailed.
pub(super) struct Prepared<P> {
    pub(super) token: Token<P>,
    pub(super) link: NewLink<P>,
    /// The link that it replaces.
    pub(super) in_use: Option<KeptLink<P>>,
}

impl Mailer {
    /// A link for an account, not stored yet.
    pub(super) fn new_link<P: Purpose>(
        &self,
        account: AccountId,
        requested_at: Timestamp,
        lifetime: Duration,
        now: Timestamp,
    ) -> (Token<P>, NewLink<P>) {
        let token = Token::generate(account, &self.entropy);
        let link = NewLink { digest: token.digest(), requested_at, issued_at: now, valid_until: after(now, lifetime) };
        (token, link)
    }
}

/// How a request is handled that gets no link. `current` is the link that is stored, and `in_use` is that link if the owner may hold it.
pub(super) fn without_link<P>(
    account: AccountId,
    requested_at: Timestamp,
    (current, in_use): (Option<&KeptLink<P>>, Option<&KeptLink<P>>),
    cools_down: bool,
    now: Timestamp,
) -> Option<Handled> {
    // This request was answered before, and the mailer crashed before it marked that.
    if in_use.is_some_and(|link| link.requested_at == requested_at && !link.has_pending) {
        return Some(Handled::Nothing("answered before"));
    }
    if cools_down {
        return Some(Handled::suppressed(account, Suppressed::CoolingDown));
    }
    // A newer request has or will get the link.
    let is_newer = |link: &KeptLink<P>| link.requested_at > requested_at && now < link.valid_until;
    current.is_some_and(is_newer).then(|| Handled::suppressed(account, Suppressed::NewerRequest))
}
