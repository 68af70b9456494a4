//! Batches: the records of the Outbox stream, and the report of what a stream or a queue is to deliver again.

use serde::{Deserialize, Serialize};

/// The parts of a batch of the Outbox stream that are read. Unknown and missing parts are not errors, because only the stored item counts.
#[derive(Clone, Default, Deserialize)]
pub struct Records {
    /// One record per change of an item.
    #[serde(rename = "Records", default)]
    pub records: Vec<Record>,
}

/// A change of an item.
#[derive(Clone, Default, Deserialize)]
pub struct Record {
    /// INSERT, MODIFY or REMOVE.
    #[serde(rename = "eventName", default)]
    pub event_name: String,
    /// The item that changed.
    #[serde(default)]
    pub dynamodb: Change,
}

/// The item that changed.
#[derive(Clone, Default, Deserialize)]
pub struct Change {
    /// The item's key.
    #[serde(rename = "Keys", default)]
    pub keys: Keys,
    /// The sequence number, by which a failure is reported.
    #[serde(rename = "SequenceNumber", default)]
    pub sequence_number: String,
}

/// A key of the Outbox.
#[derive(Clone, Default, Deserialize)]
pub struct Keys {
    /// The partition key.
    #[serde(default)]
    pub pk: Text,
    /// The sort key.
    #[serde(default)]
    pub sk: Text,
}

/// A string attribute.
#[derive(Clone, Default, Deserialize)]
pub struct Text {
    /// Its value.
    #[serde(rename = "S", default)]
    pub value: String,
}

/// The part of a batch to be delivered again (`ReportBatchItemFailures`).
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// One entry per record or message.
    #[serde(rename = "batchItemFailures")]
    pub failures: Vec<Failure>,
}

/// A record or a message to be delivered again.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The sequence number of the record, or the id of the message.
    #[serde(rename = "itemIdentifier")]
    pub identifier: String,
}
