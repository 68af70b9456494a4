//! GET and POST `/api/password_reset/disavow/`: "this wasn't me", the link of a notice.
//!
//! GET shows a page with a form. POST uses the link up. It ends every session, disables the password, mails a reset link and cancels a requested deletion.
//! If the address was changed since the link was mailed, it restores the address to which it was mailed, as long as that is reserved. This function has no
//! permission to set a password.

use doorward::{
    clock::Clock,
    disavow::Disavowed,
    http::{Answer, Field, FieldErrors, Fields, Refusal, Request},
    limit::ClientLimit,
    metric::Metric,
    outbox::ResetRequest,
    page::{Page, Pages},
    route,
    store::{Store, Table},
    telemetry,
    token::Token,
};

use crate::{
    Function, Wiring,
    form::{FormEndpoint, ticked_token},
};

pub struct Disavow {
    store: Store,
    client_limit: ClientLimit,
    page_limit: ClientLimit,
    pages: Pages,
    clock: Clock,
}

impl Function for Disavow {
    const NAME: &str = "disavow";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let settings = &mut wiring.settings;
        let [client_limit, page_limit] = ClientLimit::of_mailed_links(settings, "disavow-client");
        Self { client_limit, page_limit, pages: Pages::configured(settings), store: wiring.store.clone(), clock: wiring.clock.clone() }
    }
}

impl FormEndpoint for Disavow {
    const ROUTE: &str = route::DISAVOW;
    const DEAD_LINK: Option<Page<'static>> = Some(Page::DeadDisavowal);
    const DONE: Page<'static> = Page::Disavowed;

    fn pages(&self) -> &Pages {
        &self.pages
    }

    /// The page is in the account's language, if it has one.
    async fn show(&self, request: &Request) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        let token = request.mailed_token();
        let look_up = self.store.disavowal(token.as_ref(), now);
        let link = self.page_limit.admit_while(&self.store, request.client, now, look_up).await??;
        let (token, link) = token.zip(link).ok_or(Refusal::Token)?;
        let (due_at, gives_back) = (link.account.deletion.map(|deletion| deletion.due_at), link.gives_back(now).is_some());
        let form = Page::Disavow { token: &token.reveal(), due_at, gives_back, errors: &FieldErrors::default() };
        Ok(self.pages.show(&request.reader_in(link.account.language()), &form)?)
    }

    async fn show_again(&self, request: &Request, errors: &FieldErrors) -> Result<Answer, Refusal> {
        let token = Fields::of(request.form()?).take("token", Field::Text).unwrap_or_default();
        let form = Page::Disavow { token: &token, due_at: None, gives_back: false, errors };
        Ok(self.pages.show(&request.reader_in(None), &form)?)
    }

    async fn submit(&self, request: &Request) -> Result<(), Refusal> {
        let token = ticked_token(request, "not_me", Token::entered)?;
        let now = self.clock.now();
        let look_up = self.store.disavowal(token.as_ref(), now);
        let link = self.client_limit.admit_while(&self.store, request.client, now, look_up).await??.ok_or(Refusal::Token)?;
        // The store decides whether the mail goes to the present address or to the one that the link restores, because either can change in the meantime.
        let caller = request.caller().in_language(link.account.language());
        let reset = ResetRequest { email: link.account.email.clone(), requested_at: now, caller, invites: false };
        match self.store.disavow(&link, reset).await? {
            Disavowed::Now => {
                Metric::PASSWORDS_DISAVOWED.count();
                telemetry::note_account(link.account.id);
                tracing::info!("password disavowed");
                Ok(())
            }
            Disavowed::NotValid => Err(Refusal::Token),
        }
    }
}
