//! Reading the fields of a body, with all complaints together.

use zeroize::Zeroizing;

use super::{Complaint, FieldErrors, Form, Refusal, body::Value};
use crate::text::{composed, trim, trim_unseen};

/// The kind of value that a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Text, trimmed.
    Text,
    /// Text exactly as typed, for passwords.
    Verbatim,
    /// Text, trimmed, that must be an e-mail address. A value that is not text gets that message too.
    Email,
    /// The name of an existing account, trimmed of white space and invisible characters.
    KnownName,
    /// The e-mail address of an account that may exist, trimmed likewise.
    KnownEmail,
}

/// The value of a declared field, as entered. It has no `Debug`, because it may be personal data.
pub enum Entered {
    /// Null.
    Null,
    /// A text. In a form everything is one.
    Text(Zeroizing<String>),
    /// A boolean or a number, in JSON.
    Scalar(Zeroizing<String>),
    /// A list or an object in JSON, or a file, which is empty.
    Other(Zeroizing<String>),
}

/// The fields of a body, and the complaints about them.
pub struct Fields {
    form: Form,
    errors: FieldErrors,
}

impl Fields {
    /// Starts reading the fields of this body.
    #[must_use]
    pub fn of(form: Form) -> Self {
        Self { form, errors: FieldErrors::default() }
    }

    /// A required text field. `None` if a complaint was noted.
    pub fn take(&mut self, name: &'static str, field: Field) -> Option<Zeroizing<String>> {
        let text = match self.form.take(name) {
            None => return self.refuse(name, Complaint::Required),
            Some(Value::Null) => return self.refuse(name, Complaint::Null),
            Some(Value::List(_) | Value::Scalar(_) | Value::Other(_)) if matches!(field, Field::Email | Field::KnownEmail) => {
                return self.refuse(name, Complaint::Email);
            }
            Some(Value::List(_) | Value::Scalar(_) | Value::Other(_)) => return self.refuse(name, Complaint::NotText),
            Some(Value::Text(text)) => text,
        };
        let text = match field {
            Field::Verbatim => text,
            Field::Text | Field::Email => Zeroizing::new(trim(&text).to_owned()),
            Field::KnownName | Field::KnownEmail => Zeroizing::new(trim_unseen(&text).to_owned()),
        };
        if text.is_empty() { self.refuse(name, Complaint::Blank) } else { Some(text) }
    }

    /// Like `take`, with a complaint about U+0000 and, for a field whose value is stored, about more than `longest` code points. The text is returned even
    /// then, so that more complaints can be added; [`Fields::finish`] refuses it.
    pub fn take_checked(&mut self, name: &'static str, field: Field, longest: Option<usize>) -> Option<Zeroizing<String>> {
        let text = self.take(name, field)?;
        // The length of a password is that of the form that is hashed.
        let counted = (field == Field::Verbatim && longest.is_some()).then(|| composed(&text));
        self.check_length(name, counted.as_ref().unwrap_or(&text), longest);
        self.check_null(name, &text);
        Some(text)
    }

    /// A required list of texts, of at most `most`. Only JSON has lists. `None` if a complaint was noted.
    pub fn take_texts(&mut self, name: &'static str, most: usize) -> Option<Vec<Zeroizing<String>>> {
        let values = match self.form.take(name) {
            None => return self.refuse(name, Complaint::Required),
            Some(Value::Null) => return self.refuse(name, Complaint::Null),
            Some(value) => value.values().ok().flatten(),
        };
        let Some(values) = values else { return self.refuse(name, "Expected a list of items.") };
        if values.is_empty() {
            return self.refuse(name, "This list may not be empty.");
        }
        if values.len() > most {
            return self.refuse(name, format!("Ensure this field has no more than {most} elements."));
        }
        let text = |value| if let Value::Text(text) = value { Some(text) } else { None };
        let texts: Option<Vec<Zeroizing<String>>> = values.into_iter().map(text).collect();
        if texts.is_none() { self.refuse(name, Complaint::NotText) } else { texts }
    }

    /// The value of a declared field, if it is there.
    pub(crate) fn take_entered(&mut self, name: &str) -> Option<Entered> {
        Some(match self.form.take(name)? {
            Value::Null => Entered::Null,
            Value::Text(text) => Entered::Text(text),
            Value::Scalar(raw) => Entered::Scalar(raw),
            Value::List(raw) | Value::Other(raw) => Entered::Other(raw),
        })
    }

    /// Whether the body has a field of this name. The field is not taken.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.form.has(name)
    }

    /// The text of a field, which is not taken. `None` if it is missing or not text.
    #[must_use]
    pub fn glance(&self, name: &str) -> Option<&str> {
        self.form.text(name)
    }

    /// Whether the body is an HTML form, in which a box that is not ticked is missing.
    #[must_use]
    pub fn is_form(&self) -> bool {
        self.form.is_html()
    }

    /// Complains about `name` unless it is a form's box that a person has ticked. Browsers send "on" for a box without a value (HTML, 4.10.18.5).
    pub fn check_ticked(&mut self, name: &'static str) {
        if !matches!(self.form.take(name), Some(Value::Text(text)) if text.as_str() == "on") {
            self.complain(name, Complaint::Required);
        }
    }

    /// Complains about `name` unless it equals `text`. If `text` was not sent, there is nothing to repeat.
    pub fn check_repeated(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(again) = self.form.take(name)
            && !matches!((&again, text), (Value::Text(again), Some(text)) if again.as_str() == text)
        {
            self.complain(name, Complaint::Mismatch);
        }
    }

    /// Complains about more than `longest` code points.
    pub(crate) fn check_length(&mut self, name: &'static str, text: &str, longest: Option<usize>) {
        if let Some(longest) = longest.filter(|longest| text.chars().count() > *longest) {
            self.complain(name, Complaint::TooLong(longest));
        }
    }

    /// Complains about U+0000.
    pub(crate) fn check_null(&mut self, name: &'static str, text: &str) {
        if text.contains('\0') {
            self.complain(name, Complaint::NullCharacter);
        }
    }

    /// Notes a complaint about a field.
    pub fn complain(&mut self, name: &'static str, complaint: impl Into<Complaint>) {
        self.errors.add(name, complaint);
    }

    /// Notes a complaint about a field, which has no value then.
    fn refuse<T>(&mut self, name: &'static str, complaint: impl Into<Complaint>) -> Option<T> {
        self.complain(name, complaint);
        None
    }

    /// The value of a field whose text was taken, or a complaint if the text is no such value.
    pub fn parse<T, E>(
        &mut self,
        name: &'static str,
        text: Option<&Zeroizing<String>>,
        parse: impl FnOnce(&str) -> Result<T, E>,
        complaint: Complaint,
    ) -> Option<T> {
        parse(text?).ok().or_else(|| self.refuse(name, complaint))
    }

    /// Whether there is a complaint about this field so far.
    #[must_use]
    pub fn has_complaint(&self, name: &str) -> bool {
        self.errors.iter().any(|(field, _)| field == name)
    }

    /// `values`, or all complaints if there are any.
    pub fn finish<T>(self, values: Option<T>) -> Result<T, Refusal> {
        match values {
            Some(values) if self.errors.is_empty() => Ok(values),
            _ => Err(Refusal::Fields(self.errors)),
        }
    }
}
