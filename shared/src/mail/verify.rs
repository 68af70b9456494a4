//! The mail with a link that verifies its address.

use std::time::Duration;

use serde::Serialize;

use super::rendered::{CallerInWords, Rendered};
use crate::{brand::Product, caller::Caller, clock::Timestamp, language::Language, template::TemplateError};

/// A mail with a verification link. It does not name the account, because strangers choose usernames and could send text to anybody. The page that the
/// link opens names it.
#[derive(Clone)]
pub struct VerifyMail {
    /// The product.
    pub product: Product,
    /// The language.
    pub language: Language,
    /// The link, including its token. It gives no access to the account.
    pub link: String,
    /// How long the link works.
    pub lifetime: Duration,
    /// Whether it confirms a change of address.
    pub changes: bool,
    /// Who asked for it.
    pub caller: Caller,
    /// When it was asked for.
    pub requested_at: Timestamp,
}

#[derive(Serialize)]
struct Data<'a> {
    link: &'a str,
    days: String,
    changes: bool,
    #[serde(flatten)]
    caller: CallerInWords,
}

impl VerifyMail {
    /// The mail.
    pub fn render(&self) -> Result<Rendered, TemplateError> {
        let data = Data {
            link: &self.link,
            days: self.language.count("days", self.lifetime.as_secs() / (24 * 60 * 60))?,
            changes: self.changes,
            caller: CallerInWords::new(&self.caller, self.requested_at, self.language)?,
        };
        Rendered::of("verify", self.language, &self.product, &data)
    }
}
