//! Rendered mails.

use serde::Serialize;

use crate::{
    brand::Product,
    caller::Caller,
    clock::Timestamp,
    language::Language,
    template::{TemplateError, render},
    wording::without_isolates,
};

/// A mail that is ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject: one line.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

impl Rendered {
    /// Renders the mail whose templates are in the folder `name`.
    pub(super) fn of(name: &str, language: Language, product: &Product, data: &impl Serialize) -> Result<Self, TemplateError> {
        let part = |part: &str| render(&format!("email/{name}/{part}"), language, product, data);
        // A subject is one line, whatever the template contains. Lists in mail programs do not support isolates.
        let subject = without_isolates(&part("subject.txt")?).split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Self { subject, text: part("body.txt")?, html: part("body.html")? })
    }
}

/// The time and the caller of a request, as text.
#[derive(Serialize)]
pub(super) struct CallerInWords {
    when: String,
    address: String,
    browser: String,
}

impl CallerInWords {
    pub(super) fn new(caller: &Caller, at: Timestamp, language: Language) -> Result<Self, TemplateError> {
        Ok(Self {
            when: language.instant(at)?,
            address: caller.address.map(|address| address.to_string()).unwrap_or_default(),
            browser: caller.agent.map(|agent| language.agent(agent)).transpose()?.unwrap_or_default(),
        })
    }
}
