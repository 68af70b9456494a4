//! What the tables hold, as text to compare and to search.

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Deployment, deployment::tables};

/// Every item of a table, one line each, attributes sorted by name.
pub async fn lines_of(client: &Client, table: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut pages = client.scan().table_name(table).consistent_read(true).into_paginator().items().send();
    while let Some(item) = pages.next().await {
        let item = item.expect("the store answers");
        let mut attributes: Vec<String> = item.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect();
        attributes.sort();
        lines.push(format!("{table}\u{1f}{}", attributes.join("\u{1f}")));
    }
    lines.sort();
    lines
}

/// The names of an item's attributes, in a line of it.
pub fn attribute_names(line: &str) -> Vec<String> {
    line.split('\u{1f}').map(|attribute| attribute.split('=').next().unwrap_or_default().to_owned()).collect()
}

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

/// The bytes that a token spells, whatever its purpose.
pub fn token_bytes(token: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(&token[4..]).expect("a token")
}

impl Deployment {
    /// Every item of every table.
    pub async fn everything(&self) -> Vec<String> {
        let mut lines = self.everything_but_limits().await;
        lines.extend(lines_of(&self.operator.client, &tables().limits).await);
        lines
    }

    /// Every item of Accounts and Outbox: what a refusal leaves as it was, while its attempt is counted.
    pub async fn everything_but_limits(&self) -> Vec<String> {
        let mut lines = lines_of(&self.operator.client, &tables().accounts).await;
        lines.extend(lines_of(&self.operator.client, &tables().outbox).await);
        lines
    }
}
