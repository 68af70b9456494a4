//! POST `/api/password_reset/`: asks for a reset link. A browser's GET shows a form that does.
//!
//! This function cannot learn whether an account exists: it has no permission to look. Every well-formed address costs the same two writes.

use std::time::Duration;

use doorward::{
    account::EmailAddress,
    clock::Clock,
    config::{Settings, span},
    entropy::Entropy,
    http::{self, Answer, Complaint, Endpoint, Field, FieldErrors, Fields, Form, Method, Reader, Refusal, Request},
    limit::{ClientLimit, Limit},
    metric::Metric,
    outbox::ResetRequest,
    page::{Page, Pages},
    store::Store,
};
use serde::Serialize;

/// No link lives shorter (`RESET_LIFETIME`). A request may be dropped for another one of the same window only while that one's link is alive.
const SHORTEST_LINK: Duration = span::minutes(10);

/// The endpoint.
pub struct PasswordReset {
    store: Store,
    client_limit: ClientLimit,
    cool_down: Duration,
    pages: Pages,
    clock: Clock,
}

struct ResetBody {
    email: EmailAddress,
}

#[derive(Serialize)]
struct ResetAnswer {
    status: &'static str,
}

impl PasswordReset {
    /// The endpoint as configured.
    pub fn new(settings: &mut Settings, store: Store, clock: Clock, _: Entropy) -> Self {
        Self {
            store,
            client_limit: ClientLimit::configured(
                settings,
                "reset-client",
                "RESET_CLIENT_LIMIT",
                Limit::new(20, span::hours(1)),
                Metric::RESETS_LIMITED,
            ),
            cool_down: doorward::reset::cool_down(settings).first().map_or(span::minutes(1), |first| (*first).min(SHORTEST_LINK)),
            pages: Pages::configured(settings),
            clock,
        }
    }

    async fn ask(&self, request: &Request) -> Result<(), Refusal> {
        let body = ResetBody::read(request.form()?)?;
        let now = self.clock.now();
        self.client_limit.admit(&self.store, request.client, now).await?;
        let reset = ResetRequest { email: body.email, requested_at: now, caller: request.caller() };
        self.store.request_reset(&reset, self.cool_down).await?;
        Metric::RESETS_REQUESTED.count();
        Ok(())
    }

    /// The refusal on the form that was sent, with the address as typed and what was wrong with it.
    fn on_form(&self, reader: &Reader, request: &Request, errors: FieldErrors) -> Result<Refusal, Refusal> {
        let email = Fields::of(request.form()?).take("email", Field::Text).unwrap_or_default();
        let page = self.pages.show(reader, &Page::Ask { email: &email, errors: &errors })?;
        Ok(Refusal::OnPage(Box::new(Refusal::Fields(errors)), Box::new(page)))
    }
}

impl Endpoint for PasswordReset {
    fn allow(&self) -> &'static str {
        "POST, OPTIONS"
    }

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        let reader = request.reader();
        if let Some(reader) = reader.as_ref().filter(|_| matches!(request.method, Method::GET | Method::HEAD)) {
            return Ok(self.pages.show(reader, &Page::Ask { email: "", errors: &FieldErrors::default() })?);
        }
        request.allow(&[Method::POST], self.allow())?;
        match (self.ask(&request).await, reader) {
            (Ok(()), Some(reader)) => Ok(self.pages.show(&reader, &Page::Asked)?),
            (Ok(()), None) => Ok(http::ok(&ResetAnswer { status: "OK" })),
            (Err(Refusal::Fields(errors)), Some(reader)) => Err(self.on_form(&reader, &request, errors)?),
            (Err(refusal), _) => Err(refusal),
        }
    }

    fn page(&self, reader: &Reader, refusal: &Refusal) -> Option<Answer> {
        self.pages.refused(reader, refusal, &Page::Dead)
    }
}

impl ResetBody {
    fn read(form: Form) -> Result<Self, Refusal> {
        let mut fields = Fields::of(form);
        let typed = fields.take_checked("email", Field::Email, None);
        let email = typed.as_deref().and_then(|text| match EmailAddress::parse(text) {
            Ok(email) => Some(email),
            Err(_) => fields.complain("email", Complaint::Email),
        });
        Ok(Self { email: fields.finish(email)? })
    }
}
