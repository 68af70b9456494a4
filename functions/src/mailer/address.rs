//! The mails of a change of the address by its owner: the link to the new mailbox, and two notices to the old one.

use std::time::Duration;

use doorward::{
    account::Account,
    clock::Timestamp,
    delivery::{Outcome, Suppressed},
    disavow::DISAVOWAL_LIFETIME,
    mail::{AddressMail, AddressStep, VerifyMail},
    outbox::{AddressRequest, Notice},
    token::{NewAddress, Token},
};

use super::{
    Mailer,
    deliver::{DeliveryError, Handled},
};

impl Mailer {
    /// Sends the link to the address that the owner requested, unless another account has it. The owner is not told whether it was sent.
    pub(super) async fn send_address_link(&self, request: &AddressRequest, now: Timestamp) -> Result<Handled, DeliveryError> {
        let Some(account) = self.store.account(request.account).await? else { return Ok(Handled::Nothing("no account")) };
        let suppressed = |why| Ok(Handled::Unrecorded(account.id, Outcome::Suppressed(why)));
        let Some(asked) = self.store.asked_address(account.id).await? else { return suppressed(Suppressed::Overtaken) };
        if asked.requested_at != request.requested_at {
            return suppressed(Suppressed::NewerRequest);
        }
        if account.usable_password().is_none() || !asked.is_open(&account, now) {
            return suppressed(Suppressed::Overtaken);
        }
        // This request was answered before, and the mailer crashed before it marked that.
        if asked.is_sent {
            return Ok(Handled::Nothing("answered before"));
        }
        if !self.store.is_free(&account, &asked.email, now).await? {
            return Ok(Handled::Nothing("no mail to this address"));
        }
        let token = Token::<NewAddress>::generate(account.id, &self.entropy);
        if !self.store.store_address_link(account.id, &asked, &token.digest(), now).await? {
            return suppressed(Suppressed::NewerRequest);
        }
        let mail = VerifyMail {
            product: self.product.clone(),
            language: self.language_of_request(&account, &request.caller),
            link: self.links.new_address(&token),
            lifetime: doorward::address::LIFETIME,
            changes: true,
            caller: request.caller,
            requested_at: request.requested_at,
        };
        let sent = self.send(&asked.email, mail.render()).await?;
        if let Outcome::Sent(_) = sent {
            self.store.mark_address_link_sent(account.id, &token.digest(), self.clock.now()).await?;
        }
        Ok(Handled::Unrecorded(account.id, sent))
    }

    /// Sends the notice that somebody who knew the password requested another address. It does not count in the mail rate, because such requests have a
    /// limit of their own (`limit::ADDRESS_CHANGES`).
    pub(super) async fn send_address_asked(&self, notice: &Notice, now: Timestamp) -> Result<Handled, DeliveryError> {
        let Some(account) = self.store.account(notice.account).await? else { return Ok(Handled::Nothing("no account")) };
        let Some((_, address_no)) = account.mailbox(&notice.email, now) else { return self.not_its_address(&account, &notice.email).await };
        self.send_to_old(&account, notice, AddressStep::Asked, Some(address_no), now).await
    }

    /// Sends the notice that the account has another address, to the former one. Its link gives the former address back, as long as that is reserved.
    pub(super) async fn send_address_changed(&self, notice: &Notice, now: Timestamp) -> Result<Handled, DeliveryError> {
        let Some(account) = self.store.account(notice.account).await? else { return Ok(Handled::Nothing("no account")) };
        if !self.store.had_address(account.id, &notice.email, notice.changed_at).await? {
            return self.not_its_address(&account, &notice.email).await;
        }
        if account.email.folded() == notice.email.folded() {
            return Ok(Handled::Nothing("given back"));
        }
        let address_no = account.mailbox(&notice.email, now).map(|(_, address_no)| address_no);
        self.send_to_old(&account, notice, AddressStep::Changed, address_no, now).await
    }

    /// Sends a notice to the former or present address. Without `address_no` the change cannot be undone, so the mail has no link.
    async fn send_to_old(
        &self,
        account: &Account,
        notice: &Notice,
        step: AddressStep,
        address_no: Option<u64>,
        now: Timestamp,
    ) -> Result<Handled, DeliveryError> {
        let undo = match address_no {
            None => None,
            Some(address_no) => {
                let kept_until = account.address_before(address_no, now).map(|former| former.until);
                let link = self.disavow_link(account.id, address_no, kept_until, now).await?;
                let Some(link) = link else { return Ok(Handled::Nothing("gone")) };
                let lifetime = kept_until
                    .map_or(DISAVOWAL_LIFETIME, |until| Duration::try_from(until.duration_since(notice.changed_at)).unwrap_or_default());
                Some((link, lifetime))
            }
        };
        let language = self.language_of_notice(notice);
        let (product, caller, at) = (self.product.clone(), notice.caller, notice.changed_at);
        let mail = AddressMail { product, language, step, at, caller, undo };
        Ok(Handled::About(account.id, self.send(&notice.email, mail.render()).await?))
    }
}
