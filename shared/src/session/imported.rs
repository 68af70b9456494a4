//! Sessions from another site: tokens of Django REST Framework, which are imported so that nobody has to log in after a move.
//!
//! Such a token is 40 hexadecimal digits without an account's id, so an item under its digest has the account. Only the digest is stored: a plain SHA-256
//! is enough for 160 random bits, as for our own tokens. Otherwise it is a session like any other: it has the same item, epoch and lifetime, and ends in
//! the same ways.
//!
//! A token is imported once. An item beside the account keeps its digest for as long as the account exists. So another run of the import does not revive a
//! session that has ended, and the deletion of the account finds the item under the digest.

use super::{SessionRecord, Sessions};
use crate::{
    account::{self, Account, AccountId, FIRST_EPOCH},
    clock::{Timestamp, after},
    fault::Fault,
    store::{Key, Store, Table, Value, Write, number, seconds, text, truth},
    token::{Digest, Session, subject_digest},
};

/// The number of characters of such a token (`rest_framework.authtoken.models.Token`): 20 random bytes.
const LENGTH: usize = 40;

/// The prefix of the partition key of the item under the digest, and of the sort key of the item beside the account. The digest follows.
const PREFIX: &str = "token#";

/// A token of another site, of which only the digest is kept.
pub struct ImportedToken {
    digest: Digest<Session>,
}

/// The outcome of importing a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarriedOver {
    /// It is a session now.
    Now,
    /// It was imported before, and may have ended since. Nothing was written.
    Before,
    /// The account is inactive or does not exist, has another external id, or its sessions were ended since it was imported. Nothing was written.
    Changed,
}

impl ImportedToken {
    /// Reads a token as Django REST Framework makes them: 40 hexadecimal digits in lower case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_one.then(|| Self { digest: Digest::stored(subject_digest(text)) })
    }

    /// Its digest, under which its session is stored.
    #[must_use]
    pub fn digest(&self) -> &Digest<Session> {
        &self.digest
    }
}

impl Sessions {
    /// Turns a token into a session of the account that was imported with this external id, from now on and for the lifetime of a session. Like the import
    /// of an account, this is no event.
    ///
    /// The account must be as it was imported. Anything that has ended its sessions since, such as another password, has also ended the imported ones.
    pub async fn carry_over(
        &self,
        store: &Store,
        account: AccountId,
        external_id: &str,
        token: &ImportedToken,
        now: Timestamp,
    ) -> Result<CarriedOver, Fault> {
        let session = SessionRecord {
            epoch: FIRST_EPOCH,
            created_at: now,
            valid_until: after(now, self.lifetime),
            network: None,
            agent: None,
            seen_on: self.idle.day_of_login(now),
        };
        let owner = [("account_id", text(account.to_string())), ("expires_at", seconds(session.valid_until))];
        let unchanged = Write::check(account::key(account)).when("epoch = :first AND active = :true AND external_id = :elsewhere");
        let writes = vec![
            unchanged.with(":first", number(FIRST_EPOCH)).with(":true", truth(true)).with(":elsewhere", text(external_id)),
            Write::put(owner_key(token.digest.as_str()), owner).when("attribute_not_exists(pk)"),
            Write::put(taken_key(account, token), std::iter::empty::<(&str, Value)>()).when("attribute_not_exists(pk)"),
            session.put(account, &token.digest),
        ];
        let outcome = store.transact("carry a session over", writes).await?;
        if outcome.refused_at(1) || outcome.refused_at(2) {
            return Ok(CarriedOver::Before);
        }
        Ok(outcome.or(CarriedOver::Now, CarriedOver::Changed))
    }

    /// The outcome that `carry_over` would have. Nothing is written.
    pub async fn would_carry_over(
        &self,
        store: &Store,
        account: AccountId,
        external_id: &str,
        token: &ImportedToken,
    ) -> Result<CarriedOver, Fault> {
        let [item, mark] = store.read_all(Table::Accounts, [account::key(account), taken_key(account, token)]).await?;
        if mark.is_some() {
            return Ok(CarriedOver::Before);
        }
        let account: Option<Account> = item.map(|item| account::read(&item)).transpose()?;
        let is_as_imported =
            |account: &Account| account.epoch == FIRST_EPOCH && account.active && account.external_id.as_deref() == Some(external_id);
        Ok(if account.as_ref().is_some_and(is_as_imported) { CarriedOver::Now } else { CarriedOver::Changed })
    }
}

impl Store {
    /// The account of an imported token, whether or not its session has ended.
    pub(super) async fn owner_of(&self, token: &ImportedToken) -> Result<Option<AccountId>, Fault> {
        self.read(&owner_key(token.digest.as_str())).await?.map(|item| item.parsed("account_id")).transpose()
    }
}

/// The item under the digest that belongs to the item beside an account with this sort key, and is deleted with the account.
pub(crate) fn elsewhere(sort: &str) -> Option<Key> {
    sort.strip_prefix(PREFIX).map(owner_key)
}

fn owner_key(digest: &str) -> Key {
    Key::new(Table::Accounts, "imported token", format!("{PREFIX}{digest}"), "token")
}

fn taken_key(account: AccountId, token: &ImportedToken) -> Key {
    Key::new(Table::Accounts, "imported token", account::partition(account), format!("{PREFIX}{}", token.digest.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imported_token_is_forty_hexadecimal_digits_in_lower_case_and_nothing_else() {
        let key = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b";
        let token = ImportedToken::parse(key).expect("the example of Django REST Framework's documentation");
        // By Python: base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()).rstrip(b"=").
        assert_eq!(token.digest().as_str(), "XMHpETu6pwQMTg--gOpqp0PjSt04DFlqvl_lhOzog-w");
        for wrong in
            ["", &key[1..], &format!("{key}0"), &key.to_uppercase(), &key.replace('b', "g"), &format!(" {}", &key[1..]), &"é".repeat(20)]
        {
            assert!(ImportedToken::parse(wrong).is_none(), "{wrong}");
        }
    }
}
