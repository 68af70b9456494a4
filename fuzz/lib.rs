//! What the targets share: parts that can be built without a network, and a runtime to drive them.

use std::sync::LazyLock;

use doorward::{
    entropy::Entropy,
    store::{Store, Tables},
};
use tokio::runtime::{Builder, Runtime};

/// A runtime of one thread.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

/// A store that nobody must ask: it has no way to reach one.
pub fn unreachable_store() -> Store {
    use aws_sdk_dynamodb::{Client, Config, config::{BehaviorVersion, Region}};
    let config = Config::builder().behavior_version(BehaviorVersion::latest()).region(Region::new("eu-central-1")).build();
    let table = || "none".to_owned();
    Store::new(Client::from_conf(config), Tables { accounts: table(), limits: table(), outbox: table() }, Entropy::system())
}
