//! The fields that a deployment declares.

use std::{fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use super::{
    PREFIX, Profile, Scalar,
    value::{self, Kind},
};
use crate::config::Settings;

/// The name of the variable.
const NAME: &str = "PROFILE_FIELDS";
/// Maximum length of the declaration in bytes. All variables of a function together have at most 4 KB (Lambda quotas, Environment variables), and the
/// others need half of that.
const MAX_DECLARATION_BYTES: usize = 2048;
/// The fields that are a person's name in Django, which its validator compares with a password.
pub const FIRST_NAME: &str = "first_name";
/// Likewise.
pub const LAST_NAME: &str = "last_name";
/// Maximum number of fields.
const MAX_FIELDS: usize = 20;
/// Maximum number of characters of all texts of an account together.
const MAX_CHARACTERS: usize = 2000;
/// Maximum length of a text if none is declared, and of a choice.
const TEXT: usize = 150;
/// The range of an integer if none is declared: that of a number in JavaScript (ECMA-262, `Number.MAX_SAFE_INTEGER`).
const SAFE: i64 = (1 << 53) - 1;
/// Maximum number of characters of the texts that the authorizer passes on. Its whole answer is limited, and in some of API Gateway's integrations each
/// becomes a header.
const MAX_PASSED_ON_CHARACTERS: usize = 500;
/// Names that are already used in a body, an answer, the authorizer's context or a file of accounts.
const OURS: [&str; 32] = [
    "account_id",
    "changed_at",
    "current_password",
    "date_joined",
    "deletion",
    "detail",
    "disavowed",
    "doorward",
    "email",
    "external_id",
    "fields",
    "former_addresses",
    "id",
    "is_active",
    "language",
    "model",
    "networks",
    "new_password",
    "new_username",
    "non_field_errors",
    "old_password",
    "password",
    "password_changed_at",
    "pending_email",
    "pk",
    "profile",
    "token",
    "uid",
    "undeliverable",
    "username",
    "verified",
    "verified_at",
];

/// The fields that a deployment declares, in its order.
#[derive(Clone, Default)]
pub struct ProfileFields(Arc<[ProfileField]>);

/// A declared field.
#[derive(Clone)]
pub struct ProfileField {
    /// Its name.
    pub name: &'static str,
    /// The attribute that keeps its value.
    pub(crate) attribute: &'static str,
    /// The placeholder of its value.
    pub(crate) placeholder: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    default: Option<Scalar>,
    /// Whether only an operator changes it.
    pub(super) by_operator: bool,
    /// Whether the authorizer passes it on.
    pub in_token: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    #[serde(rename = "type")]
    kind: String,
    max: Option<i64>,
    min: Option<i64>,
    of: Option<Vec<String>>,
    #[serde(default)]
    required: bool,
    default: Option<Value>,
    write: Option<String>,
    #[serde(default)]
    token: bool,
}

/// The entries of an object, in their order.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Entries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl ProfileFields {
    /// `PROFILE_FIELDS`: a JSON object with a declaration for each field. There are none by default. Every complaint is noted, by the number of its field.
    ///
    /// A field has a `type`: `text` (with `max`, in characters), `bool`, `integer` (with `min` and `max`), `date` or `choice` (with `of`, the choices). It
    /// may also have `required`, `default`, `write` (`owner` or `operator`) and `token`, with which the authorizer passes it on.
    pub fn configured(settings: &mut Settings) -> Self {
        let Some(text) = settings.optional(NAME) else { return Self::default() };
        if text.len() > MAX_DECLARATION_BYTES {
            settings.complain(format!("{NAME}: must have at most {MAX_DECLARATION_BYTES} bytes"));
            return Self::default();
        }
        let Ok(Entries(entries)) = serde_json::from_str(&text) else {
            settings.complain(format!("{NAME}: must be a JSON object of fields"));
            return Self::default();
        };
        let (mut fields, mut complaints): (Vec<ProfileField>, Vec<String>) = (Vec::new(), Vec::new());
        for (number, (name, declaration)) in (1..).zip(entries) {
            let mut wrong = Vec::new();
            check_name(&name, &fields, &mut wrong);
            let field = ProfileField::declared(name, declaration, &mut wrong);
            complaints.extend(wrong.into_iter().map(|complaint| format!("{NAME}: field {number}: {complaint}")));
            fields.extend(field);
        }
        if fields.len() > MAX_FIELDS {
            complaints.push(format!("{NAME}: must have at most {MAX_FIELDS} fields"));
        }
        let characters =
            |told: bool| fields.iter().filter(|field| field.in_token || !told).map(|field| field.kind.longest()).sum::<usize>();
        if characters(false) > MAX_CHARACTERS {
            complaints.push(format!("{NAME}: its texts must have at most {MAX_CHARACTERS} characters together"));
        }
        if characters(true) > MAX_PASSED_ON_CHARACTERS {
            complaints.push(format!("{NAME}: texts with token must have at most {MAX_PASSED_ON_CHARACTERS} characters together"));
        }
        let is_right = complaints.is_empty();
        for complaint in complaints {
            settings.complain(complaint);
        }
        if is_right { Self(fields.into()) } else { Self::default() }
    }

    /// The fields, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &ProfileField> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the authorizer passes one on.
    #[must_use]
    pub fn any_in_token(&self) -> bool {
        self.iter().any(|field| field.in_token)
    }

    /// Whether a first or last name is among them, which a password must not resemble.
    #[must_use]
    pub fn has_names(&self) -> bool {
        self.takes_name(FIRST_NAME) || self.takes_name(LAST_NAME)
    }

    /// The first and the last name in this profile, as Django's users have them. One that is not declared as a text, or not known, is empty.
    #[must_use]
    pub(crate) fn names_in<'a>(&self, profile: &'a Profile) -> [&'a str; 2] {
        [FIRST_NAME, LAST_NAME].map(|name| match profile.get(name).filter(|_| self.takes_name(name)) {
            Some(Scalar::Text(text)) => text,
            _ => "",
        })
    }

    /// Whether this name of a person is declared, as a text.
    #[must_use]
    pub fn takes_name(&self, name: &str) -> bool {
        self.named(name).is_some_and(|field| matches!(field.kind, Kind::Text { .. }))
    }

    /// The field with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&ProfileField> {
        self.iter().find(|field| field.name == name)
    }
}

/// Whether a field may have this name: a small letter and at most 31 more, digits or `_`.
#[must_use]
pub fn is_plain(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn check_name(name: &str, before: &[ProfileField], wrong: &mut Vec<&'static str>) {
    if !is_plain(name) {
        wrong.push("its name must be a small letter and at most 31 more, digits or _");
    }
    if OURS.contains(&name) {
        wrong.push("its name is one of Doorward's own");
    }
    if before.iter().any(|field| field.name == name) {
        wrong.push("its name is there twice");
    }
}

impl ProfileField {
    /// The field, or `None` if its type is wrong. What is wrong with it is added to `wrong`.
    fn declared(name: String, declaration: Value, wrong: &mut Vec<&'static str>) -> Option<Self> {
        let Ok(declaration) = serde_json::from_value::<Declaration>(declaration) else {
            wrong.push("must be an object with a type and, where they apply, max, min, of, required, default, write and token");
            return None;
        };
        let Some(kind) = Kind::declared(&declaration, wrong) else {
            wrong.push("its type must be text, bool, integer, date or choice");
            return None;
        };
        let given = declaration.default.as_ref().map(|default| value::default(&kind, default));
        if matches!(given, Some(None)) {
            wrong.push("its default is no value that it may have");
        }
        if declaration.required && given.is_some() {
            wrong.push("a required field has no default");
        }
        let by_operator = match declaration.write.as_deref() {
            None | Some("owner") => false,
            Some("operator") => true,
            Some(_) => {
                wrong.push("its write must be owner or operator");
                false
            }
        };
        if declaration.required && by_operator {
            wrong.push("a field that only an operator writes cannot be required");
        }
        if matches!(kind, Kind::Choice(_)) && given.is_none() && !declaration.required {
            wrong.push("a choice must be required or have a default");
        }
        let default = given.flatten().or_else(|| kind.empty());
        // Names are leaked on purpose, because complaints and writes refer to them. There are at most twenty, and they are read once.
        let attribute: &'static str = format!("{PREFIX}{name}").leak();
        let placeholder: &'static str = format!(":{attribute}").leak();
        let (required, in_token) = (declaration.required, declaration.token);
        Some(Self { name: name.leak(), attribute, placeholder, kind, required, default, by_operator, in_token })
    }

    /// The value in a profile, or the default. A value that was stored when the field had another type or other choices is ignored.
    #[must_use]
    pub fn value_in<'a>(&'a self, profile: &'a Profile) -> Option<&'a Scalar> {
        profile.get(self.name).filter(|value| self.kind.holds(value)).or(self.default.as_ref())
    }

    /// Whether it may be null: if it has no default and need not be given.
    pub(super) fn may_be_null(&self) -> bool {
        matches!(self.kind, Kind::Integer { .. } | Kind::Date) && !self.required && self.default.is_none()
    }

    /// Whether it may be empty.
    pub(super) fn may_be_blank(&self) -> bool {
        matches!(self.kind, Kind::Text { .. }) && !self.required
    }
}

impl Kind {
    fn declared(declaration: &Declaration, wrong: &mut Vec<&'static str>) -> Option<Self> {
        let (has_max, has_min, has_of) = (declaration.max.is_some(), declaration.min.is_some(), declaration.of.is_some());
        let (kind, takes) = match declaration.kind.as_str() {
            "text" => {
                let max = declaration.max.map_or(Some(TEXT), |max| usize::try_from(max).ok().filter(|max| *max >= 1));
                if max.is_none() {
                    wrong.push("its max must be at least 1");
                }
                (Self::Text { max: max.unwrap_or(TEXT) }, [true, false, false])
            }
            "integer" => {
                let (min, max) = (declaration.min.unwrap_or(-SAFE), declaration.max.unwrap_or(SAFE));
                if min > max || min < -SAFE || max > SAFE {
                    wrong.push("its min and max must be a range within 2^53 of zero");
                }
                (Self::Integer { min, max }, [true, true, false])
            }
            "bool" => (Self::Bool, [false, false, false]),
            "date" => (Self::Date, [false, false, false]),
            "choice" => {
                let of = declaration.of.clone().unwrap_or_default();
                let is_short = |choice: &String| !choice.is_empty() && choice.trim() == choice && choice.chars().count() <= TEXT;
                if of.is_empty() || !of.iter().all(is_short) {
                    wrong.push("its choices must be listed in of, each with 1 to 150 characters and no space around it");
                }
                (Self::Choice(of), [false, false, true])
            }
            _ => return None,
        };
        if [has_max, has_min, has_of].iter().zip(takes).any(|(has, takes)| *has && !takes) {
            wrong.push("max is for text and integer, min for integer, of for choice");
        }
        Some(kind)
    }

    /// The default of a field that declares none.
    fn empty(&self) -> Option<Scalar> {
        match self {
            Self::Text { .. } => Some(Scalar::Text(String::new())),
            Self::Bool => Some(Scalar::Truth(false)),
            Self::Integer { .. } | Self::Date | Self::Choice(_) => None,
        }
    }

    /// The maximum number of characters of a value.
    fn longest(&self) -> usize {
        match self {
            Self::Text { max } => (*max).min(MAX_CHARACTERS + 1),
            Self::Choice(of) => of.iter().map(|choice| choice.chars().count()).max().unwrap_or_default(),
            Self::Bool | Self::Integer { .. } | Self::Date => 0,
        }
    }

    fn holds(&self, value: &Scalar) -> bool {
        match self {
            Self::Text { .. } | Self::Date => matches!(value, Scalar::Text(_)),
            Self::Choice(of) => matches!(value, Scalar::Text(text) if of.contains(text)),
            Self::Bool => matches!(value, Scalar::Truth(_)),
            Self::Integer { .. } => matches!(value, Scalar::Number(_)),
        }
    }
}
