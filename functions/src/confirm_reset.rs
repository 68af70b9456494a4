//! GET and POST `/api/password_reset/confirm/`: replaces a forgotten password.
//!
//! GET shows a page with a form. POST uses up the link, which a reset mail contains.

use std::sync::Arc;

use doorward::{
    clock::Clock,
    entropy::Entropy,
    http::{Answer, Field, FieldErrors, Fields, Form, Refusal, Request},
    limit::ClientLimit,
    metric::Metric,
    outbox::{ChangeKind, Notice},
    page::{Page, Pages},
    password::{AcceptedPassword, Hasher, Owner, Policy, TypedPassword},
    profile::ProfileFields,
    reset::{ResetLinks, Spent},
    route,
    store::{Store, Table},
    telemetry,
    token::{Reset, Token},
};

use crate::{Function, Wiring, form::FormEndpoint};

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

impl ConfirmReset {
    async fn spend(&self, request: &Request) -> Result<(), Refusal> {
        let body = ConfirmBody::read(request.form()?, &self.policy, request.wants_page())?;
        let now = self.clock.now();
        // The check of the link also reads the declared names if there are any, because the new password is compared with them.
        let links = self.links.with_profile(self.fields.has_names());
        let look_up = links.check(&self.store, body.token.as_ref(), now);
        let link = self.client_limit.admit_while(&self.store, request.client, now, look_up).await??.ok_or(Refusal::Token)?;
        let account = &link.account;
        telemetry::note_account(account.id);
        let accepted = AcceptedPassword::new(body.password, &self.policy, &account.owner(&self.fields))
            .map_err(|violations| Refusal::violations("password", &violations))?;
        let password = self.hasher.hash(accepted).await?;
        let notice = Notice::to_owner(account, self.entropy.uuid(now), ChangeKind::Reset, request.caller(), now);
        match self.store.spend_reset(account.id, &link.digest, request.client, &password, &notice, self.clock.now()).await? {
            Spent::Now => Ok(()),
            Spent::NotValid => Err(Refusal::Token),
        }
    }
}

impl Function for ConfirmReset {
    const NAME: &str = "confirm-reset";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let hasher = wiring.hasher();
        let settings = &mut wiring.settings;
        let [client_limit, page_limit] = ClientLimit::of_mailed_links(settings, "confirm-client");
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

impl FormEndpoint for ConfirmReset {
    const ROUTE: &str = route::RESET;
    const DEAD_LINK: Option<Page<'static>> = Some(Page::Dead);
    const DONE: Page<'static> = Page::Done;

    fn pages(&self) -> &Pages {
        &self.pages
    }

    /// The page is in the account's language, if it has one.
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

    /// The page has the complaints about the password, but not the password.
    ///
    /// The password is checked even if its repetition differs, so that all errors are shown at once.
    async fn show_again(&self, request: &Request, errors: &FieldErrors) -> Result<Answer, Refusal> {
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
        Ok(self.pages.show(&request.reader_in(None), &form)?)
    }

    /// Uses up the link, and counts the outcome.
    async fn submit(&self, request: &Request) -> Result<(), Refusal> {
        let confirmed = self.spend(request).await;
        match &confirmed {
            Ok(()) => Metric::RESETS_CONFIRMED.count(),
            Err(Refusal::Token) => Metric::RESETS_REFUSED.count(),
            Err(_) => {}
        }
        confirmed
    }
}

impl ConfirmBody {
    /// Reads the body. The form of a page has a second field for the password. The API ignores that field like any unknown one.
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
