//! Tokens of Django REST Framework that become sessions of the accounts of an import. As soon as a key is read, only its digest is kept.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    path::Path,
};

use doorward::session::{CarriedOver, ImportedToken};
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};

use super::{
    reasons::{Reason, Reasons, shown},
    records::{Reading, Record, Records},
    source::Layout,
};
use crate::{Failure, Terminal};

/// The columns of a table: those of `authtoken_token`.
const COLUMNS: &[&str] = &["key", "user_id"];

/// A token whose account has not been read yet.
pub(super) struct Waiting {
    pub(super) number: usize,
    pub(super) token: ImportedToken,
}

/// The outcome of a token.
pub(super) struct Carried {
    pub(super) user: String,
    pub(super) number: usize,
    pub(super) outcome: CarriedOver,
}

/// The tokens of a file.
pub(super) struct Tokens {
    /// By the primary key of their user.
    waiting: RefCell<HashMap<String, Vec<Waiting>>>,
    refused: RefCell<Reasons>,
    carried: Cell<usize>,
    before: Cell<usize>,
}

impl Tokens {
    /// Reads a file: the output of `dumpdata authtoken`, JSON lines, or CSV. Objects of other models are passed over.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let layout = Layout { container: None, columns: COLUMNS };
        let mut records = Records::open(path, &ProgressBar::hidden(), &Reading { layout, without_password: false, columns: &[] })?;
        let word = records.entry_word();
        let (mut waiting, mut refused) = (HashMap::<String, Vec<Waiting>>::new(), Reasons::new(word));
        let mut seen = HashSet::new();
        while let Some(record) = records.next() {
            let Record { number, fields, .. } = record?;
            let fields = match fields.map(token) {
                Ok(Some(fields)) => fields,
                Ok(None) => continue,
                Err(reason) => {
                    refused.add(number, "", reason);
                    continue;
                }
            };
            let user = user(&fields);
            let name = user.as_ref().map(|user| named(user)).unwrap_or_default();
            match user.and_then(|user| Ok((user, key(&fields)?))) {
                Ok((user, token)) if seen.insert(token.digest().as_str().to_owned()) => {
                    waiting.entry(user).or_default().push(Waiting { number, token });
                }
                Ok(_) => refused.add(number, &name, Reason::new(format!("key: an earlier {word} has the same"))),
                Err(reason) => refused.add(number, &name, reason),
            }
        }
        let (waiting, refused) = (RefCell::new(waiting), RefCell::new(refused));
        Ok(Self { waiting, refused, carried: Cell::new(0), before: Cell::new(0) })
    }

    /// The tokens of a user. Each is returned once.
    pub(super) fn of(&self, user: &str) -> Vec<Waiting> {
        self.waiting.borrow_mut().remove(user).unwrap_or_default()
    }

    /// Counts the outcome of a token.
    pub(super) fn note(&self, Carried { user, number, outcome }: &Carried) {
        match outcome {
            CarriedOver::Now => self.carried.set(self.carried.get() + 1),
            CarriedOver::Before => self.before.set(self.before.get() + 1),
            CarriedOver::Changed => {
                let why = "user: the account is inactive, has another external_id, or its sessions were ended since it was imported";
                self.refused.borrow_mut().add(*number, &named(user), Reason::new(why));
            }
        }
    }

    /// Refuses the tokens whose user is not in the file.
    pub(super) fn refuse_rest(&self) {
        let mut rest: Vec<(String, Waiting)> =
            self.waiting.take().into_iter().flat_map(|(user, tokens)| tokens.into_iter().map(move |token| (user.clone(), token))).collect();
        rest.sort_by_key(|(_, waiting)| waiting.number);
        for (user, waiting) in rest {
            let why = "user: no account of the file that is there now has this id";
            self.refused.borrow_mut().add(waiting.number, &named(&user), Reason::new(why));
        }
    }

    pub(super) fn refused(&self) -> usize {
        self.refused.borrow().count
    }

    pub(super) fn facts(&self) -> Value {
        let refused = self.refused.borrow();
        json!({ "carried_over": self.carried.get(), "before": self.before.get(), "refused": refused.count, "reasons": refused.facts() })
    }

    pub(super) fn tell(&self, dry_run: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let refused = self.refused.borrow();
        refused.tell("", terminal)?;
        let (carried, before, refused) = (self.carried.get(), self.before.get(), refused.count);
        let verb = if dry_run { "would be imported" } else { "imported" };
        let total = carried + before + refused;
        Ok(writeln!(terminal.out, "{total} tokens: {carried} {verb}, {before} imported before, {refused} refused.")?)
    }
}

/// A user as the report names it. A key in the wrong column is not shown.
fn named(user: &str) -> String {
    if ImportedToken::parse(user).is_some() { "user (not shown)".to_owned() } else { format!("user {}", shown(user)) }
}

/// The fields of a token; `None` if it is an object of another model.
fn token(mut object: Map<String, Value>) -> Option<Map<String, Value>> {
    let (Some(Value::String(model)), Some(Value::Object(_))) = (object.get("model"), object.get("fields")) else { return Some(object) };
    if !model.to_lowercase().ends_with("token") {
        return None;
    }
    let Some(Value::Object(mut fields)) = object.remove("fields") else { return None };
    fields.extend(object.remove_entry("pk"));
    Some(fields)
}

/// The primary key of the user.
fn user(fields: &Map<String, Value>) -> Result<String, Reason> {
    let user = match fields.get("user_id").or_else(|| fields.get("user")) {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.trim().to_owned(),
        _ => String::new(),
    };
    if user.is_empty() {
        Err(Reason::new("user: must be the primary key of a user, as dumpdata writes it without natural keys"))
    } else {
        Ok(user)
    }
}

fn key(fields: &Map<String, Value>) -> Result<ImportedToken, Reason> {
    let key = fields.get("key").or_else(|| fields.get("pk")).and_then(Value::as_str);
    key.and_then(ImportedToken::parse).ok_or_else(|| Reason::new("key: must be 40 hexadecimal digits, as Django REST Framework makes them"))
}
