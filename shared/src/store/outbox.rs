//! The Outbox: mail as data. The item is the truth; the stream only says that there is one.

use std::time::Duration;

use aws_sdk_dynamodb::types::{Put, ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::{
    Fault, Store,
    accounts::put,
    fault::{refused_by_condition, through_conflicts},
    item::{Attributes, Item, key, millis, number, seconds, text},
};
use crate::{
    account::AccountId,
    clock::{Timestamp, after, before},
    config::span,
    language::Language,
    mail::{ChangeKind, Origin},
    token::subject_digest,
};

/// How long an intent that was never finished, or failed for good, can be looked at and re-driven.
pub(super) const FAILED_LIFETIME: Duration = span::days(14);
/// How long a finished intent is kept. Its address is removed at once.
const DONE_LIFETIME: Duration = span::days(1);

/// Someone asked for a reset link for an address, which may or may not be an account's.
#[derive(Clone)]
pub struct ResetRequest {
    /// The address, as typed.
    pub email: String,
    /// The address, folded.
    pub folded: String,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// From where it was asked.
    pub origin: Origin,
}

/// An account's password was changed; its owner is told.
#[derive(Clone)]
pub struct Notice {
    /// Which notice: a UUID, version 7.
    pub id: uuid::Uuid,
    /// Whose password.
    pub account: AccountId,
    /// Where to: the account's address at that time.
    pub email: String,
    /// How it was changed.
    pub kind: ChangeKind,
    /// When it was changed.
    pub changed_at: Timestamp,
    /// From where it was changed.
    pub origin: Origin,
}

/// What an entry asks to be sent.
#[derive(Clone)]
pub enum Payload {
    /// A reset link.
    Reset(ResetRequest),
    /// A notice of a change.
    Notice(Notice),
}

/// An entry under lease.
pub struct Entry {
    /// What to send.
    pub payload: Payload,
    /// When it was asked for, last: an operator may drive it once more.
    pub requested_at: Timestamp,
    /// How often it has been leased, this time included.
    pub attempts: u32,
}

/// The outcome of asking for a lease.
pub enum Lease {
    /// The entry is ours until the lease runs out.
    Ours(Box<Entry>),
    /// It is done, or gone: nothing to do.
    Done,
    /// Another worker has it; should that one die, the entry is to be asked for again.
    Theirs,
}

impl Store {
    /// Leaves a reset request, unless one for the same address is there for this cool-down window. The answer is the same either way.
    pub async fn request_reset(&self, request: &ResetRequest, cool_down: Duration) -> Result<(), Fault> {
        let window = window_start(request.requested_at, cool_down);
        let item = request_item(request, window.to_string());
        let answer = through_conflicts(&self.entropy, || {
            self.client
                .put_item()
                .table_name(&self.tables.outbox)
                .set_item(Some(item.clone()))
                .condition_expression("attribute_not_exists(pk)")
                .send()
        });
        match answer.await {
            Ok(_) => Ok(()),
            Err(error) => refused_by_condition("PutItem", &error),
        }
    }

    /// Leaves a reset request outside any cool-down window: an operator asked for it.
    pub async fn request_reset_at_once(&self, request: &ResetRequest) -> Result<(), Fault> {
        let item = request_item(request, self.entropy.uuid(request.requested_at).to_string());
        let answer =
            through_conflicts(&self.entropy, || self.client.put_item().table_name(&self.tables.outbox).set_item(Some(item.clone())).send());
        answer.await.map(drop).map_err(|error| Fault::of("PutItem", &error))
    }

    /// The write that leaves a reset request outside any cool-down window, for the transaction that causes it: `once` names the cause.
    pub(super) fn reset_request(&self, request: &ResetRequest, once: &str) -> aws_sdk_dynamodb::types::TransactWriteItem {
        put(Put::builder().table_name(&self.tables.outbox).set_item(Some(request_item(request, once.to_owned()))))
    }

    /// The write that leaves a notice, for the transaction that causes it.
    pub(super) fn notice(&self, notice: &Notice) -> aws_sdk_dynamodb::types::TransactWriteItem {
        let mut item = key(notice_partition(notice.account), notice.id.to_string());
        item.extend([
            ("email".to_owned(), text(&notice.email)),
            ("change".to_owned(), text(notice.kind.as_str())),
            ("changed_at".to_owned(), millis(notice.changed_at)),
            ("requested_at".to_owned(), millis(notice.changed_at)),
            ("expires_at".to_owned(), seconds(after(notice.changed_at, FAILED_LIFETIME))),
        ]);
        item.extend(origin_attributes(&notice.origin));
        put(Put::builder().table_name(&self.tables.outbox).set_item(Some(item)))
    }

    /// Takes an entry for `lease`, if nobody has it and it is not done.
    pub async fn lease(&self, partition: &str, sort: &str, lease: Duration, now: Timestamp) -> Result<Lease, Fault> {
        let worker = uuid::Builder::from_random_bytes(self.entropy.bytes()).into_uuid().to_string();
        let answer = through_conflicts(&self.entropy, || {
            self.client
                .update_item()
                .table_name(&self.tables.outbox)
                .set_key(Some(key(partition, sort)))
                .update_expression("SET lease_until = :until, worker = :worker ADD attempts :one")
                .condition_expression(
                    "attribute_exists(pk) AND attribute_not_exists(done_at) AND \
                     (attribute_not_exists(lease_until) OR lease_until <= :now OR worker = :worker)",
                )
                .expression_attribute_values(":until", millis(after(now, lease)))
                .expression_attribute_values(":now", millis(now))
                .expression_attribute_values(":worker", text(&worker))
                .expression_attribute_values(":one", number(1))
                .return_values(ReturnValue::AllNew)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .send()
        });
        match answer.await {
            Ok(answer) => read_entry(answer.attributes.unwrap_or_default()).map(|entry| Lease::Ours(Box::new(entry))),
            Err(error) => {
                let held = error.as_service_error().and_then(|refused| match refused {
                    aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException(refused) => refused.item(),
                    _ => None,
                });
                let held = held.is_some_and(|item| !item.contains_key("done_at"));
                refused_by_condition("UpdateItem", &error).map(|()| if held { Lease::Theirs } else { Lease::Done })
            }
        }
    }

    /// Finishes an entry: it will not be sent again. Its address is removed, and what failed before; the result stays a day.
    pub async fn finish(&self, partition: &str, sort: &str, result: &str, now: Timestamp) -> Result<(), Fault> {
        self.mark(
            partition,
            sort,
            "SET done_at = :now, outcome = :outcome, expires_at = :expires REMOVE failed_at, lease_until, worker, email, email_folded, address",
            result,
            now,
            DONE_LIFETIME,
        )
        .await
    }

    /// Gives an entry up: it failed for good, and stays for an operator to see and re-drive.
    pub async fn give_up(&self, partition: &str, sort: &str, reason: &str, now: Timestamp) -> Result<(), Fault> {
        let expression = "SET done_at = :now, failed_at = :now, outcome = :outcome, expires_at = :expires REMOVE lease_until, worker";
        self.mark(partition, sort, expression, reason, now, FAILED_LIFETIME).await
    }

    /// Hands an entry back after a passing failure, for the stream's next try.
    pub async fn hand_back(&self, partition: &str, sort: &str, reason: &str, now: Timestamp) -> Result<(), Fault> {
        let expression = "SET failed_at = :now, outcome = :outcome, expires_at = :expires REMOVE lease_until, worker";
        self.mark(partition, sort, expression, reason, now, FAILED_LIFETIME).await
    }

    async fn mark(
        &self,
        partition: &str,
        sort: &str,
        expression: &str,
        outcome: &str,
        now: Timestamp,
        kept: Duration,
    ) -> Result<(), Fault> {
        let answer = through_conflicts(&self.entropy, || {
            self.client
                .update_item()
                .table_name(&self.tables.outbox)
                .set_key(Some(key(partition, sort)))
                .update_expression(expression)
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":now", millis(now))
                .expression_attribute_values(":outcome", text(outcome))
                .expression_attribute_values(":expires", seconds(after(now, kept)))
                .send()
        });
        match answer.await {
            Ok(_) => Ok(()),
            Err(error) => refused_by_condition("UpdateItem", &error),
        }
    }
}

/// The partition of the requests for a reset link to an address, folded.
pub(super) fn request_partition(folded: &str) -> String {
    format!("reset#{}", subject_digest(folded))
}

/// The partition of the notices of an account.
pub(super) fn notice_partition(account: AccountId) -> String {
    format!("notice#{account}")
}

/// The item of a reset request.
fn request_item(request: &ResetRequest, sort: String) -> Attributes {
    let mut item = key(request_partition(&request.folded), sort);
    item.extend([
        ("email".to_owned(), text(&request.email)),
        ("email_folded".to_owned(), text(&request.folded)),
        ("requested_at".to_owned(), millis(request.requested_at)),
        ("expires_at".to_owned(), seconds(after(request.requested_at, FAILED_LIFETIME))),
    ]);
    item.extend(origin_attributes(&request.origin));
    item
}

/// When the window of this length that holds `instant` began, in seconds.
fn window_start(instant: Timestamp, length: Duration) -> i64 {
    let length = i64::try_from(length.as_secs()).unwrap_or(i64::MAX).max(1);
    instant.as_second() - instant.as_second().rem_euclid(length)
}

fn origin_attributes(origin: &Origin) -> impl Iterator<Item = (String, aws_sdk_dynamodb::types::AttributeValue)> {
    let language = origin.language.map(|language| ("language".to_owned(), text(language.tag())));
    [("address".to_owned(), text(&origin.address)), ("browser".to_owned(), text(&origin.browser))].into_iter().chain(language)
}

fn read_entry(attributes: Attributes) -> Result<Entry, Fault> {
    let item = Item::new("outbox entry", attributes);
    let partition = item.text("pk")?;
    let requested_at = item.instant("requested_at")?;
    let origin = Origin {
        address: item.optional_text("address").unwrap_or_default(),
        browser: item.optional_text("browser").unwrap_or_default(),
        language: item.optional_text("language").as_deref().and_then(Language::of_tag),
    };
    let payload = match partition.split_once('#') {
        Some(("reset", _)) => {
            Payload::Reset(ResetRequest { email: item.text("email")?, folded: item.text("email_folded")?, requested_at, origin })
        }
        Some(("notice", account)) => Payload::Notice(Notice {
            id: item.text("sk")?.parse().map_err(|_| item.unreadable("sk"))?,
            account: account.parse().map_err(|_| item.unreadable("pk"))?,
            email: item.text("email")?,
            kind: ChangeKind::read(&item.text("change")?).ok_or(item.unreadable("change"))?,
            // An entry of before it could be driven once more has one instant.
            changed_at: item.optional_instant("changed_at").unwrap_or(requested_at),
            origin,
        }),
        _ => return Err(item.unreadable("pk")),
    };
    Ok(Entry { payload, requested_at, attempts: item.number("attempts")? })
}

/// The oldest intent that is still worth sending at `now`.
#[must_use]
pub fn oldest_worth_sending(now: Timestamp) -> Timestamp {
    before(now, span::hours(1))
}
