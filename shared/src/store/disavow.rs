//! Links that say "this wasn't me": an item per notice sent, under its account.

use std::time::Duration;

use aws_sdk_dynamodb::types::{Delete, Update};

use super::{
    Fault, ResetRequest, Store,
    accounts::{ACCOUNT, delete, read_account, update},
    item::{Item, account_partition, key, millis, number, seconds, text},
};
use crate::{
    account::{Account, AccountId},
    clock::{Timestamp, after},
    config::span,
    password::UNUSABLE,
    token::{self, Digest},
};

/// For how long such a link works: who is on holiday for a week still has it.
pub const DISAVOWAL_LIFETIME: Duration = span::days(7);

/// The outcome of saying "this wasn't me".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disavowed {
    /// The link was spent by this call.
    Now,
    /// There is no such link: unknown, expired, used, or its account cannot be opened. Nothing was written.
    NotValid,
}

fn sort_key(digest: &Digest<token::Disavow>) -> String {
    format!("disavow#{}", digest.as_str())
}

impl Store {
    /// Keeps a link's digest. Links of one account do not replace each other: whoever changes the password again, twice, does not outrun
    /// the notice of the first time.
    pub async fn store_disavowal(&self, account: AccountId, link: &Digest<token::Disavow>, now: Timestamp) -> Result<(), Fault> {
        let until = after(now, DISAVOWAL_LIFETIME);
        let mut item = key(account_partition(account), sort_key(link));
        item.extend([("valid_until".to_owned(), millis(until)), ("expires_at".to_owned(), seconds(until))]);
        let answer = super::fault::through_conflicts(&self.entropy, || {
            self.client.put_item().table_name(&self.tables.accounts).set_item(Some(item.clone())).send()
        });
        answer.await.map(drop).map_err(|error| Fault::of("PutItem", &error))
    }

    /// Whose working link this is: the link is live and its account has a password to take out of use. One consistent read; nothing is spent.
    pub async fn disavowable(&self, account: AccountId, link: &Digest<token::Disavow>, now: Timestamp) -> Result<Option<Account>, Fault> {
        let keys = vec![key(account_partition(account), ACCOUNT), key(account_partition(account), sort_key(link))];
        let (mut account, mut is_live) = (None, false);
        for attributes in self.read_batch(&self.tables.accounts, keys).await? {
            let item = Item::new("disavowal", attributes.clone());
            if item.text("sk")? == ACCOUNT {
                account = Some(read_account(attributes)?);
            } else {
                is_live = now < item.instant("valid_until")?;
            }
        }
        Ok(account.filter(|account| is_live && account.usable_password().is_some()))
    }

    /// Spends a link, all or nothing, once: ends every session, takes the password out of use, kills the reset link, and leaves a request
    /// for a new one, which is the only way back in.
    ///
    /// The reset link goes because whoever changed the password may hold it; with it goes its cool-down, so that the new one is sent.
    pub async fn disavow(&self, account: AccountId, link: &Digest<token::Disavow>, request: &ResetRequest) -> Result<Disavowed, Fault> {
        let now = request.requested_at;
        let partition = account_partition(account);
        let accounts = &self.tables.accounts;
        let lock = Update::builder()
            .table_name(accounts)
            .set_key(Some(key(&partition, ACCOUNT)))
            .update_expression("SET disavowed_at = :now ADD epoch :one")
            .condition_expression("active = :true AND attribute_exists(password) AND NOT begins_with(password, :unusable)")
            .expression_attribute_values(":true", aws_sdk_dynamodb::types::AttributeValue::Bool(true))
            .expression_attribute_values(":unusable", text(UNUSABLE))
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":one", number(1));
        // TTL deletes up to days late, so the condition decides.
        let spend = Delete::builder()
            .table_name(accounts)
            .set_key(Some(key(&partition, sort_key(link))))
            .condition_expression("valid_until > :now")
            .expression_attribute_values(":now", millis(now));
        let forget = Delete::builder().table_name(accounts).set_key(Some(key(&partition, super::reset::RESET)));
        let writes = vec![update(lock), delete(spend), delete(forget), self.reset_request(request, &sort_key(link))];
        Ok(match self.transact("disavow", writes).await? {
            None => Disavowed::Now,
            Some(_) => Disavowed::NotValid,
        })
    }
}
