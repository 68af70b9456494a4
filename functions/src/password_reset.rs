//! POST `/api/password_reset/`: requests a reset link. A browser that opens the route gets a form for it.
//!
//! This function cannot learn whether an account exists, because it has no permission to read accounts. Every well-formed address costs the same two
//! writes.

use doorward::{
    account::EmailAddress,
    clock::Clock,
    config::span,
    http::{self, Answer, Complaint, Field, FieldErrors, Fields, Form, Method, Reader, Refusal, Request},
    limit::{ClientLimit, Limit},
    metric::Metric,
    outbox::ResetRequest,
    page::{Page, Pages},
    store::{Store, Table},
};
use serde::Serialize;

use crate::{Endpoint, Function, PageRole, Wiring};

pub struct PasswordReset {
    store: Store,
    client_limit: ClientLimit,
    pages: Pages,
    clock: Clock,
}

#[derive(Serialize)]
struct ResetAnswer {
    status: &'static str,
}

impl PasswordReset {
    async fn ask(&self, request: &Request) -> Result<(), Refusal> {
        let email = read_email(request.form()?)?;
        let now = self.clock.now();
        self.client_limit.admit(&self.store, request.client, now).await?;
        let reset = ResetRequest { email, requested_at: now, caller: request.caller(), invites: false };
        self.store.request_reset(&reset).await?;
        Metric::RESETS_REQUESTED.count();
        Ok(())
    }

    async fn api(&self, request: &Request) -> Result<Answer, Refusal> {
        self.ask(request).await?;
        Ok(http::ok(&ResetAnswer { status: "OK" }))
    }

    async fn page(&self, reader: &Reader, request: &Request) -> Result<Answer, Refusal> {
        if request.follows_form() {
            return Ok(self.pages.show(reader, &Page::Asked)?);
        }
        if request.method != Method::POST {
            return Ok(self.pages.show(reader, &Page::Ask { email: "", errors: &FieldErrors::default() })?);
        }
        match self.ask(request).await {
            Ok(()) => Ok(self.pages.send_on(reader)),
            // The form again, with the address as typed and the complaints about it.
            Err(Refusal::Fields(errors)) => {
                let email = Fields::of(request.form()?).take("email", Field::Text).unwrap_or_default();
                Ok(self.pages.show(reader, &Page::Ask { email: &email, errors: &errors })?)
            }
            Err(refusal) => Err(refusal),
        }
    }
}

impl Function for PasswordReset {
    const NAME: &str = "password-reset";
    const TABLES: &[Table] = &[Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        Self {
            client_limit: ClientLimit::configured(
                &mut wiring.settings,
                "reset-client",
                "RESET_CLIENT_LIMIT",
                Limit::new(20, span::hours(1)),
                Metric::RESETS_LIMITED,
            ),
            pages: Pages::configured(&mut wiring.settings),
            store: wiring.store.clone(),
            clock: wiring.clock.clone(),
        }
    }
}

impl Endpoint for PasswordReset {
    const ROUTES: &[&str] = &["/api/password_reset/"];
    const PAGE: PageRole = PageRole::Form;

    fn pages(&self) -> Option<&Pages> {
        Some(&self.pages)
    }

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        match request.reader() {
            Some(reader) => self.page(&reader, &request).await,
            None => self.api(&request).await,
        }
    }
}

/// The address in a form that asks for a link.
pub(crate) fn read_email(form: Form) -> Result<EmailAddress, Refusal> {
    let mut fields = Fields::of(form);
    let typed = fields.take_checked("email", Field::KnownEmail, None);
    let email = typed.as_deref().and_then(|text| match EmailAddress::parse(text) {
        Ok(email) => Some(email),
        Err(_) => fields.complain("email", Complaint::Email),
    });
    fields.finish(email)
}
