//! What the targets share: parts that can be built without a network, and a runtime to drive them.

use std::sync::LazyLock;

use doorward::{
    clock::Clock,
    config::Settings,
    entropy::Entropy,
    store::{Store, Tables},
};
use doorward_functions::Wiring;
use tokio::runtime::{Builder, Runtime};

/// A runtime of one thread.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

/// What a function is built of, with these settings and a store that it must not ask.
pub fn wiring(settings: &[(&str, &str)]) -> Wiring {
    let settings = Settings::from_pairs(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Wiring::new(settings, unreachable_store(), Clock::system(), Entropy::system())
}

/// A store that has no way to reach its tables.
fn unreachable_store() -> Store {
    use aws_sdk_dynamodb::{Client, Config, config::{BehaviorVersion, Region}};
    let config = Config::builder().behavior_version(BehaviorVersion::latest()).region(Region::new("eu-central-1")).build();
    let table = || "none".to_owned();
    Store::new(Client::from_conf(config), Tables { accounts: table(), limits: table(), outbox: table() }, Entropy::system())
}
