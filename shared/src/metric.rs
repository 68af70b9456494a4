//! Metrics: what a deployment counts, as log lines that CloudWatch reads (embedded metric format). They contain numbers and no personal data.
//!
//! Counting goes through a global recorder, like logging, because a process serves one request at a time. [`Metrics::counted`] writes the counts of a
//! request as one line. No count depends on whether an account exists, except those whose names say so.

use std::{
    fmt,
    io::Write as _,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use metrics::Unit;
use metrics_cloudwatch_embedded::{Builder, Collector};

use crate::config::Settings;

/// The namespace of every metric.
const NAMESPACE: &str = "Doorward";
/// The only dimension: the deployment.
const DIMENSION: &str = "Deployment";
/// The time of a hash in milliseconds.
const HASH_MILLISECONDS: &str = "HashMilliseconds";

/// Whether every metric is counted, or only those that alarms use. It is global, like the recorder.
static ALL: AtomicBool = AtomicBool::new(false);

/// A counter, with its name in CloudWatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric(&'static str);

impl Metric {
    /// A login opened a session.
    pub const LOGINS_ACCEPTED: Self = Self("LoginsAccepted");
    /// A login was refused: an unknown name, a wrong password or an inactive account.
    pub const LOGINS_REFUSED: Self = Self("LoginsRefused");
    /// A login was over the limit of its client or of its account.
    pub const LOGINS_LIMITED: Self = Self("LoginsLimited");
    /// An account was registered.
    pub const REGISTRATIONS: Self = Self("Registrations");
    /// A registration was over the limit of its client.
    pub const REGISTRATIONS_LIMITED: Self = Self("RegistrationsLimited");
    /// A password was changed by somebody who knew the old one.
    pub const PASSWORDS_CHANGED: Self = Self("PasswordsChanged");
    /// The current password was wrong, at a change of it or at another request that asks for it.
    pub const CHANGES_REFUSED: Self = Self("ChangesRefused");
    /// A change, or another request that asks for the current password, was over the limit of its client or of its account.
    pub const CHANGES_LIMITED: Self = Self("ChangesLimited");
    /// A reset link was requested, for any address.
    pub const RESETS_REQUESTED: Self = Self("ResetsRequested");
    /// A password was replaced by a reset link.
    pub const RESETS_CONFIRMED: Self = Self("ResetsConfirmed");
    /// A new password came with a link that does not work.
    pub const RESETS_REFUSED: Self = Self("ResetsRefused");
    /// A reset link was requested, validated or used over the limit of its client.
    pub const RESETS_LIMITED: Self = Self("ResetsLimited");
    /// An owner used "this wasn't me".
    pub const PASSWORDS_DISAVOWED: Self = Self("PasswordsDisavowed");
    /// The mail service accepted a mail.
    pub const MAILS_SENT: Self = Self("MailsSent");
    /// A mail failed permanently.
    pub const MAILS_FAILED: Self = Self("MailsFailed");
    /// A mail bounced permanently.
    pub const MAILS_BOUNCED: Self = Self("MailsBounced");
    /// A mail was reported as spam.
    pub const MAILS_COMPLAINED: Self = Self("MailsComplained");
    /// An event was published.
    pub const EVENTS_PUBLISHED: Self = Self("EventsPublished");
    /// An event was given up.
    pub const EVENTS_FAILED: Self = Self("EventsFailed");
    /// A receiver accepted an event.
    pub const WEBHOOK_ACCEPTED: Self = Self("WebhookAccepted");
    /// An attempt to post an event failed.
    pub const WEBHOOK_REFUSED: Self = Self("WebhookRefused");
    /// A receiver answered 410 (Gone).
    pub const WEBHOOK_GONE: Self = Self("WebhookGone");
    /// A requested deletion failed when it was due. It is tried again each hour.
    pub const DELETIONS_FAILED: Self = Self("DeletionsFailed");
    /// A stored hash was not verified: its algorithm is unknown, or its parameters are out of bounds.
    pub(crate) const HASHES_REFUSED: Self = Self("HashesRefused");

    /// The metrics that alarms use, which are always counted. CloudWatch charges for each metric that has data.
    const OF_ALARMS: [Self; 6] =
        [Self::LOGINS_REFUSED, Self::LOGINS_LIMITED, Self::MAILS_FAILED, Self::EVENTS_FAILED, Self::WEBHOOK_GONE, Self::DELETIONS_FAILED];

    /// Counts one.
    pub fn count(self) {
        if ALL.load(Ordering::Relaxed) || Self::OF_ALARMS.contains(&self) {
            metrics::counter!(self.0).increment(1);
        }
    }
}

/// Records how long hashing took.
pub(crate) fn hashed_for(time: Duration) {
    if ALL.load(Ordering::Relaxed) {
        metrics::histogram!(HASH_MILLISECONDS).record((time.as_secs_f64() * 1e5).round() / 100.0);
    }
}

/// Writes the counts of requests.
#[derive(Clone, Default)]
pub struct Metrics(Option<(&'static Collector, Arc<Write>)>);

type Write = dyn Fn(&[u8]) + Send + Sync;

impl Metrics {
    /// `DEPLOYMENT`: the name of this deployment in its metrics; nothing is counted if it is not set. `METRICS`: few (the default), those that
    /// alarms use, or all.
    #[must_use]
    pub fn configured(settings: &mut Settings) -> Self {
        let all = settings.parsed("METRICS", false, |text| match text {
            "few" => Ok(false),
            "all" => Ok(true),
            _ => Err("must be few or all".to_owned()),
        });
        Self::written(settings.optional("DEPLOYMENT"), all, |line| {
            // If the log cannot be written, there is nowhere to report it.
            let _ = std::io::stdout().lock().write_all(line);
        })
    }

    /// Like `configured`, with `write` for the lines. A process counts for one deployment, the first that is configured.
    pub fn written(deployment: Option<String>, all: bool, write: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        static COLLECTOR: OnceLock<Option<&'static Collector>> = OnceLock::new();
        ALL.store(all, Ordering::Relaxed);
        let collector = deployment.and_then(|deployment| {
            *COLLECTOR.get_or_init(|| {
                let collector = Builder::new().cloudwatch_namespace(NAMESPACE).with_dimension(DIMENSION, deployment).init().ok();
                metrics::describe_histogram!(HASH_MILLISECONDS, Unit::Milliseconds, "");
                collector
            })
        });
        Self(collector.map(|collector| (collector, Arc::new(write) as Arc<Write>)))
    }

    /// Does `work`, then writes its counts, if there are any.
    pub fn counted<T>(&self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        // Pinned here, so that a caller's future does not contain it twice.
        let work = Box::pin(work);
        async move {
            let done = work.await;
            self.flush();
            done
        }
    }

    fn flush(&self) {
        let Some((collector, write)) = &self.0 else { return };
        let mut line = Vec::new();
        if collector.flush(&mut line).is_ok() && !line.is_empty() {
            write(&line);
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics(…)")
    }
}
