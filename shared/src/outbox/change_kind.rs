//! The kinds of notices.

/// How a password was changed, or which other change a notice reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// By a logged-in person who knew the old one.
    Changed,
    /// By a reset link.
    Reset,
    /// Not the password: an operator changed the account's e-mail address. The notice goes to the former one.
    Email,
    /// Not the password: an operator changed the account's username.
    Username,
    /// Not the password: somebody who knew the password changed the account's username.
    Renamed,
    /// Not the password: somebody logged in from a place that is new to the account.
    SignIn,
    /// Not the password: the deletion of the account was requested.
    Deletion,
    /// Not the password: somebody tried to register with the account's address.
    Registered,
    /// Not the password: somebody who knew the password requested another e-mail address, which the new mailbox has not confirmed yet.
    AddressAsked,
    /// Not the password: a requested e-mail address was confirmed. The notice goes to the former one.
    AddressChanged,
}

impl ChangeKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Reset => "reset",
            Self::Email => "email",
            Self::Username => "username",
            Self::Renamed => "renamed",
            Self::SignIn => "sign_in",
            Self::Deletion => "deletion",
            Self::Registered => "registered",
            Self::AddressAsked => "address_asked",
            Self::AddressChanged => "address_changed",
        }
    }

    pub(super) fn stored(text: &str) -> Option<Self> {
        let all = [Self::Changed, Self::Reset, Self::Email, Self::Username, Self::Renamed, Self::SignIn, Self::Deletion, Self::Registered];
        all.into_iter().chain([Self::AddressAsked, Self::AddressChanged]).find(|kind| kind.as_str() == text)
    }
}
