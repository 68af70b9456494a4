//! "This wasn't me": the link of a notice ends every session, takes the password out of use and starts a reset, once.

use doorward::{
    account::email_key,
    clock::Timestamp,
    http::{Answer, Field, Fields, Refusal, Request},
    metric::Metric,
    page::Page,
    store::{Disavowed, ResetRequest},
    token::{Disavow, Token},
};

use crate::{ConfirmReset, reader};

impl ConfirmReset {
    /// The page with the button. It spends nothing, however often a mail scanner opens it.
    pub(crate) async fn show_disavowal(&self, request: &Request) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        self.page_limit.admit(&self.store, request.client, now).await?;
        let text = request.query("token").unwrap_or_default();
        let (_, account) = self.disavowable(text, now).await?;
        Ok(self.pages.show(&reader(request, account.language()), &Page::Disavow { token: text })?)
    }

    /// The press of the button.
    pub(crate) async fn disavow(&self, request: &Request) -> Result<(), Refusal> {
        let mut fields = Fields::of(request.form()?);
        let token = fields.take_checked("token", Field::Text, None);
        let token = fields.finish(token)?;
        let now = self.clock.now();
        self.disavow_limit.admit(&self.store, request.client, now).await?;
        let (token, account) = self.disavowable(&token, now).await?;
        // To the address of today: whoever changed it meanwhile could as well ask for a link.
        let wish = ResetRequest {
            folded: email_key(&account.email),
            email: account.email.clone(),
            requested_at: now,
            origin: request.origin().in_language_of(&account),
        };
        match self.store.disavow(account.id, &token.digest(), &wish).await? {
            Disavowed::Now => {
                Metric::PASSWORDS_DISAVOWED.count();
                tracing::info!(account = %account.id, "password disavowed");
                Ok(())
            }
            Disavowed::NotValid => Err(Refusal::Token),
        }
    }

    async fn disavowable(&self, text: &str, now: Timestamp) -> Result<(Token<Disavow>, doorward::account::Account), Refusal> {
        let token = Token::<Disavow>::parse(text).ok_or(Refusal::Token)?;
        let account = self.store.disavowable(token.account(), &token.digest(), now).await?;
        Ok((token, account.ok_or(Refusal::Token)?))
    }
}
