//! The notice of a login from a place that is new to the account.

use std::time::Duration;

use serde::Serialize;

use super::rendered::{CallerInWords, Rendered};
use crate::{brand::Product, caller::Caller, clock::Timestamp, language::Language, template::TemplateError};

/// The notice that somebody who knew the password logged in from a network that the account did not know.
#[derive(Clone)]
pub struct SignInMail {
    /// The product.
    pub product: Product,
    /// The language.
    pub language: Language,
    /// The "this wasn't me" link, including its token.
    pub link: String,
    /// How long the link works.
    pub lifetime: Duration,
    /// Who logged in.
    pub caller: Caller,
    /// When.
    pub at: Timestamp,
    /// The number of such logins. The mail describes the last of them.
    pub times: u64,
}

#[derive(Serialize)]
struct Data<'a> {
    several: bool,
    times: String,
    link: &'a str,
    days: String,
    #[serde(flatten)]
    caller: CallerInWords,
}

impl SignInMail {
    /// The mail.
    pub fn render(&self) -> Result<Rendered, TemplateError> {
        let data = Data {
            several: self.times > 1,
            times: self.language.count("times", self.times)?,
            link: &self.link,
            days: self.language.count("days", self.lifetime.as_secs() / (24 * 60 * 60))?,
            caller: CallerInWords::new(&self.caller, self.at, self.language)?,
        };
        Rendered::of("sign_in", self.language, &self.product, &data)
    }
}
