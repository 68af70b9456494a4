//! The formats of an export, and how an account is written in each.

use std::{collections::BTreeMap, io};

use clap::ValueEnum;
use doorward::{
    account::Account,
    clock::Timestamp,
    password::{StoredPassword, UNUSABLE},
    profile::Profile,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::hash::{self, Credential};
use crate::import::own;

/// The format of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Everything, in JSON lines, which `import` reads
    #[default]
    Jsonl,
    /// A fixture for Django's `loaddata`
    Django,
    /// Files of at most 500 KB for Auth0's bulk import
    Auth0,
    /// Users for the import into a realm of Keycloak
    Keycloak,
    /// A table without hashes
    Csv,
}

impl Form {
    /// Its name on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// The text before, between and after the entries of a file.
#[derive(Clone, Copy, Default)]
pub(super) struct Frame {
    pub(super) head: &'static str,
    pub(super) between: &'static str,
    pub(super) tail: &'static str,
    /// Maximum size of a file in bytes.
    pub(super) most_bytes: Option<u64>,
}

/// An account in the format of a file.
pub(super) struct Entry {
    pub(super) text: Vec<u8>,
    /// Whether it has a hash that this format cannot contain.
    pub(super) lost_its_hash: bool,
}

impl Form {
    pub(super) fn frame(self) -> Frame {
        let list = Frame { head: "[\n", between: ",\n", tail: "\n]\n", most_bytes: None };
        match self {
            Self::Jsonl => Frame { head: "", between: "", tail: "", most_bytes: None },
            Self::Django => list,
            // Auth0 Management API, POST /api/v2/jobs/users-imports: 500 KB. A little is left for the frame.
            Self::Auth0 => Frame { most_bytes: Some(499_000), ..list },
            Self::Keycloak => Frame { head: "{\"ifResourceExists\":\"SKIP\",\"users\":[\n", tail: "\n]}\n", ..list },
            Self::Csv => {
                Frame { head: "id,external_id,username,email,is_active,date_joined,language\n", between: "", tail: "", most_bytes: None }
            }
        }
    }

    pub(super) fn entry(self, account: &Account, with_hashes: bool, model: &str) -> io::Result<Entry> {
        let stored = account.password.as_ref().map_or(UNUSABLE, |password| password.as_str());
        let portable = account.password.as_ref().map_or_else(|| UNUSABLE.to_owned(), StoredPassword::portable);
        let usable = !stored.starts_with(UNUSABLE) && !account.disavowed;
        let convert = |to: fn(&str) -> Option<Credential>| if with_hashes && usable { to(&portable) } else { None };
        let (value, kept) = match self {
            Self::Jsonl => return Ok(Entry { text: line(&own_line(account, with_hashes.then_some(stored)))?, lost_its_hash: false }),
            Self::Csv => return Ok(Entry { text: row(account)?, lost_its_hash: false }),
            Self::Django => {
                let text = |credential| if let Credential::Text(text) = credential { Some(text) } else { None };
                let password = convert(hash::django).and_then(text);
                let kept = password.is_some();
                (django(account, password.as_deref(), model), kept)
            }
            Self::Auth0 => with(auth0(account), convert(hash::auth0), "custom_password_hash"),
            Self::Keycloak => with(keycloak(account), convert(hash::keycloak), "credentials"),
        };
        Ok(Entry { text: value.to_string().into_bytes(), lost_its_hash: with_hashes && usable && !kept })
    }
}

/// The account with its credential, and whether there is one.
fn with(mut account: Value, credential: Option<Credential>, name: &str) -> (Value, bool) {
    let kept = credential.is_some();
    if let Some(Credential::Json(credential)) = credential {
        account[name] = credential;
    }
    (account, kept)
}

/// Our own format. Its fields have a fixed order, so that the same account gives the same line.
#[derive(Serialize)]
struct Own<'a> {
    doorward: u64,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    username: &'a str,
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    is_active: bool,
    date_joined: String,
    password_changed_at: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disavowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    networks: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undeliverable: Option<Undeliverable>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion: Option<Deletion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<String>,
    #[serde(skip_serializing_if = "Profile::is_empty")]
    profile: &'a Profile,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    former_addresses: Vec<Former<'a>>,
}

#[derive(Serialize)]
struct Former<'a> {
    email: &'a str,
    kept_until: String,
}

#[derive(Serialize)]
struct Deletion {
    asked_at: String,
    due_at: String,
}

#[derive(Serialize)]
struct Undeliverable {
    why: &'static str,
    sent_at: String,
}

fn own_line<'a>(account: &'a Account, password: Option<&'a str>) -> Own<'a> {
    Own {
        doorward: own::VERSION,
        id: account.id.to_string(),
        external_id: account.external_id.as_deref(),
        username: account.username.as_str(),
        email: account.email.as_str(),
        password,
        is_active: account.active,
        date_joined: instant(account.created_at),
        password_changed_at: instant(account.password_changed_at),
        disavowed: account.disavowed,
        language: account.language.as_deref(),
        networks: account.networks.iter().map(|known| (known.network.as_str(), instant(known.seen_at))).collect(),
        undeliverable: account.undeliverable.map(|(why, sent_at)| Undeliverable { why: why.as_str(), sent_at: instant(sent_at) }),
        deletion: account.deletion.map(|deletion| Deletion { asked_at: instant(deletion.asked_at), due_at: instant(deletion.due_at) }),
        verified_at: account.verified_at.map(instant),
        profile: &account.profile,
        former_addresses: account
            .former
            .iter()
            .map(|former| Former { email: former.email.as_str(), kept_until: instant(former.until) })
            .collect(),
    }
}

fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// An instant as Django's serializer writes it: in milliseconds, and without a fraction if that is zero.
fn instant(instant: Timestamp) -> String {
    let form = if instant.as_millisecond() % 1000 == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S.%3fZ" };
    instant.strftime(form).to_string()
}

/// An object of a fixture. Django assigns a `pk` if there is none, and sets missing fields to the model's defaults.
fn django(account: &Account, password: Option<&str>, model: &str) -> Value {
    // An id that is a number was a number in Django.
    let number = |id: &str| id.parse::<u64>().ok().filter(|number| number.to_string() == id).map(Value::from);
    let pk = account.external_id.as_deref().map(|id| number(id).unwrap_or_else(|| Value::from(id)));
    json!({
        "model": model,
        "pk": pk,
        "fields": {
            "username": account.username.as_str(), "email": account.email.as_str(), "password": password.unwrap_or(UNUSABLE),
            "is_active": account.active, "date_joined": instant(account.created_at),
        },
    })
}

/// A user for Auth0's bulk import (its schema of users).
fn auth0(account: &Account) -> Value {
    let mut user = json!({
        "email": account.email.as_str(), "email_verified": account.verified_at.is_some(), "blocked": !account.active,
        "app_metadata": { "doorward_id": account.id.to_string(), "external_id": account.external_id, "date_joined": instant(account.created_at) },
    });
    // If the username is the address, the Auth0 connection has no usernames.
    if account.username.as_str() != account.email.as_str() {
        user["username"] = account.username.as_str().into();
    }
    user
}

/// A user of Keycloak (`UserRepresentation`).
fn keycloak(account: &Account) -> Value {
    let attributes: BTreeMap<&str, [String; 1]> =
        [("doorward_id", Some(account.id.to_string())), ("external_id", account.external_id.clone())]
            .into_iter()
            .filter_map(|(name, value)| Some((name, [value?])))
            .collect();
    json!({
        "username": account.username.as_str(), "email": account.email.as_str(), "emailVerified": account.verified_at.is_some(), "enabled": account.active,
        "createdTimestamp": account.created_at.as_millisecond(), "attributes": attributes,
    })
}

fn row(account: &Account) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let (id, joined) = (account.id.to_string(), instant(account.created_at));
    let external = plain(account.external_id.as_deref().unwrap_or_default());
    let active = account.active.to_string();
    let fields = [&id, &external, &plain(account.username.as_str()), &plain(account.email.as_str()), &active, &joined];
    writer
        .write_record(fields.into_iter().map(String::as_str).chain([account.language.as_deref().unwrap_or_default()]))
        .map_err(io::Error::other)?;
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// A text that a spreadsheet does not interpret as a formula (OWASP, CSV Injection). Strangers choose names, and one may begin with `=`, `+`, `-` or `@`.
fn plain(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}
