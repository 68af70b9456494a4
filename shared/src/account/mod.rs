//! Accounts: who they are, by which names they are found, and what is stored of them.

mod email;
mod find;
mod item;
mod note;
mod register;
mod username;

pub(crate) use self::item::{
    SORT, end_sessions, first_password, key, partition, password_changed, password_disavowed, password_reset, read, removed, resettable, switched,
};
pub use self::{
    email::{EmailAddress, LONGEST_EMAIL, Malformed, email_key},
    find::Holders,
    note::Marked,
    register::{Registered, Taken},
    username::{Username, UsernameRule},
};
pub use crate::id::AccountId;
use crate::{client::Network, clock::Timestamp, language::Language, password::StoredPassword};

/// An account as the store holds it. It does not print: names and addresses are personal data.
#[derive(Clone)]
pub struct Account {
    /// Which account.
    pub id: AccountId,
    /// The username.
    pub username: Username,
    /// The e-mail address; mail goes there.
    pub email: EmailAddress,
    /// The stored password. An account without one cannot log in and gets no reset mail.
    pub password: Option<StoredPassword>,
    /// Raised by every change that ends sessions; a session is valid only under the current one.
    pub epoch: u64,
    /// Whether the account is switched on.
    pub active: bool,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When the password was last set.
    pub password_changed_at: Timestamp,
    /// Whether the owner said that the password is not theirs. It opens nothing until it is replaced.
    pub disavowed: bool,
    /// The language of mails and pages that the account has chosen, if any (BCP 47).
    pub language: Option<String>,
    /// Networks that logged in lately, newest first.
    pub networks: Vec<KnownNetwork>,
    /// Why mail did not reach the address, and when that mail was sent.
    pub undeliverable: Option<(Undeliverable, Timestamp)>,
}

impl Account {
    /// A new account, switched on, whose password is set at `now`.
    #[must_use]
    pub fn new(id: AccountId, username: Username, email: EmailAddress, password: StoredPassword, now: Timestamp) -> Self {
        Self {
            id,
            username,
            email,
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

    /// The language that the account has chosen, if it is one of ours.
    #[must_use]
    pub fn language(&self) -> Option<Language> {
        self.language.as_deref().and_then(Language::of_tag)
    }

    /// The password that opens this account now: a usable one that its owner has not disavowed.
    #[must_use]
    pub fn login_password(&self) -> Option<&StoredPassword> {
        self.usable_password().filter(|_| !self.disavowed)
    }

    /// The password of an account that can be opened, or whose password can be replaced by mail: an active account with a usable password.
    ///
    /// The store is asked the same by `OPENABLE` in `account/item.rs`. The two change together; a test compares them.
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

/// Why mail does not reach an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undeliverable {
    /// Its server refuses it for good.
    Bounced,
    /// Its reader called a mail spam.
    Complained,
}

impl Undeliverable {
    /// As the store holds it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }

    /// From what the store holds.
    fn stored(text: &str) -> Option<Self> {
        [Self::Bounced, Self::Complained].into_iter().find(|why| why.as_str() == text)
    }
}
