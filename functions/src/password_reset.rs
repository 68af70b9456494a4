//! POST `/api/password_reset/`: requests a reset link. A browser that opens the route gets a form for it.

use doorward::{
    http::{Answer, FieldErrors, Refusal, Request},
    metric::Metric,
    outbox::ResetRequest,
    page::{Asks, Page, Pages},
    route,
    store::Table,
};

use crate::{Function, Wiring, asked_link::AskedLink, form::FormEndpoint};

pub struct PasswordReset(AskedLink);

impl Function for PasswordReset {
    const NAME: &str = "password-reset";
    const TABLES: &[Table] = &[Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        Self(AskedLink::configured(wiring, Asks::ToReset, "reset-client"))
    }
}

impl FormEndpoint for PasswordReset {
    const ROUTE: &str = route::ASK_TO_RESET;
    const DEAD_LINK: Option<Page<'static>> = None;
    const DONE: Page<'static> = Page::Asked;

    fn pages(&self) -> &Pages {
        &self.0.pages
    }

    async fn show(&self, request: &Request) -> Result<Answer, Refusal> {
        self.0.show(request)
    }

    async fn show_again(&self, request: &Request, errors: &FieldErrors) -> Result<Answer, Refusal> {
        self.0.show_again(request, errors)
    }

    async fn submit(&self, request: &Request) -> Result<(), Refusal> {
        let (email, requested_at) = self.0.admit(request).await?;
        let reset = ResetRequest { email, requested_at, caller: request.caller(), invites: false };
        self.0.store.request_reset(&reset).await?;
        Metric::RESETS_REQUESTED.count();
        Ok(())
    }
}
