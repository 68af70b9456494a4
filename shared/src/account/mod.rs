//! Accounts: their names, their items, and how they are found, created and changed.

mod email;
mod find;
mod former;
mod item;
mod keys;
mod note;
mod profile;
mod register;
mod reserved;
mod username;

pub use self::{
    email::{EmailAddress, InvalidEmail, MAX_EMAIL_LENGTH, email_key},
    find::Holders,
    note::Marked,
    profile::Profiled,
    register::{Imported, Registered, Taken},
    reserved::FormerAddress,
    username::{Username, UsernameRule},
};
pub(crate) use self::{
    former::{former, had_until},
    item::{
        NewPassword, activated, deactivated, deletion_begun, deletion_requested, end_sessions, existing, first_password, password_changed,
        password_disavowed, password_reset, read, removed, resettable, unchanged, unmoved, unverified, verified, with_email,
        with_own_username, with_username,
    },
    keys::{SORT, key, partition},
    profile::{key as profile_key, read as read_profile},
    reserved::{Confirmed, GivenBack, confirmed},
};
pub use crate::id::AccountId;
use crate::{
    client::{Client, Network},
    clock::Timestamp,
    language::Language,
    password::{Owner, StoredPassword},
    profile::{Profile, ProfileFields},
    token::{Digest, Purpose},
};

/// The epoch of a new account: nothing has ended its sessions yet.
pub(crate) const FIRST_EPOCH: u64 = 1;

/// A stored account. It has no `Debug`, because names and addresses are personal data.
#[derive(Clone)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The username.
    pub username: Username,
    /// The e-mail address; mail goes there.
    pub email: EmailAddress,
    /// The stored password. An account without one cannot log in and gets no reset mail.
    pub password: Option<StoredPassword>,
    /// Raised by every change that ends sessions; a session is valid only under the current one.
    pub epoch: u64,
    /// Whether the account is active.
    pub active: bool,
    /// When the account was created.
    pub created_at: Timestamp,
    /// When the password was last set.
    pub password_changed_at: Timestamp,
    /// Whether the owner has disavowed the password. It does not work until it is replaced.
    pub disavowed: bool,
    /// When it was last disavowed or deactivated. Only newer disavowal links work.
    pub disavowals_before: Option<Timestamp>,
    /// The language of mails and pages that the account has chosen, if any (BCP 47).
    pub language: Option<String>,
    /// Networks from which the owner registered, reset the password or logged in, newest first. A new password clears the list.
    pub networks: Vec<KnownNetwork>,
    /// The id that the account had in the service that it was imported from, because other tables may refer to it.
    pub external_id: Option<String>,
    /// Why mail did not reach the address, and when that mail had been sent.
    pub undeliverable: Option<(Undeliverable, Timestamp)>,
    /// Its deletion, if the owner requested one and it was not cancelled. Such an account is inactive.
    pub deletion: Option<RequestedDeletion>,
    /// When the address was verified, by a link that was mailed to it or by an import. Older accounts do not have it.
    pub verified_at: Option<Timestamp>,
    /// The digest of the link that verified it, if it was the link of a verification mail.
    pub verified_by: Option<String>,
    /// The values of declared fields, of an account that will be created or that was read with its profile. They are in an item of their own, which is
    /// read only where they are needed.
    pub profile: Profile,
    /// How often its address was changed or restored.
    pub address_no: u64,
    /// The former addresses that are reserved for it, the oldest first.
    pub former: Vec<FormerAddress>,
}

/// The deletion of an account that its owner requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestedDeletion {
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// From when on it is carried out.
    pub due_at: Timestamp,
    /// Whether that has begun. Then it can no longer be cancelled.
    pub has_begun: bool,
}

impl Account {
    /// Whether this link verified the address, and the account can be opened.
    pub(crate) fn was_verified_by<P: Purpose>(&self, link: &Digest<P>) -> bool {
        self.verified_at.is_some() && self.usable_password().is_some() && self.verified_by.as_deref() == Some(link.as_str())
    }

    /// A new, active account whose password is set at `now`.
    #[must_use]
    pub fn new(id: AccountId, username: Username, email: EmailAddress, password: StoredPassword, now: Timestamp) -> Self {
        Self {
            id,
            username,
            email,
            password: Some(password),
            epoch: FIRST_EPOCH,
            active: true,
            created_at: now,
            password_changed_at: now,
            disavowed: false,
            disavowals_before: None,
            language: None,
            networks: Vec::new(),
            external_id: None,
            undeliverable: None,
            deletion: None,
            verified_at: None,
            verified_by: None,
            profile: Profile::default(),
            address_no: 0,
            former: Vec::new(),
        }
    }

    /// The language that the account has chosen, if there are texts in it.
    #[must_use]
    pub fn language(&self) -> Option<Language> {
        self.language.as_deref().and_then(Language::of_tag)
    }

    /// The password with which one can log in now: a usable one that its owner has not disavowed.
    #[must_use]
    pub fn login_password(&self) -> Option<&StoredPassword> {
        self.usable_password().filter(|_| !self.disavowed)
    }

    /// The password of an account that can be opened, or whose password can be replaced by mail: of an active account with a usable password.
    ///
    /// `OPENABLE` in `account/item.rs` is the same condition in the store. The two change together; a test compares them.
    #[must_use]
    pub fn usable_password(&self) -> Option<&StoredPassword> {
        self.password.as_ref().filter(|password| self.active && password.is_usable())
    }

    /// The texts that a password of the account must not resemble: its names and its address, and the first and last name if they are declared and were
    /// read.
    #[must_use]
    pub fn owner(&self, fields: &ProfileFields) -> Owner<'_> {
        let [first_name, last_name] = fields.names_in(&self.profile);
        Owner { username: self.username.as_str(), first_name, last_name, email: self.email.as_str() }
    }

    /// Whether its owner can disavow the password: the account can be opened, or it is inactive because of a requested deletion that has not begun. Only
    /// an operator can activate an account that an operator deactivated.
    #[must_use]
    pub fn can_be_disavowed(&self) -> bool {
        let is_kept = self.active || self.deletion.is_some_and(|deletion| !deletion.has_begun);
        is_kept && self.password.as_ref().is_some_and(StoredPassword::is_usable)
    }
}

/// A network from which the owner has used the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownNetwork {
    /// The network: an IPv4 /24 or an IPv6 /48.
    pub network: Network,
    /// When that was last, to the day.
    pub seen_at: Timestamp,
}

impl KnownNetwork {
    /// The network of a client, as one of the owner's from now on.
    #[must_use]
    pub fn of(client: Client, now: Timestamp) -> Self {
        Self { network: client.site(), seen_at: now }
    }
}

/// Why mail does not reach an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undeliverable {
    /// The mail server refuses it permanently.
    Bounced,
    /// The reader reported a mail as spam.
    Complained,
}

impl Undeliverable {
    /// The form in which it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn stored(text: &str) -> Option<Self> {
        [Self::Bounced, Self::Complained].into_iter().find(|why| why.as_str() == text)
    }
}
