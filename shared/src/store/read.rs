//! Reads, all of them consistent.

use std::{collections::HashMap, ops::ControlFlow, time::Duration};

use aws_sdk_dynamodb::{
    config::{Builder, timeout::TimeoutConfig},
    types::KeysAndAttributes,
};

use super::{
    Store,
    error::{NOT_BUILT, fault_of},
    item::{Item, Value, text},
    key::{Key, Table},
};
use crate::{config::span, fault::Fault};

/// How long a page of a scan may take. Only operators read whole tables, so no client waits. Emulators need seconds for a page of a large table.
const PAGE_TIME_OUT: Duration = span::minutes(1);

impl Store {
    /// The item with this key.
    pub(crate) async fn read(&self, key: &Key) -> Result<Option<Item>, Fault> {
        let table = self.tables.name(key.table);
        let answer = self.client.get_item().table_name(table).set_key(Some(key.attributes())).consistent_read(true).send().await;
        let item = answer.map_err(|error| fault_of("GetItem", &error))?.item;
        Ok(item.map(|attributes| Item::new(key.kind, attributes)))
    }

    /// These attributes of the item with this key. No other attribute is read.
    pub(crate) async fn read_attributes(&self, key: &Key, attributes: &str) -> Result<Option<Item>, Fault> {
        let call = self.client.get_item().table_name(self.tables.name(key.table)).set_key(Some(key.attributes())).consistent_read(true);
        let answer = call.projection_expression(attributes).send().await;
        Ok(answer.map_err(|error| fault_of("GetItem", &error))?.item.map(|attributes| Item::new(key.kind, attributes)))
    }

    /// The items with these keys of one table, in the order of the keys, read in one call.
    ///
    /// When DynamoDB throttles, it returns unprocessed keys. They are read after a pause.
    pub(crate) async fn read_all<const N: usize>(&self, table: Table, keys: [Key; N]) -> Result<[Option<Item>; N], Fault> {
        self.read_all_and(table, keys, None).await.map(|(items, _)| items)
    }

    /// The same, with an additional item in the same call, if there is a key for it.
    pub(crate) async fn read_all_and<const N: usize>(
        &self,
        table: Table,
        keys: [Key; N],
        more: Option<Key>,
    ) -> Result<([Option<Item>; N], Option<Item>), Fault> {
        let table = self.tables.name(table);
        let (mut items, mut another) = ([const { None }; N], None);
        let mut pause = self.pause();
        let mut wanted: Vec<_> = keys.iter().chain(&more).map(Key::attributes).collect();
        loop {
            let request = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build().map_err(|_| NOT_BUILT)?;
            let answer = self.client.batch_get_item().request_items(table, request).send().await;
            let mut answer = answer.map_err(|error| fault_of("BatchGetItem", &error))?;
            for attributes in answer.responses.take().into_iter().flat_map(HashMap::into_values).flatten() {
                let is_under = |key: &Key| key.attributes().iter().all(|(name, value)| attributes.get(name) == Some(value));
                if let Some(position) = keys.iter().position(is_under) {
                    items[position] = Some(Item::new(keys[position].kind, attributes));
                } else if let Some(key) = more.as_ref().filter(|key| is_under(key)) {
                    another = Some(Item::new(key.kind, attributes));
                }
            }
            wanted = answer.unprocessed_keys.take().and_then(|mut tables| tables.remove(table)).map(|left| left.keys).unwrap_or_default();
            if wanted.is_empty() {
                return Ok((items, another));
            }
            pause.take().await;
        }
    }

    /// Every item under a partition key.
    pub(crate) async fn read_partition(&self, table: Table, kind: &'static str, partition: &str) -> Result<Vec<Item>, Fault> {
        let mut items = Vec::new();
        self.visit_partition(table, kind, partition, |item| items.push(item)).await?;
        Ok(items)
    }

    /// Calls `visit` with every item under a partition key, in the order of the sort keys. Only one page of them is in memory at a time.
    pub(crate) async fn visit_partition(
        &self,
        table: Table,
        kind: &'static str,
        partition: &str,
        mut visit: impl FnMut(Item),
    ) -> Result<(), Fault> {
        let query = self.client.query().table_name(self.tables.name(table)).key_condition_expression("pk = :pk").consistent_read(true);
        let mut found = query.expression_attribute_values(":pk", text(partition)).into_paginator().items().send();
        while let Some(attributes) = found.next().await {
            visit(Item::new(kind, attributes.map_err(|error| fault_of("Query", &error))?));
        }
        Ok(())
    }

    /// Every item under a partition key whose sort key begins with this.
    pub(crate) async fn read_prefixed(&self, table: Table, kind: &'static str, partition: &str, prefix: &str) -> Result<Vec<Item>, Fault> {
        let query = self.client.query().table_name(self.tables.name(table)).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk AND begins_with(sk, :prefix)");
        let query = query.expression_attribute_values(":pk", text(partition)).expression_attribute_values(":prefix", text(prefix));
        let mut found = query.into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(attributes) = found.next().await {
            items.push(Item::new(kind, attributes.map_err(|error| fault_of("Query", &error))?));
        }
        Ok(items)
    }

    /// Every item under a partition key whose sort key is less than `end`, in the order of the sort keys.
    pub(crate) async fn read_below(&self, table: Table, kind: &'static str, partition: &str, end: &str) -> Result<Vec<Item>, Fault> {
        let query = self.client.query().table_name(self.tables.name(table)).key_condition_expression("pk = :pk AND sk < :end");
        let query = query.expression_attribute_values(":pk", text(partition)).expression_attribute_values(":end", text(end));
        let mut found = query.consistent_read(true).into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(attributes) = found.next().await {
            items.push(Item::new(kind, attributes.map_err(|error| fault_of("Query", &error))?));
        }
        Ok(items)
    }

    /// Calls `visit` with every item of a table that has this sort key, in no order, after the item with the key `after`, until it returns that this is
    /// enough. It reads the table page by page, with eventual consistency, which costs half of [`Store::scan`].
    pub(crate) async fn visit(
        &self,
        table: Table,
        kind: &'static str,
        sort: &str,
        after: Option<&Key>,
        visit: impl FnMut(Item) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        self.visit_where(table, kind, [sort, sort], after, visit).await
    }

    /// The same for the items whose sort key is one of these two.
    pub(crate) async fn visit_either(
        &self,
        table: Table,
        kind: &'static str,
        sorts: [&str; 2],
        visit: impl FnMut(Item) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        self.visit_where(table, kind, sorts, None, visit).await
    }

    async fn visit_where(
        &self,
        table: Table,
        kind: &'static str,
        sorts: [&str; 2],
        after: Option<&Key>,
        mut visit: impl FnMut(Item) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let scan = self.client.scan().table_name(self.tables.name(table)).filter_expression("sk = :one OR sk = :other");
        let scan = scan.expression_attribute_values(":one", text(sorts[0])).expression_attribute_values(":other", text(sorts[1]));
        let mut after = after.map(Key::attributes);
        loop {
            let page = scan.clone().set_exclusive_start_key(after).customize();
            let patient = TimeoutConfig::builder().operation_attempt_timeout(PAGE_TIME_OUT).build();
            let page = page.config_override(Builder::default().timeout_config(patient)).send().await;
            let mut page = page.map_err(|error| fault_of("Scan", &error))?;
            for attributes in page.items.take().unwrap_or_default() {
                if visit(Item::new(kind, attributes)).is_break() {
                    return Ok(());
                }
            }
            after = page.last_evaluated_key.take().filter(|key| !key.is_empty());
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// The size of a table in bytes, as DynamoDB last counted it, which it does about every six hours.
    pub(crate) async fn size(&self, table: Table) -> Result<u64, Fault> {
        let answer = self.client.describe_table().table_name(self.tables.name(table)).send().await;
        let size = answer.map_err(|error| fault_of("DescribeTable", &error))?.table.and_then(|table| table.table_size_bytes);
        Ok(size.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default())
    }

    /// Every item of a table for which this condition holds. It reads the whole table.
    pub(crate) async fn scan(
        &self,
        table: Table,
        kind: &'static str,
        condition: &str,
        values: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Result<Vec<Item>, Fault> {
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let scan = self.client.scan().table_name(self.tables.name(table)).consistent_read(true).filter_expression(condition);
        let scan = scan.set_expression_attribute_values(Some(values));
        let mut found = scan.into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(attributes) = found.next().await {
            items.push(Item::new(kind, attributes.map_err(|error| fault_of("Scan", &error))?));
        }
        Ok(items)
    }
}
