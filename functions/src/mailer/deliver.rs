//! Delivers one entry of the Outbox: takes a lease, sends the mail, and marks the entry.

use std::{error::Error, time::Duration};

use doorward::{
    account::{Account, AccountId, EmailAddress},
    caller::Caller,
    clock::{Timestamp, after},
    config::span,
    delivery::{Delivery, Outcome, Suppressed},
    disavow::DISAVOWAL_LIFETIME,
    fault::Fault,
    language::Language,
    mail::{ChangedMail, Rendered, SendError, SignInMail},
    mail_rate::RateOutcome,
    metric::Metric,
    outbox::{ChangeKind, Entry, EntryKey, Lease, Notice, Notices, Payload, oldest_worth_sending},
    store::MAX_TRIES,
    telemetry,
    token::{Disavow, Token},
};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::Mailer;

/// The length of a lease: longer than the function may run, so that two workers never handle one entry at the same time.
const LEASE: Duration = span::seconds(90);

/// Maximum difference between the clocks of two functions. An entry that is further in the future was not written by one of our functions.
const CLOCK_SKEW: Duration = span::minutes(1);

/// The record must be reported, so that the stream delivers it again.
pub(crate) struct RetryLater;

/// An entry that needs no further try.
pub(super) enum Handled {
    /// The mail to this account has this outcome, which is recorded with the account.
    About(AccountId, Outcome),
    /// The same, but it is not recorded with the account, because the record would reveal whether an address is another account's.
    Unrecorded(AccountId, Outcome),
    /// The notice to this account is held, and its entry is finished. A later mail will contain it.
    Held(AccountId),
    /// There is no such account, or the entry was done before.
    Nothing(&'static str),
    /// It failed permanently before an account was looked up.
    Failed(&'static str),
}

impl Handled {
    /// The mail to this account was not sent, for this reason.
    pub(super) fn suppressed(account: AccountId, why: Suppressed) -> Self {
        Self::About(account, Outcome::Suppressed(why))
    }
}

/// Why an entry is not finished.
pub(super) enum DeliveryError {
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
        // The log lines of this entry have the id of the request that caused the mail.
        let request_id = entry.payload.caller().request_id.map(|id| id.to_string()).unwrap_or_default();
        self.work(key, &entry, now).instrument(telemetry::request(&request_id)).await
    }

    async fn work(&self, key: &EntryKey, entry: &Entry, now: Timestamp) -> Result<(), RetryLater> {
        let worked = match &entry.payload {
            _ if entry.requested_at < oldest_worth_sending(now) => Ok(Handled::Failed("too late")),
            _ if entry.requested_at > after(now, CLOCK_SKEW) => Ok(Handled::Failed("from the future")),
            Payload::Reset(request) => self.send_reset(key, request, now).await,
            Payload::Notice(notices) => self.send_notices(key, notices, now).await,
            Payload::Verify(request) => self.send_verification(key, request, now).await,
            Payload::Address(request) => self.send_address_link(request, now).await,
        };
        let now = self.clock.now();
        match worked {
            Ok(Handled::Nothing(outcome)) => {
                tracing::info!(outcome, attempts = entry.attempts, "mail handled");
                self.store.finish(key, now).await.map_err(retry_later)
            }
            Ok(Handled::Held(account)) => {
                telemetry::note_account(account);
                tracing::info!(outcome = "held", attempts = entry.attempts, "mail handled");
                Ok(())
            }
            Ok(Handled::Failed(reason)) => self.fail(key, entry, reason, now).await,
            Ok(Handled::About(account, outcome)) => {
                telemetry::note_account(account);
                self.note(account, entry, outcome.clone(), now).await;
                self.end(key, entry, outcome, now).await
            }
            Ok(Handled::Unrecorded(account, outcome)) => {
                telemetry::note_account(account);
                self.end(key, entry, outcome, now).await
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

    async fn end(&self, key: &EntryKey, entry: &Entry, outcome: Outcome, now: Timestamp) -> Result<(), RetryLater> {
        match outcome {
            Outcome::Sent(message_id) => tracing::info!(outcome = "sent", message_id, attempts = entry.attempts, "mail handled"),
            Outcome::Suppressed(why) => tracing::info!(outcome = why.as_str(), attempts = entry.attempts, "mail handled"),
            Outcome::Failed(reason) => return self.fail(key, entry, &reason, now).await,
        }
        self.store.finish(key, now).await.map_err(retry_later)
    }

    async fn fail(&self, key: &EntryKey, entry: &Entry, reason: &str, now: Timestamp) -> Result<(), RetryLater> {
        tracing::error!(outcome = "failed", reason, attempts = entry.attempts, "mail failed");
        self.give_up(key, reason, now).await
    }

    /// Adds the outcome of the mail to the account's delivery record, for the operator. If that fails, the mail still counts as done.
    async fn note(&self, account: AccountId, entry: &Entry, outcome: Outcome, now: Timestamp) {
        let delivery = Delivery {
            kind: entry.payload.kind(),
            requested_at: entry.requested_at,
            done_at: now,
            outcome,
            request_id: entry.payload.caller().request_id,
            times: 1,
        };
        if let Err(fault) = self.store.note_delivery(account, &delivery).await {
            tracing::warn!(%fault, "outcome of a mail not recorded");
        }
    }

    async fn give_up(&self, key: &EntryKey, reason: &str, now: Timestamp) -> Result<(), RetryLater> {
        self.store.give_up(key, reason, now).await.map_err(retry_later)?;
        Metric::MAILS_FAILED.count();
        Ok(())
    }

    async fn send_notices(&self, key: &EntryKey, notices: &Notices, now: Timestamp) -> Result<Handled, DeliveryError> {
        let notice = &notices.newest;
        match notice.kind {
            ChangeKind::Email | ChangeKind::Username => return self.send_renamed(notice).await,
            ChangeKind::Renamed => return self.send_own_renamed(notice, now).await,
            ChangeKind::Deletion => return self.send_deletion(notice, now).await,
            ChangeKind::Registered => return self.send_registered(notice).await,
            ChangeKind::AddressAsked => return self.send_address_asked(notice, now).await,
            ChangeKind::AddressChanged => return self.send_address_changed(notice, now).await,
            ChangeKind::Changed | ChangeKind::Reset | ChangeKind::SignIn => {}
        }
        for _ in 0..MAX_TRIES {
            // To the account's own address, or to a former one that it had when the change happened and that is still reserved.
            let (account, rate) = self.store.account_and_mail_rate(notice.account).await?;
            let Some(account) = account else { return Ok(Handled::Nothing("no account")) };
            let Some((to, address_no)) = account.mailbox(&notice.email, now) else {
                return self.not_its_address(&account, &notice.email).await;
            };
            let stepped = if rate.permits(notice, now) {
                // Every try makes its own link, so that both links work if the mail is sent twice.
                let token = Token::<Disavow>::generate(notice.account, &self.entropy);
                let permitted = self.store.permit_notice(notice, &rate, &token.digest(), address_no, now).await?;
                if permitted == RateOutcome::Now {
                    return Ok(Handled::About(account.id, self.send_notice(to, notices, &token).await?));
                }
                permitted
            } else if rate.goes_before(notice, now) {
                // Held notices are sent first. Otherwise somebody could delay them by changing the password again and again, or have them sent to the new
                // mailbox only by changing the address.
                self.store.release_notices(notice.account, &rate, now).await?;
                RateOutcome::Changed
            } else {
                self.store.hold_notices(key, notices, &rate, now).await?
            };
            match stepped {
                RateOutcome::Now => return Ok(Handled::Held(account.id)),
                RateOutcome::Gone => return Ok(Handled::Nothing("gone")),
                RateOutcome::Changed => {}
            }
        }
        Err(DeliveryError::NotNow("contended".to_owned()))
    }

    async fn send_notice(&self, to: &EmailAddress, notices: &Notices, token: &Token<Disavow>) -> Result<Outcome, DeliveryError> {
        self.send(to, self.notice_mail(notices, self.links.disavow(token))).await
    }

    fn notice_mail(&self, notices: &Notices, link: String) -> Result<Rendered, impl Error> {
        let Notice { caller, kind, changed_at, .. } = notices.newest.clone();
        let (product, language, lifetime) = (self.product.clone(), self.language_of_notice(&notices.newest), DISAVOWAL_LIFETIME);
        if kind == ChangeKind::SignIn {
            return SignInMail { product, language, link, lifetime, caller, at: changed_at, times: notices.changes }.render();
        }
        let Notices { changes, first_changed_at, signed_in, .. } = *notices;
        ChangedMail { product, language, kind, link, lifetime, caller, changed_at, changes, first_changed_at, signed_in }.render()
    }

    /// Stores a "this wasn't me" link and returns it. It works until `until` or, without that, for [`DISAVOWAL_LIFETIME`]. `None` if the account no longer
    /// exists.
    ///
    /// Every try of a mail makes its own link, so that both links work if the mail is sent twice.
    pub(super) async fn disavow_link(
        &self,
        account: AccountId,
        address_no: u64,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<String>, Fault> {
        let token = Token::generate(account, &self.entropy);
        let kept = self.store.keep_disavowal(account, &token.digest(), address_no, until, now).await?;
        Ok(kept.then(|| self.links.disavow(&token)))
    }

    /// Releases held notices that are due, oldest first, until `until`. Returns whether there was time for all of them.
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

    /// Handles a notice to an address that is not the account's. If the account had it until the last change of its address, the notice is only too late
    /// and this is no failure: that change was undone, or can no longer be undone.
    pub(super) async fn not_its_address(&self, account: &Account, email: &EmailAddress) -> Result<Handled, DeliveryError> {
        for changed_at in [account.disavowals_before, account.verified_at].into_iter().flatten() {
            if self.store.had_address(account.id, email, changed_at).await? {
                return Ok(Handled::suppressed(account.id, Suppressed::Overtaken));
            }
        }
        Ok(Handled::About(account.id, Outcome::Failed("not the account's address".to_owned())))
    }

    /// The language of a mail that a request asked for: the account's or, if it has none, that of the request.
    pub(super) fn language_of_request(&self, account: &Account, caller: &Caller) -> Language {
        account.language().or(caller.language).unwrap_or(self.default_language)
    }

    /// The language of a notice: the one that the account had when the notice was written.
    pub(super) fn language_of_notice(&self, notice: &Notice) -> Language {
        notice.caller.language.unwrap_or(self.default_language)
    }

    /// Sends a mail. If its templates could not be rendered, it has failed permanently.
    pub(super) async fn send(&self, to: &EmailAddress, mail: Result<Rendered, impl Error>) -> Result<Outcome, DeliveryError> {
        let Ok(mail) = mail else { return Ok(Outcome::Failed("template".to_owned())) };
        match self.sender.send(&self.product, to, &mail).await {
            Ok(message) => {
                Metric::MAILS_SENT.count();
                Ok(Outcome::Sent(message))
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
