//! "This wasn't me": the link of a notice ends every session, takes the password out of use and starts a reset, once.

use doorward::{
    clock::Timestamp,
    disavow::Disavowed,
    http::{Answer, Field, Fields, Refusal, Request},
    link::LiveLink,
    metric::Metric,
    outbox::ResetRequest,
    page::Page,
    token::{Disavow, Token},
};

use crate::{ConfirmReset, reader};

impl ConfirmReset {
    /// The page with the button. It spends nothing, however often a mail scanner opens it.
    pub(crate) async fn show_disavowal(&self, request: &Request) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        self.page_limit.admit(&self.store, request.client, now).await?;
        let text = request.query("token").unwrap_or_default();
        let link = self.disavowal(Token::parse(text), now).await?;
        Ok(self.pages.show(&reader(request, link.account.language()), &Page::Disavow { token: text })?)
    }

    /// The press of the button.
    pub(crate) async fn disavow(&self, request: &Request) -> Result<(), Refusal> {
        let mut fields = Fields::of(request.form()?);
        let token = fields.take_checked("token", Field::Text, None);
        let token = Token::parse(&fields.finish(token)?);
        let now = self.clock.now();
        self.disavow_limit.admit(&self.store, request.client, now).await?;
        let LiveLink { account, digest, .. } = self.disavowal(token, now).await?;
        // To the present address: a person who has changed it since could as well ask for a link there.
        let caller = request.caller().in_language(account.language());
        let reset = ResetRequest { email: account.email.clone(), requested_at: now, caller };
        match self.store.disavow(account.id, &digest, &reset).await? {
            Disavowed::Now => {
                Metric::PASSWORDS_DISAVOWED.count();
                tracing::info!(account = %account.id, "password disavowed");
                Ok(())
            }
            Disavowed::NotValid => Err(Refusal::Token),
        }
    }

    async fn disavowal(&self, token: Option<Token<Disavow>>, now: Timestamp) -> Result<LiveLink<Disavow>, Refusal> {
        self.store.disavowal(&token.ok_or(Refusal::Token)?, now).await?.ok_or(Refusal::Token)
    }
}
