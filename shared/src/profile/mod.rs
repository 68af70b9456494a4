//! Declared fields of accounts (`PROFILE_FIELDS`) and their values.

mod declared;
mod entered;
mod value;

use std::{collections::BTreeMap, fmt};

use serde::{Serialize, Serializer};

pub use self::{
    declared::{FIRST_NAME, LAST_NAME, ProfileField, ProfileFields, is_plain},
    entered::{Asked, Change, Changes},
};
use crate::clock::Timestamp;

/// The prefix of the attributes that store fields. No reserved word of DynamoDB begins with it.
pub(crate) const PREFIX: &str = "f_";

/// The value of a field. It has no `Debug`, because it is personal data.
#[derive(Clone, PartialEq, Eq)]
pub enum Scalar {
    /// A text, a choice, or a date as YYYY-MM-DD.
    Text(String),
    /// A boolean.
    Truth(bool),
    /// An integer.
    Number(i64),
}

/// The values of an account, of fields that are or were declared. It has no `Debug`, because they are personal data.
#[derive(Clone, Default)]
pub struct Profile {
    values: BTreeMap<String, Scalar>,
    /// When one of them was changed last, if it is stored.
    pub changed_at: Option<Timestamp>,
}

/// The declared fields of an account with their values, in the order in which they are declared.
pub struct Shown<'a> {
    fields: &'a ProfileFields,
    profile: &'a Profile,
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Truth(truth) => serializer.serialize_bool(*truth),
            Self::Number(number) => serializer.serialize_i64(*number),
        }
    }
}

impl Serialize for Profile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Truth(truth) => truth.fmt(formatter),
            Self::Number(number) => number.fmt(formatter),
        }
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields.iter().map(|field| (field.name, field.value_in(self.profile))))
    }
}

impl ProfileFields {
    /// The declared fields with the values that they have in this profile, or their defaults.
    #[must_use]
    pub fn shown<'a>(&'a self, profile: &'a Profile) -> Shown<'a> {
        Shown { fields: self, profile }
    }
}

impl Profile {
    /// The stored value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Scalar> {
        self.values.get(name)
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Every value with the name of its field, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Scalar)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// A profile of these values.
    #[must_use]
    pub fn of(changes: &Changes) -> Self {
        let mut profile = Self::default();
        profile.apply(changes);
        profile
    }

    /// Whether these changes would leave it as it is.
    #[must_use]
    pub fn has(&self, changes: &Changes) -> bool {
        changes.iter().all(|(field, value)| self.get(field.name) == value.as_ref())
    }

    /// Makes these changes.
    pub fn apply(&mut self, changes: &Changes) {
        for (field, value) in changes {
            match value {
                Some(value) => self.values.insert(field.name.to_owned(), value.clone()),
                None => self.values.remove(field.name),
            };
        }
    }
}

impl FromIterator<(String, Scalar)> for Profile {
    fn from_iter<I: IntoIterator<Item = (String, Scalar)>>(values: I) -> Self {
        Self { values: values.into_iter().collect(), changed_at: None }
    }
}

#[cfg(test)]
mod tests;
