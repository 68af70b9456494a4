//! Sends the mail in the Outbox.
//!
//! The stream only announces entries; what is done is decided by the stored entry. Each entry is leased, sent, and marked. A transient failure is reported,
//! so that the stream delivers the record again. A permanent failure is marked, and the entry is kept for the operator.
//!
//! The address in an entry is not trusted, because other functions may write to the Outbox. Mail goes only to an address that the account has or had, or
//! to the new one that it requested.
//!
//! Notices are held if the account was sent one a short time ago. A timer calls the mailer to release those that are due.

mod address;
mod changes;
mod deliver;
mod link;
mod registered;
mod reset;
mod verify;

use std::time::Duration;

use doorward::{
    brand::Product,
    clock::Clock,
    config::span,
    entropy::Entropy,
    event::is_events,
    language::Language,
    mail::{LinkUrls, Sender},
    mail_rate::is_list,
    metric::Metrics,
    outbox::EntryKey,
    reset::ResetLinks,
    store::{Store, Table},
};
use lambda_runtime::Error;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use crate::{
    Function, Handler, Wiring,
    batch::{Failure, Keys, Records, Report},
};

pub struct Mailer {
    store: Store,
    sender: Sender,
    product: Product,
    default_language: Language,
    links: LinkUrls,
    link_lifetime: Duration,
    cool_down: Vec<Duration>,
    reset_links: ResetLinks,
    metrics: Metrics,
    clock: Clock,
    entropy: Entropy,
}

/// The event of the mailer: records of the Outbox stream, or a call by the timer.
#[derive(Clone, Default, Deserialize)]
pub struct Event {
    /// The records, if the stream calls.
    #[serde(flatten)]
    pub records: Records,
    /// Whether the held notices that are due are to be released.
    #[serde(default)]
    pub release_held: bool,
}

impl From<Records> for Event {
    fn from(records: Records) -> Self {
        Self { records, release_held: false }
    }
}

impl Function for Mailer {
    const NAME: &str = "mailer";
    const TABLES: &[Table] = &[Table::Accounts, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let sender = Sender::connect(&mut wiring.settings);
        Self::over(wiring, sender)
    }
}

impl Handler for Mailer {
    type Event = Event;
    type Answer = Report;

    /// A fault while notices are released is returned as an error, and the next call of the timer tries again.
    async fn handle(&self, event: Event, time: Duration) -> Result<Report, Error> {
        if event.release_held && !self.release_due(Instant::now() + time).await? {
            tracing::warn!("held notices are left for the next time");
        }
        Ok(self.metrics.counted(self.deliver_within(event.records, time)).await)
    }
}

impl Mailer {
    /// A mailer that uses this sender.
    pub fn over(wiring: &mut Wiring, sender: Sender) -> Self {
        let metrics = wiring.metrics();
        let settings = &mut wiring.settings;
        let link_lifetime = settings.span("RESET_LIFETIME", span::hours(1), span::minutes(10), span::hours(24));
        Self {
            sender,
            product: Product::configured(settings),
            default_language: Language::configured(settings),
            links: LinkUrls::configured(settings),
            link_lifetime,
            cool_down: doorward::reset::cool_down(settings, link_lifetime),
            reset_links: ResetLinks::configured(settings, wiring.clock.now()),
            metrics,
            store: wiring.store.clone(),
            clock: wiring.clock.clone(),
            entropy: wiring.entropy.clone(),
        }
    }

    /// Handles the records within a minute. A failure of one does not stop the others.
    pub async fn deliver(&self, records: Records) -> Report {
        self.deliver_within(records, span::minutes(1)).await
    }

    /// Handles the records. Those for which there is not enough `time` are reported and delivered again, because a function that Lambda stops reports
    /// nothing.
    pub async fn deliver_within(&self, records: Records, time: Duration) -> Report {
        let until = Instant::now() + time;
        let mut report = Report::default();
        for record in records.records.iter().filter(|record| record.event_name == "INSERT") {
            let Keys { pk, sk } = &record.dynamodb.keys;
            if is_list(&pk.value) || is_events(&pk.value) {
                continue;
            }
            if pk.value.is_empty() || sk.value.is_empty() {
                // No item has such a key, so delivering the record again cannot help.
                tracing::error!(outcome = "unreadable", "record without a key");
                continue;
            }
            // An entry for which no time is left is not begun, because its lease would only delay the next try.
            let in_time = Instant::now() < until;
            if !in_time || !matches!(timeout_at(until, self.deliver_entry(&EntryKey::new(&pk.value, &sk.value))).await, Ok(Ok(()))) {
                report.failures.push(Failure { identifier: record.dynamodb.sequence_number.clone() });
            }
        }
        report
    }
}
