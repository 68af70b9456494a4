//! A login from a place that is new to the account. Its owner is told by a notice with a "this wasn't me" link, at most once a day (ASVS 5.0, 6.3.5).

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use crate::{
    account::{self, Account, AccountId},
    caller::Caller,
    client::Client,
    clock::{Timestamp, after},
    config::span,
    fault::Fault,
    limit,
    outbox::{self, ChangeKind, Notice},
    store::Store,
};

/// An account that is younger tells nothing: people register on one device and log in on another.
const SETTLING: Duration = span::hours(1);

/// Whether a login of `client` is from a place of which the owner is to be told: a network that the account does not know. An account that knows none,
/// for example an imported one, has nothing to compare with.
#[must_use]
pub fn is_from_new_place(account: &Account, client: Client, now: Timestamp) -> bool {
    after(account.created_at, SETTLING) <= now && limit::is_new_network(account, client, now)
}

impl Store {
    /// Leaves the notice of such a login, unless one was left today or the account is gone. It is left before the session is opened, so that there is no
    /// session without it. One call.
    pub async fn tell_sign_in(&self, account: &Account, caller: Caller, now: Timestamp) -> Result<(), Fault> {
        let notice = Notice {
            id: id_of_day(account.id, now),
            account: account.id,
            email: account.email.clone(),
            kind: ChangeKind::SignIn,
            changed_at: now,
            caller: caller.in_language(account.language()),
        };
        let once = outbox::notice(&notice).when("attribute_not_exists(pk)");
        self.transact("tell of a login", vec![account::existing(account.id), once]).await.map(drop)
    }
}

/// The id of the notice of an account for a day, in UTC. All logins of a day leave theirs under it, so that one stays. It is kept for a day at least after
/// it was sent, which is longer than the day.
fn id_of_day(account: AccountId, now: Timestamp) -> Uuid {
    let day = now.as_second().div_euclid(24 * 60 * 60);
    let digest = Sha256::digest(format!("sign-in {account} {day}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // Version 8, the one for ids of one's own making (RFC 9562, 5.8).
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notices_of_an_account_have_one_id_a_day() {
        let (ann, bob) = (AccountId::from(Uuid::from_u128(1)), AccountId::from(Uuid::from_u128(2)));
        let at = |instant: &str| instant.parse::<Timestamp>().unwrap();
        let first = id_of_day(ann, at("2026-01-01T00:00:00Z"));
        assert_eq!(first, id_of_day(ann, at("2026-01-01T23:59:59.999Z")));
        assert_ne!(first, id_of_day(ann, at("2026-01-02T00:00:00Z")));
        assert_ne!(first, id_of_day(bob, at("2026-01-01T00:00:00Z")));
    }
}
