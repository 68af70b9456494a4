//! POST `/api/users/resend_activation/`: requests another link that verifies an address. A browser that opens the route gets a form for it.

use doorward::{
    http::{self, Answer, FieldErrors, Refusal, Request},
    outbox::VerificationRequest,
    page::{Asks, Page, Pages},
    route,
    store::Table,
};

use crate::{Function, Wiring, asked_link::AskedLink, form::FormEndpoint};

pub struct ResendVerification(AskedLink);

impl Function for ResendVerification {
    const NAME: &str = "resend-verification";
    const TABLES: &[Table] = &[Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        Self(AskedLink::configured(wiring, Asks::ToVerify, "resend-client"))
    }
}

impl FormEndpoint for ResendVerification {
    const ROUTE: &str = route::ASK_TO_VERIFY;
    const DEAD_LINK: Option<Page<'static>> = None;
    const DONE: Page<'static> = Page::AskedToVerify;

    fn done() -> Answer {
        http::no_content()
    }

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
        self.0.store.request_verification(&VerificationRequest { email, requested_at, caller: request.caller() }).await?;
        Ok(())
    }
}
