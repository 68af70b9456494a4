//! GET and POST `/api/users/activation/`: shows that an address is its account's, by the link of a mail to it; or gives an account the address that its owner
//! asked for, by the link of a mail there.
//!
//! GET shows a page with a form and does not use up the link, however often a mail scanner opens it. POST uses it up. Whoever clicks twice is told twice
//! that it is done. This function can write nothing of an account but its names and that its address is verified.

use std::ops::Deref;

use doorward::{
    account::Account,
    address::{AddressChange, AddressUndo, AskedAddress},
    clock::{Clock, Timestamp},
    http::{self, Answer, Field, FieldErrors, Fields, Method, Reader, Refusal, Request},
    limit::ClientLimit,
    link::LiveLink,
    page::{Page, Pages},
    store::{Store, Table},
    telemetry,
    token::{NewAddress, Token, Verify},
    verification::{Verification, Verified},
};

use crate::{Endpoint, Function, PageRole, Wiring};

pub struct VerifyAddress {
    store: Store,
    client_limit: ClientLimit,
    page_limit: ClientLimit,
    pages: Pages,
    undo: AddressUndo,
    clock: Clock,
}

/// The token of a link that this function uses up.
enum Link {
    /// It shows that the address is the account's.
    Verify(Token<Verify>),
    /// It gives the account another address.
    Change(Token<NewAddress>),
}

/// What a link is good for.
enum Opens {
    /// It can show that the address is its account's.
    Verifies(Box<LiveLink<Verify>>),
    /// It can give this account its new address.
    Changes(Box<Account>, Box<AskedAddress>),
    /// It has done so.
    Used(Box<Account>),
}

impl Link {
    fn entered(text: &str) -> Option<Self> {
        Token::entered(text).map(Self::Verify).or_else(|| Token::entered(text).map(Self::Change))
    }

    fn reveal(&self) -> impl Deref<Target = String> {
        match self {
            Self::Verify(token) => token.reveal(),
            Self::Change(token) => token.reveal(),
        }
    }

    fn mailed(request: &Request) -> Option<Self> {
        request.mailed_token().map(Self::Verify).or_else(|| request.mailed_token().map(Self::Change))
    }
}

impl VerifyAddress {
    async fn api(&self, request: &Request) -> Result<Answer, Refusal> {
        if request.method != Method::POST {
            return self.show(request, Link::mailed(request), &FieldErrors::default()).await;
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
            self.show(request, Link::mailed(request), &FieldErrors::default()).await
        };
        // Without the box, the form is shown again. The link says for whom: what the form says of the account is not believed.
        let answer = match answer {
            Err(Refusal::Fields(errors)) => {
                let token = Fields::of(request.form()?).take("token", Field::Text);
                self.show(request, token.and_then(|token| Link::entered(&token)), &errors).await
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
    async fn show(&self, request: &Request, link: Option<Link>, errors: &FieldErrors) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        let look_up = self.opens(link.as_ref(), now);
        let opens = self.page_limit.admit_while(&self.store, request.client, now, look_up).await??;
        let reader = |account: &Account| request.reader_in(account.language());
        let account = match &opens {
            Opens::Verifies(link) => &link.account,
            Opens::Changes(account, _) => account,
            Opens::Used(account) if errors.is_empty() => return Ok(self.pages.show(&reader(account), &Page::Verified)?),
            // There is nothing left to confirm, so that it is no matter what the form lacks.
            Opens::Used(account) => return Ok(self.pages.send_on(&reader(account))),
        };
        let link = link.ok_or(Refusal::Activation)?;
        let token = link.reveal();
        let form = Page::Verify { token: &token, username: account.username.as_str(), errors };
        Ok(self.pages.show(&reader(account), &form)?)
    }

    /// What a link is good for. One consistent read, which does not use it up, and for some that were used a second one.
    async fn opens(&self, link: Option<&Link>, now: Timestamp) -> Result<Opens, Refusal> {
        match link {
            None => Err(Refusal::Activation),
            Some(Link::Verify(token)) => match self.store.verification(Some(token), now).await? {
                Verification::Live(link) => Ok(Opens::Verifies(link)),
                Verification::Used(account) => Ok(Opens::Used(account)),
                Verification::Dead => Err(Refusal::Activation),
            },
            Some(Link::Change(token)) => match self.store.address_change(Some(token), now).await? {
                AddressChange::Live(account, asked) => Ok(Opens::Changes(account, asked)),
                AddressChange::Used(account) => Ok(Opens::Used(account)),
                AddressChange::Dead => Err(Refusal::Activation),
            },
        }
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
        let link = Link::entered(&fields.finish(token)?);
        let now = self.clock.now();
        let look_up = self.opens(link.as_ref(), now);
        let opens = self.client_limit.admit_while(&self.store, request.client, now, look_up).await??;
        let now = self.clock.now();
        let (verified, what) = match (opens, link) {
            (Opens::Verifies(link), _) => {
                telemetry::note_account(link.account.id);
                (self.store.verify(&link, now).await?, "address verified")
            }
            (Opens::Changes(account, asked), Some(Link::Change(token))) => {
                telemetry::note_account(account.id);
                let change = AddressChange::Live(account, asked);
                (self.store.confirm_address(&token, change, self.undo, request.caller(), now).await?, "address changed")
            }
            _ => (Verified::Before, ""),
        };
        match verified {
            Verified::Now => tracing::info!("{what}"),
            Verified::Before => {}
            Verified::NotValid => return Err(Refusal::Activation),
        }
        Ok(())
    }
}

impl Function for VerifyAddress {
    const NAME: &str = "verify-address";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let settings = &mut wiring.settings;
        let (client_limit, page_limit) = (ClientLimit::of_mailed_links(settings, "verify-client"), ClientLimit::of_mailed_pages(settings));
        let (pages, undo) = (Pages::configured(settings), AddressUndo::configured(settings));
        Self { client_limit, page_limit, pages, undo, store: wiring.store.clone(), clock: wiring.clock.clone() }
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
