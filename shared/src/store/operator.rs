//! What an operator does to an account as a whole, and to mail that failed.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, Delete, DeleteRequest, Put, Update, WriteRequest};

use super::{
    Fault, Names, Store,
    accounts::{ACCOUNT, delete, email_claim, put, update, username_claim},
    item::{Attributes, Item, account_partition, key, millis, number, seconds, text},
    outbox::{FAILED_LIFETIME, ResetRequest, notice_partition, request_partition},
};
use crate::{
    account::{Account, AccountId},
    clock::{Timestamp, after},
    limit::windows_of,
    password::{StoredPassword, UNUSABLE},
    session::SessionRecord,
};

/// Most writes of one batch (`BatchWriteItem`).
const BATCH: usize = 25;
/// What an entry of the Outbox holds of its tries.
const TRIES: [&str; 6] = ["attempts", "done_at", "failed_at", "lease_until", "outcome", "worker"];

/// The outcome of switching an account on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switched {
    /// It is switched now.
    Now,
    /// There is no such account.
    Missing,
}

/// The outcome of deleting an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The account and everything of its is gone.
    Now,
    /// There is no such account, or its names are another's by now; what is there stays.
    Overtaken,
}

/// The outcome of inviting an account's owner to choose a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invited {
    /// The link is on its way.
    Now,
    /// The account has a usable password by now, or is switched off or gone; nothing was written.
    Overtaken,
}

/// Mail that was not sent.
#[derive(Clone)]
pub struct FailedMail {
    /// The key of its entry.
    pub key: (String, String),
    /// The address it was for.
    pub email: Option<String>,
    /// When it last failed.
    pub failed_at: Timestamp,
    /// Why: a code of the mail service, or ours.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether it failed for good; else it comes again by itself.
    pub for_good: bool,
}

/// The outcome of driving failed mail once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// It is a new entry now, and on its way.
    Now,
    /// There is no such mail that failed for good.
    NotFailed,
}

/// Who holds the names that somebody wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// The account with this username.
    pub username: Option<AccountId>,
    /// The account with this e-mail address.
    pub email: Option<AccountId>,
}

impl Store {
    /// The live sessions of an account.
    pub async fn sessions_of(&self, account: &Account, now: Timestamp) -> Result<Vec<SessionRecord>, Fault> {
        let items = self.partition(&self.tables.accounts, account_partition(account.id)).await?;
        let sessions = items.into_iter().map(|item| Item::new("session", item));
        let sessions = sessions.filter(|item| item.optional_text("sk").is_some_and(|sort| sort.starts_with("session#")));
        let records: Result<Vec<SessionRecord>, Fault> = sessions.map(|item| super::sessions::read_session(&item)).collect();
        Ok(records?.into_iter().filter(|session| session.epoch == account.epoch && now < session.valid_until).collect())
    }

    /// Who holds these names. One consistent read.
    pub async fn holders(&self, names: &Names) -> Result<Holders, Fault> {
        let (username, email) = (username_claim(&names.username), email_claim(&names.email));
        let keys = [&username, &email].map(|partition| key(partition, super::accounts::CLAIM)).to_vec();
        let mut holders = Holders::default();
        for claim in self.read_batch(&self.tables.accounts, keys).await? {
            let claim = Item::new("claim", claim);
            let holder = Some(claim.account_id("account_id")?);
            if claim.text("pk")? == username { holders.username = holder } else { holders.email = holder }
        }
        Ok(holders)
    }

    /// Switches an account on or off. Off ends its sessions and kills its reset link: nothing comes back with it.
    pub async fn switch(&self, account: AccountId, active: bool) -> Result<Switched, Fault> {
        let partition = account_partition(account);
        let switch = Update::builder()
            .table_name(&self.tables.accounts)
            .set_key(Some(key(&partition, ACCOUNT)))
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":active", AttributeValue::Bool(active));
        let writes = if active {
            vec![update(switch.update_expression("SET active = :active"))]
        } else {
            let forget = Delete::builder().table_name(&self.tables.accounts).set_key(Some(key(&partition, super::reset::RESET)));
            let switch = switch.update_expression("SET active = :active ADD epoch :one").expression_attribute_values(":one", number(1));
            vec![update(switch), delete(forget)]
        };
        Ok(match self.transact("switch account", writes).await? {
            None => Switched::Now,
            Some(_) => Switched::Missing,
        })
    }

    /// Gives an account without a usable password one that nobody knows, and leaves the request for the link that replaces it, in one
    /// transaction. A link of before does not come back with the password.
    pub async fn invite(&self, account: AccountId, unknowable: &StoredPassword, request: &ResetRequest) -> Result<Invited, Fault> {
        let partition = account_partition(account);
        let password = Update::builder()
            .table_name(&self.tables.accounts)
            .set_key(Some(key(&partition, ACCOUNT)))
            .update_expression("SET password = :password")
            .condition_expression("active = :true AND (attribute_not_exists(password) OR begins_with(password, :unusable))")
            .expression_attribute_values(":password", text(unknowable.as_str()))
            .expression_attribute_values(":unusable", text(UNUSABLE))
            .expression_attribute_values(":true", AttributeValue::Bool(true));
        let forget = Delete::builder().table_name(&self.tables.accounts).set_key(Some(key(&partition, super::reset::RESET)));
        let once = self.entropy.uuid(request.requested_at).to_string();
        let writes = vec![update(password), delete(forget), self.reset_request(request, &once)];
        Ok(match self.transact("invite", writes).await? {
            None => Invited::Now,
            Some(_) => Invited::Overtaken,
        })
    }

    /// Deletes an account with its claims, sessions, links, mail that was to be sent to it, and windows of its limits.
    ///
    /// It is switched off first, so that nothing new comes; the account and its claims go last and together. What is cut off in the middle is
    /// an account switched off, and can be deleted again.
    pub async fn delete_account(&self, account: &Account) -> Result<Deleted, Fault> {
        if self.switch(account.id, false).await? == Switched::Missing {
            return Ok(Deleted::Overtaken);
        }
        let partition = account_partition(account.id);
        let accounts = &self.tables.accounts;
        let Some(item) = self.read(key(&partition, ACCOUNT)).await? else { return Ok(Deleted::Overtaken) };
        let item = Item::new("account", item);
        let names = Names { username: item.text("username_folded")?, email: item.text("email_folded")? };

        self.clear(accounts, &partition, |sort| sort != ACCOUNT).await?;
        for entries in [notice_partition(account.id), request_partition(&names.email)] {
            self.clear(&self.tables.outbox, &entries, |_| true).await?;
        }
        for windows in windows_of(account) {
            self.clear(&self.tables.limits, &windows, |_| true).await?;
        }
        let release = |partition: String| {
            Delete::builder()
                .table_name(accounts)
                .set_key(Some(key(partition, super::accounts::CLAIM)))
                .condition_expression("attribute_not_exists(pk) OR account_id = :account")
                .expression_attribute_values(":account", text(account.id.to_string()))
        };
        let end =
            Delete::builder().table_name(accounts).set_key(Some(key(&partition, ACCOUNT))).condition_expression("attribute_exists(pk)");
        let writes = vec![delete(end), delete(release(username_claim(&names.username))), delete(release(email_claim(&names.email)))];
        Ok(match self.transact("delete account", writes).await? {
            None => Deleted::Now,
            Some(_) => Deleted::Overtaken,
        })
    }

    /// Mail that failed, for good or until it comes again, oldest first.
    pub async fn failed_mail(&self) -> Result<Vec<FailedMail>, Fault> {
        let scan =
            self.client.scan().table_name(&self.tables.outbox).consistent_read(true).filter_expression("attribute_exists(failed_at)");
        let mut pages = scan.into_paginator().items().send();
        let mut mail = Vec::new();
        while let Some(item) = pages.next().await {
            let item = Item::new("outbox entry", item.map_err(|error| Fault::of("Scan", &error))?);
            mail.push(FailedMail {
                key: (item.text("pk")?, item.text("sk")?),
                email: item.optional_text("email"),
                failed_at: item.instant("failed_at")?,
                reason: item.optional_text("outcome").unwrap_or_default(),
                attempts: item.optional_number("attempts").unwrap_or_default(),
                for_good: item.optional_instant("done_at").is_some(),
            });
        }
        mail.sort_by_key(|mail| mail.failed_at);
        Ok(mail)
    }

    /// Drives mail that failed for good once more: a new entry, asked for now, takes the place of the old one. The stream brings the mailer
    /// new entries only.
    pub async fn redrive(&self, (partition, sort): &(String, String), now: Timestamp) -> Result<Redriven, Fault> {
        let outbox = &self.tables.outbox;
        let old = self.client.get_item().table_name(outbox).set_key(Some(key(partition, sort))).consistent_read(true).send().await;
        let Some(mut entry) = old.map_err(|error| Fault::of("GetItem", &error))?.item else { return Ok(Redriven::NotFailed) };
        // A notice says when the password was changed, however late it is sent.
        if let Some(changed_at) = entry.get("requested_at").filter(|_| !entry.contains_key("changed_at")).cloned() {
            entry.insert("changed_at".to_owned(), changed_at);
        }
        entry.retain(|name, _| !TRIES.contains(&name.as_str()));
        entry.extend([
            ("sk".to_owned(), text(self.entropy.uuid(now).to_string())),
            ("requested_at".to_owned(), millis(now)),
            ("expires_at".to_owned(), seconds(after(now, FAILED_LIFETIME))),
        ]);
        let gone = Delete::builder()
            .table_name(outbox)
            .set_key(Some(key(partition, sort)))
            .condition_expression("attribute_exists(failed_at) AND attribute_exists(done_at)");
        let writes = vec![delete(gone), put(Put::builder().table_name(outbox).set_item(Some(entry)))];
        Ok(match self.transact("redrive", writes).await? {
            None => Redriven::Now,
            Some(_) => Redriven::NotFailed,
        })
    }

    /// Every item under a partition key, read consistently.
    async fn partition(&self, table: &str, partition: String) -> Result<Vec<Attributes>, Fault> {
        let query = self.client.query().table_name(table).key_condition_expression("pk = :pk").consistent_read(true);
        let mut pages = query.expression_attribute_values(":pk", text(partition)).into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.map_err(|error| Fault::of("Query", &error))?);
        }
        Ok(items)
    }

    /// Deletes the items under a partition key whose sort key is `doomed`.
    async fn clear(&self, table: &str, partition: &str, doomed: impl Fn(&str) -> bool) -> Result<(), Fault> {
        let items = self.partition(table, partition.to_owned()).await?.into_iter().map(|item| Item::new("item", item));
        let sorts: Result<Vec<String>, Fault> = items.map(|item| item.text("sk")).collect();
        let request = |sort: &String| DeleteRequest::builder().set_key(Some(key(partition, sort))).build().ok();
        let deletes = sorts?.iter().filter(|sort| doomed(sort)).filter_map(request).collect::<Vec<_>>();
        for chunk in deletes.chunks(BATCH) {
            let writes = chunk.iter().map(|delete| WriteRequest::builder().delete_request(delete.clone()).build()).collect();
            self.write_batch(HashMap::from([(table.to_owned(), writes)])).await?;
        }
        Ok(())
    }
}
