//! The mail that tells the owner of an address that it already has an account.

use serde::Serialize;

use super::rendered::{CallerInWords, Rendered};
use crate::{brand::Product, caller::Caller, clock::Timestamp, language::Language, template::TemplateError};

/// The mail to the owner of an account that somebody tried to register with its address. The account was not changed, and the answer did not reveal that
/// there is one.
#[derive(Clone)]
pub struct RegisteredMail {
    /// The product.
    pub product: Product,
    /// The language.
    pub language: Language,
    /// The page on which a reset link is requested. It gives access to nothing.
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
