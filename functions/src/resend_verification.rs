//! POST `/api/users/resend_activation/`: requests another link that shows that an address is its account's. A browser that opens the route gets a form
//! for it.
//!
//! Like the function password-reset it cannot learn whether an account exists, because it has no permission to read accounts. Every well-formed address
//! costs the same two writes.

use doorward::{
    clock::Clock,
    config::span,
    http::{self, Answer, Field, FieldErrors, Fields, Method, Reader, Refusal, Request},
    limit::{ClientLimit, Limit},
    metric::Metric,
    outbox::VerificationRequest,
    page::{Page, Pages},
    store::{Store, Table},
};

use crate::{Endpoint, Function, PageRole, Wiring, password_reset::read_email};

pub struct ResendVerification {
    store: Store,
    client_limit: ClientLimit,
    pages: Pages,
    clock: Clock,
}

impl ResendVerification {
    async fn ask(&self, request: &Request) -> Result<(), Refusal> {
        let email = read_email(request.form()?)?;
        let now = self.clock.now();
        self.client_limit.admit(&self.store, request.client, now).await?;
        self.store.request_verification(&VerificationRequest { email, requested_at: now, caller: request.caller() }).await?;
        Ok(())
    }

    async fn page(&self, reader: &Reader, request: &Request) -> Result<Answer, Refusal> {
        if request.follows_form() {
            return Ok(self.pages.show(reader, &Page::AskedToVerify)?);
        }
        if request.method != Method::POST {
            return Ok(self.pages.show(reader, &Page::AskToVerify { email: "", errors: &FieldErrors::default() })?);
        }
        match self.ask(request).await {
            Ok(()) => Ok(self.pages.send_on(reader)),
            // The form again, with the address as typed and the complaints about it.
            Err(Refusal::Fields(errors)) => {
                let email = Fields::of(request.form()?).take("email", Field::Text).unwrap_or_default();
                Ok(self.pages.show(reader, &Page::AskToVerify { email: &email, errors: &errors })?)
            }
            Err(refusal) => Err(refusal),
        }
    }
}

impl Function for ResendVerification {
    const NAME: &str = "resend-verification";
    const TABLES: &[Table] = &[Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let default = Limit::new(20, span::hours(1));
        let settings = &mut wiring.settings;
        Self {
            client_limit: ClientLimit::configured(settings, "resend-client", "RESET_CLIENT_LIMIT", default, Metric::RESETS_LIMITED),
            pages: Pages::configured(settings),
            store: wiring.store.clone(),
            clock: wiring.clock.clone(),
        }
    }
}

impl Endpoint for ResendVerification {
    const ROUTES: &[&str] = &["/api/users/resend_activation/"];
    const PAGE: PageRole = PageRole::Form;

    fn pages(&self) -> Option<&Pages> {
        Some(&self.pages)
    }

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        if let Some(reader) = request.reader() {
            return self.page(&reader, &request).await;
        }
        self.ask(&request).await?;
        Ok(http::no_content())
    }
}
