//! The content of the tables as text, to be compared and searched.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, DeleteRequest, WriteRequest},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use doorward::store::Tables;

/// A table's items by partition and sort key with their attributes as text, to compare two moments.
pub type Facts = BTreeMap<(String, String), BTreeMap<String, String>>;

/// An item as it is stored.
pub type Item = HashMap<String, AttributeValue>;

/// Items by partition and sort key, as they are stored. No two tables have the same partitions.
pub type Items = BTreeMap<(String, String), Item>;

/// The number of items that one call writes at most (`BatchWriteItem`).
const MAX_BATCH: usize = 25;

/// Everything in a table, as it is stored.
pub(crate) async fn items(client: &Client, table: &str) -> Items {
    let mut items = Items::new();
    let mut pages = client.scan().table_name(table).consistent_read(true).into_paginator().items().send();
    while let Some(item) = pages.next().await {
        let item = item.expect("the store answers");
        let part = |name: &str| item[name].as_s().expect("a text").clone();
        items.insert((part("pk"), part("sk")), item);
    }
    items
}

/// Deletes everything in these tables.
pub(crate) async fn empty(client: &Client, tables: &Tables) {
    for table in [&tables.accounts, &tables.limits, &tables.outbox] {
        let writes = items(client, table).await.keys().map(|key| (table.as_str(), deleted(key))).collect();
        write_all(client, writes).await;
    }
}

pub(crate) fn deleted((pk, sk): &(String, String)) -> WriteRequest {
    let key = DeleteRequest::builder().key("pk", AttributeValue::S(pk.clone())).key("sk", AttributeValue::S(sk.clone()));
    WriteRequest::builder().delete_request(key.build().expect("a request")).build()
}

/// Carries out these writes, each in its table.
pub(crate) async fn write_all(client: &Client, writes: Vec<(&str, WriteRequest)>) {
    for batch in writes.chunks(MAX_BATCH) {
        let mut left = HashMap::<String, Vec<WriteRequest>>::new();
        for (table, write) in batch {
            left.entry((*table).to_owned()).or_default().push(write.clone());
        }
        while !left.is_empty() {
            let answer = client.batch_write_item().set_request_items(Some(left)).send().await;
            left = answer.expect("the store answers").unprocessed_items.unwrap_or_default();
        }
    }
}

/// Everything in a table.
pub async fn snapshot(client: &Client, table: &str) -> Facts {
    facts(&items(client, table).await)
}

/// These items with their attributes as text.
pub fn facts(items: &Items) -> Facts {
    let shown = |item: &Item| item.iter().map(|(name, value)| (name.clone(), shown(value))).collect();
    items.iter().map(|(key, item)| (key.clone(), shown(item))).collect()
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
