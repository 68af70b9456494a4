//! Where the tests' tables are: by default in dynoxide, in process, with a store for every test. `DOORWARD_STORE` names another store, which
//! `make unit STORE=…` sets with all that is needed there:
//!
//! | variable | |
//! |---|---|
//! | `DOORWARD_STORE` | `aws`, or the URL of a store that speaks DynamoDB's protocol |
//! | `DOORWARD_STORE_PREFIX` | how the names of all tables begin |
//! | `DOORWARD_STORE_REPORT` | a file to which every test adds what it cost, or why it was left out |
//! | `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` | as for the functions |
//!
//! There, tests take sets of three tables in turn. A table takes seconds to be created on AWS, and a Region takes 2,500, so not every test has tables
//! of its own; and nothing in the product's keys tells tests apart, so those that run at the same time share none. A set is emptied when it is taken,
//! not when it is returned, so that late writes of the previous test are removed too.

use std::{
    collections::{BTreeSet, VecDeque},
    env,
    fs::OpenOptions,
    io::Write as _,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    config::{
        BehaviorVersion, Builder, Credentials, Region, SharedHttpClient,
        retry::{RetryPartition, TokenBucket},
        timeout::TimeoutConfig,
    },
    types::{AttributeDefinition, BillingMode, KeySchemaElement, ScalarAttributeType, TableStatus},
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use doorward::{
    aws::{retries, time_outs},
    store::Tables,
};
use dynoxide::Database;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    proxy::{Calls, cost_since_last_asked, watched},
    service,
    store::empty,
    stream::Stream,
};

/// The template, which says what keys the tables have.
const TEMPLATE: &str = include_str!("../../../infra/template.yaml");
/// The tables, as the template calls them.
const TABLES: [&str; 3] = ["Accounts", "Limits", "Outbox"];

/// Three empty tables for a test, and the way to them. A clone is the same.
#[derive(Clone)]
pub struct Place {
    /// The names of the tables.
    pub tables: Tables,
    connection: Connection,
    /// Of another store; nobody else takes it until the last clone is gone.
    _set: Option<Arc<TableSet>>,
}

#[derive(Clone)]
enum Connection {
    InProcess { database: Database, url: String },
    OtherStore,
}

/// The name of three tables of another store. They can be taken again when nobody has them any more.
struct TableSet(String);

/// Another store.
struct OtherStore {
    endpoint: Option<String>,
    prefix: String,
    report: Option<String>,
}

/// The other store, if `DOORWARD_STORE` names one.
fn other_store() -> Option<&'static OtherStore> {
    static OTHER_STORE: OnceLock<Option<OtherStore>> = OnceLock::new();
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let read = || {
        let store = variable("DOORWARD_STORE")?;
        let endpoint = || variable("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| variable("AWS_ENDPOINT_URL"));
        Some(OtherStore {
            endpoint: if store == "aws" { endpoint() } else { Some(store) },
            prefix: variable("DOORWARD_STORE_PREFIX").expect("DOORWARD_STORE_PREFIX, which `make unit STORE=…` sets"),
            report: variable("DOORWARD_STORE_REPORT"),
        })
    };
    OTHER_STORE.get_or_init(read).as_ref()
}

/// Whether the calling test must be left out because its store is not in process. The reason is reported.
#[must_use]
pub fn is_left_out(reason: &str) -> bool {
    let Some(other_store) = other_store() else { return false };
    other_store.report(&json!({ "left_out": std::thread::current().name(), "reason": reason }));
    true
}

impl Place {
    /// Empty tables of the store that the environment names.
    pub async fn fresh() -> Self {
        match other_store() {
            None => Self::in_process().await,
            Some(other_store) => other_store.place().await,
        }
    }

    /// Empty tables of a store in process, on a port of its own.
    pub async fn in_process() -> Self {
        let database = Database::memory().expect("a database");
        for name in TABLES {
            let keys = keys_of(name);
            let mut table = json!({
                "TableName": name.to_lowercase(),
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": keys.map(|(key, _)| json!({ "AttributeName": key, "AttributeType": "S" })),
                "KeySchema": keys.map(|(key, kind)| json!({ "AttributeName": key, "KeyType": kind })),
            });
            if name == "Outbox" {
                table["StreamSpecification"] = json!({ "StreamEnabled": true, "StreamViewType": "KEYS_ONLY" });
            }
            database.create_table(serde_json::from_value(table).expect("a table")).expect("the table is made");
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(dynoxide::server::serve_on(listener, database.clone()));
        Self { tables: named(""), connection: Connection::InProcess { database, url: format!("http://{address}") }, _set: None }
    }

    /// The URL and the database of a store in process.
    pub fn database(&self) -> Option<(&str, &Database)> {
        match &self.connection {
            Connection::InProcess { database, url } => Some((url, database)),
            Connection::OtherStore => None,
        }
    }

    /// A client, as patient as the functions' own.
    pub fn client(&self) -> Client {
        match &self.connection {
            Connection::InProcess { url, .. } => client_of(url),
            Connection::OtherStore => self.watched_client(&Calls::not_kept()),
        }
    }

    /// A client that waits for the store as long as it takes.
    pub fn patient_client(&self) -> Client {
        patient(&self.client())
    }

    /// A client whose calls are recorded, or made to fail.
    pub fn watched_client(&self, calls: &Calls) -> Client {
        let endpoint = match &self.connection {
            Connection::InProcess { url, .. } => Some(url.as_str()),
            Connection::OtherStore => other_store().and_then(|other_store| other_store.endpoint.as_deref()),
        };
        Client::from_conf(watched(config(endpoint), connection(endpoint), calls).build())
    }

    /// The stream of the Outbox.
    pub(crate) fn stream(&self) -> Stream {
        match &self.connection {
            Connection::InProcess { database, .. } => Stream::of(database.clone(), &self.tables.outbox),
            Connection::OtherStore => Stream::watching(self.client(), &self.tables.outbox),
        }
    }
}

/// The same client, which waits for the store as long as it takes.
pub(crate) fn patient(client: &Client) -> Client {
    Client::from_conf(client.config().to_builder().timeout_config(TimeoutConfig::disabled()).build())
}

/// A client of a store at this URL.
pub fn client_of(url: &str) -> Client {
    Client::from_conf(config(Some(url)).build())
}

fn config(endpoint: Option<&str>) -> Builder {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty() && other_store().is_some());
    let credentials = match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
        (Some(id), Some(secret)) => Credentials::new(id, secret, variable("AWS_SESSION_TOKEN"), None, "tests"),
        _ => service::credentials(),
    };
    let mut config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(variable("AWS_REGION").unwrap_or_else(|| "eu-central-1".to_owned())))
        .credentials_provider(credentials)
        .retry_config(retries())
        .timeout_config(time_outs())
        // The allowance for retries is of the whole process: one test that fails calls may not use up the others'.
        .retry_partition(RetryPartition::custom("tests").token_bucket(TokenBucket::unlimited()).build());
    config.set_endpoint_url(endpoint.map(str::to_owned));
    config
}

fn connection(endpoint: Option<&str>) -> SharedHttpClient {
    let client = aws_smithy_http_client::Builder::new();
    match endpoint {
        Some(url) if url.starts_with("http://") => client.build_http(),
        _ => client.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https(),
    }
}

/// The keys of a table and their kinds (`HASH`, `RANGE`), as the template has them. All are texts.
fn keys_of(table: &str) -> [(&'static str, &'static str); 2] {
    let (_, resource) = TEMPLATE.split_once(&format!("\n  {table}:\n    Type: AWS::DynamoDB::Table\n")).expect("a table of the template");
    let schema = resource.lines().find_map(|line| line.trim().strip_prefix("KeySchema: ")).expect("its keys");
    let after = |entry: &'static str, name: &str| entry.split(name).nth(1).and_then(|rest| rest.split([',', '}']).next()).expect("a key");
    let keys = schema.split('{').skip(1).map(|entry| (after(entry, "AttributeName: "), after(entry, "KeyType: ")));
    keys.collect::<Vec<_>>().try_into().expect("two keys")
}

fn named(prefix: &str) -> Tables {
    let [accounts, limits, outbox] = TABLES.map(|table| format!("{prefix}{}", table.to_lowercase()));
    Tables { accounts, limits, outbox }
}

/// The sets that nobody has, and how many there are.
struct Shelf {
    free: VecDeque<String>,
    made: usize,
}

static SHELF: Mutex<Shelf> = Mutex::new(Shelf { free: VecDeque::new(), made: 0 });

impl Drop for TableSet {
    fn drop(&mut self) {
        SHELF.lock().expect("nobody panics at the shelf").free.push_back(self.0.clone());
        if let Some(other_store) = other_store() {
            let (calls, written, read) = cost_since_last_asked();
            other_store.report(&json!({ "calls": calls, "written": written, "read": read }));
        }
    }
}

impl OtherStore {
    async fn place(&'static self) -> Place {
        static LOOKED: OnceCell<()> = OnceCell::const_new();
        let endpoint = self.endpoint.as_deref();
        let client = Client::from_conf(watched(config(endpoint), connection(endpoint), &Calls::not_kept()).build());
        LOOKED.get_or_init(|| self.look_around(&client)).await;
        let free = SHELF.lock().expect("nobody panics at the shelf").free.pop_front();
        let name = match free {
            Some(name) => {
                empty(&client, &named(&name)).await;
                name
            }
            None => {
                let name = {
                    let mut shelf = SHELF.lock().expect("nobody panics at the shelf");
                    shelf.made += 1;
                    format!("{}-{}-", self.prefix, shelf.made)
                };
                create(&client, &name).await;
                name
            }
        };
        Place { tables: named(&name), connection: Connection::OtherStore, _set: Some(Arc::new(TableSet(name))) }
    }

    /// Finds the sets of the programs of tests that ran before this one.
    async fn look_around(&self, client: &Client) {
        // A list begins after a name that need not exist.
        let mut pages = client.list_tables().exclusive_start_table_name(&self.prefix).into_paginator().items().send();
        let mut tables = BTreeSet::new();
        while let Some(table) = pages.next().await {
            let table = table.expect("the store answers");
            if !table.starts_with(&self.prefix) {
                break;
            }
            tables.insert(table);
        }
        let mut shelf = SHELF.lock().expect("nobody panics at the shelf");
        let numbers = tables.iter().filter_map(|table| table.strip_prefix(&self.prefix)?.split('-').nth(1)?.parse::<usize>().ok());
        shelf.made = numbers.max().unwrap_or(0);
        for number in 1..=shelf.made {
            let name = format!("{}-{number}-", self.prefix);
            let Tables { accounts, limits, outbox } = named(&name);
            if [accounts, limits, outbox].iter().all(|table| tables.contains(table)) {
                shelf.free.push_back(name);
            }
        }
    }

    fn report(&self, line: &Value) {
        let Some(report) = &self.report else { return };
        let file = OpenOptions::new().append(true).create(true).open(report);
        // In one piece, because many tests write at the same time.
        file.expect("a file").write_all(format!("{line}\n").as_bytes()).expect("a file");
    }
}

async fn create(client: &Client, prefix: &str) {
    let names = TABLES.map(|table| (table, format!("{prefix}{}", table.to_lowercase())));
    for (table, name) in &names {
        let keys = keys_of(table);
        let text = |key: &str| AttributeDefinition::builder().attribute_name(key).attribute_type(ScalarAttributeType::S).build();
        let key = |(key, kind): (&str, &str)| KeySchemaElement::builder().attribute_name(key).key_type(kind.into()).build();
        let table = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
        let table = table.set_attribute_definitions(Some(keys.map(|(key, _)| text(key).expect("a key")).into()));
        table.set_key_schema(Some(keys.map(|part| key(part).expect("a key")).into())).send().await.expect("the table is made");
    }
    for (_, name) in &names {
        loop {
            let table = client.describe_table().table_name(name).send().await.expect("the store answers").table;
            if table.and_then(|table| table.table_status) == Some(TableStatus::Active) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}
