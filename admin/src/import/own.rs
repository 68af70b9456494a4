//! The data of an account that only an export of Doorward has.

use doorward::{
    account::{Account, AccountId, EmailAddress, FormerAddress, KnownNetwork, RequestedDeletion, Undeliverable},
    address::{MAX_RESERVED, MAX_UNDO},
    client::Network,
    clock::{Timestamp, after},
    profile::{Profile, Scalar, is_plain},
};
use serde_json::{Map, Value};

use super::{instant::instant, reasons::Reason};

/// The version of the format, in the field `doorward`, by which lines of an export are recognised.
pub(crate) const VERSION: u64 = 1;

/// The fields that only such lines have.
pub(super) const FIELDS: [&str; 11] = [
    "doorward",
    "id",
    "password_changed_at",
    "disavowed",
    "language",
    "networks",
    "undeliverable",
    "deletion",
    "verified_at",
    "former_addresses",
    "profile",
];

/// Maximum number of characters of a field's value: more than a declaration allows.
const MAX_TEXT_LENGTH: usize = 2000;

/// Maximum length of a language's tag (RFC 5646, 4.4.1).
const MAX_LANGUAGE_LENGTH: usize = 35;

/// The exported data of an account.
pub(super) struct Own {
    pub(super) id: AccountId,
    password_changed_at: Timestamp,
    disavowed: bool,
    language: Option<String>,
    networks: Vec<KnownNetwork>,
    undeliverable: Option<(Undeliverable, Timestamp)>,
    deletion: Option<RequestedDeletion>,
    verified_at: Option<Timestamp>,
    profile: Profile,
    former: Vec<FormerAddress>,
}

/// Whether these are the fields of an account that was exported.
pub(super) fn is_own(fields: &Map<String, Value>) -> bool {
    fields.contains_key("doorward")
}

impl Own {
    pub(super) fn read(fields: &Map<String, Value>) -> Result<Self, Reason> {
        if fields["doorward"].as_u64() != Some(VERSION) {
            return Err(Reason::new("doorward: a later version has written it"));
        }
        let wrong = |name: &str| Reason::new(format!("{name}: it is not as an export has it"));
        let text = |name: &str| fields.get(name).map(|value| value.as_str().ok_or_else(|| wrong(name))).transpose();
        let id = text("id")?.and_then(|id| id.parse().ok()).ok_or_else(|| wrong("id"))?;
        let password_changed_at = text("password_changed_at")?.and_then(instant).ok_or_else(|| wrong("password_changed_at"))?;
        let disavowed = fields.get("disavowed").map_or(Some(false), Value::as_bool).ok_or_else(|| wrong("disavowed"))?;
        let is_tag = |tag: &&str| tag.len() <= MAX_LANGUAGE_LENGTH && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let language = text("language")?.map(|tag| Some(tag).filter(is_tag).ok_or_else(|| wrong("language"))).transpose()?;
        let networks = match fields.get("networks") {
            None => Vec::new(),
            Some(Value::Object(networks)) => {
                let known = |(network, seen): (&String, &Value)| {
                    Some(KnownNetwork { network: Network::of_site(network)?, seen_at: seen.as_str().and_then(instant)? })
                };
                networks.iter().map(known).collect::<Option<_>>().ok_or_else(|| wrong("networks"))?
            }
            Some(_) => return Err(wrong("networks")),
        };
        let undeliverable = fields.get("undeliverable").map(|value| {
            let of = |name: &str| value.get(name).and_then(Value::as_str);
            Some((of("why").and_then(Undeliverable::stored)?, of("sent_at").and_then(instant)?))
        });
        let undeliverable = undeliverable.map(|read| read.ok_or_else(|| wrong("undeliverable"))).transpose()?;
        let verified_at = text("verified_at")?.map(|text| instant(text).ok_or_else(|| wrong("verified_at"))).transpose()?;
        let deletion = fields.get("deletion").map(|value| {
            let of = |name: &str| value.get(name).and_then(Value::as_str).and_then(instant);
            Some(RequestedDeletion { asked_at: of("asked_at")?, due_at: of("due_at")?, has_begun: false })
        });
        let deletion = deletion.map(|read| read.ok_or_else(|| wrong("deletion"))).transpose()?;
        let profile = match fields.get("profile") {
            None => Profile::default(),
            Some(Value::Object(values)) => values.iter().map(stored).collect::<Option<_>>().ok_or_else(|| wrong("profile"))?,
            Some(_) => return Err(wrong("profile")),
        };
        let former = match fields.get("former_addresses") {
            None => Vec::new(),
            Some(value) => value.as_array().and_then(|list| former(list)).ok_or_else(|| wrong("former_addresses"))?,
        };
        let language = language.map(str::to_owned);
        Ok(Self { id, password_changed_at, disavowed, language, networks, undeliverable, deletion, verified_at, profile, former })
    }

    /// The account as it was exported.
    ///
    /// It gets the same id again, under which an earlier session may still be stored. Its epoch is therefore the present time in milliseconds, which is
    /// higher than any epoch that the account can have had. So such a session stays ended.
    pub(super) fn apply(&self, account: &mut Account, now: Timestamp) {
        account.epoch = u64::try_from(now.as_millisecond()).unwrap_or(account.epoch);
        account.password_changed_at = self.password_changed_at.min(now);
        account.disavowed = self.disavowed;
        account.disavowals_before = self.disavowed.then_some(now);
        account.language.clone_from(&self.language);
        account.networks.clone_from(&self.networks);
        account.undeliverable = self.undeliverable;
        // Only an inactive account can have a requested deletion, and the sweeper deletes only inactive accounts.
        account.deletion = self.deletion.filter(|_| !account.active);
        account.verified_at = self.verified_at;
        account.profile.clone_from(&self.profile);
        // The file cannot reserve an address for longer than a change of address would.
        let until = |former: &FormerAddress| former.until.min(after(now, MAX_UNDO));
        account.former = self.former.iter().map(|former| FormerAddress { until: until(former), ..former.clone() }).collect();
        account.address_no = self.former.last().map_or(0, |former| former.no);
    }
}

/// A field's name and value, whether it is declared here or not.
fn stored((name, value): (&String, &Value)) -> Option<(String, Scalar)> {
    let value = match value {
        Value::String(text) if text.chars().count() <= MAX_TEXT_LENGTH => Scalar::Text(text.clone()),
        Value::Bool(truth) => Scalar::Truth(*truth),
        Value::Number(number) => Scalar::Number(number.as_i64()?),
        _ => return None,
    };
    is_plain(name).then(|| (name.clone(), value))
}

/// The former addresses that are reserved for an account, the oldest first, if there are no more than an account can have. The changes are numbered anew,
/// because mailed links are not exported.
fn former(list: &[Value]) -> Option<Vec<FormerAddress>> {
    let read = |(no, value): (u64, &Value)| {
        let of = |name: &str| value.get(name).and_then(Value::as_str);
        Some(FormerAddress { no, email: EmailAddress::parse(of("email")?).ok()?, until: of("kept_until").and_then(instant)? })
    };
    if list.len() > MAX_RESERVED {
        return None;
    }
    (1..).zip(list).map(read).collect()
}
