//! The notice that an account will be deleted.

use serde::Serialize;

use super::rendered::{CallerInWords, Rendered};
use crate::{brand::Product, caller::Caller, clock::Timestamp, language::Language, template::TemplateError};

/// The notice that somebody who knew the password requested the deletion of the account, and how to cancel it.
#[derive(Clone)]
pub struct DeletionMail {
    /// The product.
    pub product: Product,
    /// The language.
    pub language: Language,
    /// The link that cancels the deletion, including its token. It works until the account is deleted.
    pub link: String,
    /// Who asked.
    pub caller: Caller,
    /// When it was requested.
    pub asked_at: Timestamp,
    /// From when on the account is deleted.
    pub due_at: Timestamp,
}

#[derive(Serialize)]
struct Data<'a> {
    link: &'a str,
    due: String,
    #[serde(flatten)]
    caller: CallerInWords,
}

impl DeletionMail {
    /// The mail.
    pub fn render(&self) -> Result<Rendered, TemplateError> {
        let caller = CallerInWords::new(&self.caller, self.asked_at, self.language)?;
        let data = Data { link: &self.link, due: self.language.instant(self.due_at)?, caller };
        Rendered::of("deletion", self.language, &self.product, &data)
    }
}
