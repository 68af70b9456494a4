//! The notice that one of an account's names was changed.

use std::time::Duration;

use serde::Serialize;

use super::rendered::{CallerInWords, Rendered};
use crate::{brand::Product, caller::Caller, clock::Timestamp, language::Language, template::TemplateError};

/// The notice that an account has another e-mail address (mailed to the former one) or another username. It does not contain the new name, because the
/// reader of the former address may no longer be the owner.
#[derive(Clone)]
pub struct RenamedMail {
    /// The product.
    pub product: Product,
    /// The language.
    pub language: Language,
    /// Whether it was the e-mail address.
    pub is_email: bool,
    /// When it was changed.
    pub changed_at: Timestamp,
    /// Who changed it, unless it was an operator, who has no caller's address.
    pub by: Option<ByOwner>,
}

/// Somebody who knew the password, and the link for the owner if it was somebody else.
#[derive(Clone)]
pub struct ByOwner {
    /// Who it was.
    pub caller: Caller,
    /// The "this wasn't me" link, including its token.
    pub link: String,
    /// How long the link works.
    pub lifetime: Duration,
}

#[derive(Serialize)]
struct Data<'a> {
    is_email: bool,
    by_operator: bool,
    link: &'a str,
    days: String,
    #[serde(flatten)]
    caller: CallerInWords,
}

impl RenamedMail {
    /// The mail.
    pub fn render(&self) -> Result<Rendered, TemplateError> {
        let by = self.by.as_ref();
        let days = by.map_or(0, |by| by.lifetime.as_secs() / (24 * 60 * 60));
        let data = Data {
            is_email: self.is_email,
            by_operator: by.is_none(),
            link: by.map(|by| by.link.as_str()).unwrap_or_default(),
            days: self.language.count("days", days)?,
            caller: CallerInWords::new(&by.map(|by| by.caller).unwrap_or_default(), self.changed_at, self.language)?,
        };
        Rendered::of("account_renamed", self.language, &self.product, &data)
    }
}
