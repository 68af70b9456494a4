//! The stream of the Outbox, read from where it was left.
//!
//! With the in-process store this reads its real stream. With another store the stream is delayed and has no end mark, so changes of the table are
//! compared instead: a consistent read shows everything that was written, and what has changed since the last read is the same as the stream's records.
//! Only an item that was written and deleted between two reads is not seen; its record would lead to nothing. The stream itself is tested with the
//! deployed stack.

use aws_sdk_dynamodb::Client;
use doorward_functions::batch::Records;
use dynoxide::Database;
use serde_json::{Value, json};

use crate::store::{Item, Items, items};

/// The stream of an Outbox.
pub(crate) enum Stream {
    /// The store's own.
    Own { database: Database, iterator: String },
    /// What has changed in the table.
    Watching { client: Client, table: String, seen: Items, records: usize },
}

impl Stream {
    /// The stream of a store in process, from its beginning.
    pub(crate) fn of(database: Database, table: &str) -> Self {
        let streams = database.list_streams(request(json!({ "TableName": table }))).expect("streams");
        let arn = serde_json::to_value(&streams).expect("JSON")["Streams"][0]["StreamArn"].clone();
        let stream = database.describe_stream(request(json!({ "StreamArn": arn }))).expect("a stream");
        let shard = serde_json::to_value(&stream).expect("JSON")["StreamDescription"]["Shards"][0]["ShardId"].clone();
        let iterator = json!({ "StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" });
        let iterator = database.get_shard_iterator(request(iterator)).expect("an iterator");
        Self::Own { database, iterator: iterator.shard_iterator.expect("an iterator") }
    }

    /// The changes of a table that is empty now.
    pub(crate) fn watching(client: Client, table: &str) -> Self {
        Self::Watching { client, table: table.to_owned(), seen: Items::new(), records: 0 }
    }

    /// The records since the last time.
    pub(crate) async fn next(&mut self) -> Records {
        let records = match self {
            Self::Own { database, iterator } => {
                let answer = database.get_records(request(json!({ "ShardIterator": iterator }))).expect("records");
                if let Some(next) = &answer.next_shard_iterator {
                    iterator.clone_from(next);
                }
                serde_json::to_value(&answer).expect("JSON")["Records"].clone()
            }
            Self::Watching { client, table, seen, records } => {
                let present = items(client, table).await;
                let record = |(event, (pk, sk)): (&str, &(String, String))| {
                    *records += 1;
                    let keys = json!({ "pk": { "S": pk }, "sk": { "S": sk } });
                    json!({ "eventName": event, "dynamodb": { "Keys": keys, "SequenceNumber": records.to_string() } })
                };
                let changed = changes(seen, &present).into_iter().map(record).collect();
                *seen = present;
                changed
            }
        };
        request(json!({ "Records": records }))
    }
}

fn request<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("it is one")
}

/// What a stream says of the changes between two looks. New items come last, by the time at which they were requested, as far as that can be known.
fn changes<'a>(seen: &'a Items, present: &'a Items) -> Vec<(&'static str, &'a (String, String))> {
    let mut changes: Vec<_> = seen.keys().filter(|key| !present.contains_key(*key)).map(|key| ("REMOVE", key)).collect();
    let mut new = Vec::new();
    for (key, item) in present {
        match seen.get(key) {
            None => new.push((key, item)),
            Some(before) if is_another(before, item) => {
                changes.push(("REMOVE", key));
                new.push((key, item));
            }
            Some(before) if before != item => changes.push(("MODIFY", key)),
            Some(_) => {}
        }
    }
    let requested_at = |item: &Item| item.get("requested_at").and_then(|instant| instant.as_n().ok()?.parse::<i64>().ok());
    new.sort_by_key(|(_, item)| requested_at(item));
    changes.extend(new.into_iter().map(|(key, _)| ("INSERT", key)));
    changes
}

/// Whether the item was removed and put again: an item keeps the time at which it was requested, and the count of its tries only grows.
fn is_another(before: &Item, item: &Item) -> bool {
    let tries = |item: &Item| item.get("attempts").and_then(|tries| tries.as_n().ok()?.parse::<u64>().ok());
    before.get("requested_at") != item.get("requested_at") || tries(item) < tries(before)
}
