//! Any JSON as a batch of the Outbox's stream. Without time to send anything, the mailer reports each new entry that has a key, and no others.

use std::{sync::LazyLock, time::Duration};

use doorward::mail::Sender;
use doorward_functions::{
    Mailer,
    batch::{Record, Records},
};

use crate::{RUNTIME, wiring};

static MAILER: LazyLock<Mailer> = LazyLock::new(|| {
    use aws_sdk_sesv2::{
        Client, Config,
        config::{BehaviorVersion, Region},
    };
    let config = Config::builder().behavior_version(BehaviorVersion::latest()).region(Region::new("eu-central-1")).build();
    let sender = Sender::new(Client::from_conf(config), "accounts@example.com".to_owned(), None);
    Mailer::over(&mut wiring(&[("LINK_BASE", "https://accounts.example.com")]), sender)
});

/// Holds what the module says.
pub fn check(data: &[u8]) {
    let Ok(records) = serde_json::from_slice::<Records>(data) else { return };
    let is_new = |record: &&Record| {
        let keys = &record.dynamodb.keys;
        record.event_name == "INSERT" && !keys.pk.value.is_empty() && !keys.sk.value.is_empty()
    };
    let new: Vec<String> = records.records.iter().filter(is_new).map(|record| record.dynamodb.sequence_number.clone()).collect();
    let report = RUNTIME.block_on(MAILER.deliver_within(records, Duration::ZERO));
    let reported: Vec<String> = report.failures.into_iter().map(|failure| failure.identifier).collect();
    assert_eq!(reported, new);
}
