//! GET and POST `/api/users/activation/`: verifies the address of an account, or completes a change of address, by a mailed link.
//!
//! GET shows a page with a form; POST uses up the link. The link of a verification mail verifies the account's address; the link of a change of address
//! gives the account its new one. A link that was used shows the success again.
//!
//! Of an account, this function writes only the names and what belongs to the address, such as its verification. It has no permission to write a password.

use std::ops::Deref;

use doorward::{
    account::Account,
    address::{AddressChange, AddressUndo, AskedAddress},
    clock::{Clock, Timestamp},
    http::{self, Answer, Field, FieldErrors, Fields, Refusal, Request},
    limit::ClientLimit,
    link::LiveLink,
    page::{Page, Pages},
    route,
    store::{Store, Table},
    telemetry,
    token::{NewAddress, Token, Verify},
    verification::{Verification, Verified},
};

use crate::{
    Function, Wiring,
    form::{FormEndpoint, ticked_token},
};

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
    /// It verifies the account's address.
    Verify(Token<Verify>),
    /// It gives the account another address.
    Change(Token<NewAddress>),
}

/// The state of a link.
enum Opens {
    /// It can verify the address of its account.
    Verifies(Box<LiveLink<Verify>>),
    /// It can give this account its new address.
    Changes(Box<Account>, Box<AskedAddress>),
    /// It was used before.
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
    /// The page with the form, in the account's language if it has one. It shows the username, so that nobody confirms an account that somebody else
    /// registered with their address. For a link that was used, it is the page with the success.
    async fn form(&self, request: &Request, link: Option<Link>, errors: &FieldErrors) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        let look_up = self.opens(link.as_ref(), now);
        let opens = self.page_limit.admit_while(&self.store, request.client, now, look_up).await??;
        let reader = |account: &Account| request.reader_in(account.language());
        let account = match &opens {
            Opens::Verifies(link) => &link.account,
            Opens::Changes(account, _) => account,
            Opens::Used(account) if errors.is_empty() => return Ok(self.pages.show(&reader(account), &Page::Verified)?),
            // There is nothing left to confirm, so errors in the form do not matter.
            Opens::Used(account) => return Ok(self.pages.send_on(&reader(account))),
        };
        let link = link.ok_or(Refusal::Activation)?;
        let token = link.reveal();
        let form = Page::Verify { token: &token, username: account.username.as_str(), errors };
        Ok(self.pages.show(&reader(account), &form)?)
    }

    /// The state of a link. One consistent read, which does not use it up, and a second one if a verification link does not work.
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
}

impl Function for VerifyAddress {
    const NAME: &str = "verify-address";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let settings = &mut wiring.settings;
        let [client_limit, page_limit] = ClientLimit::of_mailed_links(settings, "verify-client");
        let (pages, undo) = (Pages::configured(settings), AddressUndo::configured(settings));
        Self { client_limit, page_limit, pages, undo, store: wiring.store.clone(), clock: wiring.clock.clone() }
    }
}

impl FormEndpoint for VerifyAddress {
    const ROUTE: &str = route::VERIFY;
    const DEAD_LINK: Option<Page<'static>> = Some(Page::DeadVerification);
    const DONE: Page<'static> = Page::Verified;

    fn done() -> Answer {
        http::no_content()
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    async fn show(&self, request: &Request) -> Result<Answer, Refusal> {
        self.form(request, Link::mailed(request), &FieldErrors::default()).await
    }

    /// The account is that of the link; the form's fields about it are ignored.
    async fn show_again(&self, request: &Request, errors: &FieldErrors) -> Result<Answer, Refusal> {
        let token = Fields::of(request.form()?).take("token", Field::Text);
        self.form(request, token.and_then(|token| Link::entered(&token)), errors).await
    }

    async fn submit(&self, request: &Request) -> Result<(), Refusal> {
        // djoser's clients send the account's id as well. The token contains it.
        let link = ticked_token(request, "mine", Link::entered)?;
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
