//! The notices of a change of address, to the old address.

use std::time::Duration;

use serde::Serialize;

use super::rendered::{CallerInWords, Rendered};
use crate::{brand::Product, caller::Caller, clock::Timestamp, language::Language, template::TemplateError, wording::MissingMessageError};

/// The state of a change of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressStep {
    /// It was requested.
    Asked,
    /// The new mailbox has confirmed it.
    Changed,
}

/// The notice that a change of address was requested or confirmed. It does not name the new address, because the reader of the old mailbox may no longer
/// be the owner.
#[derive(Clone)]
pub struct AddressMail {
    /// The product.
    pub product: Product,
    /// The language.
    pub language: Language,
    /// What happened.
    pub step: AddressStep,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub caller: Caller,
    /// The "this wasn't me" link, including its token, and how long it works, if the change can be undone.
    pub undo: Option<(String, Duration)>,
}

#[derive(Serialize)]
struct Data<'a> {
    is_done: bool,
    link: &'a str,
    days: String,
    #[serde(flatten)]
    caller: CallerInWords,
}

impl AddressMail {
    /// The mail.
    pub fn render(&self) -> Result<Rendered, TemplateError> {
        let (link, lifetime) = self.undo.as_ref().map_or(("", Duration::ZERO), |(link, lifetime)| (link, *lifetime));
        let data = Data {
            is_done: self.step == AddressStep::Changed,
            link,
            days: said(lifetime, self.language)?,
            caller: CallerInWords::new(&self.caller, self.at, self.language)?,
        };
        Rendered::of("address_changed", self.language, &self.product, &data)
    }
}

/// How long a link works, rounded down: in days if it is at least two or exactly one, otherwise in hours or minutes.
fn said(lifetime: Duration, language: Language) -> Result<String, MissingMessageError> {
    const HOUR: u64 = 60 * 60;
    const DAY: u64 = 24 * HOUR;
    let seconds = lifetime.as_secs();
    if seconds >= 2 * DAY || seconds.is_multiple_of(DAY) {
        return language.count("days", seconds / DAY);
    }
    let unit = if seconds < HOUR { 60 } else { HOUR };
    language.span(Duration::from_secs(seconds / unit * unit))
}
