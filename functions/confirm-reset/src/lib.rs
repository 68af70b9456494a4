//! GET and POST `/api/password_reset/confirm/`: replaces a password that was forgotten.
//!
//! GET shows a page with a form and spends nothing, however often a mail scanner opens it. POST spends the link: as JSON for programs,
//! as a page for the form. GET and POST `/api/password_reset/disavow/` answer the link of a notice: "this wasn't me".

mod disavow;

use std::sync::Arc;

use doorward::{
    clock::Clock,
    config::{Settings, span},
    entropy::Entropy,
    http::{self, Answer, Endpoint, Field, FieldErrors, Fields, Form, Method, Reader, Refusal, Request},
    language::Language,
    limit::{ClientLimit, Limit},
    metric::Metric,
    outbox::{ChangeKind, Notice},
    page::{Page, Pages},
    password::{AcceptedPassword, Hasher, Policy, TypedPassword},
    reset::{ResetLinks, Spent},
    store::Store,
    token::{Reset, Token},
};
use serde::Serialize;

/// The endpoint.
pub struct ConfirmReset {
    store: Store,
    hasher: Arc<Hasher>,
    policy: Policy,
    links: ResetLinks,
    client_limit: ClientLimit,
    page_limit: ClientLimit,
    disavow_limit: ClientLimit,
    pages: Pages,
    clock: Clock,
    entropy: Entropy,
}

struct ConfirmBody {
    password: TypedPassword,
    token: Option<Token<Reset>>,
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
            client_limit: ClientLimit::configured(settings, "confirm-client", "CONFIRM_CLIENT_LIMIT", limit, Metric::RESETS_LIMITED),
            // Opening the page is counted by itself: a mail scanner may not use up its reader's tries.
            page_limit: ClientLimit::configured(settings, "confirm-page", "CONFIRM_CLIENT_LIMIT", limit, Metric::RESETS_LIMITED),
            disavow_limit: ClientLimit::configured(settings, "disavow-client", "CONFIRM_CLIENT_LIMIT", limit, Metric::RESETS_LIMITED),
            pages: Pages::configured(settings),
            clock,
            entropy,
        }
    }

    async fn confirm(&self, request: &Request) -> Result<(), Refusal> {
        let body = ConfirmBody::read(request.form()?, &self.policy, request.wants_page())?;
        let now = self.clock.now();
        self.client_limit.admit(&self.store, request.client, now).await?;

        let token = body.token.ok_or(Refusal::Token)?;
        let link = self.links.check(&self.store, &token, now).await?.ok_or(Refusal::Token)?;
        let account = &link.account;
        let accepted = AcceptedPassword::new(body.password, &self.policy, account.username.as_str(), account.email.as_str())
            .map_err(|violations| Refusal::violations("password", &violations))?;
        let password = self.hasher.hash(accepted).await?;
        let notice = Notice {
            id: self.entropy.uuid(now),
            account: account.id,
            email: account.email.clone(),
            kind: ChangeKind::Reset,
            changed_at: now,
            caller: request.caller().in_language(account.language()),
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
        let parsed = Token::parse(token).ok_or(Refusal::Token)?;
        let link = self.links.check(&self.store, &parsed, now).await?.ok_or(Refusal::Token)?;
        let reader = reader(request, link.account.language());
        let form =
            Page::Reset { token, username: link.account.username.as_str(), least: self.policy.min_length, errors: &FieldErrors::default() };
        Ok(self.pages.show(&reader, &form)?)
    }

    /// The refusal on the form that was sent, with what was wrong with the password; never the password.
    fn on_form(&self, reader: &Reader, request: &Request, errors: FieldErrors) -> Result<Refusal, Refusal> {
        let mut fields = Fields::of(request.form()?);
        let mut text = |name| fields.take(name, Field::Text).unwrap_or_default();
        let (token, username) = (text("token"), text("username"));
        let form = Page::Reset { token: &token, username: &username, least: self.policy.min_length, errors: &errors };
        let page = self.pages.show(reader, &form)?;
        Ok(Refusal::OnPage(Box::new(Refusal::Fields(errors)), Box::new(page)))
    }

    fn done(&self, request: &Request, page: &Page<'_>) -> Result<Answer, Refusal> {
        match request.reader() {
            Some(reader) => Ok(self.pages.show(&reader, page)?),
            None => Ok(http::ok(&ConfirmAnswer { status: "OK" })),
        }
    }
}

/// Whoever asks for a page, in the account's language where it is known.
fn reader(request: &Request, language: Option<Language>) -> Reader {
    Reader { language: language.or(request.language()).unwrap_or_default(), path: request.path.clone() }
}

/// Whether this is the route of notices rather than of reset links.
fn is_disavowal(path: &str) -> bool {
    path.trim_end_matches('/').ends_with("/disavow")
}

impl Endpoint for ConfirmReset {
    fn allow(&self) -> &'static str {
        "GET, HEAD, POST, OPTIONS"
    }

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        request.allow(&[Method::GET, Method::HEAD, Method::POST], self.allow())?;
        match (is_disavowal(&request.path), request.method == Method::POST) {
            (false, false) => self.show(&request).await,
            (true, false) => self.show_disavowal(&request).await,
            (true, true) => {
                self.disavow(&request).await?;
                self.done(&request, &Page::Disavowed)
            }
            (false, true) => match (self.confirm(&request).await, request.reader()) {
                (Ok(()), _) => {
                    Metric::RESETS_CONFIRMED.count();
                    self.done(&request, &Page::Done)
                }
                (Err(Refusal::Token), _) => {
                    Metric::RESETS_REFUSED.count();
                    Err(Refusal::Token)
                }
                (Err(Refusal::Fields(errors)), Some(reader)) => Err(self.on_form(&reader, &request, errors)?),
                (Err(refusal), _) => Err(refusal),
            },
        }
    }

    fn page(&self, reader: &Reader, refusal: &Refusal) -> Option<Answer> {
        let dead = if is_disavowal(&reader.path) { Page::DeadDisavowal } else { Page::Dead };
        self.pages.refused(reader, refusal, &dead)
    }
}

impl ConfirmBody {
    /// A page has a second field for the password; to the API that is an unknown name.
    fn read(form: Form, policy: &Policy, from_page: bool) -> Result<Self, Refusal> {
        let mut fields = Fields::of(form);
        let password = fields.take_checked("password", Field::Verbatim, Some(policy.max_length));
        if from_page {
            fields.check_repeated("again", password.as_deref().map(String::as_str));
        }
        let token = fields.take_checked("token", Field::Text, None);
        let (password, token) = fields.finish(password.zip(token))?;
        Ok(Self { password: TypedPassword::from(password), token: Token::parse(&token) })
    }
}
