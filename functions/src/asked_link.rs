//! The two forms that request a mailed link.
//!
//! Their functions cannot learn whether an account exists, because they have no permission to read accounts. Every well-formed address costs the same two
//! writes.

use doorward::{
    account::EmailAddress,
    clock::{Clock, Timestamp},
    http::{Answer, Complaint, Field, FieldErrors, Fields, Refusal, Request},
    limit::ClientLimit,
    metric::Metric,
    page::{Asks, Page, Pages},
    store::Store,
};

use crate::Wiring;

/// The parts of such an endpoint.
pub(crate) struct AskedLink {
    pub store: Store,
    pub pages: Pages,
    asks: Asks,
    client_limit: ClientLimit,
    clock: Clock,
}

impl AskedLink {
    /// `RESET_CLIENT_LIMIT`: the limit of requests by one client, counted under `rule`.
    pub fn configured(wiring: &mut Wiring, asks: Asks, rule: &'static str) -> Self {
        let settings = &mut wiring.settings;
        Self {
            client_limit: ClientLimit::of_requested_links_and_exports(settings, rule, Metric::RESETS_LIMITED),
            pages: Pages::configured(settings),
            asks,
            store: wiring.store.clone(),
            clock: wiring.clock.clone(),
        }
    }

    /// The address for which a link is requested, and the time of the request. A client over its limit is refused.
    pub async fn admit(&self, request: &Request) -> Result<(EmailAddress, Timestamp), Refusal> {
        let mut fields = Fields::of(request.form()?);
        let typed = fields.take_checked("email", Field::KnownEmail, None);
        let email = fields.parse("email", typed.as_ref(), EmailAddress::parse, Complaint::Email);
        let email = fields.finish(email)?;
        let now = self.clock.now();
        self.client_limit.admit(&self.store, request.client, now).await?;
        Ok((email, now))
    }

    /// The page with the form.
    pub fn show(&self, request: &Request) -> Result<Answer, Refusal> {
        self.form(request, "", &FieldErrors::default())
    }

    /// The page with the form, with the address as typed and the complaints about it.
    pub fn show_again(&self, request: &Request, errors: &FieldErrors) -> Result<Answer, Refusal> {
        let email = Fields::of(request.form()?).take("email", Field::Text).unwrap_or_default();
        self.form(request, &email, errors)
    }

    fn form(&self, request: &Request, email: &str, errors: &FieldErrors) -> Result<Answer, Refusal> {
        Ok(self.pages.show(&request.reader_in(None), &Page::Ask { asks: self.asks, email, errors })?)
    }
}
