//! A login from a place that is new to the account. Its owner gets a notice with a "this wasn't me" link, at most once a day (ASVS 5.0, 6.3.5).

use std::time::Duration;

use crate::{
    account::Account,
    caller::Caller,
    client::Client,
    clock::{Timestamp, after},
    config::span,
    fault::Fault,
    limit,
    outbox::{self, ChangeKind, Notice},
    store::Store,
};

/// Younger accounts get no such notices, because people register on one device and log in on another.
const SETTLING: Duration = span::hours(1);

/// Whether a login of `client` needs a notice: it comes from a network that the account does not know. An account that knows none, for example an imported
/// one, has nothing to compare with.
#[must_use]
pub fn is_from_new_place(account: &Account, client: Client, now: Timestamp) -> bool {
    after(account.created_at, SETTLING) <= now && limit::is_new_network(account, client, now)
}

impl Store {
    /// Leaves the notice of such a login, unless one was left today or the account no longer exists. It is left before the session is opened, so that
    /// there is no session without it. One call.
    pub async fn tell_sign_in(&self, account: &Account, caller: Caller, now: Timestamp) -> Result<(), Fault> {
        let id = outbox::id_of_day("sign-in", account.id, now);
        let notice = Notice::to_owner(account, id, ChangeKind::SignIn, caller, now);
        self.leave_once("tell of a login", &notice).await
    }
}
