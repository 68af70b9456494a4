//! Writes that do not depend on each other, in one call.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};

use super::{
    Store,
    error::{NOT_BUILT, fault_of},
    item::Item,
    key::{Key, Table},
    write::{Action, Write},
};
use crate::fault::Fault;

/// Maximum number of writes in one call (`BatchWriteItem`).
const MAX_BATCH: usize = 25;

impl Store {
    /// Carries out at most 25 puts and deletes without conditions. Either all are done, or this returns a fault.
    ///
    /// When DynamoDB throttles, it returns unprocessed writes. They are repeated after a pause.
    pub(crate) async fn write_batch(&self, writes: Vec<Write>) -> Result<(), Fault> {
        let mut left: HashMap<String, Vec<WriteRequest>> = HashMap::new();
        for write in writes {
            left.entry(self.tables.name(write.key.table).to_owned()).or_default().push(built(write)?);
        }
        let mut pause = self.pause();
        loop {
            let answer = self.client.batch_write_item().set_request_items(Some(left)).send().await;
            left = answer.map_err(|error| fault_of("BatchWriteItem", &error))?.unprocessed_items.unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
            pause.take().await;
        }
    }

    /// Deletes the items under a partition key whose sort key is `doomed`, until there are none, because one may be replaced by another while it is
    /// deleted.
    pub(crate) async fn clear_partition(&self, table: Table, partition: &str, doomed: impl Fn(&Item) -> bool) -> Result<(), Fault> {
        self.clear_partition_and(table, partition, doomed, |_| None).await
    }

    /// The same, and for each sort key also the item `elsewhere` in the table that belongs to it. That item is deleted first, because only the sort key
    /// says where it is.
    pub(crate) async fn clear_partition_and(
        &self,
        table: Table,
        partition: &str,
        doomed: impl Fn(&Item) -> bool,
        elsewhere: impl Fn(&str) -> Option<Key>,
    ) -> Result<(), Fault> {
        loop {
            let items = self.read_partition(table, "item", partition).await?;
            let sorts: Vec<&str> = items.iter().map(|item| item.text("sk")).collect::<Result<_, _>>()?;
            let others: Vec<Write> = sorts.iter().filter_map(|sort| elsewhere(sort)).map(Write::delete).collect();
            for chunk in others.chunks(MAX_BATCH) {
                self.write_batch(chunk.to_vec()).await?;
            }
            let doomed = items.iter().zip(sorts).filter(|(item, _)| doomed(item));
            let deletes: Vec<Write> = doomed.map(|(_, sort)| Write::delete(Key::new(table, "item", partition, sort))).collect();
            if deletes.is_empty() {
                return Ok(());
            }
            for chunk in deletes.chunks(MAX_BATCH) {
                self.write_batch(chunk.to_vec()).await?;
            }
        }
    }
}

/// A write as part of a batch, which takes no conditions.
fn built(write: Write) -> Result<WriteRequest, Fault> {
    let request = WriteRequest::builder();
    let request = match (write.action, write.condition) {
        (Action::Put(item), None) => request.put_request(PutRequest::builder().set_item(Some(item)).build().map_err(|_| NOT_BUILT)?),
        (Action::Delete, None) => {
            request.delete_request(DeleteRequest::builder().set_key(Some(write.key.attributes())).build().map_err(|_| NOT_BUILT)?)
        }
        _ => return Err(NOT_BUILT),
    };
    Ok(request.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_takes_no_write_whose_condition_it_would_drop() {
        let key = || Key::new(Table::Accounts, "item", "p", "s");
        assert!(built(Write::delete(key())).is_ok());
        assert!(matches!(built(Write::delete(key()).when("a = :a")), Err(Fault::Internal(_))));
        assert!(matches!(built(Write::update(key(), "SET a = :a")), Err(Fault::Internal(_))));
    }
}
