//! Marks accounts that mail does not reach, by the events that SES sends to `EventBridge`: bounces and complaints.
//!
//! The mark informs the operator. Mail to a marked address is still sent, because SES has its own suppression list and a mailbox can be repaired. The use
//! of a reset link proves that the address works again, and removes the mark.

use std::time::Duration;

use doorward::{
    account::{Marked, Undeliverable, email_key},
    clock::Timestamp,
    fault::Fault,
    metric::{Metric, Metrics},
    store::{Store, Table},
};
use lambda_runtime::Error;
use serde::Deserialize;

use crate::{Function, Handler, Wiring};

pub struct MailFeedback {
    store: Store,
    metrics: Metrics,
}

/// The parts of an event that are read.
#[derive(Clone, Default, Deserialize)]
pub struct Event {
    /// An event about a mail.
    #[serde(default)]
    pub detail: Detail,
}

/// An event about a mail.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Detail {
    event_type: String,
    mail: Mail,
    bounce: Bounce,
    complaint: Complaint,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Mail {
    /// When SES accepted it.
    timestamp: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Bounce {
    bounce_type: String,
    bounced_recipients: Vec<Recipient>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Complaint {
    complained_recipients: Vec<Recipient>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Recipient {
    email_address: String,
}

impl Function for MailFeedback {
    const NAME: &str = "mail-feedback";
    const TABLES: &[Table] = &[Table::Accounts];

    fn new(wiring: &mut Wiring) -> Self {
        Self { store: wiring.store.clone(), metrics: wiring.metrics() }
    }
}

impl Handler for MailFeedback {
    type Event = Event;
    type Answer = ();

    /// A fault is returned as an error, so that the event is delivered again.
    async fn handle(&self, event: Event, _: Duration) -> Result<(), Error> {
        Ok(self.metrics.counted(self.take(&event)).await?)
    }
}

impl MailFeedback {
    /// Marks the accounts that an event is about.
    async fn take(&self, event: &Event) -> Result<(), Fault> {
        let detail = &event.detail;
        match detail.event_type.as_str() {
            // A full mailbox or a slow server is transient. SES itself tries for hours before it reports that.
            "Bounce" if detail.bounce.bounce_type == "Permanent" => {
                Metric::MAILS_BOUNCED.count();
                self.mark(&detail.bounce.bounced_recipients, Undeliverable::Bounced, detail).await
            }
            "Complaint" => {
                Metric::MAILS_COMPLAINED.count();
                self.mark(&detail.complaint.complained_recipients, Undeliverable::Complained, detail).await
            }
            // SES accepted the mail but then did not send it.
            "Reject" | "Rendering Failure" => {
                Metric::MAILS_FAILED.count();
                tracing::error!(outcome = "rejected", "mail failed");
                Ok(())
            }
            _ => {
                tracing::info!(outcome = "passing", "mail feedback");
                Ok(())
            }
        }
    }

    async fn mark(&self, recipients: &[Recipient], why: Undeliverable, detail: &Detail) -> Result<(), Fault> {
        let Ok(sent_at) = detail.mail.timestamp.parse::<Timestamp>() else {
            tracing::error!(outcome = "unreadable", "mail feedback");
            return Ok(());
        };
        for recipient in recipients {
            let marked = self.store.mark_undeliverable(&email_key(&recipient.email_address), why, sent_at).await?;
            tracing::info!(outcome = if marked == Marked::Now { why.as_str() } else { "nobody" }, "mail feedback");
        }
        Ok(())
    }
}
