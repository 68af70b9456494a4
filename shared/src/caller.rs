//! The caller of a request, as mails describe it.

use std::net::IpAddr;

use uuid::Uuid;

use crate::{agent::Agent, language::Language};

/// The origin of a request. It contains recognised values only, so it cannot carry a stranger's text into a mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The client's address as the gateway saw it. Operators have none.
    pub address: Option<IpAddr>,
    /// The browser, if it was recognised.
    pub agent: Option<Agent>,
    /// The language to answer in: the one that the account has chosen, otherwise the one that the client prefers.
    pub language: Option<Language>,
    /// The id of the request in the log. It is in no mail.
    pub request_id: Option<Uuid>,
}

impl Caller {
    /// The same caller, for a mail to the owner of an account with this language. Without one the mail is in the deployment's language and never in that
    /// of the caller, who may have taken the account over.
    #[must_use]
    pub fn in_language(self, language: Option<Language>) -> Self {
        Self { language, ..self }
    }
}
