//! PATCH and PUT of `/api/users/me/` with another `email`: requests a change of address, with the password. Until the new mailbox has confirmed it, the
//! account keeps its address.
//!
//! This function does not check whether another account has the new address, and has no permission to. The answer and the writes are the same either way.

use doorward::{
    account::{Account, EmailAddress, MAX_EMAIL_LENGTH},
    address::{ChangeRequested, MAX_RESERVED},
    clock::Timestamp,
    fault::Fault,
    http::{Complaint, Field, FieldErrors, Fields, Refusal, Request},
    limit::{ADDRESS_ACCOUNT, ADDRESS_CHANGES, ADDRESS_TARGET},
    password::TypedPassword,
    store::MAX_TRIES,
};

use super::Me;
use crate::own_account::OwnAccount;

/// The message for an address that cannot be the username of an account whose username is its address.
const NO_USERNAME: &str = "Your username is your e-mail address, and this address cannot be a username.";
/// The message for an account that has changed its address too often lately.
const TOO_MANY: &str = "The address was changed too often. Try again in a few days.";

/// A requested change of address.
pub(super) struct AddressBody {
    email: EmailAddress,
    current_password: TypedPassword,
}

impl Me {
    /// Requests the address, if the password is right. Returns the account as it was read last, and the requested address.
    pub(super) async fn ask_for_address(
        &self,
        AddressBody { email, current_password }: AddressBody,
        account: &Account,
        request: &Request,
        now: Timestamp,
    ) -> Result<(Account, Option<EmailAddress>), Refusal> {
        self.step_up.admit(&self.store, account, request.client, current_password, Refusal::CurrentPassword, now).await?;
        if email.folded() == account.email.folded() {
            return Ok((account.clone(), self.pending(account, now).await?));
        }
        if account.username_with(&email).is_none() {
            return Err(Refusal::Fields(FieldErrors::one("email", NO_USERNAME)));
        }
        if account.reserved(now).count() >= MAX_RESERVED {
            return Err(Refusal::Fields(FieldErrors::one("email", TOO_MANY)));
        }
        ADDRESS_CHANGES.admit(&self.store, ADDRESS_ACCOUNT, &account.id.to_string(), now).await?;
        ADDRESS_CHANGES.admit(&self.store, ADDRESS_TARGET, email.folded(), now).await?;
        let (epoch, mut account) = (account.epoch, account.clone());
        for _ in 0..MAX_TRIES {
            let caller = request.caller().in_language(account.language());
            if self.store.ask_for_address(&account, &email, caller, now).await? == ChangeRequested::Now {
                tracing::info!("change of address requested");
                return Ok((account, Some(email)));
            }
            // The request is authenticated again, which refuses it if its session has ended. With another epoch, the password that was verified is no
            // longer the account's.
            account = self.guard.authenticate(request).await?.account;
            if account.epoch != epoch {
                return Err(Refusal::CurrentPassword);
            }
            // The account's address was changed in the meantime, perhaps to this one.
            if account.email.folded() == email.folded() {
                let pending = self.pending(&account, now).await?;
                return Ok((account, pending));
            }
        }
        Err(Refusal::Fault(Fault::OutOfTime))
    }

    /// The new address and the password. `None` if the body has no address other than the account's, or if one of the two is wrong, which adds a
    /// complaint. If the deployment has no function to confirm an address, the address is a read-only field, which is ignored as in DRF.
    pub(super) fn read_address(&self, account: &Account, fields: &mut Fields) -> Option<AddressBody> {
        // A client that sends back what it was shown changes nothing.
        let is_as_shown = fields.glance("email").is_some_and(|typed| typed == self.shows.shown(account.email.as_str()));
        if !self.verification.asks() || !fields.has("email") || is_as_shown {
            return None;
        }
        let typed = fields.take_checked("email", Field::Email, Some(MAX_EMAIL_LENGTH));
        let email = fields.parse("email", typed.as_ref(), EmailAddress::parse, Complaint::Email);
        // If the address is masked, the answer reveals only with the right password whether it was guessed.
        if self.shows == OwnAccount::On && email.as_ref().is_some_and(|email| email.folded() == account.email.folded()) {
            return None;
        }
        let current_password = fields.take_checked("current_password", Field::Verbatim, None);
        let (email, current_password) = email.zip(current_password)?;
        Some(AddressBody { email, current_password: TypedPassword::from(current_password) })
    }
}
