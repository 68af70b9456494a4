//! PATCH and PUT of `/api/users/me/` with another `email`: asks for a change of the address, with the password. Until the new mailbox has confirmed it the
//! account keeps the one that it has.
//!
//! Nothing here looks whether somebody else has the new address, and this function has no permission to: the answer and what is written are the same.

use doorward::{
    account::{Account, EmailAddress, LONGEST_EMAIL},
    address::{Asked, MOST_KEPT},
    clock::Timestamp,
    fault::Fault,
    http::{Answer, Complaint, Field, FieldErrors, Fields, Form, Refusal, Request},
    limit::{ADDRESS_ACCOUNT, ADDRESS_CHANGES, ADDRESS_TARGET, Attempt},
    metric::Metric,
    password::TypedPassword,
    session::SignedIn,
};

use super::Me;

/// Maximum number of tries while the account's address is changed.
const MAX_TRIES: u32 = 5;

/// The message for an address that cannot be the account's username, which is its address.
const NO_USERNAME: &str = "Your username is your e-mail address, and this address cannot be a username.";
/// The message for an account that has had too many addresses lately.
const TOO_MANY: &str = "The address was changed too often. Try again in a few days.";

/// A change of the address that is asked for.
struct AddressBody {
    email: EmailAddress,
    current_password: TypedPassword,
}

impl Me {
    /// Asks for the change that the body contains, if it contains one, and shows the account.
    pub(super) async fn update(&self, request: &Request, SignedIn { account, .. }: &SignedIn, now: Timestamp) -> Result<Answer, Refusal> {
        let Some(body) = self.read_address(account, request.form()?)? else { return self.see(account, now).await };
        self.step_up.admit(&self.store, account, request.client, body.current_password, Refusal::CurrentPassword, now).await?;
        if account.username_with(&body.email).is_none() {
            return Err(Refusal::Fields(FieldErrors::one("email", NO_USERNAME)));
        }
        if account.reserved(now).count() >= MOST_KEPT {
            return Err(Refusal::Fields(FieldErrors::one("email", TOO_MANY)));
        }
        self.count(ADDRESS_ACCOUNT, &account.id.to_string(), now).await?;
        self.count(ADDRESS_TARGET, body.email.folded(), now).await?;
        self.ask(request, account.clone(), &body.email, now).await
    }

    /// Asks for the address of an account, which is read as it was when its password was verified.
    async fn ask(&self, request: &Request, mut account: Account, email: &EmailAddress, now: Timestamp) -> Result<Answer, Refusal> {
        let epoch = account.epoch;
        for _ in 0..MAX_TRIES {
            let caller = request.caller().in_language(account.language());
            if self.store.ask_for_address(&account, email, caller, now).await? == Asked::Now {
                tracing::info!("change of address asked for");
                return Ok(self.shown(&account, Some(email)));
            }
            // The answer says what is true now: the session has ended, or the password that was verified is not the account's any more.
            account = self.sessions.authenticate(&self.store, request, now).await?.account;
            if account.epoch != epoch {
                return Err(Refusal::CurrentPassword);
            }
            // Its address was changed meanwhile, perhaps to this one.
            if account.email.folded() == email.folded() {
                return self.see(&account, now).await;
            }
        }
        Err(Refusal::Fault(Fault::OutOfTime))
    }

    async fn count(&self, rule: &'static str, subject: &str, now: Timestamp) -> Result<(), Refusal> {
        let window = ADDRESS_CHANGES.window(rule, subject, now);
        if self.store.count(&window).await? == Attempt::Refused {
            Metric::CHANGES_LIMITED.count();
            return Err(Refusal::Throttled { retry_after: window.ends_in(now) });
        }
        Ok(())
    }

    /// The new address and the password, or nothing if the body has no other address than the account's. Without a function that confirms it, an address
    /// is a field that can only be read, and DRF does not read such a field.
    fn read_address(&self, account: &Account, form: Form) -> Result<Option<AddressBody>, Refusal> {
        if !self.verification.asks() || !form.has("email") {
            return Ok(None);
        }
        let mut fields = Fields::of(form);
        let typed = fields.take_checked("email", Field::Email, Some(LONGEST_EMAIL));
        // A client that sends back what it was shown changes nothing.
        if typed.as_ref().is_some_and(|typed| **typed == self.shows.shown(account.email.as_str())) {
            return Ok(None);
        }
        let email = typed.as_deref().and_then(|text| match EmailAddress::parse(text) {
            Ok(email) => Some(email),
            Err(_) => fields.complain("email", Complaint::Email),
        });
        if email.as_ref().is_some_and(|email| email.folded() == account.email.folded()) && !fields.has_complaint("email") {
            return Ok(None);
        }
        let current_password = fields.take_checked("current_password", Field::Verbatim, None);
        let (email, current_password) = fields.finish(email.zip(current_password))?;
        Ok(Some(AddressBody { email, current_password: TypedPassword::from(current_password) }))
    }
}
