//! Notes which addresses mail does not reach, from what SES tells `EventBridge` of mail it took: bounces, complaints, rejections.
//!
//! The mark is for the operator to see. Mail to a marked address is still tried: SES keeps the list of addresses that it does not send to,
//! and a mailbox can be mended. A reset link that is spent proves that the address works again.

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

/// An event, as far as it is looked at.
#[derive(Clone, Default, Deserialize)]
pub struct Event {
    /// What happened to a mail.
    #[serde(default)]
    pub detail: Detail,
}

/// What happened to a mail.
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
    /// When SES took it.
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

    /// A fault is an error, after which the event comes again.
    async fn handle(&self, event: Event, _: Duration) -> Result<(), Error> {
        Ok(self.metrics.counted(self.take(&event)).await?)
    }
}

impl MailFeedback {
    /// Notes what an event tells.
    async fn take(&self, event: &Event) -> Result<(), Fault> {
        let detail = &event.detail;
        match detail.event_type.as_str() {
            // A full mailbox or a slow server passes; SES itself tries for hours before it says so.
            "Bounce" if detail.bounce.bounce_type == "Permanent" => {
                Metric::MAILS_BOUNCED.count();
                self.mark(&detail.bounce.bounced_recipients, Undeliverable::Bounced, detail).await
            }
            "Complaint" => {
                Metric::MAILS_COMPLAINED.count();
                self.mark(&detail.complaint.complained_recipients, Undeliverable::Complained, detail).await
            }
            // SES took it and would not send it after all.
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
