//! The mark on an account whose address mail does not reach.

use super::{
    Fault, Store,
    accounts::{ACCOUNT, CLAIM, email_claim},
    fault::{refused_by_condition, through_conflicts},
    item::{Item, account_partition, key, millis, text},
};
use crate::clock::Timestamp;

/// Why mail does not reach an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undeliverable {
    /// Its server refuses it for good.
    Bounced,
    /// Its reader called a mail spam.
    Complained,
}

/// The outcome of marking an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// Its account is marked.
    Now,
    /// It is nobody's address, or was proven by a reset since; nothing was written.
    Nobody,
}

impl Undeliverable {
    /// As the store holds it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }

    /// From what the store holds.
    pub(super) fn read(text: &str) -> Option<Self> {
        [Self::Bounced, Self::Complained].into_iter().find(|why| why.as_str() == text)
    }
}

impl Store {
    /// Marks the account of an address, folded, as one that mail does not reach. What was sent before the password was last set says nothing
    /// about today.
    pub async fn mark_undeliverable(&self, folded: &str, why: Undeliverable, sent_at: Timestamp) -> Result<Marked, Fault> {
        let Some(claim) = self.read(key(email_claim(folded), CLAIM)).await? else { return Ok(Marked::Nobody) };
        let account = Item::new("claim", claim).account_id("account_id")?;
        let answer = through_conflicts(&self.entropy, || {
            self.client
                .update_item()
                .table_name(&self.tables.accounts)
                .set_key(Some(key(account_partition(account), ACCOUNT)))
                .update_expression("SET undeliverable_at = :sent, undeliverable = :why")
                .condition_expression("email_folded = :folded AND password_changed_at <= :sent")
                .expression_attribute_values(":sent", millis(sent_at))
                .expression_attribute_values(":why", text(why.as_str()))
                .expression_attribute_values(":folded", text(folded))
                .send()
        });
        match answer.await {
            Ok(_) => Ok(Marked::Now),
            Err(error) => refused_by_condition("UpdateItem", &error).map(|()| Marked::Nobody),
        }
    }
}
