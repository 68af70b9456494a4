//! Limits the mail to an account, whatever causes it.
//!
//! A notice is sent at once if the account has not been sent one for a while. Otherwise it is held, and one mail reports all changes that were made until
//! the account may be sent the next one. Reset mails have a limit of their own, so notices never delay a link.
//!
//! An account has one item, with the times of its mails and the notices that are held. A list in the Outbox names the accounts with held notices, in the
//! order in which they are due.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    account::{self, Account, AccountId},
    clock::{Timestamp, after},
    config::span,
    disavow,
    fault::Fault,
    link::{KeptLink, Links},
    outbox::{self, EntryKey, Notice, Notices},
    store::{Item, Key, MAX_TRIES, Store, Table, Write, millis, number, seconds, text},
    token::{Digest, Disavow, Reset},
};

/// The sort key of an account's mail rate.
const SORT: &str = "mail-rate";
/// The partition of the list of accounts with held notices. One partition is enough, because it is written only when an account's notices begin to be
/// held, and not for every mail.
const HELD: &str = "held";
/// The growing intervals between notices. So an account gets at most 4 an hour and 27 a day, and a change is notified after an hour at the latest, plus up
/// to five minutes until the mailer's timer.
const NOTICE_WAITS: [Duration; 4] = [span::minutes(5), span::minutes(15), span::minutes(30), span::hours(1)];
/// After this time without a mail of its kind, the count starts again.
const QUIET: Duration = span::hours(6);
/// The number of reset mails, without a pause of that time, after which an account is sent at most one for each lifetime of a link. So an account gets at
/// most 8 an hour and 32 a day, if links are valid for an hour.
const MAX_RESETS: u32 = 8;
/// Maximum time for which a link that has ended delays the next reset mail.
const MAX_RESET_WAIT: Duration = span::hours(1);
/// How long the item is kept: longer than any mail waits, even if the mailer is stopped for days.
const LIFETIME: Duration = span::days(14);

/// The mails that an account was sent, and the notices that are held for it.
#[derive(Clone, Default)]
pub struct MailRate {
    /// Raised by every write; 0 if there is no item. A write is made only if the item is still as it was read.
    revision: u64,
    notices: Sent,
    /// The notice that was last permitted. It may be tried again without being counted again.
    permitted: Option<Uuid>,
    resets: Sent,
    held: Option<Held>,
}

/// The mails of one kind.
#[derive(Clone, Copy, Default)]
struct Sent {
    count: u32,
    last_at: Option<Timestamp>,
}

/// Notices that are held.
#[derive(Clone)]
struct Held {
    due_at: Timestamp,
    notices: Notices,
}

/// The outcome of an operation that depends on an account's mail rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateOutcome {
    /// It is done.
    Now,
    /// The mail rate is no longer the one that was read. Nothing was written, and the caller may try again.
    Changed,
    /// The account no longer exists, or the notice was already handled. Nothing was written.
    Gone,
}

/// An account in the list of those whose notices are held.
pub struct HeldAccount {
    account: AccountId,
    sort: String,
}

impl Sent {
    /// The number of mails since the last pause.
    fn recent(self, now: Timestamp) -> u32 {
        if self.last_at.is_some_and(|last_at| now < after(last_at, QUIET)) { self.count } else { 0 }
    }

    fn and_one(self, now: Timestamp) -> Self {
        Self { count: self.recent(now).saturating_add(1), last_at: Some(now) }
    }

    /// When the next notice may be sent.
    fn next_notice_at(self, now: Timestamp) -> Timestamp {
        let Some((step, last_at)) = self.recent(now).checked_sub(1).zip(self.last_at) else { return now };
        let wait = NOTICE_WAITS.get(usize::try_from(step).unwrap_or(usize::MAX)).unwrap_or(&NOTICE_WAITS[NOTICE_WAITS.len() - 1]);
        after(last_at, *wait)
    }
}

impl MailRate {
    /// Whether this notice may be sent now. One that was permitted before is permitted again, because its mailer may have crashed.
    #[must_use]
    pub fn permits(&self, notice: &Notice, now: Timestamp) -> bool {
        self.permitted == Some(notice.id) || self.held.is_none() && self.notices.next_notice_at(now) <= now
    }

    /// Whether held notices take precedence over this one: they are due, or for a mailbox that the account had before its address was changed.
    #[must_use]
    pub fn goes_before(&self, notice: &Notice, now: Timestamp) -> bool {
        let is_elsewhere = |held: &Notice| held.email.folded() != notice.email.folded();
        self.held.as_ref().is_some_and(|held| held.due_at <= now || is_elsewhere(&held.notices.newest))
    }

    /// Whether the owner was sent so many reset mails that the next one waits until the valid link has expired.
    #[must_use]
    pub fn had_many_resets(&self, now: Timestamp) -> bool {
        self.resets.recent(now) >= MAX_RESETS
    }

    /// When the last reset mail was sent, if it delays the next one although its link no longer works: the owner was sent many, and the last one less than
    /// a link's lifetime, or less than an hour, ago. Without this, somebody who knows the password could request a link and end it by a change, again and
    /// again.
    #[must_use]
    pub fn holds_reset_back(&self, link_lifetime: Duration, now: Timestamp) -> Option<Timestamp> {
        let last_at = self.resets.last_at.filter(|_| self.had_many_resets(now))?;
        (now < after(last_at, link_lifetime.min(MAX_RESET_WAIT))).then_some(last_at)
    }

    fn and_notice(&self, id: Uuid, now: Timestamp) -> Self {
        Self { notices: self.notices.and_one(now), permitted: Some(id), ..self.clone() }
    }

    fn and_held(&self, notices: Notices, now: Timestamp) -> Self {
        let held = match self.held.clone() {
            Some(held) => Held { notices: held.notices.and(notices), ..held },
            None => Held { due_at: self.notices.next_notice_at(now), notices },
        };
        Self { held: Some(held), ..self.clone() }
    }

    /// The write that stores it in place of the one that was read.
    fn put(&self, account: AccountId, now: Timestamp) -> Write {
        let counts = [
            ("revision", number(self.revision.saturating_add(1))),
            ("notices", number(self.notices.count)),
            ("resets", number(self.resets.count)),
            ("expires_at", seconds(after(now, LIFETIME))),
        ];
        let instants = [
            ("noticed_at", self.notices.last_at),
            ("reset_at", self.resets.last_at),
            ("due_at", self.held.as_ref().map(|held| held.due_at)),
        ];
        let instants = instants.into_iter().filter_map(|(name, instant)| Some((name, millis(instant?))));
        let permitted = self.permitted.map(|id| ("permitted", text(id.to_string())));
        let held = self.held.iter().flat_map(|held| outbox::notices_attributes(&held.notices));
        let put = Write::put(key(account), counts.into_iter().chain(instants).chain(permitted).chain(held));
        match self.revision {
            0 => put.when("attribute_not_exists(pk)"),
            revision => put.when("revision = :seen").with(":seen", number(revision)),
        }
    }

    /// The place of an account with held notices in their list.
    pub(crate) fn listed(&self, account: AccountId) -> Option<HeldAccount> {
        let held = self.held.as_ref()?;
        Some(HeldAccount { account, sort: format!("{}#{account}", sortable(held.due_at)) })
    }
}

impl HeldAccount {
    fn key(&self) -> Key {
        Key::new(Table::Outbox, "held notice", HELD, &self.sort)
    }

    fn put(&self, now: Timestamp) -> Write {
        Write::put(self.key(), [("expires_at", seconds(after(now, LIFETIME)))])
    }

    /// The write that removes an account from the list.
    pub(crate) fn removed(&self) -> Write {
        Write::delete(self.key())
    }

    fn read(item: &Item) -> Result<Self, Fault> {
        let sort = item.text("sk")?;
        let account = sort.split_once('#').and_then(|(_, id)| id.parse().ok()).ok_or(item.unreadable("sk"))?;
        Ok(Self { account, sort: sort.to_owned() })
    }
}

/// Whether this is the partition of the list of held notices, whose items are not mail.
#[must_use]
pub fn is_list(partition: &str) -> bool {
    partition == HELD
}

impl Store {
    /// An account and its mail rate, in one consistent read.
    pub async fn account_and_mail_rate(&self, account: AccountId) -> Result<(Option<Account>, MailRate), Fault> {
        let [found, rate] = self.read_all(Table::Accounts, [account::key(account), key(account)]).await?;
        Ok((found.as_ref().map(account::read).transpose()?, read(rate.as_ref(), account)?))
    }

    /// An account's reset link and its mail rate, in one consistent read.
    pub async fn reset_link_and_mail_rate(&self, account: AccountId) -> Result<(Option<KeptLink<Reset>>, MailRate), Fault> {
        let [link, rate] = self.read_all(Table::Accounts, [Links::<Reset>::newest_key(account), key(account)]).await?;
        Ok((link.as_ref().map(Links::read).transpose()?, read(rate.as_ref(), account)?))
    }

    /// Counts a notice that is about to be sent, and stores the "this wasn't me" link of this try, which is mailed to the address that the account had
    /// after `address_no` changes. `rate` must permit it.
    pub async fn permit_notice(
        &self,
        notice: &Notice,
        rate: &MailRate,
        link: &Digest<Disavow>,
        address_no: u64,
        now: Timestamp,
    ) -> Result<RateOutcome, Fault> {
        let counted = if rate.permitted == Some(notice.id) {
            Write::check(key(notice.account)).when("permitted = :notice").with(":notice", text(notice.id.to_string()))
        } else {
            rate.and_notice(notice.id, now).put(notice.account, now)
        };
        let writes = vec![account::existing(notice.account), counted, disavow::link(notice.account, link, address_no, None, now)];
        let outcome = self.transact("permit notice", writes).await?;
        let gone = outcome.refused_at(0);
        Ok(outcome.or(RateOutcome::Now, if gone { RateOutcome::Gone } else { RateOutcome::Changed }))
    }

    /// Holds the notices of an entry until their account may be sent the next one, and finishes the entry, in one transaction. So a notice is counted
    /// once, however often its entry is delivered.
    pub async fn hold_notices(&self, entry: &EntryKey, notices: &Notices, rate: &MailRate, now: Timestamp) -> Result<RateOutcome, Fault> {
        let account = notices.newest.account;
        let holding = rate.and_held(notices.clone(), now);
        let listed = holding.listed(account).filter(|_| rate.held.is_none()).map(|listed| listed.put(now));
        let finished = outbox::finished(entry, now).when("attribute_not_exists(done_at)");
        let writes = [account::existing(account), finished, holding.put(account, now)].into_iter().chain(listed).collect();
        let outcome = self.transact("hold notices", writes).await?;
        let gone = outcome.refused_at(0) || outcome.refused_at(1);
        Ok(outcome.or(RateOutcome::Now, if gone { RateOutcome::Gone } else { RateOutcome::Changed }))
    }

    /// Makes the notices that are held an entry of the Outbox, which is permitted to be sent.
    pub async fn release_notices(&self, account: AccountId, rate: &MailRate, now: Timestamp) -> Result<RateOutcome, Fault> {
        let (Some(held), Some(listed)) = (&rate.held, rate.listed(account)) else { return Ok(RateOutcome::Gone) };
        let mut notices = held.notices.clone();
        notices.newest.id = self.entropy().uuid(now);
        let released = MailRate { held: None, ..rate.and_notice(notices.newest.id, now) };
        let writes = vec![released.put(account, now), listed.removed(), outbox::notices(&notices, now)];
        Ok(self.transact("release notices", writes).await?.or(RateOutcome::Now, RateOutcome::Changed))
    }

    /// The accounts whose notices are due, the oldest first.
    pub async fn due_notices(&self, now: Timestamp) -> Result<Vec<HeldAccount>, Fault> {
        let end = sortable(after(now, Duration::from_millis(1)));
        self.read_below(Table::Outbox, "held notice", HELD, &end).await?.iter().map(HeldAccount::read).collect()
    }

    /// Turns the notices of a listed account into an entry of the Outbox. If another worker has done that, or the account no longer exists, it is only
    /// removed from the list.
    pub async fn release_listed(&self, listed: &HeldAccount, now: Timestamp) -> Result<(), Fault> {
        let rate = read(self.read(&key(listed.account)).await?.as_ref(), listed.account)?;
        if rate.listed(listed.account).is_some_and(|held| held.sort == listed.sort) {
            // If the rate has changed in the meantime, the timer's next call finds the account again.
            return self.release_notices(listed.account, &rate, now).await.map(drop);
        }
        self.write(listed.removed()).await.map(drop)
    }

    /// Counts a reset mail that the mail service has accepted. `rate` is the mail rate as it was read.
    pub async fn count_reset_mail(&self, account: AccountId, rate: &MailRate, now: Timestamp) -> Result<(), Fault> {
        let mut rate = rate.clone();
        for _ in 0..MAX_TRIES {
            let counted = MailRate { resets: rate.resets.and_one(now), ..rate };
            let outcome = self.transact("count reset mail", vec![account::existing(account), counted.put(account, now)]).await?;
            if !outcome.refused_at(1) {
                return Ok(());
            }
            rate = read(self.read(&key(account)).await?.as_ref(), account)?;
        }
        Err(Fault::OutOfTime)
    }
}

fn key(account: AccountId) -> Key {
    Key::new(Table::Accounts, "mail rate", account::partition(account), SORT)
}

/// An instant as text that sorts by time.
fn sortable(instant: Timestamp) -> String {
    format!("{:014}", instant.as_millisecond().max(0))
}

fn read(item: Option<&Item>, account: AccountId) -> Result<MailRate, Fault> {
    let Some(item) = item else { return Ok(MailRate::default()) };
    let sent = |count, last_at| Ok::<_, Fault>(Sent { count: item.number(count)?, last_at: item.optional_instant(last_at) });
    let held = match item.optional_instant("due_at") {
        Some(due_at) => Some(Held { due_at, notices: outbox::read_notices(item, Uuid::nil(), account)? }),
        None => None,
    };
    Ok(MailRate {
        revision: item.number("revision")?,
        notices: sent("notices", "noticed_at")?,
        permitted: item.optional_text("permitted").and_then(|id| id.parse().ok()),
        resets: sent("resets", "reset_at")?,
        held,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::ChangeKind::{Changed, Reset};

    fn instant(seconds: u64) -> Timestamp {
        after(Timestamp::UNIX_EPOCH, Duration::from_secs(1_800_000_000 + seconds))
    }

    /// The largest number of these instants, in seconds, within a span of this length.
    fn most_within(seconds: &[u64], length: u64) -> usize {
        let within = |start: u64| seconds.iter().filter(|second| (start..start + length).contains(second)).count();
        seconds.iter().map(|second| within(*second)).max().unwrap_or_default()
    }

    #[test]
    fn an_account_is_sent_at_most_4_notices_an_hour_and_27_a_day_however_somebody_spaces_the_changes() {
        for pause_after in 1..30 {
            for pause in [0, 1, 60 * 60, 5 * 60 * 60, 6 * 60 * 60, 7 * 60 * 60] {
                let (mut sent, mut at, mut notices) = (Vec::new(), 0, Sent::default());
                while at < 3 * 24 * 60 * 60 {
                    if notices.next_notice_at(instant(at)) <= instant(at) {
                        notices = notices.and_one(instant(at));
                        sent.push(at);
                        at += if sent.len() % pause_after == 0 { pause } else { 0 };
                    }
                    at += 60;
                }
                assert!(most_within(&sent, 60 * 60) <= 4, "{pause} s after {pause_after}: {sent:?}");
                assert!(most_within(&sent, 24 * 60 * 60) <= 27, "{pause} s after {pause_after}: {sent:?}");
            }
        }
    }

    #[test]
    fn after_a_quiet_time_a_notice_is_sent_at_once() {
        let mut notices = Sent::default();
        for at in [0, 300, 1_200, 3_000, 6_600] {
            assert!(notices.next_notice_at(instant(at)) <= instant(at));
            notices = notices.and_one(instant(at));
            assert!(notices.next_notice_at(instant(at + 1)) > instant(at + 1));
        }
        assert_eq!(notices.count, 5);
        // After an hour nothing waits; after six hours the intervals start again.
        assert_eq!(notices.next_notice_at(instant(6_600 + 3_599)), instant(6_600 + 3_600));
        assert_eq!(notices.and_one(instant(6_600 + 6 * 3_600)).count, 1);
    }

    #[test]
    fn many_reset_mails_hold_back_another_for_the_life_of_a_link_or_an_hour() {
        let mut rate = MailRate::default();
        for at in 0..8 {
            assert!(!rate.had_many_resets(instant(at)));
            rate.resets = rate.resets.and_one(instant(at));
        }
        let held_back = |lifetime, at| rate.holds_reset_back(lifetime, instant(at)).is_some();
        assert!(held_back(span::hours(1), 3_606) && !held_back(span::hours(1), 3_607));
        assert!(held_back(span::minutes(10), 606) && !held_back(span::minutes(10), 607));
        assert!(held_back(span::hours(24), 3_606) && !held_back(span::hours(24), 3_607));
    }

    #[test]
    fn merged_notices_describe_the_newest_change_in_whatever_order_they_come() {
        let notice = |at, kind| Notice {
            id: Uuid::nil(),
            account: AccountId::from(Uuid::nil()),
            email: account::EmailAddress::stored("ann@example.com", "ann@example.com"),
            kind,
            changed_at: instant(at),
            caller: crate::caller::Caller::default(),
        };
        let orders =
            [[(1, Changed), (2, Changed), (3, Reset)], [(3, Reset), (1, Changed), (2, Changed)], [(2, Changed), (3, Reset), (1, Changed)]];
        for order in orders {
            let mut rate = MailRate::default();
            for (at, kind) in order {
                rate = rate.and_held(notice(at, kind).into(), instant(10));
            }
            let held = rate.held.unwrap().notices;
            assert_eq!((held.changes, held.first_changed_at, held.newest.changed_at, held.newest.kind), (3, instant(1), instant(3), Reset));
        }
    }
}
