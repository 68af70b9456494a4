//! The notice that an operator changed one of an account's names.

use serde::Serialize;

use super::rendered::{CallerInWords, Rendered};
use crate::{brand::Product, caller::Caller, clock::Timestamp, language::Language, template::TemplateError};

/// The notice that an account has another e-mail address, to the former one, or another username. It names neither, because whoever reads the former
/// address need not be the owner any more.
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
}

#[derive(Serialize)]
struct Data {
    is_email: bool,
    #[serde(flatten)]
    caller: CallerInWords,
}

impl RenamedMail {
    /// The mail.
    pub fn render(&self) -> Result<Rendered, TemplateError> {
        // An operator is no caller with an address.
        let caller = CallerInWords::new(&Caller::default(), self.changed_at, self.language)?;
        Rendered::of("account_renamed", self.language, &self.product, &Data { is_email: self.is_email, caller })
    }
}
