//! Accounts: who they are and by which names they are found.

mod email;
mod username;

use std::{fmt, str::FromStr};

pub use email::{EmailAddress, LONGEST_EMAIL, Malformed, email_key, reads_as_email};
pub use username::{Username, UsernameRule};
use uuid::Uuid;

use crate::{client::Network, clock::Timestamp, language::Language, password::StoredPassword, store::Undeliverable};

/// An account's id: a UUID, version 7.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccountId(Uuid);

impl AccountId {
    /// The UUID.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl FromStr for AccountId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl From<Uuid> for AccountId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// An account as the store holds it. It does not print: names and addresses are its owner's.
#[derive(Clone)]
pub struct Account {
    /// Which account.
    pub id: AccountId,
    /// The username as given.
    pub username: String,
    /// The e-mail address as given; mail goes there.
    pub email: String,
    /// The stored password, or none: such an account cannot log in and gets no reset mail.
    pub password: Option<StoredPassword>,
    /// Raised by every change that ends sessions; a session is valid only under the current one.
    pub epoch: u64,
    /// Whether the account is switched on.
    pub active: bool,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When the password was last set.
    pub password_changed_at: Timestamp,
    /// Whether the owner said that the password is not theirs: nobody logs in with it until it is replaced.
    pub disavowed: bool,
    /// The language of mails and pages, where the account has said one (BCP 47).
    pub language: Option<String>,
    /// Networks that logged in lately, newest first.
    pub networks: Vec<KnownNetwork>,
    /// Why mail did not reach the address, and when that mail was sent.
    pub undeliverable: Option<(Undeliverable, Timestamp)>,
}

impl Account {
    /// A new account, switched on, whose password is set at `now`.
    #[must_use]
    pub fn new(id: AccountId, username: &str, email: &str, password: StoredPassword, now: Timestamp) -> Self {
        Self {
            id,
            username: username.to_owned(),
            email: email.to_owned(),
            password: Some(password),
            epoch: 1,
            active: true,
            created_at: now,
            password_changed_at: now,
            disavowed: false,
            language: None,
            networks: Vec::new(),
            undeliverable: None,
        }
    }

    /// The language that the account has said, if it is one of ours.
    #[must_use]
    pub fn language(&self) -> Option<Language> {
        self.language.as_deref().and_then(Language::of_tag)
    }

    /// The password that opens this account now: a usable one that the owner stands by.
    #[must_use]
    pub fn login_password(&self) -> Option<&StoredPassword> {
        self.usable_password().filter(|_| !self.disavowed)
    }

    /// The password of an account that one can open, or have replaced by mail: it is switched on and has one that is usable.
    #[must_use]
    pub fn usable_password(&self) -> Option<&StoredPassword> {
        self.password.as_ref().filter(|password| self.active && password.is_usable())
    }
}

/// A network that logged in to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownNetwork {
    /// Which network: /24 of IPv4, /48 of IPv6.
    pub network: Network,
    /// When it last logged in, to the day.
    pub seen_at: Timestamp,
}
