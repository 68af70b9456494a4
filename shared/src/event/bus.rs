//! Publishing events with Amazon `EventBridge`.

use aws_sdk_eventbridge::{
    Client,
    error::{ProvideErrorMetadata as _, SdkError},
    types::PutEventsRequestEntry,
};

use super::Event;
use crate::{aws::sdk_config, config::Settings};

/// The source of every event on the bus. The permission to publish is for this source only.
const SOURCE: &str = "doorward";

/// A bus to which events are published.
#[derive(Clone)]
pub struct Bus {
    client: Client,
    name: String,
}

/// An event was not published. The text is a code of the service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// It never will be: the service refuses this event.
    #[error("refused: {0}")]
    Refused(String),
    /// It may be published later: the service is unreachable, throttles requests, or is not configured.
    #[error("not now: {0}")]
    NotNow(String),
}

impl Bus {
    /// The bus of this name, by `client`.
    #[must_use]
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// `EVENT_BUS`. No call is made.
    pub fn connect(settings: &mut Settings) -> Self {
        Self::new(Client::new(&sdk_config("EVENTBRIDGE")), settings.text("EVENT_BUS"))
    }

    /// Publishes events in one call, at most ten (`PutEvents`), and returns the outcome of each.
    pub async fn put(&self, events: &[Event]) -> Vec<Result<(), PutError>> {
        let entry = |event: &Event| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(SOURCE)
                .detail_type(&event.kind)
                .detail(event.public())
                .build()
        };
        let put = self.client.put_events().set_entries(Some(events.iter().map(entry).collect())).send().await;
        let failed = |error: PutError| events.iter().map(|_| Err(error.clone())).collect();
        match put {
            // One result per entry, in the same order.
            Ok(answer) if answer.entries().len() == events.len() => {
                answer.entries().iter().map(|entry| entry.error_code().map_or(Ok(()), |code| Err(of_entry(code)))).collect()
            }
            Ok(_) => failed(PutError::NotNow("Incomplete".to_owned())),
            Err(SdkError::ServiceError(context)) => failed(PutError::NotNow(context.err().code().unwrap_or("unknown").to_owned())),
            Err(_) => failed(PutError::NotNow("Unreachable".to_owned())),
        }
    }
}

/// These two codes mean that the event itself is wrong. All other errors are transient, or an operator can repair the cause.
fn of_entry(code: &str) -> PutError {
    if matches!(code, "MalformedDetail" | "InvalidArgument") {
        PutError::Refused(code.to_owned())
    } else {
        PutError::NotNow(code.to_owned())
    }
}
