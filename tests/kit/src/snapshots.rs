//! The content of an app's tables.

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};

use crate::{
    App,
    store::{Facts, Item, Items, deleted, items, snapshot, write_all},
};

impl App {
    /// Everything in `accounts`, `limits` or `outbox`.
    pub async fn snapshot(&self, table: &str) -> Facts {
        let name = match table {
            "accounts" => &self.tables.accounts,
            "limits" => &self.tables.limits,
            "outbox" => &self.tables.outbox,
            _ => panic!("there is no table {table}"),
        };
        snapshot(&self.operator.client, name).await
    }

    /// Everything in every table, as it is stored.
    pub async fn items(&self) -> Items {
        let mut all = Items::new();
        for table in [&self.tables.accounts, &self.tables.limits, &self.tables.outbox] {
            all.extend(items(&self.operator.client, table).await);
        }
        all
    }

    /// Replaces `present`, which is everything in every table, by other items.
    pub async fn replace(&self, present: &Items, wanted: &Items) {
        let gone = present.keys().filter(|key| !wanted.contains_key(*key)).map(|key| (self.table_of(&key.0), deleted(key)));
        let changed = wanted.iter().filter(|(key, item)| present.get(*key) != Some(*item));
        let put = |item: &Item| {
            let put = PutRequest::builder().set_item(Some(item.clone())).build().expect("a request");
            WriteRequest::builder().put_request(put).build()
        };
        let writes = gone.chain(changed.map(|(key, item)| (self.table_of(&key.0), put(item)))).collect();
        write_all(&self.operator.client, writes).await;
    }

    /// The table in which there is such a partition.
    pub(crate) fn table_of(&self, partition: &str) -> &str {
        match partition.split('#').next() {
            Some("account" | "username" | "email" | "sweep") => &self.tables.accounts,
            Some("reset" | "verify" | "notice" | "event" | "held") => &self.tables.outbox,
            _ => &self.tables.limits,
        }
    }

    /// Everything in every table.
    pub async fn everything(&self) -> Facts {
        let mut facts = self.everything_but_limits().await;
        facts.extend(self.snapshot("limits").await);
        facts
    }

    /// Everything in Accounts and Outbox, which a refusal does not change, although it may be counted in Limits.
    pub async fn everything_but_limits(&self) -> Facts {
        let mut facts = self.snapshot("accounts").await;
        facts.extend(self.snapshot("outbox").await);
        facts
    }
}
