//! Reads and writes of several items in one call.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{KeysAndAttributes, WriteRequest};

use super::{Fault, Store, fault::Pause, item::Attributes};

impl Store {
    /// The items under these keys of one table, in no order, read consistently.
    ///
    /// DynamoDB may leave keys for another call when it is throttled; they are asked for until they are read, after a pause.
    pub(super) async fn read_batch(&self, table: &str, keys: Vec<Attributes>) -> Result<Vec<Attributes>, Fault> {
        let mut items = Vec::with_capacity(keys.len());
        let mut pause = Pause::new(&self.entropy);
        let mut wanted = keys;
        loop {
            let request = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build();
            let request = request.map_err(|_| Fault::Unreachable { operation: "BatchGetItem", kind: "request not built" })?;
            let answer = self.client.batch_get_item().request_items(table, request).send().await;
            let mut answer = answer.map_err(|error| Fault::of("BatchGetItem", &error))?;
            items.extend(answer.responses.take().into_iter().flat_map(HashMap::into_values).flatten());
            wanted = answer.unprocessed_keys.take().and_then(|mut tables| tables.remove(table)).map(|left| left.keys).unwrap_or_default();
            if wanted.is_empty() {
                return Ok(items);
            }
            pause.take().await;
        }
    }

    /// Writes that need not be one: each is done or the call is a fault.
    pub(super) async fn write_batch(&self, writes: HashMap<String, Vec<WriteRequest>>) -> Result<(), Fault> {
        let mut pause = Pause::new(&self.entropy);
        let mut left = writes;
        loop {
            let answer = self.client.batch_write_item().set_request_items(Some(left)).send().await;
            left = answer.map_err(|error| Fault::of("BatchWriteItem", &error))?.unprocessed_items.unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
            pause.take().await;
        }
    }
}
