//! The requests for mail that an operator's commands leave.

use std::time::Duration;

use doorward::{
    account::Account,
    caller::Caller,
    clock::{Timestamp, after},
    outbox::ResetRequest,
};

/// A reset request by an operator, who has no caller's address, browser or language.
pub(crate) fn reset_request(account: &Account, now: Timestamp) -> ResetRequest {
    ResetRequest {
        email: account.email.clone(),
        // Only a request that is newer than the password leads to a link.
        requested_at: now.max(after(account.password_changed_at, Duration::from_millis(1))),
        caller: Caller::default().in_language(account.language()),
        invites: false,
    }
}

/// The request for the mail that invites an owner to choose a first password.
pub(crate) fn invitation(account: &Account, now: Timestamp) -> ResetRequest {
    ResetRequest { invites: true, ..reset_request(account, now) }
}
