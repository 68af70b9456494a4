//! The items that a call reads or writes.

use serde_json::Value;

/// Items of a table: one, those of a partition, or all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reach {
    table: String,
    partition: Option<String>,
    sort: Option<String>,
    writes: bool,
}

impl Reach {
    fn of(table: &Value, key: &Value, writes: bool) -> Self {
        let part = |name: &str| key[name]["S"].as_str().map(str::to_owned);
        Self { table: table.as_str().unwrap_or_default().to_owned(), partition: part("pk"), sort: part("sk"), writes }
    }

    /// Whether they have an item in common, which one of them writes.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let same = |one: &Option<String>, other: &Option<String>| one.is_none() || other.is_none() || one == other;
        (self.writes || other.writes)
            && self.table == other.table
            && same(&self.partition, &other.partition)
            && same(&self.sort, &other.sort)
    }
}

/// What a call of this operation reaches. A call that is not known reaches everything.
pub(super) fn reach(operation: &str, request: &Value) -> Vec<Reach> {
    let table = &request["TableName"];
    let members =
        |value: &Value| value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>();
    let elements = |value: &Value| value.as_array().cloned().unwrap_or_default();
    // The key of a write, or its item, which contains the key.
    let key = |write: &Value| if write["Item"].is_null() { write["Key"].clone() } else { write["Item"].clone() };
    match operation {
        "GetItem" => vec![Reach::of(table, &request["Key"], false)],
        "PutItem" | "UpdateItem" | "DeleteItem" => vec![Reach::of(table, &key(request), true)],
        "Query" => {
            let partition = serde_json::json!({ "pk": request["ExpressionAttributeValues"][":pk"] });
            vec![Reach::of(table, &partition, false)]
        }
        // It reads no item.
        "DescribeTable" => Vec::new(),
        "Scan" => vec![Reach::of(table, &Value::Null, false)],
        "BatchGetItem" => {
            let tables = members(&request["RequestItems"]).into_iter();
            tables
                .flat_map(|(table, read)| elements(&read["Keys"]).into_iter().map(move |key| Reach::of(&table.clone().into(), &key, false)))
                .collect()
        }
        "BatchWriteItem" => {
            let tables = members(&request["RequestItems"]).into_iter();
            let writes = tables.flat_map(|(table, writes)| elements(&writes).into_iter().map(move |write| (table.clone(), write)));
            writes
                .flat_map(|(table, write)| {
                    members(&write).into_iter().map(move |(_, write)| Reach::of(&table.clone().into(), &key(&write), true))
                })
                .collect()
        }
        "TransactWriteItems" => {
            let parts = elements(&request["TransactItems"]).into_iter().flat_map(|part| members(&part));
            parts.map(|(kind, part)| Reach::of(&part["TableName"], &key(&part), kind != "ConditionCheck")).collect()
        }
        _ => unreachable!("nothing is known of {operation}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(pk: &str, sk: &str) -> Value {
        json!({ "pk": { "S": pk }, "sk": { "S": sk } })
    }

    fn meet(one: (&str, Value), other: (&str, Value)) -> bool {
        let (one, other) = (reach(one.0, &one.1), reach(other.0, &other.1));
        let meet = |one: &[Reach], other: &[Reach]| one.iter().any(|one| other.iter().any(|other| one.meets(other)));
        assert_eq!(meet(&one, &other), meet(&other, &one));
        meet(&one, &other)
    }

    #[test]
    fn calls_meet_at_an_item_that_one_of_them_writes() {
        let item = |operation, sort: &str| (operation, json!({ "TableName": "t", "Key": key("p", sort) }));
        let put = ("PutItem", json!({ "TableName": "t", "Item": key("p", "a") }));
        assert!(
            meet(item("GetItem", "a"), put.clone())
                && meet(item("UpdateItem", "a"), put.clone())
                && meet(item("DeleteItem", "a"), put.clone())
        );
        assert!(!meet(item("GetItem", "b"), put.clone()), "another item");
        assert!(!meet(item("GetItem", "a"), item("GetItem", "a")), "nobody writes");
        assert!(!meet(("GetItem", json!({ "TableName": "u", "Key": key("p", "a") })), put.clone()), "another table");
        let query = |partition: &str| ("Query", json!({ "TableName": "t", "ExpressionAttributeValues": { ":pk": { "S": partition } } }));
        assert!(meet(query("p"), put.clone()) && !meet(query("q"), put.clone()));
        assert!(meet(("Scan", json!({ "TableName": "t" })), put.clone()) && !meet(("Scan", json!({ "TableName": "u" })), put));
    }

    #[test]
    fn every_part_of_a_batch_or_a_transaction_counts() {
        let get = |sort: &str| ("GetItem", json!({ "TableName": "t", "Key": key("p", sort) }));
        let read = ("BatchGetItem", json!({ "RequestItems": { "t": { "Keys": [key("p", "a"), key("p", "b")] } } }));
        let batch = json!({ "RequestItems": { "t": [{ "DeleteRequest": { "Key": key("p", "a") } }, { "PutRequest": { "Item": key("p", "b") } }] } });
        let batch = ("BatchWriteItem", batch);
        assert!(meet(get("a"), batch.clone()) && meet(get("b"), batch.clone()) && !meet(get("c"), batch.clone()));
        assert!(meet(read, batch));
        let transaction = json!({ "TransactItems": [
            { "ConditionCheck": { "TableName": "t", "Key": key("p", "a") } },
            { "Update": { "TableName": "t", "Key": key("p", "b") } },
            { "Put": { "TableName": "u", "Item": key("p", "c") } },
        ] });
        let transaction = ("TransactWriteItems", transaction);
        assert!(!meet(get("a"), transaction.clone()), "a check is a read");
        assert!(meet(get("b"), transaction.clone()) && !meet(get("c"), transaction.clone()));
        assert!(meet(("DeleteItem", json!({ "TableName": "t", "Key": key("p", "a") })), transaction));
    }
}
