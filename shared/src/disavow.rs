//! "This wasn't me": the link in a notice with which an owner disables a password that somebody else has set or used.

use std::time::Duration;

use crate::{
    account::{self, Account, AccountId, EmailAddress, FormerAddress, GivenBack, Username},
    client::Client,
    clock::{Timestamp, after, before},
    config::span,
    deletion_list,
    event::EventKind,
    fault::Fault,
    link::{Kept, Links, LiveLink, Mailed},
    outbox::{self, ResetRequest},
    store::{MAX_TRIES, Store, Write, number},
    token::{Digest, Disavow, NewAddress, Reset, Token, Verify},
};

/// How long such a link works: long enough for a week's holiday.
pub const DISAVOWAL_LIFETIME: Duration = span::days(7);

/// The prefix of the sort keys of such a link and of the reset request that it causes; the link's digest follows.
const SORT_PREFIX: &str = "disavow#";

impl Mailed for Disavow {
    const KIND: &'static str = "disavowal";
    // The link in the first notice still works after a thief has changed the password again.
    const KEPT: Kept = Kept::Each(SORT_PREFIX);

    // It also works until the account is deleted, if a thief has requested the deletion.
    fn works_for(account: &Account) -> bool {
        account.can_be_disavowed()
    }
}

/// The outcome of "this wasn't me".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disavowed {
    /// This call has used the link up.
    Now,
    /// There is no such link: unknown, expired, used, or its account cannot be opened. Nothing was written.
    NotValid,
}

/// The write that stores a link, which goes to the mailbox that the account had when its address had changed `address_no` times. Without `until` it works
/// for [`DISAVOWAL_LIFETIME`].
pub(crate) fn link(account: AccountId, digest: &Digest<Disavow>, address_no: u64, until: Option<Timestamp>, now: Timestamp) -> Write {
    let besides = (address_no > 0).then(|| ("address_no", number(address_no)));
    Links::put(account, digest, now, until.unwrap_or(after(now, DISAVOWAL_LIFETIME)), besides)
}

/// Who disavows.
#[derive(Clone, Copy)]
enum By<'a> {
    /// The holder of the link in a notice.
    Link(&'a LiveLink<Disavow>),
    /// An operator. With an address, that former address is given back; if it is not reserved for the account, nothing happens.
    Operator(Option<&'a EmailAddress>),
}

impl LiveLink<Disavow> {
    /// The former address that this link gives back to its account, if any: the one to which it was mailed.
    #[must_use]
    pub fn gives_back(&self, now: Timestamp) -> Option<&FormerAddress> {
        self.account.address_before(self.address_no, now)
    }

    /// Whether it works for the account as it is now: it was mailed to the present address, or to a former one that it gives back. A disavowal ends the
    /// links that were made before it, except those that give an address back, because otherwise the holder of the new mailbox could end them.
    fn counts(&self, account: &Account, now: Timestamp) -> bool {
        let is_newer = account.disavowals_before.is_none_or(|before| before < made_at(self));
        is_newer && self.address_no == account.address_no || account.address_before(self.address_no, now).is_some()
    }
}

impl Store {
    /// Stores a link of an account, unless the account no longer exists. Without `until` it works for [`DISAVOWAL_LIFETIME`].
    pub async fn keep_disavowal(
        &self,
        account: AccountId,
        digest: &Digest<Disavow>,
        address_no: u64,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let writes = vec![account::existing(account), link(account, digest, address_no, until, now)];
        Ok(self.transact("keep disavowal", writes).await?.or(true, false))
    }

    /// The link with this token, if it works. One consistent read, which does not use it up; no read if the text is not a token.
    ///
    /// A disavowal ends the links that were made before it, so only one of many kept links can be used.
    pub async fn disavowal(&self, token: Option<&Token<Disavow>>, now: Timestamp) -> Result<Option<LiveLink<Disavow>>, Fault> {
        let Some(token) = token else { return Ok(None) };
        let link = Links::live(self, token, now).await?;
        Ok(link.filter(|link| link.counts(&link.account, now)))
    }

    /// Uses a link up once, in one transaction: ends every session, disables the password, ends the reset link, and leaves a request for a new one, which
    /// is the only way back in. A requested deletion is cancelled. If the address was changed since the link was mailed, the former address is given back
    /// and every change since then is undone.
    ///
    /// The old reset link is deleted, because a thief who changed the password may have it. Its cool-down is deleted with it, so that the new link is
    /// sent. A request that is not newer than the password gets no link, so a disavowal that loses a race against a change is repeated with a time after
    /// that change.
    pub async fn disavow(&self, link: &LiveLink<Disavow>, request: ResetRequest) -> Result<Disavowed, Fault> {
        let sort = format!("{SORT_PREFIX}{}", link.digest.as_str());
        let spend = |now| Some(Links::spend(link.account.id, &link.digest, now));
        self.disavow_password(&link.account, By::Link(link), request, &sort, spend).await
    }

    /// The same for an operator who knows that it was not the owner. It needs an account for which such a link would work.
    pub async fn disavow_for_owner(&self, account: &Account, request: ResetRequest) -> Result<Disavowed, Fault> {
        let sort = self.entropy().uuid(request.requested_at).to_string();
        self.disavow_password(account, By::Operator(None), request, &sort, |_| None).await
    }

    /// The same, and gives this former address back to the account.
    pub async fn restore_address(&self, account: &Account, email: &EmailAddress, request: ResetRequest) -> Result<Disavowed, Fault> {
        let sort = self.entropy().uuid(request.requested_at).to_string();
        self.disavow_password(account, By::Operator(Some(email)), request, &sort, |_| None).await
    }

    /// `sort` is the sort key of the request, and `spend` the write that uses the link up. The request is for the address that the account has afterwards.
    async fn disavow_password(
        &self,
        account: &Account,
        by: By<'_>,
        mut request: ResetRequest,
        sort: &str,
        spend: impl Fn(Timestamp) -> Option<Write>,
    ) -> Result<Disavowed, Fault> {
        let (id, mut account) = (account.id, account.clone());
        let made_at = if let By::Link(link) = by { Some(made_at(link)) } else { None };
        let mut renames = false;
        let network = request.caller.address.map(|address| Client::at(address).site());
        for _ in 0..MAX_TRIES {
            let latest = account
                .disavowals_before
                .filter(|_| made_at.is_none())
                .map_or(account.password_changed_at, |before| before.max(account.password_changed_at));
            let now = request.requested_at.max(after(latest, Duration::from_millis(1)));
            request.requested_at = now;
            let back = self.given_back(&account, by, renames, now);
            if back.is_none() && matches!(by, By::Operator(Some(_))) {
                return Ok(Disavowed::NotValid);
            }
            // The account stops listing them, and one that it lists need not be its own any more.
            if back.is_some() {
                self.free_expired(&account, now).await?;
            }
            request.email = back.as_ref().map_or(&account.email, |back| &back.email).clone();
            let disavowed = account::password_disavowed(&account, made_at.unwrap_or(now), back.as_ref(), now);
            let link = spend(now);
            let has_link = link.is_some();
            let moved = back.as_ref().map(|back| self.moved_back(&account, back, now)).unwrap_or_default();
            let others = [Links::<Reset>::forgotten(id), outbox::reset_request(&request, sort)];
            let others = others.into_iter().chain(self.event_from(EventKind::PasswordDisavowed, id, network.clone(), now));
            let kept = account.deletion.iter().flat_map(|deletion| {
                [Some(deletion_list::called_off(id, deletion)), self.event(EventKind::AccountActivated, id, now)].into_iter().flatten()
            });
            let others = others.chain(kept);
            // The first write after those of the account and the link is the claim on a username that is restored with its address. Another account may
            // have it by now.
            let named = if has_link { 2 } else { 1 };
            let outcome = self.transact("disavow", [disavowed].into_iter().chain(link).chain(moved).chain(others).collect()).await?;
            let is_taken = back.is_some() && !renames && outcome.refused_at(named);
            if !(outcome.refused_at(0) || is_taken) || has_link && outcome.refused_at(1) {
                return Ok(outcome.or(Disavowed::Now, Disavowed::NotValid));
            }
            renames |= is_taken;
            // The sessions were ended in the meantime, for example by a change of the password, or the address was changed.
            let works = |account: &Account| if let By::Link(link) = by { link.counts(account, now) } else { true };
            account = match self.account(id).await? {
                Some(account) if account.can_be_disavowed() && works(&account) => account,
                _ => return Ok(Disavowed::NotValid),
            };
        }
        Err(Fault::OutOfTime)
    }

    /// The former address to be given back. It is verified if a link that was mailed there is used, but not if an operator gives it back.
    fn given_back(&self, account: &Account, by: By<'_>, renames: bool, now: Timestamp) -> Option<GivenBack> {
        let former = match by {
            By::Link(link) => account.address_before(link.address_no, now)?,
            By::Operator(Some(email)) => account.reserved(now).find(|former| former.email.folded() == email.folded())?,
            By::Operator(None) => return None,
        };
        let renames = renames || account.username_with(&former.email).is_none();
        // A username that is not an address and that no account has.
        let otherwise = renames.then(|| Username::parse(&self.entropy().uuid(now).to_string()).ok()).flatten();
        Some(GivenBack::of(account, former, otherwise, matches!(by, By::Link(_))))
    }

    /// The other writes when an address is given back: they move the claims and end the links that were mailed to the present address.
    fn moved_back(&self, account: &Account, back: &GivenBack, now: Timestamp) -> Vec<Write> {
        let mut writes = back.claims(account, now);
        writes.extend([Links::<Verify>::forgotten(account.id), Links::<NewAddress>::forgotten(account.id)]);
        // So that the mailer knows why notices to those mailboxes are not sent any more.
        let void = back.void(account, now).into_values().chain([&account.email]);
        writes.extend(void.map(|email| account::former(account.id, email, now)));
        writes.extend(self.event(EventKind::AddressChanged, account.id, now));
        writes
    }
}

/// When a link was made. For a link without that attribute it is computed from its expiry, because all such links are valid for the same time.
fn made_at(link: &LiveLink<Disavow>) -> Timestamp {
    link.made_at.unwrap_or(before(link.valid_until, DISAVOWAL_LIFETIME))
}
