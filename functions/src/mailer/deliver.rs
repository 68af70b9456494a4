//! Delivering one entry, from lease to mark.

use std::time::Duration;

use doorward::{
    account::EmailAddress,
    clock::{Timestamp, after},
    config::span,
    disavow::DISAVOWAL_LIFETIME,
    fault::Fault,
    mail::{ChangedMail, Rendered, ResetMail, SendError},
    metric::Metric,
    outbox::{EntryKey, Lease, Notice, Payload, ResetRequest, oldest_worth_sending},
    reset::{ResetLink, StoredLink},
    token::{Disavow, Token},
};

use super::Mailer;

/// The length of a lease: longer than the function may run, so that no two workers have an entry at once.
const LEASE: Duration = span::seconds(90);

/// The stream must deliver the record again.
pub(crate) struct RetryLater;

/// The outcome of an entry that needs no further try.
enum Outcome {
    /// It is done, with this outcome.
    Done(&'static str),
    /// It failed for good, for this reason.
    Failed(String),
}

/// Why an entry is not finished.
enum DeliveryError {
    /// The store failed.
    Store(Fault),
    /// The mail service cannot take it now.
    NotNow(String),
}

impl From<Fault> for DeliveryError {
    fn from(fault: Fault) -> Self {
        Self::Store(fault)
    }
}

impl Mailer {
    pub(crate) async fn deliver_entry(&self, key: &EntryKey) -> Result<(), RetryLater> {
        let now = self.clock.now();
        let entry = match self.store.lease(key, LEASE, now).await {
            Ok(Lease::Ours(entry)) => entry,
            Ok(Lease::Done) => return Ok(()),
            Ok(Lease::Theirs) => return Err(RetryLater),
            Err(fault @ Fault::Unreadable { .. }) => {
                // Retrying cannot help: the item itself is malformed.
                tracing::error!(%fault, outcome = "unreadable", "mail failed");
                return self.give_up(key, "unreadable", now).await;
            }
            Err(fault) => return Err(retry_later(fault)),
        };
        let worked = match &entry.payload {
            _ if entry.requested_at < oldest_worth_sending(now) => Ok(Outcome::Failed("too late".to_owned())),
            Payload::Reset(request) => self.send_reset(request, now).await,
            Payload::Notice(notice) => self.send_notice(notice, now).await,
        };
        let now = self.clock.now();
        match worked {
            Ok(Outcome::Done(outcome)) => {
                tracing::info!(outcome, attempts = entry.attempts, "mail handled");
                self.store.finish(key, outcome, now).await.map_err(retry_later)
            }
            Ok(Outcome::Failed(reason)) => {
                tracing::error!(outcome = "failed", reason, attempts = entry.attempts, "mail failed");
                self.give_up(key, &reason, now).await
            }
            Err(DeliveryError::NotNow(reason)) => {
                tracing::warn!(reason, attempts = entry.attempts, "mail not sent yet");
                self.store.hand_back(key, &reason, now).await.map_err(retry_later)?;
                Err(RetryLater)
            }
            Err(DeliveryError::Store(fault @ (Fault::Unreadable { .. } | Fault::Internal(_)))) => {
                // Retrying cannot help: the item itself is malformed.
                tracing::error!(%fault, outcome = "unreadable", attempts = entry.attempts, "mail failed");
                self.give_up(key, "unreadable", now).await
            }
            Err(DeliveryError::Store(fault)) => {
                let back = self.store.hand_back(key, "store", now).await;
                back.map_err(retry_later)?;
                Err(retry_later(fault))
            }
        }
    }

    async fn give_up(&self, key: &EntryKey, reason: &str, now: Timestamp) -> Result<(), RetryLater> {
        self.store.give_up(key, reason, now).await.map_err(retry_later)?;
        Metric::MAILS_FAILED.count();
        Ok(())
    }

    async fn send_reset(&self, request: &ResetRequest, now: Timestamp) -> Result<Outcome, DeliveryError> {
        let Some(account) = self.store.account_by_email(&request.email).await? else { return Ok(Outcome::Done("no account")) };
        if account.usable_password().is_none() {
            return Ok(Outcome::Done("no password to reset"));
        }
        let (_, current) = self.store.reset_link(account.id).await?;
        if current.as_ref().is_some_and(|link| link.requested_at == request.requested_at && link.sent_at.is_some()) {
            // Already sent; a crash came before that was marked.
            return Ok(Outcome::Done("sent"));
        }
        if current.as_ref().is_some_and(|link| link.cools_down(&self.cool_down, now)) {
            return Ok(Outcome::Done("cools down"));
        }
        let token = Token::generate(account.id, &self.entropy);
        // While the previous link is still valid its count carries over, so the cool-down grows with every mail.
        let before = current.filter(|link| link.is_live(now));
        let link = ResetLink {
            digest: token.digest(),
            requested_at: request.requested_at,
            issued_at: now,
            valid_until: after(now, self.link_lifetime),
            sent: before.as_ref().map_or(0, |link| link.sent),
            sent_at: None,
        };
        if self.store.store_reset_link(account.id, &link).await? == StoredLink::Overtaken {
            return Ok(Outcome::Done("overtaken"));
        }
        let mail = ResetMail {
            product: self.product.clone(),
            language: account.language().or(request.caller.language).unwrap_or_default(),
            link: self.links.reset(&token),
            lifetime: self.link_lifetime,
            caller: request.caller,
            requested_at: request.requested_at,
        };
        let sent = self.send(&account.email, mail.render().ok()).await?;
        if let Outcome::Done(_) = sent {
            self.store.mark_link_sent(account.id, &link, self.clock.now()).await?;
        }
        Ok(sent)
    }

    async fn send_notice(&self, notice: &Notice, now: Timestamp) -> Result<Outcome, DeliveryError> {
        // Every try makes its own link, so that both links work if the mail goes out twice.
        let token = Token::<Disavow>::generate(notice.account, &self.entropy);
        self.store.store_disavowal(notice.account, &token.digest(), now).await?;
        let mail = ChangedMail {
            product: self.product.clone(),
            language: notice.caller.language.unwrap_or_default(),
            kind: notice.kind,
            link: self.links.disavow(&token),
            lifetime: DISAVOWAL_LIFETIME,
            caller: notice.caller,
            changed_at: notice.changed_at,
        };
        self.send(&notice.email, mail.render().ok()).await
    }

    async fn send(&self, to: &EmailAddress, mail: Option<Rendered>) -> Result<Outcome, DeliveryError> {
        let Some(mail) = mail else { return Ok(Outcome::Failed("template".to_owned())) };
        match self.sender.send(&self.product, to, &mail).await {
            Ok(()) => {
                Metric::MAILS_SENT.count();
                Ok(Outcome::Done("sent"))
            }
            Err(SendError::Refused(code)) => Ok(Outcome::Failed(code)),
            Err(SendError::NotNow(code)) => Err(DeliveryError::NotNow(code)),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a map_err function")]
fn retry_later(fault: Fault) -> RetryLater {
    tracing::error!(%fault, "store failed");
    RetryLater
}
