//! The mail with a link that resets a password.

use doorward::{
    account::Account,
    clock::Timestamp,
    delivery::{Outcome, Suppressed},
    link::StoredLink,
    mail::ResetMail,
    mail_rate::MailRate,
    outbox::{EntryKey, ResetRequest},
    store::MAX_TRIES,
    token::Reset,
};

use super::{
    Mailer,
    deliver::{DeliveryError, Handled},
    link::{Prepared, without_link},
};

impl Mailer {
    pub(super) async fn send_reset(&self, key: &EntryKey, request: &ResetRequest, now: Timestamp) -> Result<Handled, DeliveryError> {
        let Some(account) = self.store.account_by_email(&request.email).await? else { return Ok(Handled::Nothing("no account")) };
        if account.usable_password().is_none() {
            return Ok(Handled::suppressed(account.id, Suppressed::NoPassword));
        }
        let (Prepared { token, link, in_use }, rate) = match self.store_reset_link(key, &account, request, now).await? {
            Ok(prepared) => prepared,
            Err(handled) => return Ok(handled),
        };
        let mail = ResetMail {
            product: self.product.clone(),
            language: self.language_of_request(&account, &request.caller),
            link: self.links.reset(&token),
            token: self.links.shown(&token),
            lifetime: self.link_lifetime,
            caller: request.caller,
            requested_at: request.requested_at,
            invites: request.invites,
        };
        let sent = self.send(&account.email, mail.render()).await?;
        if let Outcome::Sent(_) = sent {
            let sent_at = self.clock.now();
            self.store.mark_link_sent(account.id, &link, in_use.as_ref(), sent_at).await?;
            self.store.count_reset_mail(account.id, &rate, sent_at).await?;
        }
        Ok(Handled::About(account.id, sent))
    }

    /// Stores the link that answers a request, unless the owner was mailed one recently or the request was overtaken. The owner's previous link works until
    /// the mail service has accepted the new one. With the link comes the account's mail rate as it was read.
    async fn store_reset_link(
        &self,
        key: &EntryKey,
        account: &Account,
        request: &ResetRequest,
        now: Timestamp,
    ) -> Result<Result<(Prepared<Reset>, MailRate), Handled>, DeliveryError> {
        for _ in 0..MAX_TRIES {
            let (current, rate) = self.store.reset_link_and_mail_rate(account.id).await?;
            let in_use = self.reset_links.in_use(current.as_ref(), now);
            let cools_down = match &in_use {
                Some(link) => link.cools_down(&self.cool_down, now) || rate.had_many_resets(now),
                None => key.is_of_anybody() && self.holds_reset_back(&rate, now),
            };
            let links = (current.as_ref(), in_use.as_ref());
            if let Some(handled) = without_link(account.id, request.requested_at, links, cools_down, now) {
                return Ok(Err(handled));
            }
            let (token, link) = self.new_link(account.id, request.requested_at, self.link_lifetime, now);
            match self.store.store_reset_link(account, &link, current.as_ref(), in_use.as_ref()).await? {
                StoredLink::Now => return Ok(Ok((Prepared { token, link, in_use }, rate))),
                StoredLink::Overtaken => return Ok(Err(Handled::suppressed(account.id, Suppressed::Overtaken))),
                StoredLink::Changed => {}
            }
        }
        Err(DeliveryError::NotNow("contended".to_owned()))
    }

    /// Whether the account was sent so many reset mails that the next one has to wait, although the link in the last one has ended. A link that
    /// `SESSIONS_NOT_BEFORE` ended delays nothing.
    fn holds_reset_back(&self, rate: &MailRate, now: Timestamp) -> bool {
        rate.holds_reset_back(self.link_lifetime, now).is_some_and(|sent_at| !self.reset_links.ended_by_switch(sent_at))
    }
}
