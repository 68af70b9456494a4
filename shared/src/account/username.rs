//! Usernames: which texts are valid, and which usernames are the same.

use std::fmt;

use super::email::{EmailAddress, email_key, reads_as_email};
use crate::text::is_letter_or_number;

/// Maximum length of a username in code points, as in the DRF API.
const MAX_USERNAME_LENGTH: usize = 150;

/// A username: letters and numbers of any script and `@.+-_`.
#[derive(Clone)]
pub struct Username {
    given: String,
    folded: String,
}

/// A rule that a username breaks, in the order in which they are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsernameRule {
    /// It contains a character that is not allowed.
    Charset,
    /// It has more than 150 code points.
    TooLong,
    /// It contains U+0000, which has a message of its own.
    NullCharacter,
}

impl UsernameRule {
    /// The message for the client.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Charset => "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
            Self::TooLong => "Ensure this field has no more than 150 characters.",
            Self::NullCharacter => "Null characters are not allowed.",
        }
    }
}

impl Username {
    /// Parses a trimmed text as a username, or returns every rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, Vec<UsernameRule>> {
        let is_allowed = |char: char| is_letter_or_number(char) || "@.+-_".contains(char);
        let broken = [
            (text.is_empty() || !text.chars().all(is_allowed), UsernameRule::Charset),
            (text.chars().count() > MAX_USERNAME_LENGTH, UsernameRule::TooLong),
            (text.contains('\0'), UsernameRule::NullCharacter),
        ];
        let broken: Vec<_> = broken.into_iter().filter_map(|(is_broken, rule)| is_broken.then_some(rule)).collect();
        if !broken.is_empty() {
            return Err(broken);
        }
        let folded = email_key(text);
        // Some letters are invisible, and a name must not consist of these only.
        if folded.is_empty() { Err(vec![UsernameRule::Charset]) } else { Ok(Self { given: text.to_owned(), folded }) }
    }

    /// A stored username, which was parsed and folded before.
    #[must_use]
    pub fn stored(given: &str, folded: &str) -> Self {
        Self { given: given.to_owned(), folded: folded.to_owned() }
    }

    /// Whether it reads as an e-mail address other than `email`, the account's own. It could then be mistaken for another account's address.
    #[must_use]
    pub fn is_another_address_than(&self, email: &EmailAddress) -> bool {
        reads_as_email(&self.given).is_some_and(|address| address != email.folded())
    }

    /// The username as its owner wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.given
    }

    /// The username in the form in which names are compared.
    ///
    /// If it reads as an e-mail address it is compared as that address, so that a login name has one form and never leads to two accounts.
    #[must_use]
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Username(..)")
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn letters_and_numbers_of_any_script_are_a_username() {
        for text in ["a", "0", "_", "@.+-_", "é", "名", "ｱ", "Ⅷ", "ß", "١٢٣", "𝔘", &"a".repeat(150), &"名".repeat(150)] {
            assert_eq!(Username::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn every_broken_rule_is_reported_in_order() {
        use UsernameRule::{Charset, NullCharacter, TooLong};
        let cases = [
            (String::new(), vec![Charset]),
            ("\u{3164}".to_owned(), vec![Charset]),
            ("\u{115F}\u{1160}\u{3164}\u{FFA0}".to_owned(), vec![Charset]),
            ("e\u{301}".to_owned(), vec![Charset]),
            ("a b".to_owned(), vec![Charset]),
            ("🙂".to_owned(), vec![Charset]),
            ("a\0b".to_owned(), vec![Charset, NullCharacter]),
            ("é".repeat(151), vec![TooLong]),
            ("#".repeat(151), vec![Charset, TooLong]),
            ("\0".repeat(151), vec![Charset, TooLong, NullCharacter]),
        ];
        for (text, broken) in cases {
            assert_eq!(Username::parse(&text).unwrap_err(), broken, "{text:?}");
            assert!(broken.is_sorted());
        }
    }

    #[test]
    fn names_that_differ_in_case_or_width_are_the_same() {
        let folded = |text: &str| Username::parse(text).unwrap().folded().to_owned();
        assert_eq!(folded("STRASSE"), folded("straße"));
        assert_eq!(folded("ＡＬＩＣＥ"), folded("alice"));
        assert_eq!(folded("Ann@MÜNCHEN.de"), folded("ann@xn--mnchen-3ya.de"));
        assert_ne!(folded("alice"), folded("alicé"));
    }

    #[test]
    fn names_that_differ_in_letters_that_nobody_sees_are_the_same() {
        let folded = |text: &str| Username::parse(text).unwrap().folded().to_owned();
        for alike in ["mara\u{3164}", "\u{115F}mara", "ma\u{1160}\u{FFA0}ra"] {
            assert_eq!(folded(alike), "mara", "{alike:?}");
        }
        assert!(
            Username::parse("mara@example.com\u{3164}").unwrap().is_another_address_than(&EmailAddress::parse("x@example.com").unwrap())
        );
    }

    #[test]
    fn no_username_folds_to_a_text_with_a_separator_of_keys() {
        for char in ('\0'..=char::MAX).filter(|&char| is_letter_or_number(char)) {
            let folded = Username::parse(&char.to_string()).map(|name| name.folded().to_owned()).unwrap_or_default();
            assert!(!folded.contains([':', '#', '@', '\0']), "{char:?}");
        }
    }

    #[test]
    fn debug_does_not_print_the_name() {
        assert_eq!(format!("{:?}", Username::parse("alice")), "Ok(Username(..))");
    }
}
