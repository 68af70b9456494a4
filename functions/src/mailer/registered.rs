//! The mail that tells the owner of an address that it has an account already, if `REGISTRATION=silent`.

use doorward::{
    account::{Account, AccountId},
    caller::Caller,
    clock::Timestamp,
    mail::RegisteredMail,
    outbox::{EntryKey, Notice},
};

use super::{
    Mailer,
    deliver::{DeliveryError, Handled},
};

impl Mailer {
    /// If a registration with the address of `holder` caused this entry, writes a notice of it to the Outbox and returns true. The notice is not sent at
    /// once, so that there is only one a day, however many people register.
    pub(super) async fn tell_registered_again(
        &self,
        key: &EntryKey,
        holder: &Account,
        caller: Caller,
        now: Timestamp,
    ) -> Result<bool, DeliveryError> {
        // The sort key of an entry that a registration left is the account's id.
        let Ok(registered) = key.cause().parse::<AccountId>() else { return Ok(false) };
        if !self.store.was_registered_again(registered, holder).await? {
            return Ok(false);
        }
        self.store.tell_registered_again(holder, caller, now).await?;
        Ok(true)
    }

    pub(super) async fn send_registered(&self, notice: &Notice) -> Result<Handled, DeliveryError> {
        let Some(account) = self.store.account(notice.account).await? else { return Ok(Handled::Nothing("no account")) };
        if account.email.folded() != notice.email.folded() {
            return self.not_its_address(&account, &notice.email).await;
        }
        let mail = RegisteredMail {
            product: self.product.clone(),
            language: self.language_of_notice(notice),
            link: self.links.ask(),
            caller: notice.caller,
            at: notice.changed_at,
        };
        Ok(Handled::About(account.id, self.send(&account.email, mail.render()).await?))
    }
}
