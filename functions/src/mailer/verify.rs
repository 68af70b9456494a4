//! The mail with a link that verifies an address.

use doorward::{
    account::Account,
    clock::{Timestamp, after},
    delivery::{Outcome, Suppressed},
    link::{NewLink, StoredLink},
    mail::VerifyMail,
    outbox::{EntryKey, VerificationRequest},
    store::MAX_TRIES,
    token::{Token, Verify},
    verification::{COOL_DOWN, LIFETIME},
};

use super::{
    Mailer,
    deliver::{DeliveryError, ForMail, Handled, Prepared},
};

impl Mailer {
    /// Sends the link to the account's own address, whatever address the entry has, and only if the address is not verified yet.
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
        let suppressed = |why| Ok(Handled::About(account.id, Outcome::Suppressed(why)));
        if account.usable_password().is_none() {
            return suppressed(Suppressed::NoPassword);
        }
        if account.verified_at.is_some() {
            return suppressed(Suppressed::Verified);
        }
        let Prepared { token, link, in_use } = match self.store_verification(&account, request, now).await? {
            ForMail::Link(prepared) => *prepared,
            ForMail::Answered => return Ok(Handled::Nothing("answered before")),
            ForMail::None(why) => return suppressed(why),
        };
        let mail = VerifyMail {
            product: self.product.clone(),
            language: account.language().or(request.caller.language).unwrap_or(self.default_language),
            link: self.links.verify(&token),
            lifetime: LIFETIME,
            changes: false,
            caller: request.caller,
            requested_at: request.requested_at,
        };
        let sent = self.send(&account.email, mail.render().ok()).await?;
        if let Outcome::Sent(_) = sent {
            self.store.mark_link_sent(account.id, &link, in_use.as_ref(), self.clock.now()).await?;
        }
        Ok(Handled::About(account.id, sent))
    }

    /// Stores the link that answers a request, unless the owner was mailed one recently or the request was overtaken. As with reset links, the previous one
    /// works until the mail service has accepted the new one.
    async fn store_verification(
        &self,
        account: &Account,
        request: &VerificationRequest,
        now: Timestamp,
    ) -> Result<ForMail<Prepared<Verify>>, DeliveryError> {
        for _ in 0..MAX_TRIES {
            let current = self.store.verification_link(account.id).await?;
            let in_use = current.clone().filter(|link| link.is_in_use(now));
            if let Some(link) = &in_use {
                // This request was answered before, and the mailer crashed before it marked that.
                if link.requested_at == request.requested_at && !link.has_pending {
                    return Ok(ForMail::Answered);
                }
                if link.cools_down(&COOL_DOWN, now) {
                    return Ok(ForMail::None(Suppressed::CoolingDown));
                }
            }
            if current.as_ref().is_some_and(|link| link.requested_at > request.requested_at && now < link.valid_until) {
                return Ok(ForMail::None(Suppressed::NewerRequest));
            }
            let token = Token::generate(account.id, &self.entropy);
            let valid_until = after(now, LIFETIME);
            let link = NewLink { digest: token.digest(), requested_at: request.requested_at, issued_at: now, valid_until };
            match self.store.store_verification_link(account, &link, current.as_ref(), in_use.as_ref()).await? {
                StoredLink::Now => return Ok(ForMail::Link(Box::new(Prepared { token, link, in_use }))),
                StoredLink::Overtaken => return Ok(ForMail::None(Suppressed::Overtaken)),
                StoredLink::Changed => {}
            }
        }
        Err(DeliveryError::NotNow("contended".to_owned()))
    }
}
