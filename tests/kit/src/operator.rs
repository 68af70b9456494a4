//! Manual changes of the store: the op steps of recorded scenarios.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use doorward::text::fold;

/// Someone with access to the Accounts table.
#[derive(Clone)]
pub struct Operator {
    /// The store.
    pub client: Client,
    /// The Accounts table.
    pub accounts: String,
}

type Item = HashMap<String, AttributeValue>;

/// A string attribute.
fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn key(pk: &str, sk: &str) -> Item {
    Item::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

impl Operator {
    /// The partition of the account with this username.
    pub async fn partition(&self, username: &str) -> String {
        let claim = self.item(&format!("username#{}", fold(username)), "claim").await.expect("the username is claimed");
        format!("account#{}", claim["account_id"].as_s().expect("an id"))
    }

    /// An item.
    pub async fn item(&self, pk: &str, sk: &str) -> Option<Item> {
        let answer = self.client.get_item().table_name(&self.accounts).set_key(Some(key(pk, sk))).consistent_read(true).send().await;
        answer.expect("the store answers").item
    }

    /// The account with this username.
    pub async fn account(&self, username: &str) -> Item {
        self.item(&self.partition(username).await, "account").await.expect("the account exists")
    }

    /// Every item of an account.
    pub async fn items_of(&self, username: &str) -> Vec<Item> {
        let answer = self.client.query().table_name(&self.accounts).key_condition_expression("pk = :pk");
        let answer = answer.expression_attribute_values(":pk", text(&self.partition(username).await)).consistent_read(true);
        answer.send().await.expect("the store answers").items.unwrap_or_default()
    }

    async fn set(&self, pk: &str, sk: &str, attribute: &str, value: AttributeValue) {
        let update = self.client.update_item().table_name(&self.accounts).set_key(Some(key(pk, sk)));
        let update = update.update_expression("SET #name = :value").condition_expression("attribute_exists(pk)");
        update
            .expression_attribute_names("#name", attribute)
            .expression_attribute_values(":value", value)
            .send()
            .await
            .expect("the item exists");
    }

    /// Activates or deactivates an account.
    pub async fn set_active(&self, username: &str, active: bool) {
        self.set(&self.partition(username).await, "account", "active", AttributeValue::Bool(active)).await;
    }

    /// Stores this text as the password's hash.
    pub async fn set_password_hash(&self, username: &str, hash: &str) {
        self.set(&self.partition(username).await, "account", "password", text(hash)).await;
    }

    /// Removes an attribute of an account.
    pub async fn remove(&self, username: &str, attribute: &str) {
        let update = self.client.update_item().table_name(&self.accounts).set_key(Some(key(&self.partition(username).await, "account")));
        let update = update.update_expression("REMOVE #name").expression_attribute_names("#name", attribute);
        update.send().await.expect("the store answers");
    }

    /// Makes the account's reset link older.
    pub async fn age_reset_token(&self, username: &str, hours: f64) {
        let partition = self.partition(username).await;
        let link = self.item(&partition, "reset").await.expect("a link");
        let valid_until: f64 = link["valid_until"].as_n().expect("a number").parse().expect("a number");
        let older = AttributeValue::N(format!("{:.0}", valid_until - hours * 3_600_000.0));
        self.set(&partition, "reset", "valid_until", older).await;
    }

    /// Deletes an account and all its items.
    pub async fn delete_user(&self, username: &str) {
        let account = self.account(username).await;
        let folded = |name: &str| account[name].as_s().expect("a name").clone();
        let mut keys = vec![
            key(&format!("username#{}", folded("username_folded")), "claim"),
            key(&format!("email#{}", folded("email_folded")), "claim"),
        ];
        keys.extend(
            self.items_of(username)
                .await
                .into_iter()
                .map(|item| Item::from([("pk".to_owned(), item["pk"].clone()), ("sk".to_owned(), item["sk"].clone())])),
        );
        for key in keys {
            self.client.delete_item().table_name(&self.accounts).set_key(Some(key)).send().await.expect("the store answers");
        }
    }
}
