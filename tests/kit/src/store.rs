//! The content of the tables as text, to be compared and searched.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{App, app::tables};

/// A table's items by partition and sort key with their attributes as text, to compare two moments.
pub type Facts = BTreeMap<(String, String), BTreeMap<String, String>>;

/// Everything in a table.
pub async fn snapshot(client: &Client, table: &str) -> Facts {
    let mut facts = Facts::new();
    let mut pages = client.scan().table_name(table).consistent_read(true).into_paginator().items().send();
    while let Some(item) = pages.next().await {
        let item: BTreeMap<String, String> =
            item.expect("the store answers").into_iter().map(|(name, value)| (name, shown(&value))).collect();
        facts.insert((item["pk"].clone(), item["sk"].clone()), item);
    }
    facts
}

/// An attribute as text, the same for equal ones.
fn shown(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.clone(),
        AttributeValue::Bool(truth) => truth.to_string(),
        AttributeValue::M(map) => {
            let mut entries: Vec<String> = map.iter().map(|(name, value)| format!("{name}:{}", shown(value))).collect();
            entries.sort();
            entries.join(",")
        }
        other => format!("{other:?}"),
    }
}

/// One line per item, to be searched.
pub fn lines(facts: &Facts) -> Vec<String> {
    let line = |item: &BTreeMap<String, String>| item.iter().map(|(name, value)| format!("{name}={value}\u{1f}")).collect();
    facts.values().map(line).collect()
}

/// The bytes of a token, whatever its purpose.
pub fn token_bytes(token: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(&token[4..]).expect("a token")
}

impl App {
    /// Everything in a table.
    pub async fn snapshot(&self, table: &str) -> Facts {
        snapshot(&self.operator.client, table).await
    }

    /// Everything in every table.
    pub async fn everything(&self) -> Facts {
        let mut facts = self.everything_but_limits().await;
        facts.extend(self.snapshot(&tables().limits).await);
        facts
    }

    /// Everything in Accounts and Outbox, which a refusal does not change, although it may be counted in Limits.
    pub async fn everything_but_limits(&self) -> Facts {
        let mut facts = self.snapshot(&tables().accounts).await;
        facts.extend(self.snapshot(&tables().outbox).await);
        facts
    }
}
