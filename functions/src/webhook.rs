//! Posts events from the bus to the configured server.
//!
//! A queue calls it. A message whose event was not accepted is reported, so the queue delivers it again every quarter of an hour for a day. After that it
//! is moved to a dead-letter queue for the operator.

use std::time::Duration;

use doorward::{
    clock::Clock,
    metric::{Metric, Metrics},
    store::Table,
    webhook::{PostError, Webhook as Receiver},
};
use futures_util::future::join_all;
use lambda_runtime::Error;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    Function, Handler, Wiring,
    batch::{Failure, Report},
};

pub struct Webhook {
    receiver: Receiver,
    metrics: Metrics,
    clock: Clock,
}

/// A batch of the queue.
#[derive(Default, Deserialize)]
pub struct Messages {
    #[serde(rename = "Records", default)]
    messages: Vec<Message>,
}

/// A message of the queue. Its body is the bus's envelope of an event.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Message {
    message_id: String,
    body: String,
}

/// The bus's envelope. The event is posted as it is, byte by byte.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    detail: &'a RawValue,
}

/// The parts of an event that are read.
#[derive(Deserialize)]
struct Event {
    id: String,
    r#type: String,
}

impl Function for Webhook {
    const NAME: &str = "webhook";
    const TABLES: &[Table] = &[];

    fn new(wiring: &mut Wiring) -> Self {
        let metrics = wiring.metrics();
        Self { receiver: Receiver::configured(&mut wiring.settings), metrics, clock: wiring.clock.clone() }
    }
}

impl Handler for Webhook {
    type Event = Messages;
    type Answer = Report;

    /// Posts all messages of a batch at the same time, because a receiver that does not answer takes ten seconds.
    async fn handle(&self, messages: Messages, _: Duration) -> Result<Report, Error> {
        let posted = join_all(messages.messages.iter().map(|message| self.post(&message.body)));
        let posted = self.metrics.counted(posted).await;
        let failures = messages.messages.into_iter().zip(posted).filter(|(_, is_posted)| !is_posted);
        Ok(Report { failures: failures.map(|(message, _)| Failure { identifier: message.message_id }).collect() })
    }
}

impl Webhook {
    /// Whether the event of this message was accepted.
    async fn post(&self, message: &str) -> bool {
        let read = serde_json::from_str::<Envelope<'_>>(message).ok();
        let Some((body, event)) = read.and_then(|read| Some((read.detail.get(), serde_json::from_str::<Event>(read.detail.get()).ok()?)))
        else {
            tracing::error!(outcome = "unreadable", "event not delivered");
            Metric::WEBHOOK_REFUSED.count();
            return false;
        };
        match self.receiver.post(&event.id, body, self.clock.now()).await {
            Ok(()) => {
                tracing::info!(event = event.id, kind = event.r#type, "event delivered");
                Metric::WEBHOOK_ACCEPTED.count();
                true
            }
            Err(reason) => {
                tracing::warn!(event = event.id, kind = event.r#type, %reason, "event not delivered");
                Metric::WEBHOOK_REFUSED.count();
                if reason == PostError::Gone {
                    Metric::WEBHOOK_GONE.count();
                }
                false
            }
        }
    }
}
