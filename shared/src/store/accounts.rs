//! Accounts and the claims on their names.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update};

use super::{
    Fault, Notice, ResetRequest, Store, Undeliverable,
    fault::{cancelled_by, refused_by_condition, through_conflicts},
    item::{Attributes, Item, account_partition, key, millis, number, text},
};
use crate::{
    account::{Account, AccountId, KnownNetwork, email_key},
    client::Network,
    clock::Timestamp,
    password::{StoredPassword, UNUSABLE},
    token::{Digest, Reset, Session, subject_digest},
};

/// The sort key of an account.
pub(super) const ACCOUNT: &str = "account";
/// The sort key of a claim on a name.
pub(super) const CLAIM: &str = "claim";
/// Longest folded name that stands in a key as it is, in bytes. A partition key holds 2,048; what is longer (150 characters can fold to more) is digested.
const LONGEST_PLAIN_NAME: usize = 1024;

/// Longest login name that is folded, in bytes: 320 code points, the longest e-mail address, of four bytes each. Folding 256 KiB can take 0.2 s.
const LONGEST_LOGIN_NAME: usize = 1280;

/// The outcome of registering.
#[derive(Debug, PartialEq, Eq)]
pub enum Registered {
    /// The account exists now.
    Now,
    /// One name or both belong to an account already; nothing was written.
    Taken(Taken),
}

/// Which names are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The username.
    pub username: bool,
    /// The e-mail address.
    pub email: bool,
}

/// The outcome of changing a password.
#[derive(Debug, PartialEq, Eq)]
pub enum Changed {
    /// The new password is in force.
    Now,
    /// The account or the session changed since they were read; nothing was written.
    Overtaken,
}

/// The partition of a claim on a username.
pub(super) fn username_claim(folded: &str) -> String {
    claim("username", folded)
}

/// The partition of a claim on an e-mail address.
pub(super) fn email_claim(folded: &str) -> String {
    claim("email", folded)
}

fn claim(kind: &str, folded: &str) -> String {
    // No name and no address holds a colon, so a digest is never somebody's name.
    if folded.len() <= LONGEST_PLAIN_NAME { format!("{kind}#{folded}") } else { format!("{kind}#sha256:{}", subject_digest(folded)) }
}

/// The names of an account, folded: what its claims hold.
#[derive(Clone)]
pub struct Names {
    /// The folded username.
    pub username: String,
    /// The folded e-mail address.
    pub email: String,
}

impl Store {
    /// The account that a login name (username or e-mail address, any case) belongs to. Two calls, whatever the name.
    ///
    /// Where a username and an e-mail address are claimed by different accounts, the username wins.
    pub async fn account_by_login_name(&self, name: &str) -> Result<Option<Account>, Fault> {
        // Nobody's name is that long; what is not worth folding still costs its look-up.
        let folded = if name.len() <= LONGEST_LOGIN_NAME { email_key(name) } else { subject_digest(name) };
        let username = username_claim(&folded);
        let claims = vec![key(username.clone(), CLAIM), key(email_claim(&folded), CLAIM)];
        let mut claims: Vec<Item> =
            self.read_batch(&self.tables.accounts, claims).await?.into_iter().map(|claim| Item::new("claim", claim)).collect();
        claims.sort_by_key(|claim| claim.optional_text("pk").as_ref() != Some(&username));
        // An unknown name is looked up under an id that nobody has, so that it costs the same calls.
        let id = match claims.first() {
            Some(claim) => claim.account_id("account_id")?,
            None => AccountId::from(uuid::Uuid::from_bytes(self.entropy.bytes())),
        };
        self.account(id).await
    }

    /// The account that an e-mail address, folded, belongs to.
    pub async fn account_by_email(&self, folded: &str) -> Result<Option<Account>, Fault> {
        let Some(claim) = self.read(key(email_claim(folded), CLAIM)).await? else { return Ok(None) };
        self.account(Item::new("claim", claim).account_id("account_id")?).await
    }

    /// The account with this id.
    pub async fn account(&self, id: AccountId) -> Result<Option<Account>, Fault> {
        self.read(key(account_partition(id), ACCOUNT)).await?.map(read_account).transpose()
    }

    pub(super) async fn read(&self, key: Attributes) -> Result<Option<Attributes>, Fault> {
        let answer = self.client.get_item().table_name(&self.tables.accounts).set_key(Some(key)).consistent_read(true).send().await;
        Ok(answer.map_err(|error| Fault::of("GetItem", &error))?.item)
    }

    /// Writes a new account, both claims on its names and, where its owner is to be sent one, the request for a reset link; or nothing.
    pub async fn register(&self, account: &Account, names: &Names, invitation: Option<&ResetRequest>) -> Result<Registered, Fault> {
        let claim = |partition: String| {
            let mut item = key(partition, CLAIM);
            item.insert("account_id".to_owned(), text(account.id.to_string()));
            self.put_absent(item)
        };
        let mut writes =
            vec![self.put_absent(account_item(account, names)), claim(username_claim(&names.username)), claim(email_claim(&names.email))];
        writes.extend(invitation.map(|request| self.reset_request(request, &account.id.to_string())));
        match self.transact("register", writes).await? {
            None => Ok(Registered::Now),
            Some(failed) => {
                let failed = |index: usize| failed.get(index).copied().unwrap_or_default();
                Ok(Registered::Taken(Taken { username: failed(1), email: failed(2) }))
            }
        }
    }

    /// Sets a new password for the holder of a session: ends every other session, kills the reset link, and leaves a notice to send.
    pub async fn change_password(
        &self,
        account: &Account,
        session: &Digest<Session>,
        password: &StoredPassword,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<Changed, Fault> {
        let next_epoch = account.epoch + 1;
        let epoch = self
            .set_password(account.id, password, now, "disavowed_at")
            .condition_expression("epoch = :epoch AND active = :true")
            .expression_attribute_values(":epoch", number(account.epoch))
            .expression_attribute_values(":true", AttributeValue::Bool(true));
        let keep = Update::builder()
            .table_name(&self.tables.accounts)
            .set_key(Some(key(account_partition(account.id), session_key(session))))
            .update_expression("SET epoch = :next")
            .condition_expression("epoch = :epoch")
            .expression_attribute_values(":epoch", number(account.epoch))
            .expression_attribute_values(":next", number(next_epoch));
        let forget =
            Delete::builder().table_name(&self.tables.accounts).set_key(Some(key(account_partition(account.id), super::reset::RESET)));
        let writes = vec![update(epoch), update(keep), delete(forget), self.notice(notice)];
        Ok(match self.transact("change password", writes).await? {
            None => Changed::Now,
            Some(_) => Changed::Overtaken,
        })
    }

    /// Spends a reset link: sets the new password, ends every session and leaves a notice to send, all or nothing, once.
    pub async fn spend_reset(
        &self,
        account: AccountId,
        link: &Digest<Reset>,
        password: &StoredPassword,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<super::Spent, Fault> {
        // Whoever holds the link has read a mail: the address works.
        let epoch = self
            .set_password(account, password, now, "disavowed_at, undeliverable, undeliverable_at")
            .condition_expression("active = :true AND attribute_exists(password) AND NOT begins_with(password, :unusable)")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":unusable", text(UNUSABLE));
        // TTL deletes up to days late, so the condition decides.
        let spend = Delete::builder()
            .table_name(&self.tables.accounts)
            .set_key(Some(key(account_partition(account), super::reset::RESET)))
            .condition_expression("digest = :digest AND valid_until > :now")
            .expression_attribute_values(":digest", text(link.as_str()))
            .expression_attribute_values(":now", millis(now));
        let writes = vec![update(epoch), delete(spend), self.notice(notice)];
        Ok(match self.transact("spend reset", writes).await? {
            None => super::Spent::Now,
            Some(_) => super::Spent::NotValid,
        })
    }

    fn set_password(
        &self,
        account: AccountId,
        password: &StoredPassword,
        now: Timestamp,
        removed: &str,
    ) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder()
            .table_name(&self.tables.accounts)
            .set_key(Some(key(account_partition(account), ACCOUNT)))
            .update_expression(format!("SET password = :password, password_changed_at = :now REMOVE {removed} ADD epoch :one"))
            .expression_attribute_values(":password", text(password.as_str()))
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":one", number(1))
    }

    /// Ends every session of an account.
    pub async fn end_sessions(&self, account: AccountId) -> Result<(), Fault> {
        let answer = through_conflicts(&self.entropy, || {
            self.client
                .update_item()
                .table_name(&self.tables.accounts)
                .set_key(Some(key(account_partition(account), ACCOUNT)))
                .update_expression("ADD epoch :one")
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":one", number(1))
                .send()
        });
        match answer.await {
            Ok(_) => Ok(()),
            // The account is gone and its sessions with it.
            Err(error) => refused_by_condition("UpdateItem", &error),
        }
    }

    /// Notes what a login taught: the network it came from and, where the hash was of another kind or cost, the new one.
    ///
    /// It loses to a password change: a hash of the old password never replaces the new one.
    pub async fn note_login(&self, account: &Account, networks: &[KnownNetwork], rehashed: Option<&StoredPassword>) -> Result<(), Fault> {
        let Some(password) = &account.password else { return Ok(()) };
        let answer = through_conflicts(&self.entropy, || {
            self.client
                .update_item()
                .table_name(&self.tables.accounts)
                .set_key(Some(key(account_partition(account.id), ACCOUNT)))
                .update_expression("SET networks = :networks, password = :new")
                .condition_expression("epoch = :epoch AND password = :old")
                .expression_attribute_values(":networks", networks_attribute(networks))
                .expression_attribute_values(":new", text(rehashed.unwrap_or(password).as_str()))
                .expression_attribute_values(":old", text(password.as_str()))
                .expression_attribute_values(":epoch", number(account.epoch))
                .send()
        });
        match answer.await {
            Ok(_) => Ok(()),
            Err(error) => refused_by_condition("UpdateItem", &error),
        }
    }

    /// One transaction: nothing where it was done, else which conditions failed.
    ///
    /// Every try carries the same token, so that an answer lost on the way is not taken for a lost race: DynamoDB recognises its own
    /// work for ten minutes.
    pub(super) async fn transact(&self, operation: &'static str, writes: Vec<TransactWriteItem>) -> Result<Option<Vec<bool>>, Fault> {
        let attempt = uuid::Builder::from_random_bytes(self.entropy.bytes()).into_uuid().to_string();
        let answer = through_conflicts(&self.entropy, || {
            self.client.transact_write_items().set_transact_items(Some(writes.clone())).client_request_token(&attempt).send()
        });
        match answer.await {
            Ok(_) => Ok(None),
            Err(error) => cancelled_by(operation, &error).map(Some),
        }
    }

    fn put_absent(&self, item: Attributes) -> TransactWriteItem {
        put(Put::builder().table_name(&self.tables.accounts).set_item(Some(item)).condition_expression("attribute_not_exists(pk)"))
    }
}

/// The sort key of a session.
pub(super) fn session_key(digest: &Digest<Session>) -> String {
    format!("session#{}", digest.as_str())
}

/// An account from its item.
pub(super) fn read_account(attributes: Attributes) -> Result<Account, Fault> {
    let item = Item::new("account", attributes);
    let id: Option<AccountId> = item.text("pk")?.strip_prefix("account#").and_then(|id| id.parse().ok());
    let mut networks: Vec<KnownNetwork> = item
        .numbers_by_name("networks")
        .into_iter()
        .filter_map(|(network, seen)| Some(KnownNetwork { network: Network::stored(network), seen_at: Timestamp::from_second(seen).ok()? }))
        .collect();
    networks.sort_by_key(|known| std::cmp::Reverse(known.seen_at));
    Ok(Account {
        id: id.ok_or(item.unreadable("pk"))?,
        username: item.text("username")?,
        email: item.text("email")?,
        password: item.optional_text("password").map(StoredPassword::stored),
        epoch: item.number("epoch")?,
        active: item.truth("active")?,
        created_at: item.instant("created_at")?,
        password_changed_at: item.instant("password_changed_at")?,
        disavowed: item.optional_instant("disavowed_at").is_some(),
        language: item.optional_text("language"),
        networks,
        undeliverable: item
            .optional_text("undeliverable")
            .as_deref()
            .and_then(Undeliverable::read)
            .zip(item.optional_instant("undeliverable_at")),
    })
}

/// The item of an account.
fn account_item(account: &Account, names: &Names) -> Attributes {
    let mut item = key(account_partition(account.id), ACCOUNT);
    item.extend([
        ("username".to_owned(), text(&account.username)),
        ("username_folded".to_owned(), text(&names.username)),
        ("email".to_owned(), text(&account.email)),
        ("email_folded".to_owned(), text(&names.email)),
        ("epoch".to_owned(), number(account.epoch)),
        ("active".to_owned(), AttributeValue::Bool(account.active)),
        ("created_at".to_owned(), millis(account.created_at)),
        ("password_changed_at".to_owned(), millis(account.password_changed_at)),
        ("networks".to_owned(), networks_attribute(&account.networks)),
    ]);
    item.extend(account.password.as_ref().map(|password| ("password".to_owned(), text(password.as_str()))));
    item.extend(account.language.as_ref().map(|language| ("language".to_owned(), text(language))));
    item
}

fn networks_attribute(networks: &[KnownNetwork]) -> AttributeValue {
    let entry = |known: &KnownNetwork| (known.network.to_string(), number(known.seen_at.as_second()));
    AttributeValue::M(networks.iter().map(entry).collect::<HashMap<_, _>>())
}

/// A `Put` of a transaction.
pub(super) fn put(put: aws_sdk_dynamodb::types::builders::PutBuilder) -> TransactWriteItem {
    TransactWriteItem::builder().set_put(put.build().ok()).build()
}

/// An `Update` of a transaction.
pub(super) fn update(update: aws_sdk_dynamodb::types::builders::UpdateBuilder) -> TransactWriteItem {
    TransactWriteItem::builder().set_update(update.build().ok()).build()
}

/// A `Delete` of a transaction.
pub(super) fn delete(delete: aws_sdk_dynamodb::types::builders::DeleteBuilder) -> TransactWriteItem {
    TransactWriteItem::builder().set_delete(delete.build().ok()).build()
}

/// A `ConditionCheck` of a transaction.
pub(super) fn check(check: aws_sdk_dynamodb::types::builders::ConditionCheckBuilder) -> TransactWriteItem {
    let check: Option<ConditionCheck> = check.build().ok();
    TransactWriteItem::builder().set_condition_check(check).build()
}
