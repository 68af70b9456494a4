//! Verifying the address of an account with the link of a mail to it.
//!
//! The link is bound to the address only, because a change of the password does not change the mailbox. It ends when the address is replaced.

use std::time::Duration;

use crate::{
    account::{self, Account, AccountId},
    clock::Timestamp,
    config::{Settings, span},
    event::EventKind,
    fault::Fault,
    link::{Kept, KeptLink, Links, LiveLink, Mailed, NewLink, StoredLink},
    store::{MAX_TRIES, Store, Transacted},
    token::{Token, Verify},
};

/// How long such a link works: long enough for somebody who registers on a Friday and reads mail on Monday.
pub const LIFETIME: Duration = span::days(7);

/// The growing intervals between such mails to one account. Links work for days, so waiting costs an owner little. A stranger who requests links again and
/// again causes eight mails on the first day and four on every later day.
pub const COOL_DOWN: [Duration; 5] = [span::minutes(1), span::minutes(5), span::minutes(15), span::hours(1), span::hours(6)];

impl Mailed for Verify {
    const KIND: &'static str = "verification link";
    const KEPT: Kept = Kept::Newest("verify");
}

/// Whether people are asked to show that their address is theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressVerification {
    /// They are not.
    Off,
    /// They get a mail, and can do everything before they open its link.
    #[default]
    Optional,
    /// They get a mail, and cannot log in before they have opened its link.
    Mandatory,
}

impl AddressVerification {
    /// `ADDRESS_VERIFICATION`: `none`, `optional` (default) or `mandatory`.
    pub fn configured(settings: &mut Settings) -> Self {
        settings.parsed("ADDRESS_VERIFICATION", Self::default(), |text| match text {
            "none" => Ok(Self::Off),
            "optional" => Ok(Self::Optional),
            "mandatory" => Ok(Self::Mandatory),
            _ => Err("must be none, optional or mandatory".to_owned()),
        })
    }

    /// Whether new accounts get a mail.
    #[must_use]
    pub fn asks(self) -> bool {
        self != Self::Off
    }

    /// Whether a login to this account is refused, because its address is not verified.
    #[must_use]
    pub fn keeps_out(self, account: &Account) -> bool {
        self == Self::Mandatory && account.verified_at.is_none()
    }
}

/// The state of a verification token.
pub enum Verification {
    /// It can verify the address.
    Live(Box<LiveLink<Verify>>),
    /// It was the last to verify the address. People open a link twice, and see the success again.
    Used(Box<Account>),
    /// It does not work.
    Dead,
}

/// The outcome of opening a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// The address is verified by this call.
    Now,
    /// This link has verified it before.
    Before,
    /// There is no such link: unknown, expired, replaced, or its account cannot be opened. Nothing was written.
    NotValid,
}

impl Store {
    /// The link of an account, if it has one.
    pub async fn verification_link(&self, account: AccountId) -> Result<Option<KeptLink<Verify>>, Fault> {
        self.read(&Links::<Verify>::newest_key(account)).await?.as_ref().map(Links::read).transpose()
    }

    /// Stores a link whose mail is about to be sent, if the address is still the account's and not verified. See [`Store::store_reset_link`].
    pub async fn store_verification_link(
        &self,
        account: &Account,
        link: &NewLink<Verify>,
        current: Option<&KeptLink<Verify>>,
        in_use: Option<&KeptLink<Verify>>,
    ) -> Result<StoredLink, Fault> {
        let (check, store) = (account::unverified(account.id, &account.email), Links::stored(account.id, link, current, in_use));
        self.store_link("store verification link", check, store, None).await
    }

    /// The state of this token. One consistent read, which does not use it up; a second one, of the account alone, if it does not work. No read if the
    /// text is not a token.
    pub async fn verification(&self, token: Option<&Token<Verify>>, now: Timestamp) -> Result<Verification, Fault> {
        let Some(token) = token else { return Ok(Verification::Dead) };
        if let Some(link) = Links::live(self, token, now).await? {
            return Ok(Verification::Live(Box::new(link)));
        }
        let digest = token.digest();
        let account = self.account(token.account()).await?.filter(|account| account.was_verified_by(&digest));
        Ok(account.map_or(Verification::Dead, |account| Verification::Used(Box::new(account))))
    }

    /// Uses a link up once, in one transaction, which verifies the address. It is an event only if nothing else, such as a reset, has verified the address
    /// before.
    pub async fn verify(&self, link: &LiveLink<Verify>, now: Timestamp) -> Result<Verified, Fault> {
        let (id, mut account) = (link.account.id, link.account.clone());
        for _ in 0..MAX_TRIES {
            let event = self.event(EventKind::AccountVerified, id, now).filter(|_| account.verified_at.is_none());
            let writes = [account::verified(&account, &link.digest, now), Links::spend(id, &link.digest, now)].into_iter().chain(event);
            let outcome = self.transact("verify address", writes.collect()).await?;
            if outcome == Transacted::Done {
                return Ok(Verified::Now);
            }
            let Some(current) = self.account(id).await? else { return Ok(Verified::NotValid) };
            if current.was_verified_by(&link.digest) {
                return Ok(Verified::Before);
            }
            if outcome.refused_at(1) || current.usable_password().is_none() {
                return Ok(Verified::NotValid);
            }
            // Something else has verified the address in the meantime.
            account = current;
        }
        Err(Fault::OutOfTime)
    }
}
