//! The keys of an account and of the claims on its names.

use crate::{
    id::AccountId,
    store::{Key, Table},
    token::subject_digest,
};

/// The sort key of an account.
pub(crate) const SORT: &str = "account";
/// Maximum length in bytes of a folded name that is used in a key as it is. A partition key has at most 2,048 bytes, and 150 characters can fold
/// to more, so a longer name is replaced by its digest.
const MAX_PLAIN_NAME: usize = 1024;

/// The partition of an account, its sessions and its links.
pub(crate) fn partition(id: AccountId) -> String {
    format!("account#{id}")
}

/// The key of an account.
pub(crate) fn key(id: AccountId) -> Key {
    Key::new(Table::Accounts, "account", partition(id), SORT)
}

/// The key of the claim on a username, folded.
pub(super) fn username_claim(folded: &str) -> Key {
    claim("username", folded)
}

/// The key of the claim on an e-mail address, folded.
pub(super) fn email_claim(folded: &str) -> Key {
    claim("email", folded)
}

fn claim(name: &str, folded: &str) -> Key {
    // A folded name never contains a colon, so a digest is never mistaken for a name.
    let partition =
        if folded.len() <= MAX_PLAIN_NAME { format!("{name}#{folded}") } else { format!("{name}#sha256:{}", subject_digest(folded)) };
    Key::new(Table::Accounts, "claim", partition, "claim")
}
