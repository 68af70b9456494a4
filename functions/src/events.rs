//! Publishes the events in the Outbox to the bus, and deletes those that are published.
//!
//! The stream of the Outbox announces them. A record whose event is not published is reported, so the stream delivers it again, for a day. A crash after
//! publishing leaves the event in the Outbox, so it is published again under the same id: delivery is at least once.

use std::time::Duration;

use doorward::{
    clock::Clock,
    event::{Bus, Event, EventKey, Exported, PutError},
    fault::Fault,
    metric::{Metric, Metrics},
    recording::EventData,
    store::{Store, Table},
};
use futures_util::future::join_all;
use lambda_runtime::Error;
use tokio::time::timeout;

use crate::{
    Function, Handler, Wiring,
    batch::{Failure, Records, Report},
};

/// The most events that one call publishes (`PutEvents`).
const MAX_PUT: usize = 10;

pub struct Events {
    store: Store,
    bus: Bus,
    metrics: Metrics,
    clock: Clock,
}

impl Function for Events {
    const NAME: &str = "events";
    const TABLES: &[Table] = &[Table::Accounts, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let bus = Bus::connect(&mut wiring.settings);
        Self::over(wiring, bus)
    }
}

impl Handler for Events {
    type Event = Records;
    type Answer = Report;

    async fn handle(&self, records: Records, time: Duration) -> Result<Report, Error> {
        Ok(self.metrics.counted(self.publish_within(&records, time)).await)
    }
}

impl Events {
    /// A publisher that uses this bus.
    pub fn over(wiring: &mut Wiring, bus: Bus) -> Self {
        let metrics = wiring.metrics();
        Self { store: wiring.store.clone(), bus, metrics, clock: wiring.clock.clone() }
    }

    /// Publishes the events that these records announce. If `time` runs out, all of them are reported.
    async fn publish_within(&self, records: &Records, time: Duration) -> Report {
        let announced = announced(records);
        let failed = match timeout(time, self.publish(announced.iter().map(|(key, _)| key))).await {
            Ok(failed) => failed,
            Err(_) => announced.iter().map(|(key, _)| key.clone()).collect(),
        };
        let numbers = announced.iter().filter(|(key, _)| failed.contains(key)).map(|(_, number)| (*number).to_owned());
        Report { failures: numbers.map(|identifier| Failure { identifier }).collect() }
    }

    /// Publishes events, and returns the keys of those that must be tried again.
    async fn publish(&self, keys: impl Iterator<Item = &EventKey>) -> Vec<EventKey> {
        let keys: Vec<EventKey> = keys.cloned().collect();
        let (mut waiting, mut failed) = (Vec::new(), Vec::new());
        for (key, read) in keys.iter().zip(join_all(keys.iter().map(|key| self.waiting(key))).await) {
            match read {
                Ok(event) => waiting.extend(event),
                Err(fault @ Fault::Unreadable { .. }) => {
                    tracing::error!(%fault, "event failed");
                    failed.extend(self.give_up(key, "unreadable").await.err().map(|_| key.clone()));
                }
                Err(fault) => {
                    tracing::warn!(%fault, "event not published yet");
                    failed.push(key.clone());
                }
            }
        }
        for events in waiting.chunks(MAX_PUT) {
            failed.extend(self.publish_together(events).await);
        }
        failed
    }

    /// The event with this key, unless it is published or given up. With `EVENT_DATA=full` the account's names are read now, because a stored event
    /// contains none. If the account no longer exists, the event has no names.
    async fn waiting(&self, key: &EventKey) -> Result<Option<Event>, Fault> {
        let Some(mut event) = self.store.waiting_event(key).await? else { return Ok(None) };
        if self.store.event_data() == EventData::Full {
            event.names = self.store.names_for(&event).await?;
        }
        Ok(Some(event))
    }

    async fn publish_together(&self, events: &[Event]) -> Vec<EventKey> {
        let (mut published, mut failed) = (Vec::new(), Vec::new());
        for (event, put) in events.iter().zip(self.bus.put(events).await) {
            let (id, kind, account) = (event.id, event.kind.as_str(), event.account.map(tracing::field::display));
            match put {
                Ok(()) => {
                    told(event);
                    Metric::EVENTS_PUBLISHED.count();
                    published.push(event);
                }
                Err(PutError::NotNow(reason)) if !event.is_too_old(self.clock.now()) => {
                    tracing::warn!(event = %id, kind, account, reason, "event not published yet");
                    failed.push(event.key.clone());
                }
                Err(PutError::NotNow(reason) | PutError::Refused(reason)) => {
                    tracing::error!(event = %id, kind, account, reason, "event failed");
                    failed.extend(self.give_up(&event.key, &reason).await.err().map(|_| event.key.clone()));
                }
            }
        }
        if !published.is_empty()
            && let Err(fault) = self.store.forget_events(&published).await
        {
            tracing::warn!(%fault, "published events not deleted yet");
            failed.extend(published.iter().map(|event| event.key.clone()));
        }
        failed
    }

    async fn give_up(&self, key: &EventKey, reason: &str) -> Result<(), Fault> {
        self.store.give_up_event(key, reason, self.clock.now()).await?;
        Metric::EVENTS_FAILED.count();
        Ok(())
    }
}

/// Logs that an event is published; for an export also what was exported and by whom.
fn told(event: &Event) {
    let (id, kind, account) = (event.id, event.kind.as_str(), event.account.map(tracing::field::display));
    match &event.details.exported {
        None => tracing::info!(event = %id, kind, account, "event published"),
        Some(Exported { count, format, with_hashes, caller }) => {
            let caller = caller.as_deref();
            tracing::info!(event = %id, kind, account, count, format, with_hashes, caller, "event published");
        }
    }
}

/// The events that these records announce, without duplicates, with the sequence numbers for reporting failures.
fn announced(records: &Records) -> Vec<(EventKey, &str)> {
    let mut announced: Vec<(EventKey, &str)> = Vec::new();
    for record in records.records.iter().filter(|record| record.event_name == "INSERT") {
        let keys = &record.dynamodb.keys;
        // Other records are filtered out before this function is called.
        let Some(key) = EventKey::of(&keys.pk.value, &keys.sk.value) else { continue };
        if announced.iter().all(|(other, _)| *other != key) {
            announced.push((key, &record.dynamodb.sequence_number));
        }
    }
    announced
}
