//! Everything that strangers, stores and services send is read without a panic. Each module states what holds for any input.
//!
//! `tests/seeds.rs` tries the seeds and what is near them with every other test; the programs of `fuzz_targets/` let libFuzzer look for more
//! (`make fuzz`).

pub mod authorization;
pub mod authorizer_event;
pub mod body;
pub mod gateway_event;
pub mod mail;
pub mod stored_hash;
pub mod stream_event;

use std::sync::LazyLock;

use doorward::{
    clock::Clock,
    config::Settings,
    entropy::Entropy,
    store::{Store, Tables},
};
use doorward_functions::Wiring;
use tokio::runtime::{Builder, Runtime};

/// A target: its name, which is also that of its program and its folder of seeds, and what it checks of any input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 7] = [
    ("authorization", authorization::check),
    ("authorizer_event", authorizer_event::check),
    ("body", body::check),
    ("gateway_event", gateway_event::check),
    ("mail", mail::check),
    ("stored_hash", stored_hash::check),
    ("stream_event", stream_event::check),
];

/// The text that bytes begin with.
fn text(data: &[u8]) -> &str {
    let valid = std::str::from_utf8(data).map_or_else(|error| error.valid_up_to(), str::len);
    std::str::from_utf8(&data[..valid]).expect("text up to there")
}

/// A runtime of one thread.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

/// The parts that a function is built from, with these settings and a store that it must not ask.
fn wiring(settings: &[(&str, &str)]) -> Wiring {
    let settings = Settings::from_pairs(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Wiring::new(settings, unreachable_store(), Clock::system(), Entropy::system())
}

/// A store that has no way to reach its tables.
fn unreachable_store() -> Store {
    use aws_sdk_dynamodb::{
        Client, Config,
        config::{BehaviorVersion, Region},
    };
    let config = Config::builder().behavior_version(BehaviorVersion::latest()).region(Region::new("eu-central-1")).build();
    let table = || "none".to_owned();
    Store::new(Client::from_conf(config), Tables { accounts: table(), limits: table(), outbox: table() }, Entropy::system())
}
