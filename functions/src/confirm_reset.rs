//! GET and POST `/api/password_reset/confirm/`: replaces a forgotten password.
//!
//! GET shows a page with a form and does not use up the link, however often a mail scanner opens it. POST uses up the link. It answers programs with JSON
//! and the form with a page.

use std::sync::Arc;

use doorward::{
    clock::Clock,
    entropy::Entropy,
    http::{self, Answer, Field, FieldErrors, Fields, Form, Method, Reader, Refusal, Request},
    limit::ClientLimit,
    metric::Metric,
    outbox::{ChangeKind, Notice},
    page::{Page, Pages},
    password::{AcceptedPassword, Hasher, Owner, Policy, TypedPassword},
    profile::ProfileFields,
    reset::{ResetLinks, Spent},
    store::{Store, Table},
    telemetry,
    token::{Reset, Token},
};
use serde::Serialize;

use crate::{Endpoint, Function, PageRole, Wiring};

pub struct ConfirmReset {
    store: Store,
    hasher: Arc<Hasher>,
    policy: Policy,
    links: ResetLinks,
    fields: ProfileFields,
    client_limit: ClientLimit,
    page_limit: ClientLimit,
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
    async fn api(&self, request: &Request) -> Result<Answer, Refusal> {
        if request.method != Method::POST {
            return self.show(request).await;
        }
        self.confirm(request).await?;
        Ok(http::ok(&ConfirmAnswer { status: "OK" }))
    }

    async fn page(&self, reader: &Reader, request: &Request) -> Result<Answer, Refusal> {
        let answer = if request.follows_form() {
            Ok(self.pages.show(reader, &Page::Done)?)
        } else if request.method == Method::POST {
            self.confirm(request).await.map(|()| self.pages.send_on(reader))
        } else {
            self.show(request).await
        };
        match answer {
            Err(Refusal::Token) => Ok(self.pages.show(reader, &Page::Dead)?),
            Err(Refusal::Fields(errors)) => self.show_again(reader, request, &errors),
            answer => answer,
        }
    }

    /// Uses up the link, and counts the outcome.
    async fn confirm(&self, request: &Request) -> Result<(), Refusal> {
        let confirmed = self.spend(request).await;
        match &confirmed {
            Ok(()) => Metric::RESETS_CONFIRMED.count(),
            Err(Refusal::Token) => Metric::RESETS_REFUSED.count(),
            Err(_) => {}
        }
        confirmed
    }

    async fn spend(&self, request: &Request) -> Result<(), Refusal> {
        let body = ConfirmBody::read(request.form()?, &self.policy, request.wants_page())?;
        let now = self.clock.now();
        // Only here is there a password to compare with a name.
        let links = self.links.with_profile(self.fields.has_names());
        let look_up = links.check(&self.store, body.token.as_ref(), now);
        let link = self.client_limit.admit_while(&self.store, request.client, now, look_up).await??.ok_or(Refusal::Token)?;
        let account = &link.account;
        telemetry::note_account(account.id);
        let accepted = AcceptedPassword::new(body.password, &self.policy, &account.owner(&self.fields))
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
        match self.store.spend_reset(account.id, &link.digest, request.client, &password, &notice, self.clock.now()).await? {
            Spent::Now => Ok(()),
            Spent::NotValid => Err(Refusal::Token),
        }
    }

    /// The form, in the account's language if it has one.
    async fn show(&self, request: &Request) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        let token = request.mailed_token();
        let look_up = self.links.check(&self.store, token.as_ref(), now);
        let link = self.page_limit.admit_while(&self.store, request.client, now, look_up).await??;
        let (token, link) = token.zip(link).ok_or(Refusal::Token)?;
        let reader = request.reader_in(link.account.language());
        let (token, username) = (token.reveal(), link.account.username.as_str());
        let form = Page::Reset { token: &token, username, least: self.policy.min_length, errors: &FieldErrors::default() };
        Ok(self.pages.show(&reader, &form)?)
    }

    /// The form that was sent, with the complaints about the password but without the password.
    ///
    /// A password that was not repeated rightly is judged all the same, so that somebody who mends one complaint does not get the next for it.
    fn show_again(&self, reader: &Reader, request: &Request, errors: &FieldErrors) -> Result<Answer, Refusal> {
        let mut fields = Fields::of(request.form()?);
        let mut text = |name| fields.take(name, Field::Text).unwrap_or_default();
        let (token, username) = (text("token"), text("username"));
        let mut errors = errors.clone();
        if errors.iter().all(|(name, _)| name == "again")
            && let Some(password) = fields.take("password", Field::Verbatim)
            && let Err(violations) =
                AcceptedPassword::new(TypedPassword::from(password), &self.policy, &Owner { username: &username, ..Owner::default() })
        {
            for violation in violations {
                errors.add("password", violation);
            }
        }
        let form = Page::Reset { token: &token, username: &username, least: self.policy.min_length, errors: &errors };
        Ok(self.pages.show(reader, &form)?)
    }
}

impl Function for ConfirmReset {
    const NAME: &str = "confirm-reset";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let hasher = wiring.hasher();
        let settings = &mut wiring.settings;
        let (client_limit, page_limit) = (ClientLimit::of_mailed_links(settings, "confirm-client"), ClientLimit::of_mailed_pages(settings));
        Self {
            hasher,
            policy: Policy::configured(settings),
            links: ResetLinks::configured(settings, wiring.clock.now()),
            fields: ProfileFields::configured(settings),
            client_limit,
            page_limit,
            pages: Pages::configured(settings),
            store: wiring.store.clone(),
            clock: wiring.clock.clone(),
            entropy: wiring.entropy.clone(),
        }
    }
}

impl Endpoint for ConfirmReset {
    const ROUTES: &[&str] = &["/api/password_reset/confirm/"];
    const METHODS: &[Method] = &[Method::GET, Method::HEAD, Method::POST];
    const PAGE: PageRole = PageRole::MailedLink;

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

impl ConfirmBody {
    /// A page has a second field for the password, which the API ignores like any unknown name.
    fn read(form: Form, policy: &Policy, from_page: bool) -> Result<Self, Refusal> {
        let mut fields = Fields::of(form);
        let password = fields.take_checked("password", Field::Verbatim, Some(policy.max_length));
        if from_page {
            fields.check_repeated("again", password.as_deref().map(String::as_str));
        }
        let token = fields.take_checked("token", Field::Text, None);
        let (password, token) = fields.finish(password.zip(token))?;
        Ok(Self { password: TypedPassword::from(password), token: Token::entered(&token) })
    }
}
