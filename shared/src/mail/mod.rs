//! Mail: data in, a rendered mail out, sent by SES.

mod changed;
mod links;
mod rendered;
mod reset;
mod send;

pub use self::{
    changed::ChangedMail,
    links::Links,
    rendered::Rendered,
    reset::ResetMail,
    send::{NotSent, Sender},
};
use crate::{account::Account, language::Language};

/// From where something was asked, in words that may stand in a mail: an address the gateway saw, a browser we recognised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address.
    pub address: String,
    /// The browser and system, in words of ours; empty when not recognised.
    pub browser: String,
    /// The language to answer in: the account's, where one is known, else the one the client prefers among ours.
    pub language: Option<Language>,
}

impl Origin {
    /// The same, answered in the account's language if it has said one.
    #[must_use]
    pub fn in_language_of(self, account: &Account) -> Self {
        Self { language: account.language().or(self.language), ..self }
    }
}

/// How a password came to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// By somebody signed in who knew the old one.
    Changed,
    /// By a reset link.
    Reset,
}

impl ChangeKind {
    /// As the store holds it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Reset => "reset",
        }
    }

    /// From what the store holds.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        [Self::Changed, Self::Reset].into_iter().find(|kind| kind.as_str() == text)
    }
}
