//! Complaints about fields.

use std::{borrow::Cow, fmt};

use serde::{Serialize, Serializer};

/// A complaint about a field. The API words it in English like the DRF API; a page words it in its reader's language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// It is missing.
    Required,
    /// It is null.
    Null,
    /// It is empty.
    Blank,
    /// It is not text.
    NotText,
    /// It is not an e-mail address.
    Email,
    /// It has more code points than this maximum.
    TooLong(usize),
    /// It contains U+0000.
    NullCharacter,
    /// It had to be typed twice and differs. Only pages ask for that.
    Mismatch,
    /// It is refused as a password.
    Password(crate::password::Violation),
    /// It is not one of the allowed values.
    NoChoice(Typed),
    /// A message of one endpoint that no page shows.
    Other(Cow<'static, str>),
}

/// The typed text, which a complaint repeats. It may be personal data, so its `Debug` output does not contain it.
#[derive(Clone, PartialEq, Eq)]
pub struct Typed(pub String);

impl fmt::Debug for Typed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl Complaint {
    /// The message of the API.
    #[must_use]
    pub fn in_english(&self) -> Cow<'static, str> {
        match self {
            Self::Required => "This field is required.".into(),
            Self::Null => "This field may not be null.".into(),
            Self::Blank => "This field may not be blank.".into(),
            Self::NotText => "Not a valid string.".into(),
            Self::Email => "Enter a valid email address.".into(),
            Self::TooLong(longest) => format!("Ensure this field has no more than {longest} characters.").into(),
            Self::NullCharacter => "Null characters are not allowed.".into(),
            Self::Mismatch => "The two passwords are not the same.".into(),
            Self::Password(violation) => violation.message(),
            Self::NoChoice(Typed(typed)) => format!("\"{typed}\" is not a valid choice.").into(),
            Self::Other(message) => message.clone(),
        }
    }
}

impl From<crate::password::Violation> for Complaint {
    fn from(violation: crate::password::Violation) -> Self {
        Self::Password(violation)
    }
}

impl From<&'static str> for Complaint {
    fn from(message: &'static str) -> Self {
        Self::Other(message.into())
    }
}

impl From<String> for Complaint {
    fn from(message: String) -> Self {
        Self::Other(message.into())
    }
}

/// Complaints by field, in the order in which the fields were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<(&'static str, Vec<Complaint>)>);

impl FieldErrors {
    /// One complaint about one field.
    #[must_use]
    pub fn one(field: &'static str, complaint: impl Into<Complaint>) -> Self {
        let mut errors = Self::default();
        errors.add(field, complaint);
        errors
    }

    /// Adds a complaint to a field's list.
    pub fn add(&mut self, field: &'static str, complaint: impl Into<Complaint>) {
        match self.0.iter_mut().find(|(name, _)| *name == field) {
            Some((_, complaints)) => complaints.push(complaint.into()),
            None => self.0.push((field, vec![complaint.into()])),
        }
    }

    /// Whether there is no complaint.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fields with their complaints.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[Complaint])> {
        self.0.iter().map(|(field, complaints)| (*field, complaints.as_slice()))
    }
}

impl Serialize for FieldErrors {
    /// `{field: [message, …]}`, with fields in the order in which they were read, because front-ends show the first message of the first field.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_map(self.iter().map(|(field, complaints)| (field, complaints.iter().map(Complaint::in_english).collect::<Vec<_>>())))
    }
}
