//! The usernames that requests ask for: their rules, and the messages for those that an account cannot have.

use doorward::{account::Username, http::Fields};

/// The message for a username that is taken.
pub(crate) const USERNAME_TAKEN: &str = "A user with that username already exists.";
/// The message for a username that is another account's address.
pub(crate) const NOT_OWN_ADDRESS: &str = "A username that is an e-mail address must be this account's own.";

/// A username, unless it breaks a rule. A complaint names each rule that it breaks.
pub(crate) fn parsed_username(fields: &mut Fields, name: &'static str, text: &str) -> Option<Username> {
    match Username::parse(text) {
        Ok(username) => Some(username),
        Err(rules) => {
            for rule in &rules {
                fields.complain(name, rule.message());
            }
            None
        }
    }
}
