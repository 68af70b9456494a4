//! A store full of accounts, and a mail service, to measure the functions against: `cargo run -p doorward-kit --example store`.
//!
//! Prints one line of JSON: the URL of the `store`, of the same store with every call `counted`, of the counted `mail` service, and of `control`,
//! which takes orders as POSTs of JSON:
//!
//! | path | body | answer |
//! |---|---|---|
//! | `/accounts` | `{"until": N}` | makes accounts 1 to N; the bytes of one |
//! | `/sessions` | `{"accounts": [n, …], "each": M}` | tokens of M new sessions of each |
//! | `/links` | `{"accounts": [n, …]}` | tokens of a new reset link of each |
//! | `/notices` | `{"accounts": [n, …]}` | tokens of a new "this wasn't me" link of each |
//! | `/reset_requests` | `{"accounts": [n, …]}` | each asked for a reset link; the stream's events for the mailer |
//! | `/forget` | | starts counting again |
//! | `/calls` | | the calls since then, their capacity units, and the services' working time |
//!
//! Account n is named `account-000000n` and has the usual password. All are copies of account 0, which the functions themselves created, so that the
//! form of items is not repeated here.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{OriginalUri, State},
};
use doorward::{
    account::AccountId,
    clock::Clock,
    entropy::Entropy,
    token::{Disavow, Purpose, Reset, Session, Token},
};
use doorward_functions::batch::Record;
use doorward_kit::{
    App,
    app::USUAL_COST,
    mailbox::Mailbox,
    place::Place,
    proxy::Proxy,
    requests::{PASSWORD, address_of, reset_request},
};
use dynoxide::{AttributeValue, Database, ImportOptions, Item};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Mutex};

/// The number of accounts that are written at once.
const BATCH: usize = 10_000;

struct Service {
    database: Database,
    app: App,
    calls: Proxy,
    mails: Proxy,
    original: Original,
    accounts: Mutex<usize>,
}

/// Account 0 and its items, as the functions wrote them.
struct Original {
    id: String,
    /// The account and its claims.
    account: Vec<Item>,
    session: Item,
    link: Item,
    disavowal: Item,
}

#[tokio::main]
async fn main() {
    let place = Place::in_process().await;
    let (url, database) = place.database().map(|(url, database)| (url.to_owned(), database.clone())).expect("it is in process");
    let calls = Proxy::before(&url).await;
    let mails = Proxy::before(&Mailbox::open().await.1).await;
    let app = App::over(&place, &[USUAL_COST]).await;
    let original = Original::made(&app, &database).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let control = format!("http://{}", listener.local_addr().expect("an address"));
    println!("{}", json!({ "store": url, "counted": calls.url(), "mail": mails.url(), "control": control, "password": PASSWORD }));
    let service = Arc::new(Service { database, app, calls, mails, original, accounts: Mutex::new(0) });
    axum::serve(listener, Router::new().fallback(order).with_state(service)).await.expect("it serves");
}

async fn order(State(service): State<Arc<Service>>, OriginalUri(uri): OriginalUri, body: Bytes) -> String {
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let accounts = || asked["accounts"].as_array().into_iter().flatten().filter_map(Value::as_u64);
    set_clock(&service.app);
    match uri.path() {
        "/accounts" => service.fill(asked["until"].as_u64().and_then(|until| until.try_into().ok()).expect("a number")).await,
        "/sessions" => {
            let each = asked["each"].as_u64().unwrap_or(1);
            service.copies::<Session>(accounts().flat_map(|account| (0..each).map(move |_| account)), &service.original.session)
        }
        "/links" => service.copies::<Reset>(accounts(), &service.original.link),
        "/notices" => service.copies::<Disavow>(accounts(), &service.original.disavowal),
        "/reset_requests" => service.reset_requests(accounts()).await,
        "/forget" => {
            service.calls.forget();
            service.mails.forget();
            Value::Null
        }
        "/calls" => service.counted(),
        other => panic!("no order {other}"),
    }
    .to_string()
}

/// The functions measured live in the present.
fn set_clock(app: &App) {
    let behind = Clock::system().now().as_millisecond() - app.clock.now().as_millisecond();
    app.clock.advance(Duration::from_millis(behind.try_into().unwrap_or(0)));
}

fn name_of(account: u64) -> String {
    format!("account-{account:07}")
}

impl Original {
    async fn made(app: &App, database: &Database) -> Self {
        set_clock(app);
        let name = name_of(0);
        app.sign_up(&name).await.login().await;
        app.reset_link(&address_of(&name)).await;
        let (mut account, mut session, mut link, mut id) = (Vec::new(), None, None, None);
        for item in accounts_table(database) {
            match text(&item, "sk").split('#').next() {
                Some("session") => session = Some(item),
                Some("reset") => link = Some(item),
                Some("account") => {
                    id = text(&item, "pk").strip_prefix("account#").map(str::to_owned);
                    account.push(item);
                }
                _ => account.push(item),
            }
        }
        let id = id.expect("an account");
        let disavowal = Self::disavowal(app, database, &id).await;
        Self { id, account, session: session.expect("a session"), link: link.expect("a link"), disavowal }
    }

    /// The link of a notice, made for another account, because account 0 keeps its password.
    async fn disavowal(app: &App, database: &Database, id: &str) -> Item {
        let session = app.sign_up("changed").await.login().await;
        app.change_password(&session, PASSWORD, "Battery-Staple-43").await;
        app.deliver().await;
        let mut items = accounts_table(database).into_iter();
        let mut link = items.find(|item| text(item, "sk").starts_with("disavow#")).expect("a notice");
        link.insert("pk".to_owned(), AttributeValue::S(format!("account#{id}")));
        link
    }

    /// The id of a copy, which differs in the last digits.
    fn id_of(&self, account: u64) -> String {
        format!("{}{account:012x}", &self.id[..self.id.len() - 12])
    }

    /// An item of this account, with further texts replaced.
    fn copied(&self, item: &Item, account: u64, (old, new): (&str, &str)) -> Item {
        let (zero, name, id) = (name_of(0), name_of(account), self.id_of(account));
        let replaced = |text: &str| text.replace(&zero, &name).replace(&self.id, &id).replace(old, new);
        let copied = |value: &AttributeValue| match value {
            AttributeValue::S(text) => AttributeValue::S(replaced(text)),
            other => other.clone(),
        };
        item.iter().map(|(name, value)| (name.clone(), copied(value))).collect()
    }
}

fn accounts_table(database: &Database) -> Vec<Item> {
    let all = database.scan(serde_json::from_value(json!({ "TableName": "accounts" })).expect("a request")).expect("the store answers");
    all.items.expect("items")
}

fn text<'a>(item: &'a Item, attribute: &str) -> &'a str {
    match &item[attribute] {
        AttributeValue::S(text) => text,
        other => panic!("{attribute} is {other:?}"),
    }
}

impl Service {
    fn write(&self, items: Vec<Item>) -> usize {
        self.database.import_items("accounts", items, ImportOptions::default()).expect("the items are taken").bytes_imported
    }

    async fn fill(&self, until: usize) -> Value {
        let mut there = self.accounts.lock().await;
        let (before, mut bytes) = (*there, 0);
        while *there < until {
            let upto = until.min(*there + BATCH);
            let numbers = (*there + 1..=upto).map(|number| number as u64);
            bytes += self.write(
                numbers
                    .flat_map(|number| self.original.account.iter().map(move |item| self.original.copied(item, number, ("\0", ""))))
                    .collect(),
            );
            *there = upto;
        }
        json!({ "bytes_each": if *there > before { bytes / (*there - before) } else { 0 } })
    }

    /// Copies an item with a token's digest for each account, each with a token of its own.
    fn copies<P: Purpose>(&self, accounts: impl Iterator<Item = u64>, item: &Item) -> Value {
        let held = if item.contains_key("digest") { text(item, "digest") } else { text(item, "sk").split_once('#').expect("a digest").1 };
        let mut tokens = Vec::new();
        let mut items = Vec::new();
        for account in accounts {
            let id: AccountId = self.original.id_of(account).parse().expect("an id");
            let token = Token::<P>::generate(id, &Entropy::system());
            items.push(self.original.copied(item, account, (held, token.digest().as_str())));
            tokens.push(token.reveal().to_string());
        }
        let count = items.len();
        json!({ "tokens": tokens, "bytes_each": self.write(items) / count.max(1) })
    }

    async fn reset_requests(&self, accounts: impl Iterator<Item = u64>) -> Value {
        // Requests that others have made meanwhile are ignored.
        while !self.app.stream().await.records.is_empty() {}
        let mut events = Vec::new();
        for account in accounts {
            self.app.send(reset_request(&address_of(&name_of(account)))).await;
            let records = self.app.stream().await.records;
            let record = |record: Record| {
                let keys = record.dynamodb.keys;
                json!({
                    "eventName": record.event_name,
                    "dynamodb": {
                        "Keys": { "pk": { "S": keys.pk.value }, "sk": { "S": keys.sk.value } },
                        "SequenceNumber": record.dynamodb.sequence_number,
                    },
                })
            };
            events.push(json!({ "Records": records.into_iter().map(record).collect::<Vec<_>>() }));
        }
        json!({ "events": events })
    }

    fn counted(&self) -> Value {
        let calls: Vec<String> = self.calls.calls().into_iter().map(|call| call.operation).collect();
        let (written, read) = self.calls.units();
        // A function waits for one service at a time.
        let busy = self.calls.busy() + self.mails.busy();
        json!({
            "calls": calls,
            "waits": self.calls.waits(),
            "mails": self.mails.calls().len(),
            "written": written.abs(),
            "read": read.abs(),
            "busy_ms": busy.as_secs_f64() * 1000.0,
        })
    }
}
