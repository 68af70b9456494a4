//! The notice that a password was changed.

use std::time::Duration;

use serde::Serialize;

use super::rendered::{CallerInWords, Rendered};
use crate::{brand::Product, caller::Caller, clock::Timestamp, language::Language, outbox::ChangeKind, template::TemplateError};

/// The notice that a password was changed.
#[derive(Clone)]
pub struct ChangedMail {
    /// The product.
    pub product: Product,
    /// The language.
    pub language: Language,
    /// How it was changed.
    pub kind: ChangeKind,
    /// The "this wasn't me" link, including its token.
    pub link: String,
    /// How long the link works.
    pub lifetime: Duration,
    /// Who changed it.
    pub caller: Caller,
    /// When it was changed.
    pub changed_at: Timestamp,
    /// The number of changes. The mail describes the last of them.
    pub changes: u64,
    /// When the first of them was made.
    pub first_changed_at: Timestamp,
    /// Whether somebody also logged in from a place that is new to the account.
    pub signed_in: bool,
}

#[derive(Serialize)]
struct Data<'a> {
    by_reset: bool,
    /// Whether there were several changes; `times` and `since` are about them.
    several: bool,
    times: String,
    since: String,
    signed_in: bool,
    link: &'a str,
    days: String,
    #[serde(flatten)]
    caller: CallerInWords,
}

impl ChangedMail {
    /// The mail.
    pub fn render(&self) -> Result<Rendered, TemplateError> {
        let data = Data {
            by_reset: self.kind == ChangeKind::Reset,
            several: self.changes > 1,
            times: self.language.count("times", self.changes)?,
            since: self.language.instant(self.first_changed_at)?,
            signed_in: self.signed_in,
            link: &self.link,
            days: self.language.count("days", self.lifetime.as_secs() / (24 * 60 * 60))?,
            caller: CallerInWords::new(&self.caller, self.changed_at, self.language)?,
        };
        Rendered::of("password_changed", self.language, &self.product, &data)
    }
}
