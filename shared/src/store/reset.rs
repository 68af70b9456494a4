//! Reset links: one item per account, overwritten by the newest.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put};

use super::{
    Fault, Store,
    accounts::{ACCOUNT, check, put, read_account},
    fault::{refused_by_condition, through_conflicts},
    item::{Attributes, Item, account_partition, key, millis, number, seconds, text},
};
use crate::{
    account::{Account, AccountId},
    clock::Timestamp,
    password::UNUSABLE,
    token::{Digest, Reset},
};

/// The sort key of a reset link.
pub(super) const RESET: &str = "reset";

/// A reset link as the store holds it.
#[derive(Clone, Debug)]
pub struct ResetLink {
    /// The digest of its token.
    pub digest: Digest<Reset>,
    /// When it was asked for: only the newest intent has a link.
    pub requested_at: Timestamp,
    /// When it was made.
    pub issued_at: Timestamp,
    /// Until when it works.
    pub valid_until: Timestamp,
    /// How many mails of an unbroken row of links the mail service has accepted: the cool-down grows with it.
    pub sent: u32,
    /// When the last of them was accepted.
    pub sent_at: Option<Timestamp>,
}

impl ResetLink {
    /// Whether the link still works at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.valid_until
    }

    /// Whether another mail would come too soon: a live link was sent less than its cool-down ago.
    #[must_use]
    pub fn cools_down(&self, cool_down: &[Duration], now: Timestamp) -> bool {
        let step = usize::try_from(self.sent).unwrap_or(usize::MAX).saturating_sub(1);
        let Some(wait) = cool_down.get(step).or(cool_down.last()) else { return false };
        self.is_live(now) && self.sent_at.is_some_and(|sent_at| now < crate::clock::after(sent_at, *wait))
    }
}

/// The outcome of spending a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// The link was spent by this call.
    Now,
    /// There is no such link: unknown, expired, used, or its account cannot be opened.
    NotValid,
}

/// The outcome of storing a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredLink {
    /// It is the account's only link now.
    Now,
    /// A newer intent or a newer password was there, or the account cannot be opened; nothing was written.
    Overtaken,
}

impl Store {
    /// A reset link and its account, each if it exists, in one consistent read.
    pub async fn reset_link(&self, account: AccountId) -> Result<(Option<Account>, Option<ResetLink>), Fault> {
        let keys = vec![key(account_partition(account), ACCOUNT), key(account_partition(account), RESET)];
        let (mut account, mut link) = (None, None);
        for attributes in self.read_batch(&self.tables.accounts, keys).await? {
            if attributes.get("sk").and_then(|sk| sk.as_s().ok()).is_some_and(|sk| sk == RESET) {
                link = Some(read_link(attributes)?);
            } else {
                account = Some(read_account(attributes)?);
            }
        }
        Ok((account, link))
    }

    /// Makes `link` the account's only link, unless its intent is older than the last password change or than the current link's intent.
    pub async fn store_reset_link(&self, account: AccountId, link: &ResetLink) -> Result<StoredLink, Fault> {
        let mut item = key(account_partition(account), RESET);
        item.extend([
            ("digest".to_owned(), text(link.digest.as_str())),
            ("requested_at".to_owned(), millis(link.requested_at)),
            ("issued_at".to_owned(), millis(link.issued_at)),
            ("valid_until".to_owned(), millis(link.valid_until)),
            ("expires_at".to_owned(), seconds(link.valid_until)),
            ("sent".to_owned(), number(link.sent)),
        ]);
        item.extend(link.sent_at.map(|sent_at| ("sent_at".to_owned(), millis(sent_at))));
        let newest = Put::builder()
            .table_name(&self.tables.accounts)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR requested_at <= :requested")
            .expression_attribute_values(":requested", millis(link.requested_at));
        let unchanged = ConditionCheck::builder()
            .table_name(&self.tables.accounts)
            .set_key(Some(key(account_partition(account), ACCOUNT)))
            .condition_expression("active = :true AND attribute_exists(password) AND NOT begins_with(password, :unusable) AND password_changed_at < :requested")
            .expression_attribute_values(":unusable", text(UNUSABLE))
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":requested", millis(link.requested_at));
        Ok(match self.transact("store reset link", vec![check(unchanged), put(newest)]).await? {
            None => StoredLink::Now,
            Some(_) => StoredLink::Overtaken,
        })
    }

    /// Notes that the mail service accepted the link's mail, if the link is still the current one.
    pub async fn mark_link_sent(&self, account: AccountId, link: &ResetLink, now: Timestamp) -> Result<(), Fault> {
        let answer = through_conflicts(&self.entropy, || {
            self.client
                .update_item()
                .table_name(&self.tables.accounts)
                .set_key(Some(key(account_partition(account), RESET)))
                .update_expression("SET sent_at = :now, sent = :sent")
                .condition_expression("digest = :digest")
                .expression_attribute_values(":now", millis(now))
                .expression_attribute_values(":sent", number(link.sent.saturating_add(1)))
                .expression_attribute_values(":digest", text(link.digest.as_str()))
                .send()
        });
        match answer.await {
            Ok(_) => Ok(()),
            Err(error) => refused_by_condition("UpdateItem", &error),
        }
    }
}

fn read_link(attributes: Attributes) -> Result<ResetLink, Fault> {
    let item = Item::new("reset link", attributes);
    Ok(ResetLink {
        digest: Digest::stored(item.text("digest")?),
        requested_at: item.instant("requested_at")?,
        issued_at: item.instant("issued_at")?,
        valid_until: item.instant("valid_until")?,
        sent: item.number("sent")?,
        sent_at: item.optional_instant("sent_at"),
    })
}
