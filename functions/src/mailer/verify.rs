//! The mail with a link that verifies an address.

use doorward::{
    account::Account,
    clock::Timestamp,
    delivery::{Outcome, Suppressed},
    link::StoredLink,
    mail::VerifyMail,
    outbox::{EntryKey, VerificationRequest},
    store::MAX_TRIES,
    token::Verify,
    verification::{COOL_DOWN, LIFETIME},
};

use super::{
    Mailer,
    deliver::{DeliveryError, Handled},
    link::{Prepared, without_link},
};

impl Mailer {
    /// Sends the link to the account's own address, if that is not verified yet.
    pub(super) async fn send_verification(
        &self,
        key: &EntryKey,
        request: &VerificationRequest,
        now: Timestamp,
    ) -> Result<Handled, DeliveryError> {
        let Some(account) = self.store.account_by_email(&request.email).await? else { return Ok(Handled::Nothing("no account")) };
        if self.tell_registered_again(key, &account, request.caller, now).await? {
            return Ok(Handled::Nothing("registered before"));
        }
        if account.usable_password().is_none() {
            return Ok(Handled::suppressed(account.id, Suppressed::NoPassword));
        }
        if account.verified_at.is_some() {
            return Ok(Handled::suppressed(account.id, Suppressed::Verified));
        }
        let Prepared { token, link, in_use } = match self.store_verification_link(&account, request, now).await? {
            Ok(prepared) => prepared,
            Err(handled) => return Ok(handled),
        };
        let mail = VerifyMail {
            product: self.product.clone(),
            language: self.language_of_request(&account, &request.caller),
            link: self.links.verify(&token),
            lifetime: LIFETIME,
            changes: false,
            caller: request.caller,
            requested_at: request.requested_at,
        };
        let sent = self.send(&account.email, mail.render()).await?;
        if let Outcome::Sent(_) = sent {
            self.store.mark_link_sent(account.id, &link, in_use.as_ref(), self.clock.now()).await?;
        }
        Ok(Handled::About(account.id, sent))
    }

    /// Stores the link that answers a request, unless the owner was mailed one recently or the request was overtaken. As with reset links, the previous one
    /// works until the mail service has accepted the new one.
    async fn store_verification_link(
        &self,
        account: &Account,
        request: &VerificationRequest,
        now: Timestamp,
    ) -> Result<Result<Prepared<Verify>, Handled>, DeliveryError> {
        for _ in 0..MAX_TRIES {
            let current = self.store.verification_link(account.id).await?;
            let in_use = current.clone().filter(|link| link.is_in_use(now));
            let cools_down = in_use.as_ref().is_some_and(|link| link.cools_down(&COOL_DOWN, now));
            let links = (current.as_ref(), in_use.as_ref());
            if let Some(handled) = without_link(account.id, request.requested_at, links, cools_down, now) {
                return Ok(Err(handled));
            }
            let (token, link) = self.new_link(account.id, request.requested_at, LIFETIME, now);
            match self.store.store_verification_link(account, &link, current.as_ref(), in_use.as_ref()).await? {
                StoredLink::Now => return Ok(Ok(Prepared { token, link, in_use })),
                StoredLink::Overtaken => return Ok(Err(Handled::suppressed(account.id, Suppressed::Overtaken))),
                StoredLink::Changed => {}
            }
        }
        Err(DeliveryError::NotNow("contended".to_owned()))
    }
}
