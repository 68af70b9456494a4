//! A mail as it is sent.

use serde::Serialize;

use crate::{
    brand::Product,
    language::Language,
    template::{Broken, render},
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
    pub(super) fn of(name: &str, language: Language, product: &Product, data: &impl Serialize) -> Result<Self, Broken> {
        let part = |part: &str| render(&format!("email/{name}/{part}"), language, product, data);
        // A subject is one line, whatever its template does; lists of mails know no isolates.
        let subject = without_isolates(&part("subject.txt")?).split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Self { subject, text: part("body.txt")?, html: part("body.html")? })
    }
}

/// From where something was asked, in words.
#[derive(Serialize)]
pub(super) struct OriginInWords {
    when: String,
    address: String,
    browser: String,
}

impl OriginInWords {
    pub(super) fn new(origin: &super::Origin, at: crate::clock::Timestamp, language: Language) -> Result<Self, Broken> {
        Ok(Self { when: language.instant(at)?, address: origin.address.clone(), browser: language.agent(&origin.browser)? })
    }
}
