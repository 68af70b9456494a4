//! GET, PUT, PATCH and DELETE `/api/users/me/`: shows an account to its owner, changes its declared fields and its address, and requests its deletion. The
//! route and its texts are djoser's.
//!
//! The holder of a session may be a thief, so with `OwnAccount=masked` the address is shown only in part. Changes that decide who can use the account need
//! the password. Declared fields do not, so a session alone is enough to change them.
//!
//! A request for deletion only deactivates the account. The sweeper carries it out, so this function needs no permission to delete data of accounts.

mod address;

use doorward::{
    account::{Account, EmailAddress, Profiled},
    clock::{Clock, Timestamp},
    deletion_request::{DeletionGrace, DeletionRequested},
    fault::Fault,
    http::{self, Answer, Field, Fields, Method, Refusal, Request},
    password::TypedPassword,
    profile::{Asked, Changes, ProfileFields, Shown},
    session::SignedIn,
    step_up::StepUp,
    store::{MAX_TRIES, Store, Table},
    verification::AddressVerification,
};
use serde::Serialize;

use crate::{Endpoint, Function, Guard, Wiring, own_account::OwnAccount};

pub struct Me {
    store: Store,
    guard: Guard,
    fields: ProfileFields,
    step_up: StepUp,
    grace: DeletionGrace,
    shows: OwnAccount,
    verification: AddressVerification,
    clock: Clock,
}

/// An account, as its owner sees it, with djoser's keys and the declared fields.
#[derive(Serialize)]
struct Seen<'a> {
    email: String,
    id: String,
    username: String,
    verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(flatten)]
    fields: Shown<'a>,
    /// The requested address, until its mailbox confirms it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_email: Option<String>,
}

impl Me {
    async fn see(&self, account: &Account, now: Timestamp) -> Result<Answer, Refusal> {
        let pending = self.pending(account, now).await?;
        Ok(self.shown(account, pending.as_ref()))
    }

    /// The requested address, if the deployment allows changes of address.
    async fn pending(&self, account: &Account, now: Timestamp) -> Result<Option<EmailAddress>, Fault> {
        if self.verification.asks() { self.store.pending_address(account, now).await } else { Ok(None) }
    }

    /// The account, with the requested address.
    fn shown(&self, account: &Account, pending: Option<&EmailAddress>) -> Answer {
        let is_address = account.username.folded() == account.email.folded();
        http::ok(&Seen {
            email: self.shows.shown(account.email.as_str()),
            id: account.id.to_string(),
            username: if is_address { self.shows.shown(account.username.as_str()) } else { account.username.as_str().to_owned() },
            verified: account.verified_at.is_some(),
            external_id: account.external_id.clone(),
            fields: self.fields.shown(&account.profile),
            pending_email: pending.map(|email| self.shows.shown(email.as_str())),
        })
    }

    /// Changes the declared fields in the body and, with the password, requests another address if the body has one. All other fields of a body are
    /// read-only or unknown, and are ignored as in Django REST Framework. PUT needs the required fields.
    ///
    /// The answer is the account as it was read, with these changes. Simultaneous changes by others are in the next answer.
    async fn update(&self, request: &Request, SignedIn { account, .. }: &SignedIn, now: Timestamp) -> Result<Answer, Refusal> {
        let asked = if request.method == Method::PUT { Asked::Whole } else { Asked::Part };
        let mut fields = Fields::of(request.form()?);
        let changes = self.fields.read(&mut fields, asked);
        let address = self.read_address(account, &mut fields);
        let (changes, address) = fields.finish(Some((changes, address)))?;
        // The password is checked before anything changes. Nothing is read after the request is stored, so a request that is stored is never answered with
        // the error of a read.
        let (account, pending) = match address {
            Some(body) => self.ask_for_address(body, account, request, now).await?,
            None => (account.clone(), self.pending(account, now).await?),
        };
        let account = self.change_fields(request, account, &changes, now).await?;
        Ok(self.shown(&account, pending.as_ref()))
    }

    /// Stores the changes, and returns the account with them.
    async fn change_fields(&self, request: &Request, mut account: Account, changes: &Changes, now: Timestamp) -> Result<Account, Refusal> {
        for _ in 0..MAX_TRIES {
            if account.profile.has(changes) {
                return Ok(account);
            }
            if self.store.change_profile(&account, changes, now).await? == Profiled::Now {
                tracing::info!("profile changed");
                account.profile.apply(changes);
                return Ok(account);
            }
            // The request is authenticated again, which refuses it if its session has ended. Otherwise this session has changed the password in the
            // meantime and is still valid.
            account = self.guard.authenticate(request).await?.account;
        }
        Err(Refusal::Fault(Fault::OutOfTime))
    }

    /// Deactivates the account, if the password is right, and leaves its deletion to the sweeper.
    async fn delete(&self, request: &Request, SignedIn { account, token }: &SignedIn, now: Timestamp) -> Result<Answer, Refusal> {
        let mut fields = Fields::of(request.form()?);
        let password = fields.take_checked("current_password", Field::Verbatim, None);
        let password = TypedPassword::from(fields.finish(password)?);
        self.step_up.admit(&self.store, account, request.client, password, Refusal::CurrentPassword, now).await?;
        match self.store.request_deletion(account, &token.digest(), self.grace, request.caller(), now).await? {
            DeletionRequested::Now => {
                tracing::info!("deletion requested");
                Ok(http::no_content())
            }
            // The request is authenticated again, which refuses it if its session has ended. Otherwise this session has changed the password in the
            // meantime.
            DeletionRequested::Overtaken => {
                self.guard.authenticate(request).await?;
                Err(Refusal::CurrentPassword)
            }
        }
    }
}

impl Function for Me {
    const NAME: &str = "me";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let hasher = wiring.hasher();
        let fields = ProfileFields::configured(&mut wiring.settings);
        Self {
            step_up: StepUp::configured(&mut wiring.settings, hasher),
            grace: DeletionGrace::configured(&mut wiring.settings),
            shows: OwnAccount::configured(&mut wiring.settings),
            verification: AddressVerification::configured(&mut wiring.settings),
            guard: Guard::configured(wiring).with_profile(!fields.is_empty()),
            fields,
            store: wiring.store.clone(),
            clock: wiring.clock.clone(),
        }
    }
}

impl Endpoint for Me {
    const ROUTES: &[&str] = &["/api/users/me/"];
    const METHODS: &[Method] = &[Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE];
    const GUARD: Option<fn(&Self) -> &Guard> = Some(|endpoint| &endpoint.guard);

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        let signed_in = self.guard.authenticate(&request).await?;
        match request.method {
            Method::DELETE => self.delete(&request, &signed_in, now).await,
            Method::PUT | Method::PATCH => self.update(&request, &signed_in, now).await,
            _ => self.see(&signed_in.account, now).await,
        }
    }
}
