//! Turns an entry of the file into an account, or into the reason why it is refused.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasher as _, RandomState},
};

use doorward::{
    account::{EmailAddress, Username},
    clock::Timestamp,
    password::StoredPassword,
};
use jiff::{civil::DateTime, tz::TimeZone};
use serde_json::{Map, Value};

use super::{
    Entry,
    records::Record,
    report::{Reason, shown},
};
use crate::names::parse_names;

/// The fields that are read.
const FIELDS: [&str; 5] = ["username", "email", "password", "is_active", "date_joined"];

/// Maximum number of names of fields and models that are listed at the end.
const MOST_LISTED: usize = 100;

/// An account to be imported.
pub(super) struct Candidate {
    pub(super) username: Username,
    pub(super) email: EmailAddress,
    pub(super) password: StoredPassword,
    pub(super) active: bool,
    pub(super) created_at: Option<Timestamp>,
    /// Whether its hash cannot be verified and was dropped.
    pub(super) lost_its_password: bool,
}

/// Turns entries into accounts, one after another. Of two with the same name the first one counts.
pub(super) struct Reader {
    entry_word: &'static str,
    without_password: bool,
    /// The first entry with each name, by a hash of the name, because a file may have millions.
    seen: HashMap<u64, u32>,
    hasher: RandomState,
    /// Fields that accounts do not have.
    pub(super) dropped: BTreeSet<String>,
    /// The number of objects of other models.
    pub(super) others: BTreeMap<String, usize>,
}

impl Reader {
    pub(super) fn new(entry_word: &'static str, without_password: bool) -> Self {
        let (seen, hasher) = (HashMap::new(), RandomState::new());
        Self { entry_word, without_password, seen, hasher, dropped: BTreeSet::new(), others: BTreeMap::new() }
    }

    /// An account, or the reason why it is refused; `None` if the entry is not a user.
    pub(super) fn read(&mut self, record: Record) -> Option<Entry> {
        let Record { number, raw, fields } = record;
        let fields = match fields {
            Ok(fields) => fields,
            Err(reason) => return Some(Entry { number, name: String::new(), raw, account: Err(reason) }),
        };
        let fields = self.user(fields)?;
        let of = |field: &str| fields.get(field).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        let name = [of("username"), of("email")].into_iter().flatten().map(shown).collect::<Vec<_>>().join(", ");
        self.drop_others(fields.keys());
        let account = self.account(&fields).and_then(|candidate| self.once(number, candidate));
        Some(Entry { number, name, raw, account })
    }

    /// The fields of a user: those of the object, or in the output of Django's `dumpdata` those below "fields", if its model is one of users.
    fn user(&mut self, mut object: Map<String, Value>) -> Option<Map<String, Value>> {
        let (Some(Value::String(model)), Some(Value::Object(_))) = (object.get("model"), object.get("fields")) else { return Some(object) };
        let model = model.to_lowercase();
        let Some(Value::Object(fields)) = object.remove("fields") else { return Some(object) };
        // A user of Django has these two fields, whatever the model's name.
        if model.ends_with("user") || (fields.contains_key("password") && fields.contains_key("last_login")) {
            self.drop_others(object.keys().filter(|name| *name != "model"));
            return Some(fields);
        }
        if self.others.len() < MOST_LISTED || self.others.contains_key(&model) {
            *self.others.entry(model).or_default() += 1;
        }
        None
    }

    fn drop_others<'a>(&mut self, names: impl Iterator<Item = &'a String>) {
        for name in names {
            if !FIELDS.contains(&name.as_str()) && !self.dropped.contains(name) && self.dropped.len() < MOST_LISTED {
                self.dropped.insert(name.clone());
            }
        }
    }

    fn account(&self, fields: &Map<String, Value>) -> Result<Candidate, Reason> {
        let username = text(fields, "username")?.filter(|username| !username.trim().is_empty()).ok_or_else(|| {
            Reason::new("username: there is none; give every account one, such as its own e-mail address, as OPERATIONS.md shows")
        })?;
        let email = text(fields, "email")?.filter(|email| !email.trim().is_empty()).ok_or_else(|| {
            Reason::new("email: there is none; an account needs an address that mail reaches: fill one in, or leave the account out")
        })?;
        let (username, email) = parse_names(username, email).map_err(Reason::new)?;
        let (password, lost_its_password) = self.password(fields)?;
        let created_at = match fields.get("date_joined") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let instant = value.as_str().and_then(instant);
                Some(instant.ok_or_else(|| Reason::new("date_joined: no instant such as 2026-01-31T12:00:00Z"))?)
            }
        };
        Ok(Candidate { username, email, password, active: is_active(fields)?, created_at, lost_its_password })
    }

    /// The stored password, and whether it is missing because the hash cannot be verified.
    fn password(&self, fields: &Map<String, Value>) -> Result<(StoredPassword, bool), Reason> {
        let refused = match text(fields, "password")? {
            Some(hash) => match StoredPassword::imported(hash.to_owned()) {
                Ok(password) => return Ok((password, false)),
                Err(refused) => format!("password: {refused}"),
            },
            None => "password: there is none".to_owned(),
        };
        if self.without_password { Ok((StoredPassword::unusable(), true)) } else { Err(Reason::new(refused).mended_without_password()) }
    }

    /// The account, unless an earlier entry has one of its names.
    fn once(&mut self, number: usize, candidate: Candidate) -> Result<Candidate, Reason> {
        let names = [("username", candidate.username.folded()), ("e-mail address", candidate.email.folded())];
        let keys = names.map(|name| self.hasher.hash_one(name));
        for ((which, _), key) in names.iter().zip(keys) {
            if let Some(first) = self.seen.get(&key) {
                let word = self.entry_word;
                return Err(
                    Reason::new(format!("an earlier {word} has the same {which}, in whatever case")).about(format!("{word} {first}"))
                );
            }
        }
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.seen.extend(keys.map(|key| (key, number)));
        Ok(candidate)
    }
}

/// A text field; `None` if it is missing or null.
fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Reason> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Reason::new(format!("{name}: must be a text"))),
    }
}

/// Whether the account is active, in the forms of Django, databases and spreadsheets.
fn is_active(fields: &Map<String, Value>) -> Result<bool, Reason> {
    let Some(value) = fields.get("is_active") else { return Ok(true) };
    let written = match value {
        Value::String(text) => text.trim().to_ascii_lowercase(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => String::new(),
    };
    match written.as_str() {
        "true" | "t" | "1" => Ok(true),
        "false" | "f" | "0" => Ok(false),
        _ => Err(Reason::new("is_active: must be true or false, or 1 or 0")),
    }
}

/// An instant with its offset, or without one in UTC, as Django without time zones writes it.
fn instant(text: &str) -> Option<Timestamp> {
    let naive = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse().ok().or_else(naive)
}
