//! Delivering one entry, from lease to mark.

use std::time::Duration;

use doorward::{
    account::{Account, EmailAddress},
    clock::{Timestamp, after},
    config::span,
    disavow::{DISAVOWAL_LIFETIME, StoredDisavowal},
    fault::Fault,
    mail::{ChangedMail, Rendered, ResetMail, SendError},
    metric::Metric,
    outbox::{EntryKey, Lease, Notice, Payload, ResetRequest, oldest_worth_sending},
    reset::{NewLink, ResetLink, StoredLink},
    token::{Disavow, Reset, Token},
};

use super::Mailer;

/// The length of a lease: longer than the function may run, so that no two workers have an entry at once.
const LEASE: Duration = span::seconds(90);

/// Maximum difference between the clocks of two functions. An entry that is further in the future was not written by one of our functions.
const CLOCK_SKEW: Duration = span::minutes(1);

/// Maximum number of tries to store a link while others store one for the same account.
const MAX_TRIES: u32 = 5;

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
            _ if entry.requested_at > after(now, CLOCK_SKEW) => Ok(Outcome::Failed("from the future".to_owned())),
            Payload::Reset(request) => self.send_reset(request, now).await,
            Payload::Notice(notice) => self.send_notice(notice, now).await,
        };
        let now = self.clock.now();
        match worked {
            Ok(Outcome::Done(outcome)) => {
                tracing::info!(outcome, attempts = entry.attempts, "mail handled");
                self.store.finish(key, now).await.map_err(retry_later)
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
        let Some((token, link, in_use)) = self.store_link(&account, request, now).await? else { return Ok(Outcome::Done("no link")) };
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
            self.store.mark_link_sent(account.id, &link, in_use.as_ref(), self.clock.now()).await?;
        }
        Ok(sent)
    }

    /// Stores the link that answers a request. Returns `None` if the owner was mailed a link recently or the request was overtaken. The owner's previous
    /// link works until the mail service has accepted the new one.
    async fn store_link(
        &self,
        account: &Account,
        request: &ResetRequest,
        now: Timestamp,
    ) -> Result<Option<(Token<Reset>, NewLink, Option<ResetLink>)>, DeliveryError> {
        for _ in 0..MAX_TRIES {
            let (_, current) = self.store.reset_link(account.id).await?;
            let in_use = self.reset_links.in_use(current.as_ref(), now);
            if let Some(link) = &in_use {
                // Either this request was answered before, and the mailer crashed before it marked that, or it is too early for another mail.
                let answered = link.requested_at == request.requested_at && !link.has_pending;
                if answered || link.cools_down(&self.cool_down, now) {
                    return Ok(None);
                }
            }
            // A newer request has or will get the link.
            if current.as_ref().is_some_and(|link| link.requested_at > request.requested_at && now < link.valid_until) {
                return Ok(None);
            }
            let token = Token::generate(account.id, &self.entropy);
            let link = NewLink {
                digest: token.digest(),
                requested_at: request.requested_at,
                issued_at: now,
                valid_until: after(now, self.link_lifetime),
            };
            match self.store.store_reset_link(account.id, &link, current.as_ref(), in_use.as_ref()).await? {
                StoredLink::Now => return Ok(Some((token, link, in_use))),
                StoredLink::Overtaken => return Ok(None),
                StoredLink::Changed => {}
            }
        }
        Err(DeliveryError::NotNow("contended".to_owned()))
    }

    async fn send_notice(&self, notice: &Notice, now: Timestamp) -> Result<Outcome, DeliveryError> {
        // Other functions may write to the Outbox too, so its address is not trusted: mail only goes to the account's own address.
        let Some(account) = self.store.account(notice.account).await? else { return Ok(Outcome::Done("no account")) };
        if account.email.folded() != notice.email.folded() {
            return Ok(Outcome::Failed("not the account's address".to_owned()));
        }
        // Every try makes its own link, so that both links work if the mail goes out twice.
        let token = Token::<Disavow>::generate(notice.account, &self.entropy);
        if self.store.store_disavowal(notice.account, &token.digest(), now).await? == StoredDisavowal::NoAccount {
            return Ok(Outcome::Done("no account"));
        }
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
