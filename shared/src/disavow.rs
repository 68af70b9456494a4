//! "This wasn't me": the link in a notice, with which an owner disables a password that somebody else has set.

use std::time::Duration;

use crate::{
    account::{self, Account, AccountId},
    client::Client,
    clock::{Timestamp, after, before},
    config::span,
    deletion,
    event::EventKind,
    fault::Fault,
    link::{Kept, Links, LiveLink, Mailed},
    outbox::{self, ResetRequest},
    reset,
    store::{Store, Write},
    token::{Digest, Disavow, Token},
};

/// How long such a link works. A person who is on holiday for a week still has it.
pub const DISAVOWAL_LIFETIME: Duration = span::days(7);

/// Maximum number of tries of a disavowal while others change the password.
const MAX_TRIES: u32 = 5;

/// How the sort key of such a link begins, and the sort key of the reset request that it causes; its digest follows.
const SORT_PREFIX: &str = "disavow#";

impl Mailed for Disavow {
    const KIND: &'static str = "disavowal";
    // A thief who changes the password twice more does not outrun the notice of the first time.
    const KEPT: Kept = Kept::Each(SORT_PREFIX);

    // A thief who has the account deleted does not outrun it either.
    fn works_for(account: &Account) -> bool {
        account.can_be_disavowed()
    }
}

/// The outcome of "this wasn't me".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disavowed {
    /// The link was spent by this call.
    Now,
    /// There is no such link: unknown, expired, used, or its account cannot be opened. Nothing was written.
    NotValid,
}

/// The write that stores a link.
pub(crate) fn link(account: AccountId, link: &Digest<Disavow>, now: Timestamp) -> Write {
    link_until(account, link, now, after(now, DISAVOWAL_LIFETIME))
}

/// The write that stores a link that works until then.
pub(crate) fn link_until(account: AccountId, link: &Digest<Disavow>, now: Timestamp, valid_until: Timestamp) -> Write {
    Links::put(account, link, now, valid_until, [])
}

impl Store {
    /// Stores a link of an account, unless the account is gone.
    pub async fn keep_disavowal(&self, account: AccountId, digest: &Digest<Disavow>, now: Timestamp) -> Result<bool, Fault> {
        let writes = vec![account::existing(account), link(account, digest, now)];
        Ok(self.transact("keep disavowal", writes).await?.or(true, false))
    }

    /// The link with this token, if it works. One consistent read, which does not use it up; none if what was entered is no token.
    ///
    /// A disavowal ends the links that were made before it, so of many kept links only one can be used.
    pub async fn disavowal(&self, token: Option<&Token<Disavow>>, now: Timestamp) -> Result<Option<LiveLink<Disavow>>, Fault> {
        let Some(token) = token else { return Ok(None) };
        let link = Links::live(self, token, now).await?;
        Ok(link.filter(|link| link.account.disavowals_before.is_none_or(|before| before < made_at(link))))
    }

    /// Spends a link, all or nothing, once: ends every session, takes the password out of use, ends the reset link, and leaves a request
    /// for a new one, which is the only way back in. If the account was asked to be deleted, that is called off.
    ///
    /// The old reset link is deleted because a thief who changed the password may hold it. Its cool-down is deleted with it, so that the new one is sent.
    /// A request that is not newer than the password gets no link, so a disavowal that loses against a change is repeated with a time after that change.
    pub async fn disavow(&self, link: &LiveLink<Disavow>, request: ResetRequest) -> Result<Disavowed, Fault> {
        let sort = format!("{SORT_PREFIX}{}", link.digest.as_str());
        let spend = |now| Some(Links::spend(link.account.id, &link.digest, now));
        self.disavow_password(&link.account, Some(made_at(link)), request, &sort, spend).await
    }

    /// Does for an operator, who knows that it was not the owner, what such a link does: it needs an account for which such a link would work.
    pub async fn disavow_for_owner(&self, account: &Account, request: ResetRequest) -> Result<Disavowed, Fault> {
        let sort = self.entropy().uuid(request.requested_at).to_string();
        self.disavow_password(account, None, request, &sort, |_| None).await
    }

    /// `made_at` is when the link was made; without one, the disavowal follows all that there were. `sort` is the sort key of the request, and `spend` the
    /// write that uses up the link.
    async fn disavow_password(
        &self,
        account: &Account,
        made_at: Option<Timestamp>,
        mut request: ResetRequest,
        sort: &str,
        spend: impl Fn(Timestamp) -> Option<Write>,
    ) -> Result<Disavowed, Fault> {
        let (id, mut account) = (account.id, account.clone());
        let network = request.caller.address.map(|address| Client::at(address).site());
        for _ in 0..MAX_TRIES {
            let latest = account
                .disavowals_before
                .filter(|_| made_at.is_none())
                .map_or(account.password_changed_at, |before| before.max(account.password_changed_at));
            let now = request.requested_at.max(after(latest, Duration::from_millis(1)));
            request.requested_at = now;
            let disavowed = account::password_disavowed(&account, made_at.unwrap_or(now), now);
            let link = spend(now);
            let has_link = link.is_some();
            let others = [reset::forgotten(id), outbox::reset_request(&request, sort)];
            let others = others.into_iter().chain(self.event_from(EventKind::PasswordDisavowed, id, network.clone(), now));
            let kept = account.leaving.iter().flat_map(|leaving| {
                [Some(deletion::called_off(id, leaving)), self.event(EventKind::AccountActivated, id, now)].into_iter().flatten()
            });
            let others = others.chain(kept);
            let outcome = self.transact("disavow", [disavowed].into_iter().chain(link).chain(others).collect()).await?;
            if !outcome.refused_at(0) || has_link && outcome.refused_at(1) {
                return Ok(outcome.or(Disavowed::Now, Disavowed::NotValid));
            }
            // The sessions were ended in the meantime, for example by a change of the password.
            let is_newer =
                |account: &Account| made_at.is_none_or(|made_at| account.disavowals_before.is_none_or(|before| before < made_at));
            account = match self.account(id).await? {
                Some(account) if account.can_be_disavowed() && is_newer(&account) => account,
                _ => return Ok(Disavowed::NotValid),
            };
        }
        Err(Fault::OutOfTime)
    }
}

/// When a link was made. For a link without that attribute it follows from its expiry, because all of them are valid for the same time.
fn made_at(link: &LiveLink<Disavow>) -> Timestamp {
    link.made_at.unwrap_or(before(link.valid_until, DISAVOWAL_LIFETIME))
}
