//! The store: a kit for DynamoDB that knows nothing of accounts, sessions or mail. Tests run it over dynoxide, in process.
//!
//! A feature builds a `Write` and says under which condition it holds. The store carries it out, alone or in a transaction, and answers
//! whether it was `Written` or refused. A lost race is a value; only a store that does not answer is a [`crate::fault::Fault`].

mod ahead;
mod batch;
mod error;
mod item;
mod key;
mod read;
mod transaction;
mod write;

use aws_sdk_dynamodb::Client;

pub use self::key::{Table, Tables};
pub(crate) use self::{
    item::{Item, Value, millis, number, numbers_by_name, seconds, text, truth},
    key::Key,
    transaction::Transacted,
    write::{Write, Written},
};
use crate::{
    aws::sdk_config,
    config::Settings,
    entropy::Entropy,
    recording::{EventData, Recording},
};

/// Maximum number of tries of an operation that begins again because others (requests, workers of the mailer, an operator) changed what it had read. It
/// is bounded, so that a function whose writes are always refused answers before Lambda cuts it off.
pub const MAX_TRIES: u32 = 5;

/// The three tables. What a feature does with them stands in its own module, as methods of this type.
#[derive(Clone)]
pub struct Store {
    client: Client,
    tables: Tables,
    entropy: Entropy,
    recording: Recording,
    event_data: EventData,
}

impl Store {
    /// A store over `client`, for a deployment that records no events.
    #[must_use]
    pub fn new(client: Client, tables: Tables, entropy: Entropy) -> Self {
        Self { client, tables, entropy, recording: Recording::Nothing, event_data: EventData::Thin }
    }

    /// The same store, for a deployment that records these events.
    #[must_use]
    pub fn recording(self, recording: Recording) -> Self {
        Self { recording, ..self }
    }

    /// The same store, for a deployment whose events say this of their accounts.
    #[must_use]
    pub fn with_event_data(self, event_data: EventData) -> Self {
        Self { event_data, ..self }
    }

    /// The store with the tables that the environment names: `ACCOUNTS_TABLE`, `LIMITS_TABLE`, `OUTBOX_TABLE`, and with `EVENTS` and `EVENT_DATA`. No
    /// call is made.
    pub fn connect(settings: &mut Settings, used: &[Table], entropy: Entropy) -> Self {
        let tables = Tables::configured(settings, used);
        let (recording, event_data) = (Recording::configured(settings), EventData::configured(settings));
        Self::new(Client::new(&sdk_config("DYNAMODB")), tables, entropy).recording(recording).with_event_data(event_data)
    }

    /// Which events this deployment records.
    pub(crate) fn records(&self) -> Recording {
        self.recording
    }

    /// What events of this deployment say of their accounts.
    #[must_use]
    pub fn event_data(&self) -> EventData {
        self.event_data
    }

    /// The source of randomness that this store was made with.
    pub(crate) fn entropy(&self) -> &Entropy {
        &self.entropy
    }

    /// A random id, by which a write recognises itself when the answer to its first try was lost.
    pub(crate) fn attempt_id(&self) -> String {
        uuid::Builder::from_random_bytes(self.entropy.bytes()).into_uuid().to_string()
    }
}
