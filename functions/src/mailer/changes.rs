//! Notices of changes other than of the password: of a name, or a requested deletion.

use doorward::{
    account::RequestedDeletion,
    clock::{Timestamp, after},
    disavow::DISAVOWAL_LIFETIME,
    mail::{ByOwner, DeletionMail, RenamedMail},
    outbox::{ChangeKind, Notice},
};

use super::{
    Mailer,
    deliver::{DeliveryError, Handled},
};

impl Mailer {
    /// Sends the notice that an operator changed a name of the account. Only operators cause such notices, so they do not count in the mail rate.
    pub(super) async fn send_renamed(&self, notice: &Notice) -> Result<Handled, DeliveryError> {
        let Some(account) = self.store.account(notice.account).await? else { return Ok(Handled::Nothing("no account")) };
        let is_email = notice.kind == ChangeKind::Email;
        // If the address was changed, the notice goes to the former one.
        let is_own = if is_email {
            self.store.had_address(account.id, &notice.email, notice.changed_at).await?
        } else {
            account.email.folded() == notice.email.folded()
        };
        if !is_own {
            return self.not_its_address(&account, &notice.email).await;
        }
        let to = if is_email { &notice.email } else { &account.email };
        let language = self.language_of_notice(notice);
        let mail = RenamedMail { product: self.product.clone(), language, is_email, changed_at: notice.changed_at, by: None };
        Ok(Handled::About(account.id, self.send(to, mail.render()).await?))
    }

    /// Sends the notice that somebody who knew the password changed the username, with a link. It does not count in the mail rate, because such changes
    /// have a limit of their own (`limit::RENAMES`).
    pub(super) async fn send_own_renamed(&self, notice: &Notice, now: Timestamp) -> Result<Handled, DeliveryError> {
        let Some(account) = self.store.account(notice.account).await? else { return Ok(Handled::Nothing("no account")) };
        let Some((to, address_no)) = account.mailbox(&notice.email, now) else {
            return self.not_its_address(&account, &notice.email).await;
        };
        let Some(link) = self.disavow_link(account.id, address_no, None, now).await? else { return Ok(Handled::Nothing("gone")) };
        let language = self.language_of_notice(notice);
        let by = ByOwner { caller: notice.caller, link, lifetime: DISAVOWAL_LIFETIME };
        let mail = RenamedMail { product: self.product.clone(), language, is_email: false, changed_at: notice.changed_at, by: Some(by) };
        Ok(Handled::About(account.id, self.send(to, mail.render()).await?))
    }

    /// Sends the notice that an account will be deleted, with a link that cancels the deletion. It is never held and does not count in the mail rate: the
    /// account is inactive until such a link or an operator activates it again, so nobody can cause many of them.
    pub(super) async fn send_deletion(&self, notice: &Notice, now: Timestamp) -> Result<Handled, DeliveryError> {
        let Some(account) = self.store.account(notice.account).await? else { return Ok(Handled::Nothing("no account")) };
        let Some((to, address_no)) = account.mailbox(&notice.email, now) else {
            return self.not_its_address(&account, &notice.email).await;
        };
        let is_this = |deletion: &RequestedDeletion| !deletion.has_begun && deletion.asked_at == notice.changed_at;
        let Some(deletion) = account.deletion.filter(is_this) else { return Ok(Handled::Nothing("deletion called off")) };
        // The link works as long as other such links do, and at least until the account is deleted.
        let until = deletion.due_at.max(after(now, DISAVOWAL_LIFETIME));
        let Some(link) = self.disavow_link(account.id, address_no, Some(until), now).await? else {
            return Ok(Handled::Nothing("no account"));
        };
        let mail = DeletionMail {
            product: self.product.clone(),
            language: self.language_of_notice(notice),
            link,
            caller: notice.caller,
            asked_at: deletion.asked_at,
            due_at: deletion.due_at,
        };
        Ok(Handled::About(account.id, self.send(to, mail.render()).await?))
    }
}
