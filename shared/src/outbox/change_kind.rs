//! What a notice tells of.

/// How a password was changed, or what else was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// By a logged-in person who knew the old one.
    Changed,
    /// By a reset link.
    Reset,
    /// It was not: an operator changed the account's e-mail address. The notice goes to the former one.
    Email,
    /// It was not: an operator changed the account's username.
    Username,
    /// It was not: somebody who knew the password changed the account's username.
    Renamed,
    /// It was not: somebody logged in from a place that is new to the account.
    SignIn,
    /// It was not: the account was asked to be deleted.
    Deletion,
    /// It was not: somebody tried to register with the account's address.
    Registered,
    /// It was not: somebody who knew the password asked for another e-mail address, which the new mailbox has not confirmed yet.
    AddressAsked,
    /// It was not: the account has the e-mail address that was asked for. The notice goes to the former one.
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
