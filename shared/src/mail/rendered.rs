//! A mail as it is sent.

use serde::Serialize;

use crate::{
    brand::Product,
    caller::Caller,
    clock::Timestamp,
    language::Language,
    template::{TemplateError, render},
    wording::without_isolates,
};

/// A mail, ready to send.
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
    /// The mail whose templates lie under `name`.
    pub(super) fn of(name: &str, language: Language, product: &Product, data: &impl Serialize) -> Result<Self, TemplateError> {
        let part = |part: &str| render(&format!("email/{name}/{part}"), language, product, data);
        // A subject is one line, whatever its template does; lists of mails know no isolates.
        let subject = without_isolates(&part("subject.txt")?).split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Self { subject, text: part("body.txt")?, html: part("body.html")? })
    }
}

/// When something was asked and by which caller, in words.
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
