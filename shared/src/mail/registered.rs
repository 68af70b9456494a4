//! The mail that an address has an account already.

use serde::Serialize;

use super::rendered::{CallerInWords, Rendered};
use crate::{brand::Product, caller::Caller, clock::Timestamp, language::Language, template::TemplateError};

/// The mail to the owner of an account that somebody tried to register with its address. Nothing was changed, and the answer did not tell that there is an
/// account.
#[derive(Clone)]
pub struct RegisteredMail {
    /// The product.
    pub product: Product,
    /// The language.
    pub language: Language,
    /// The page on which one asks for a link that sets a new password. It opens nothing by itself.
    pub link: String,
    /// Who tried.
    pub caller: Caller,
    /// When.
    pub at: Timestamp,
}

#[derive(Serialize)]
struct Data<'a> {
    link: &'a str,
    #[serde(flatten)]
    caller: CallerInWords,
}

impl RegisteredMail {
    /// The mail.
    pub fn render(&self) -> Result<Rendered, TemplateError> {
        let data = Data { link: &self.link, caller: CallerInWords::new(&self.caller, self.at, self.language)? };
        Rendered::of("registered", self.language, &self.product, &data)
    }
}
