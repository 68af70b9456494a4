//! Step-up authentication: asks for the current password again before a change that decides who can use an account (ASVS 5.0, 7.5.1 and 7.5.2).
//!
//! All requests that ask for the password do so here, and count in the same windows. So an additional route gives the holder of a session no additional
//! guesses.

use std::sync::Arc;

use crate::{
    account::Account,
    client::Client,
    clock::Timestamp,
    config::{Settings, span},
    http::Refusal,
    limit::{Attempt, CHANGE_ACCOUNT, ClientLimit, Limit, change_subject},
    metric::Metric,
    password::{Hasher, TypedPassword, Verdict},
    store::Store,
};

/// Asks for the current password.
pub struct StepUp {
    hasher: Arc<Hasher>,
    client_limit: ClientLimit,
    account_limit: Limit,
}

impl StepUp {
    /// `CHANGE_CLIENT_LIMIT` (default 60/5m) and `CHANGE_ACCOUNT_LIMIT` (default 10/15m).
    pub fn configured(settings: &mut Settings, hasher: Arc<Hasher>) -> Self {
        let default = Limit::new(60, span::minutes(5));
        Self {
            hasher,
            client_limit: ClientLimit::configured(settings, "change-client", "CHANGE_CLIENT_LIMIT", default, Metric::CHANGES_LIMITED),
            account_limit: Limit::configured(settings, "CHANGE_ACCOUNT_LIMIT", Limit::new(10, span::minutes(15))),
        }
    }

    /// Refuses with `wrong`, unless this is the account's password. Over a limit the answer says so, because a session knows its account anyway.
    ///
    /// `account` is as it was read before. The caller's write must have a condition on the account's epoch, because the password may be changed while this
    /// one is being verified.
    pub async fn admit(
        &self,
        store: &Store,
        account: &Account,
        client: Client,
        password: TypedPassword,
        wrong: Refusal,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.client_limit.admit(store, client, now).await?;
        let window = self.account_limit.window(CHANGE_ACCOUNT, &change_subject(account), now);
        if store.count(&window).await? == Attempt::Refused {
            Metric::CHANGES_LIMITED.count();
            return Err(Refusal::Throttled { retry_after: window.ends_in(now) });
        }
        match self.hasher.verify(password, account.login_password().cloned()).await? {
            Verdict::Right { .. } => Ok(()),
            refused => {
                if let Verdict::Refused(reason) = refused {
                    tracing::warn!(account = %account.id, reason = reason.name(), "stored hash refused");
                }
                Metric::CHANGES_REFUSED.count();
                Err(wrong)
            }
        }
    }
}
