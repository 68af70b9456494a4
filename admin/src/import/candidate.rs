//! Turns an entry of the file into an account, or into the reason why it is refused.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasher as _, RandomState},
};

use doorward::{
    account::{Account, AccountId, EmailAddress, Username},
    clock::Timestamp,
    password::StoredPassword,
    profile::{Profile, ProfileFields},
};
use serde_json::{Map, Value};

use super::{
    Entry,
    instant::instant,
    own::{self, Own},
    reasons::{Reason, shown},
    records::Record,
    source::{Converter, Neutral},
};
use crate::names::parse_names;

/// The fields that are read.
const FIELDS: [&str; 7] = ["username", "email", "password", "is_active", "date_joined", "external_id", "verified"];

/// Other names of `external_id` in files: Django's in a fixture, and that of most tables.
const IDS: [&str; 2] = ["pk", "id"];

/// Maximum length of an external id in characters. Ids of Auth0 and Firebase have at most 128.
const MAX_ID_LENGTH: usize = 128;

/// Maximum number of names of fields and models that are listed at the end.
const MAX_LISTED: usize = 100;

/// An account to be imported.
pub(super) struct Candidate {
    pub(super) username: Username,
    pub(super) email: EmailAddress,
    pub(super) password: StoredPassword,
    active: bool,
    /// Whether the address is verified in the service that it comes from.
    verified: bool,
    created_at: Option<Timestamp>,
    external_id: Option<String>,
    /// The values of declared fields.
    profile: Profile,
    /// The data that only an export of Doorward has.
    own: Option<Own>,
    /// Whether it had a hash that cannot be verified and was dropped.
    pub(super) lost_its_password: bool,
}

impl Candidate {
    /// The id that it had in another stack.
    pub(super) fn id(&self) -> Option<AccountId> {
        self.own.as_ref().map(|own| own.id)
    }

    /// Its external id.
    pub(super) fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    /// Whether a token of its user can become a session. An account from an export of Doorward cannot have one, because its earlier sessions have to stay
    /// ended.
    pub(super) fn takes_tokens(&self) -> bool {
        self.active && self.own.is_none()
    }

    /// The account, under its own id or a new one.
    pub(super) fn account(&self, new: AccountId, now: Timestamp) -> Account {
        let mut account = Account::new(self.id().unwrap_or(new), self.username.clone(), self.email.clone(), self.password.clone(), now);
        account.active = self.active;
        account.created_at = self.created_at.unwrap_or(now).min(now);
        account.external_id.clone_from(&self.external_id);
        account.verified_at = self.verified.then_some(now);
        account.profile.clone_from(&self.profile);
        if let Some(own) = &self.own {
            own.apply(&mut account, now);
        }
        account
    }
}

/// Turns entries into accounts, one after another. If two have the same name, the second is refused.
pub(super) struct Reader {
    entry_word: &'static str,
    converter: Converter,
    without_password: bool,
    weak_hashes: bool,
    /// The declared fields.
    declared: ProfileFields,
    /// The first entry with each name, by a hash of the name, because a file may have millions.
    seen: HashMap<u64, u32>,
    hasher: RandomState,
    /// Fields that accounts do not have.
    pub(super) dropped: BTreeSet<String>,
    /// The number of objects of other models.
    pub(super) others: BTreeMap<String, usize>,
}

impl Reader {
    pub(super) fn new(
        entry_word: &'static str,
        converter: Converter,
        without_password: bool,
        weak_hashes: bool,
        declared: ProfileFields,
    ) -> Self {
        let (seen, hasher, dropped, others) = (HashMap::new(), RandomState::new(), BTreeSet::new(), BTreeMap::new());
        Self { entry_word, converter, without_password, weak_hashes, declared, seen, hasher, dropped, others }
    }

    /// An account, or the reason why it is refused; `None` if the entry is not a user.
    pub(super) fn read(&mut self, record: Record) -> Option<Entry> {
        let Record { number, raw, fields } = record;
        let Neutral { fields, dropped } = match fields.and_then(|fields| self.converter.convert(fields)) {
            Ok(neutral) => neutral?,
            Err(reason) => return Some(Entry { number, name: String::new(), raw, account: Err(reason) }),
        };
        self.drop_others(dropped.iter());
        let fields = self.user(fields)?;
        let of = |field: &str| fields.get(field).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        let name = [of("username"), of("email")].into_iter().flatten().map(shown).collect::<Vec<_>>().join(", ");
        let is_own = own::is_own(&fields);
        self.drop_others(fields.keys().filter(|name| !(is_own && own::FIELDS.contains(&name.as_str()))));
        let account = self.account(&fields).and_then(|candidate| self.once(number, candidate));
        Some(Entry { number, name, raw, account })
    }

    /// The fields of a user: those of the object, or in the output of Django's `dumpdata` those below "fields", if its model is one of users.
    fn user(&mut self, mut object: Map<String, Value>) -> Option<Map<String, Value>> {
        let (Some(Value::String(model)), Some(Value::Object(_))) = (object.get("model"), object.get("fields")) else {
            return Some(with_external_id(object));
        };
        let model = model.to_lowercase();
        let Some(Value::Object(mut fields)) = object.remove("fields") else { return Some(object) };
        // A user of Django has these two fields, whatever the model's name.
        if model.ends_with("user") || (fields.contains_key("password") && fields.contains_key("last_login")) {
            fields.extend(object.remove_entry("pk"));
            self.drop_others(object.keys().filter(|name| *name != "model"));
            return Some(with_external_id(fields));
        }
        if self.others.len() < MAX_LISTED || self.others.contains_key(&model) {
            *self.others.entry(model).or_default() += 1;
        }
        None
    }

    fn drop_others<'a>(&mut self, names: impl Iterator<Item = &'a String>) {
        for name in names {
            let is_read = FIELDS.contains(&name.as_str()) || self.declared.named(name).is_some();
            if !is_read && !self.dropped.contains(name) && self.dropped.len() < MAX_LISTED {
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
        let own = if own::is_own(fields) { Some(Own::read(fields)?) } else { None };
        let external_id = external_id(fields)?;
        let (active, verified) = (truth(fields, "is_active")?, truth(fields, "verified")?);
        let profile = self.profile(fields)?;
        Ok(Candidate { username, email, password, active, verified, created_at, external_id, profile, own, lost_its_password })
    }

    /// The values of declared fields, in columns or fields of the same names. An empty one counts as missing.
    fn profile(&self, fields: &Map<String, Value>) -> Result<Profile, Reason> {
        let mut values = Vec::new();
        for field in self.declared.iter() {
            match fields.get(field.name) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if text.trim().is_empty() => {}
                Some(value) => {
                    let read =
                        field.parse_json(value).map_err(|_| Reason::new(format!("{}: no value that this field may have", field.name)))?;
                    values.push((field.name.to_owned(), read));
                }
            }
        }
        Ok(values.into_iter().collect())
    }

    /// The stored password, and whether it is missing because the hash cannot be verified.
    fn password(&self, fields: &Map<String, Value>) -> Result<(StoredPassword, bool), Reason> {
        let refused = match text(fields, "password")? {
            Some(hash) => match StoredPassword::imported(hash.to_owned()) {
                Ok(password) if password.is_weak() && !self.weak_hashes => {
                    "password: a weak hash (MD5), which only --layered or --weak-hashes imports".to_owned()
                }
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

/// The fields, with the external id under its own name. An export of Doorward has it there.
fn with_external_id(mut fields: Map<String, Value>) -> Map<String, Value> {
    if !own::is_own(&fields) && !fields.contains_key("external_id") {
        let id = IDS.into_iter().find_map(|name| fields.remove(name));
        fields.extend(id.map(|id| ("external_id".to_owned(), id)));
    }
    fields
}

/// The external id: a number or a text.
fn external_id(fields: &Map<String, Value>) -> Result<Option<String>, Reason> {
    let id = match fields.get("external_id") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(Reason::new("external_id: must be a number or a text")),
    };
    if id.chars().count() > MAX_ID_LENGTH || id.chars().any(char::is_control) {
        return Err(Reason::new(format!("external_id: at most {MAX_ID_LENGTH} characters, and no control characters")));
    }
    Ok(Some(id).filter(|id| !id.is_empty()))
}

/// A text field; `None` if it is missing or null.
fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Reason> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Reason::new(format!("{name}: must be a text"))),
    }
}

/// A field that is true unless the file has false, in the notations of Django, databases and spreadsheets.
fn truth(fields: &Map<String, Value>, name: &str) -> Result<bool, Reason> {
    let Some(value) = fields.get(name) else { return Ok(true) };
    let written = match value {
        Value::String(text) => text.trim().to_ascii_lowercase(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => String::new(),
    };
    match written.as_str() {
        "true" | "t" | "1" => Ok(true),
        "false" | "f" | "0" => Ok(false),
        _ => Err(Reason::new(format!("{name}: must be true or false, or 1 or 0"))),
    }
}
