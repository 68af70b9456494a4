//! GET and POST `/api/password_reset/confirm/`: replaces a password that was forgotten.
//!
//! GET shows a page with a form and spends nothing, however often a mail scanner opens it. POST spends the link: as JSON for programs,
//! as a page for the form.

mod page;

use std::sync::Arc;

use doorward::{
    clock::Clock,
    config::{Settings, span},
    entropy::Entropy,
    http::{self, Answer, Endpoint, Field, Fields, Form, Method, Refusal, Request},
    limit::{ClientLimit, Limit},
    mail::ChangeKind,
    password::{AcceptedPassword, Hasher, Policy, TypedPassword},
    reset::ResetLinks,
    store::{Notice, Spent, Store},
};
use page::Pages;
use serde::Serialize;

/// The endpoint.
pub struct ConfirmReset {
    store: Store,
    hasher: Arc<Hasher>,
    policy: Policy,
    links: ResetLinks,
    client_limit: ClientLimit,
    page_limit: ClientLimit,
    pages: Pages,
    clock: Clock,
    entropy: Entropy,
}

struct ConfirmBody {
    password: TypedPassword,
    token: String,
}

#[derive(Serialize)]
struct ConfirmAnswer {
    status: &'static str,
}

impl ConfirmReset {
    /// The endpoint as configured.
    pub fn new(settings: &mut Settings, store: Store, clock: Clock, entropy: Entropy) -> Self {
        let limit = Limit::new(30, span::minutes(5));
        Self {
            store,
            hasher: Arc::new(Hasher::configured(settings, entropy.clone())),
            policy: Policy::configured(settings),
            links: ResetLinks::configured(settings),
            client_limit: ClientLimit::configured(settings, "confirm-client", "CONFIRM_CLIENT_LIMIT", limit),
            // Opening the page is counted by itself: a mail scanner may not use up its reader's tries.
            page_limit: ClientLimit::configured(settings, "confirm-page", "CONFIRM_CLIENT_LIMIT", limit),
            pages: Pages::configured(settings),
            clock,
            entropy,
        }
    }

    async fn confirm(&self, request: &Request) -> Result<(), Refusal> {
        let body = ConfirmBody::read(request.form()?, &self.policy)?;
        let now = self.clock.now();
        self.client_limit.admit(&self.store, request.client, now).await?;

        let link = self.links.check(&self.store, &body.token, now).await?.ok_or(Refusal::Token)?;
        let account = &link.account;
        let accepted = AcceptedPassword::new(body.password, &self.policy, &account.username, &account.email)
            .map_err(|violations| Refusal::violations("password", &violations))?;
        let password = self.hasher.hash(accepted).await?;
        let notice = Notice {
            id: self.entropy.uuid(now),
            account: account.id,
            email: account.email.clone(),
            kind: ChangeKind::Reset,
            changed_at: now,
            origin: request.origin(),
        };
        match self.store.spend_reset(account.id, &link.digest, &password, &notice, self.clock.now()).await? {
            Spent::Now => Ok(()),
            Spent::NotValid => Err(Refusal::Token),
        }
    }

    async fn show(&self, request: &Request) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        self.page_limit.admit(&self.store, request.client, now).await?;
        let token = request.query("token").unwrap_or_default();
        let link = self.links.check(&self.store, token, now).await?.ok_or(Refusal::Token)?;
        Ok(self.pages.form(token, &link.account.username, &[])?)
    }
}

impl Endpoint for ConfirmReset {
    fn allow(&self) -> &'static str {
        "GET, HEAD, POST, OPTIONS"
    }

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        request.allow(&[Method::GET, Method::HEAD, Method::POST], self.allow())?;
        if request.method != Method::POST {
            return match self.show(&request).await {
                Err(refusal) => self.pages.refused(&request, refusal),
                shown => shown,
            };
        }
        match self.confirm(&request).await {
            Ok(()) if request.wants_page() => Ok(self.pages.done()?),
            Ok(()) => Ok(http::ok(&ConfirmAnswer { status: "OK" })),
            Err(refusal) if request.wants_page() => self.pages.refused(&request, refusal),
            Err(refusal) => Err(refusal),
        }
    }
}

impl ConfirmBody {
    fn read(form: Form, policy: &Policy) -> Result<Self, Refusal> {
        let mut fields = Fields::of(form);
        let password = fields.take_checked("password", Field::Verbatim, Some(policy.max_length));
        let token = fields.take_checked("token", Field::Text, None);
        let (password, token) = fields.finish(password.zip(token))?;
        Ok(Self { password: TypedPassword::from(password), token: token.to_string() })
    }
}
