//! Delivering one entry, from lease to mark.

use std::time::Duration;

use doorward::{
    account::{Account, EmailAddress},
    clock::{Timestamp, after},
    config::span,
    disavow::DISAVOWAL_LIFETIME,
    fault::Fault,
    mail::{ChangedMail, Rendered, ResetMail, SendError},
    mail_rate::{MailRate, Stepped},
    metric::Metric,
    outbox::{EntryKey, Lease, Notice, Notices, Payload, ResetRequest, oldest_worth_sending},
    reset::{NewLink, ResetLink, StoredLink},
    token::{Disavow, Reset, Token},
};
use tokio::time::Instant;

use super::Mailer;

/// The length of a lease: longer than the function may run, so that no two workers have an entry at once.
const LEASE: Duration = span::seconds(90);

/// Maximum difference between the clocks of two functions. An entry that is further in the future was not written by one of our functions.
const CLOCK_SKEW: Duration = span::minutes(1);

/// Maximum number of tries to store a link, or to count a notice, while others do so for the same account.
const MAX_TRIES: u32 = 5;

/// The stream must deliver the record again.
pub(crate) struct RetryLater;

/// The outcome of an entry that needs no further try.
enum Outcome {
    /// It is done, with this outcome.
    Done(&'static str),
    /// It is done and is already marked so: a later mail tells of it.
    Held,
    /// It failed for good, for this reason.
    Failed(String),
}

/// A link that is stored and about to be mailed.
struct Prepared {
    token: Token<Reset>,
    link: NewLink,
    /// The link that it replaces.
    in_use: Option<ResetLink>,
    /// The account's mail rate as it was read.
    rate: MailRate,
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
            Payload::Reset(request) => self.send_reset(key, request, now).await,
            Payload::Notice(notices) => self.send_notices(key, notices, now).await,
        };
        let now = self.clock.now();
        match worked {
            Ok(Outcome::Done(outcome)) => {
                tracing::info!(outcome, attempts = entry.attempts, "mail handled");
                self.store.finish(key, now).await.map_err(retry_later)
            }
            Ok(Outcome::Held) => {
                tracing::info!(outcome = "held", attempts = entry.attempts, "mail handled");
                Ok(())
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

    async fn send_reset(&self, key: &EntryKey, request: &ResetRequest, now: Timestamp) -> Result<Outcome, DeliveryError> {
        let Some(account) = self.store.account_by_email(&request.email).await? else { return Ok(Outcome::Done("no account")) };
        if account.usable_password().is_none() {
            return Ok(Outcome::Done("no password to reset"));
        }
        let Some(Prepared { token, link, in_use, rate }) = self.store_link(key, &account, request, now).await? else {
            return Ok(Outcome::Done("no link"));
        };
        let mail = ResetMail {
            product: self.product.clone(),
            language: account.language().or(request.caller.language).unwrap_or_default(),
            link: self.links.reset(&token),
            token: self.links.shown(&token),
            lifetime: self.link_lifetime,
            caller: request.caller,
            requested_at: request.requested_at,
            invites: request.invites,
        };
        let sent = self.send(&account.email, mail.render().ok()).await?;
        if let Outcome::Done(_) = sent {
            let sent_at = self.clock.now();
            self.store.mark_link_sent(account.id, &link, in_use.as_ref(), sent_at).await?;
            self.store.count_reset_mail(account.id, &rate, sent_at).await?;
        }
        Ok(sent)
    }

    /// Stores the link that answers a request. Returns `None` if the owner was mailed a link recently or the request was overtaken. The owner's previous
    /// link works until the mail service has accepted the new one.
    async fn store_link(
        &self,
        key: &EntryKey,
        account: &Account,
        request: &ResetRequest,
        now: Timestamp,
    ) -> Result<Option<Prepared>, DeliveryError> {
        for _ in 0..MAX_TRIES {
            let (current, rate) = self.store.reset_link_and_mail_rate(account.id).await?;
            let in_use = self.reset_links.in_use(current.as_ref(), now);
            if let Some(link) = &in_use {
                // Either this request was answered before, and the mailer crashed before it marked that, or it is too early for another mail.
                let answered = link.requested_at == request.requested_at && !link.has_pending;
                if answered || link.cools_down(&self.cool_down, now) || rate.had_many_resets(now) {
                    return Ok(None);
                }
            } else if key.is_of_anybody() && self.holds_reset_back(&rate, now) {
                return Ok(None);
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
                StoredLink::Now => return Ok(Some(Prepared { token, link, in_use, rate })),
                StoredLink::Overtaken => return Ok(None),
                StoredLink::Changed => {}
            }
        }
        Err(DeliveryError::NotNow("contended".to_owned()))
    }

    /// Whether the account was sent so many reset mails that the last of them holds another one back, although its link has ended. A link that
    /// `SESSIONS_NOT_BEFORE` ended holds nothing back.
    fn holds_reset_back(&self, rate: &MailRate, now: Timestamp) -> bool {
        rate.holds_reset_back(self.link_lifetime, now).is_some_and(|sent_at| !self.reset_links.ended_by_switch(sent_at))
    }

    async fn send_notices(&self, key: &EntryKey, notices: &Notices, now: Timestamp) -> Result<Outcome, DeliveryError> {
        let notice = &notices.newest;
        for _ in 0..MAX_TRIES {
            // Other functions may write to the Outbox too, so its address is not trusted: mail only goes to the account's own address.
            let (account, rate) = self.store.account_and_mail_rate(notice.account).await?;
            let Some(account) = account else { return Ok(Outcome::Done("no account")) };
            if account.email.folded() != notice.email.folded() {
                return Ok(Outcome::Failed("not the account's address".to_owned()));
            }
            let stepped = if rate.permits(notice, now) {
                // Every try makes its own link, so that both links work if the mail goes out twice.
                let token = Token::<Disavow>::generate(notice.account, &self.entropy);
                let permitted = self.store.permit_notice(notice, &rate, &token.digest(), now).await?;
                if permitted == Stepped::Now {
                    return self.send_notice(&account.email, notices, &token).await;
                }
                permitted
            } else if rate.is_due(now) {
                // The notices that have waited are told of first. Otherwise somebody who changes the password again and again could keep them waiting.
                self.store.release_notices(notice.account, &rate, now).await?;
                Stepped::Changed
            } else {
                self.store.hold_notices(key, notices, &rate, now).await?
            };
            match stepped {
                Stepped::Now => return Ok(Outcome::Held),
                Stepped::Gone => return Ok(Outcome::Done("gone")),
                Stepped::Changed => {}
            }
        }
        Err(DeliveryError::NotNow("contended".to_owned()))
    }

    async fn send_notice(&self, to: &EmailAddress, notices: &Notices, token: &Token<Disavow>) -> Result<Outcome, DeliveryError> {
        let Notice { caller, kind, changed_at, .. } = &notices.newest;
        let mail = ChangedMail {
            product: self.product.clone(),
            language: caller.language.unwrap_or_default(),
            kind: *kind,
            link: self.links.disavow(token),
            lifetime: DISAVOWAL_LIFETIME,
            caller: *caller,
            changed_at: *changed_at,
            changes: notices.changes,
            first_changed_at: notices.first_changed_at,
        };
        self.send(to, mail.render().ok()).await
    }

    /// Lets the notices go that were held and are due, the longest due first, until `until`. Returns whether there was time for all of them.
    pub(crate) async fn release_due(&self, until: Instant) -> Result<bool, Fault> {
        let now = self.clock.now();
        for listed in self.store.due_notices(now).await? {
            if Instant::now() >= until {
                return Ok(false);
            }
            self.store.release_listed(&listed, now).await?;
        }
        Ok(true)
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
