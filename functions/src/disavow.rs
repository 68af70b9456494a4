//! GET and POST `/api/password_reset/disavow/`: "this wasn't me", the link of a notice.
//!
//! GET shows a page with a form and does not use up the link, however often a mail scanner opens it. POST uses it up: it ends every session, takes the
//! password out of use and starts a reset, once; it calls the account's deletion off, and gives it back the address to which the link was mailed. This function cannot set a password, as it has no permission to.

use doorward::{
    clock::Clock,
    disavow::Disavowed,
    http::{self, Answer, Field, FieldErrors, Fields, Method, Reader, Refusal, Request},
    limit::ClientLimit,
    metric::Metric,
    outbox::ResetRequest,
    page::{Page, Pages},
    store::{Store, Table},
    telemetry,
    token::Token,
};
use serde::Serialize;

use crate::{Endpoint, Function, PageRole, Wiring};

pub struct Disavow {
    store: Store,
    client_limit: ClientLimit,
    page_limit: ClientLimit,
    pages: Pages,
    clock: Clock,
}

#[derive(Serialize)]
struct DisavowAnswer {
    status: &'static str,
}

impl Disavow {
    async fn api(&self, request: &Request) -> Result<Answer, Refusal> {
        if request.method != Method::POST {
            return self.show(request).await;
        }
        self.disavow(request).await?;
        Ok(http::ok(&DisavowAnswer { status: "OK" }))
    }

    async fn page(&self, reader: &Reader, request: &Request) -> Result<Answer, Refusal> {
        let answer = if request.follows_form() {
            Ok(self.pages.show(reader, &Page::Disavowed)?)
        } else if request.method == Method::POST {
            self.disavow(request).await.map(|()| self.pages.send_on(reader))
        } else {
            self.show(request).await
        };
        match answer {
            Err(Refusal::Token) => Ok(self.pages.show(reader, &Page::DeadDisavowal)?),
            Err(Refusal::Fields(errors)) => {
                let token = Fields::of(request.form()?).take("token", Field::Text).unwrap_or_default();
                Ok(self.pages.show(reader, &Page::Disavow { token: &token, due_at: None, gives_back: false, errors: &errors })?)
            }
            answer => answer,
        }
    }

    /// The page with the button, in the account's language if it has one.
    async fn show(&self, request: &Request) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        let token = request.mailed_token();
        let look_up = self.store.disavowal(token.as_ref(), now);
        let link = self.page_limit.admit_while(&self.store, request.client, now, look_up).await??;
        let (token, link) = token.zip(link).ok_or(Refusal::Token)?;
        let (due_at, gives_back) = (link.account.leaving.map(|leaving| leaving.due_at), link.gives_back(now).is_some());
        let form = Page::Disavow { token: &token.reveal(), due_at, gives_back, errors: &FieldErrors::default() };
        Ok(self.pages.show(&request.reader_in(link.account.language()), &form)?)
    }

    /// Uses up the link.
    ///
    /// Robots that look for dangerous links open those of a mail and send the forms behind them. A form therefore counts only with a box that a person has
    /// ticked. A program that sends JSON has read no page.
    async fn disavow(&self, request: &Request) -> Result<(), Refusal> {
        let mut fields = Fields::of(request.form()?);
        let token = fields.take_checked("token", Field::Text, None);
        if token.is_some() && request.is_form() {
            fields.check_ticked("not_me");
        }
        let token = Token::entered(&fields.finish(token)?);
        let now = self.clock.now();
        let look_up = self.store.disavowal(token.as_ref(), now);
        let link = self.client_limit.admit_while(&self.store, request.client, now, look_up).await??.ok_or(Refusal::Token)?;
        // To the present address, or to the one that the link gives back: the store decides, since it can change meanwhile.
        let caller = request.caller().in_language(link.account.language());
        let reset = ResetRequest { email: link.account.email.clone(), requested_at: now, caller, invites: false };
        match self.store.disavow(&link, reset).await? {
            Disavowed::Now => {
                Metric::PASSWORDS_DISAVOWED.count();
                telemetry::note_account(link.account.id);
                tracing::info!("password disavowed");
                Ok(())
            }
            Disavowed::NotValid => Err(Refusal::Token),
        }
    }
}

impl Function for Disavow {
    const NAME: &str = "disavow";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let settings = &mut wiring.settings;
        let (client_limit, page_limit) = (ClientLimit::of_mailed_links(settings, "disavow-client"), ClientLimit::of_mailed_pages(settings));
        Self { client_limit, page_limit, pages: Pages::configured(settings), store: wiring.store.clone(), clock: wiring.clock.clone() }
    }
}

impl Endpoint for Disavow {
    const ROUTES: &[&str] = &["/api/password_reset/disavow/"];
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
