//! The mail with a reset link, and the invitation, which has one too.

use std::time::Duration;

use serde::Serialize;

use super::rendered::{CallerInWords, Rendered};
use crate::{brand::Product, caller::Caller, clock::Timestamp, language::Language, template::TemplateError};

/// A mail with a reset link.
#[derive(Clone)]
pub struct ResetMail {
    /// The product.
    pub product: Product,
    /// The language.
    pub language: Language,
    /// The link, including its token, which gives access to the account.
    pub link: String,
    /// The token itself, for people whose front-end asks them to enter it.
    pub token: Option<String>,
    /// How long the link works.
    pub lifetime: Duration,
    /// Who asked for it.
    pub caller: Caller,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Whether it invites the owner to choose a first password.
    pub invites: bool,
}

#[derive(Serialize)]
struct Data<'a> {
    link: &'a str,
    token: Option<&'a str>,
    lifetime: String,
    #[serde(flatten)]
    caller: CallerInWords,
}

impl ResetMail {
    /// The mail.
    pub fn render(&self) -> Result<Rendered, TemplateError> {
        let data = Data {
            link: &self.link,
            token: self.token.as_deref(),
            lifetime: self.language.span(self.lifetime)?,
            caller: CallerInWords::new(&self.caller, self.requested_at, self.language)?,
        };
        let folder = if self.invites { "invitation" } else { "password_reset" };
        Rendered::of(folder, self.language, &self.product, &data)
    }
}
