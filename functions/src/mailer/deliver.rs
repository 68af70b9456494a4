//! Delivers one entry of the Outbox: takes a lease, sends the mail, and marks the entry.

use std::time::Duration;

use doorward::{
    account::{Account, AccountId, EmailAddress},
    clock::{Timestamp, after},
    config::span,
    delivery::{Delivery, Outcome, Suppressed},
    disavow::DISAVOWAL_LIFETIME,
    fault::Fault,
    link::{KeptLink, NewLink, StoredLink},
    mail::{ChangedMail, Rendered, ResetMail, SendError, SignInMail},
    mail_rate::{MailRate, RateOutcome},
    metric::Metric,
    outbox::{ChangeKind, Entry, EntryKey, Lease, Notice, Notices, Payload, ResetRequest, oldest_worth_sending},
    store::MAX_TRIES,
    telemetry,
    token::{Disavow, Reset, Token},
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
    /// The notice to this account is held and its entry is finished; a later mail contains it.
    Held(AccountId),
    /// There is no such account, or the entry was done before.
    Nothing(&'static str),
    /// It failed permanently before an account was looked up.
    Failed(&'static str),
}

/// The link for a mail.
pub(super) enum ForMail<L> {
    /// This link is stored, beside the one that the owner may hold.
    Link(Box<L>),
    /// This very request was answered before.
    Answered,
    /// There is none, for this reason.
    None(Suppressed),
}

/// A link that is stored and about to be mailed.
pub(super) struct Prepared<P> {
    pub(super) token: Token<P>,
    pub(super) link: NewLink<P>,
    /// The link that it replaces.
    pub(super) in_use: Option<KeptLink<P>>,
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

    async fn send_reset(&self, key: &EntryKey, request: &ResetRequest, now: Timestamp) -> Result<Handled, DeliveryError> {
        let Some(account) = self.store.account_by_email(&request.email).await? else { return Ok(Handled::Nothing("no account")) };
        if account.usable_password().is_none() {
            return Ok(Handled::About(account.id, Outcome::Suppressed(Suppressed::NoPassword)));
        }
        let (Prepared { token, link, in_use }, rate) = match self.store_link(key, &account, request, now).await? {
            ForMail::Link(prepared) => *prepared,
            ForMail::Answered => return Ok(Handled::Nothing("answered before")),
            ForMail::None(why) => return Ok(Handled::About(account.id, Outcome::Suppressed(why))),
        };
        let mail = ResetMail {
            product: self.product.clone(),
            language: account.language().or(request.caller.language).unwrap_or(self.default_language),
            link: self.links.reset(&token),
            token: self.links.shown(&token),
            lifetime: self.link_lifetime,
            caller: request.caller,
            requested_at: request.requested_at,
            invites: request.invites,
        };
        let sent = self.send(&account.email, mail.render().ok()).await?;
        if let Outcome::Sent(_) = sent {
            let sent_at = self.clock.now();
            self.store.mark_link_sent(account.id, &link, in_use.as_ref(), sent_at).await?;
            self.store.count_reset_mail(account.id, &rate, sent_at).await?;
        }
        Ok(Handled::About(account.id, sent))
    }

    /// Stores the link that answers a request, unless the owner was mailed one recently or the request was overtaken. The owner's previous link works until
    /// the mail service has accepted the new one. With the link comes the account's mail rate as it was read.
    async fn store_link(
        &self,
        key: &EntryKey,
        account: &Account,
        request: &ResetRequest,
        now: Timestamp,
    ) -> Result<ForMail<(Prepared<Reset>, MailRate)>, DeliveryError> {
        for _ in 0..MAX_TRIES {
            let (current, rate) = self.store.reset_link_and_mail_rate(account.id).await?;
            let in_use = self.reset_links.in_use(current.as_ref(), now);
            if let Some(link) = &in_use {
                // This request was answered before, and the mailer crashed before it marked that.
                if link.requested_at == request.requested_at && !link.has_pending {
                    return Ok(ForMail::Answered);
                }
                if link.cools_down(&self.cool_down, now) || rate.had_many_resets(now) {
                    return Ok(ForMail::None(Suppressed::CoolingDown));
                }
            } else if key.is_of_anybody() && self.holds_reset_back(&rate, now) {
                return Ok(ForMail::None(Suppressed::CoolingDown));
            }
            // A newer request has or will get the link.
            if current.as_ref().is_some_and(|link| link.requested_at > request.requested_at && now < link.valid_until) {
                return Ok(ForMail::None(Suppressed::NewerRequest));
            }
            let token = Token::generate(account.id, &self.entropy);
            let link = NewLink {
                digest: token.digest(),
                requested_at: request.requested_at,
                issued_at: now,
                valid_until: after(now, self.link_lifetime),
            };
            match self.store.store_reset_link(account, &link, current.as_ref(), in_use.as_ref()).await? {
                StoredLink::Now => return Ok(ForMail::Link(Box::new((Prepared { token, link, in_use }, rate)))),
                StoredLink::Overtaken => return Ok(ForMail::None(Suppressed::Overtaken)),
                StoredLink::Changed => {}
            }
        }
        Err(DeliveryError::NotNow("contended".to_owned()))
    }

    /// Whether the account was sent so many reset mails that the next one has to wait, although the link in the last one has ended. A link that
    /// `SESSIONS_NOT_BEFORE` ended delays nothing.
    fn holds_reset_back(&self, rate: &MailRate, now: Timestamp) -> bool {
        rate.holds_reset_back(self.link_lifetime, now).is_some_and(|sent_at| !self.reset_links.ended_by_switch(sent_at))
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
            // Other functions may write to the Outbox too, so the address of an entry is not trusted. Mail goes only to the account's own address, or to a
            // former one that it had when the change happened and that is still reserved.
            let (account, rate) = self.store.account_and_mail_rate(notice.account).await?;
            let Some(account) = account else { return Ok(Handled::Nothing("no account")) };
            let Some((to, address_no)) = account.mailbox(&notice.email, now) else {
                return self.not_its_address(&account, &notice.email).await;
            };
            let stepped = if rate.permits(notice, now) {
                // Every try makes its own link, so that both links work if the mail goes out twice.
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

    /// `None` if a template cannot be rendered.
    fn notice_mail(&self, notices: &Notices, link: String) -> Option<Rendered> {
        let Notice { caller, kind, changed_at, .. } = notices.newest.clone();
        let (product, language, lifetime) = (self.product.clone(), caller.language.unwrap_or(self.default_language), DISAVOWAL_LIFETIME);
        if kind == ChangeKind::SignIn {
            return SignInMail { product, language, link, lifetime, caller, at: changed_at, times: notices.changes }.render().ok();
        }
        let Notices { changes, first_changed_at, signed_in, .. } = *notices;
        ChangedMail { product, language, kind, link, lifetime, caller, changed_at, changes, first_changed_at, signed_in }.render().ok()
    }

    /// The link with which an owner says that it was not them, stored, until then or for [`DISAVOWAL_LIFETIME`]. `None` if the account is gone.
    ///
    /// Every try of a mail makes its own, so that both links work if the mail goes out twice.
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

    /// Handles a notice to an address that is not the account's. If the account had it until the last change of its address, the notice is only too late
    /// and this is no failure: that change was undone, or can no longer be undone.
    pub(super) async fn not_its_address(&self, account: &Account, email: &EmailAddress) -> Result<Handled, DeliveryError> {
        for changed_at in [account.disavowals_before, account.verified_at].into_iter().flatten() {
            if self.store.had_address(account.id, email, changed_at).await? {
                return Ok(Handled::About(account.id, Outcome::Suppressed(Suppressed::Overtaken)));
            }
        }
        Ok(Handled::About(account.id, Outcome::Failed("not the account's address".to_owned())))
    }

    pub(super) async fn send(&self, to: &EmailAddress, mail: Option<Rendered>) -> Result<Outcome, DeliveryError> {
        let Some(mail) = mail else { return Ok(Outcome::Failed("template".to_owned())) };
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
