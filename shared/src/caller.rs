//! The caller of a request, as a mail may describe it.

use std::net::IpAddr;

use crate::{agent::Agent, language::Language};

/// From where something was asked. Only values that we recognised, so none of them can carry a stranger's text into a mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The client's address, as the gateway saw it. An operator has none.
    pub address: Option<IpAddr>,
    /// The browser, where it was recognised.
    pub agent: Option<Agent>,
    /// The language to answer in: the account's, where it has chosen one, otherwise the one that the client prefers among ours.
    pub language: Option<Language>,
}

impl Caller {
    /// The same caller, in a mail to the owner of an account that has this language. Where it has none, the mail speaks the deployment's, never the
    /// caller's: that may be who took the account over.
    #[must_use]
    pub fn in_language(self, language: Option<Language>) -> Self {
        Self { language, ..self }
    }
}
