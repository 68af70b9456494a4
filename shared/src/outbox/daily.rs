//! Notices of which an account gets at most one a day.

use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use super::{Notice, notice};
use crate::{
    account::{self, AccountId},
    clock::Timestamp,
    fault::Fault,
    store::Store,
};

/// The id of an account's notice of this kind for a day, in UTC. All notices of a day have the same id, so only the first is stored. It is kept for at
/// least a day after it was sent, so until that day is over.
pub(crate) fn id_of_day(what: &str, account: AccountId, now: Timestamp) -> Uuid {
    let day = now.as_second().div_euclid(24 * 60 * 60);
    let digest = Sha256::digest(format!("{what} {account} {day}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // Version 8 is for ids in a format of one's own (RFC 9562, 5.8).
    Builder::from_custom_bytes(bytes).into_uuid()
}

impl Store {
    /// Leaves a notice, unless there is one under its id or the account no longer exists. One call.
    pub(crate) async fn leave_once(&self, operation: &'static str, told: &Notice) -> Result<(), Fault> {
        let once = notice(told).when("attribute_not_exists(pk)");
        self.transact(operation, vec![account::existing(told.account), once]).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notices_of_an_account_have_one_id_a_day() {
        let (ann, bob) = (AccountId::from(Uuid::from_u128(1)), AccountId::from(Uuid::from_u128(2)));
        let at = |instant: &str| instant.parse::<Timestamp>().unwrap();
        let first = id_of_day("sign-in", ann, at("2026-01-01T00:00:00Z"));
        assert_eq!(first, id_of_day("sign-in", ann, at("2026-01-01T23:59:59.999Z")));
        assert_ne!(first, id_of_day("sign-in", ann, at("2026-01-02T00:00:00Z")));
        assert_ne!(first, id_of_day("sign-in", bob, at("2026-01-01T00:00:00Z")));
        assert_ne!(first, id_of_day("registered", ann, at("2026-01-01T00:00:00Z")));
    }
}
