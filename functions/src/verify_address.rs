//! GET and POST `/api/users/activation/`: shows that an address is its account's, by the link of a mail to it.
//!
//! GET shows a page with a form and does not use up the link, however often a mail scanner opens it. POST uses it up. Whoever clicks twice is told twice
//! that it is done. This function can write nothing of an account but that its address is verified.

use doorward::{
    account::Account,
    clock::Clock,
    config::span,
    http::{self, Answer, Field, FieldErrors, Fields, Method, Reader, Refusal, Request},
    limit::{ClientLimit, Limit},
    metric::Metric,
    page::{Page, Pages},
    store::{Store, Table},
    telemetry,
    token::{self, Token},
    verification::{Verification, Verified},
};

use crate::{Endpoint, Function, PageRole, Wiring};

pub struct VerifyAddress {
    store: Store,
    client_limit: ClientLimit,
    page_limit: ClientLimit,
    pages: Pages,
    clock: Clock,
}

impl VerifyAddress {
    async fn api(&self, request: &Request) -> Result<Answer, Refusal> {
        if request.method != Method::POST {
            return self.show(request, request.mailed_token(), &FieldErrors::default()).await;
        }
        self.verify(request).await?;
        Ok(http::no_content())
    }

    async fn page(&self, reader: &Reader, request: &Request) -> Result<Answer, Refusal> {
        let answer = if request.follows_form() {
            Ok(self.pages.show(reader, &Page::Verified)?)
        } else if request.method == Method::POST {
            self.verify(request).await.map(|()| self.pages.send_on(reader))
        } else {
            self.show(request, request.mailed_token(), &FieldErrors::default()).await
        };
        // Without the box, the form is shown again. The link says for whom: what the form says of the account is not believed.
        let answer = match answer {
            Err(Refusal::Fields(errors)) => {
                let token = Fields::of(request.form()?).take("token", Field::Text);
                self.show(request, token.and_then(|token| Token::entered(&token)), &errors).await
            }
            answer => answer,
        };
        match answer {
            Err(Refusal::Activation) => Ok(self.pages.show(reader, &Page::DeadVerification)?),
            answer => answer,
        }
    }

    /// The page with the form, in the account's language if it has one. It names the account, so that nobody confirms one that somebody else has made
    /// with their address. Of a link that was used it says that it was.
    async fn show(&self, request: &Request, token: Option<Token<token::Verify>>, errors: &FieldErrors) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        let look_up = self.store.verification(token.as_ref(), now);
        let verification = self.page_limit.admit_while(&self.store, request.client, now, look_up).await??;
        let token = token.ok_or(Refusal::Activation)?;
        let reader = |account: &Account| request.reader_in(account.language());
        Ok(match verification {
            Verification::Live(link) => {
                let form = Page::Verify { token: &token.reveal(), username: link.account.username.as_str(), errors };
                self.pages.show(&reader(&link.account), &form)?
            }
            Verification::Used(account) if errors.is_empty() => self.pages.show(&reader(&account), &Page::Verified)?,
            // There is nothing left to confirm, so that it is no matter what the form lacks.
            Verification::Used(account) => self.pages.send_on(&reader(&account)),
            Verification::Dead => return Err(Refusal::Activation),
        })
    }

    /// Uses up the link.
    ///
    /// A robot that opens the links of a mail and sends the forms behind them would confirm an address for whoever has registered it. A form therefore
    /// counts only with a box that a person has ticked. A program that sends JSON has read no page.
    async fn verify(&self, request: &Request) -> Result<(), Refusal> {
        let mut fields = Fields::of(request.form()?);
        // djoser's clients send the account's id as well. The token has it.
        let token = fields.take_checked("token", Field::Text, None);
        if token.is_some() && request.is_form() {
            fields.check_ticked("mine");
        }
        let token = Token::entered(&fields.finish(token)?);
        let now = self.clock.now();
        let look_up = self.store.verification(token.as_ref(), now);
        let link = match self.client_limit.admit_while(&self.store, request.client, now, look_up).await?? {
            Verification::Live(link) => link,
            Verification::Used(_) => return Ok(()),
            Verification::Dead => return Err(Refusal::Activation),
        };
        telemetry::note_account(link.account.id);
        match self.store.verify(&link, self.clock.now()).await? {
            Verified::Now => {
                tracing::info!("address verified");
                Ok(())
            }
            Verified::Before => Ok(()),
            Verified::NotValid => Err(Refusal::Activation),
        }
    }
}

impl Function for VerifyAddress {
    const NAME: &str = "verify-address";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let settings = &mut wiring.settings;
        let mut limit = |rule| {
            let default = Limit::new(30, span::minutes(5));
            ClientLimit::configured(settings, rule, "CONFIRM_CLIENT_LIMIT", default, Metric::RESETS_LIMITED)
        };
        // Opening the page is counted by itself, so that a mail scanner cannot use up its reader's tries. The links of other mails count under the same rule.
        let (client_limit, page_limit) = (limit("verify-client"), limit("confirm-page"));
        Self { client_limit, page_limit, pages: Pages::configured(settings), store: wiring.store.clone(), clock: wiring.clock.clone() }
    }
}

impl Endpoint for VerifyAddress {
    const ROUTES: &[&str] = &["/api/users/activation/"];
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
