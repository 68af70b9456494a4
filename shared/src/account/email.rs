//! E-mail addresses: which texts are addresses, and which addresses are the same.

use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use thiserror::Error;

use crate::text::{MAX_NORMALIZED_BYTES, fold, is_invisible, is_letter_or_number, is_mark, without_variants};

/// Maximum length of an address in code points: 64 before the `@`, 255 after it (RFC 3696, 3), as in Django's validator.
const MAX_ADDRESS_LENGTH: usize = 320;
/// Maximum length of an account's address in code points: the longest path of SMTP without its brackets (RFC 5321, 4.5.3.1.3).
pub const MAX_EMAIL_LENGTH: usize = 254;
/// Maximum length of a local part in bytes (RFC 5321, 4.5.3.1.1).
const MAX_LOCAL_PART_LENGTH: usize = 64;
/// Maximum length of a domain's label in bytes (RFC 1034, 3.1).
const MAX_LABEL_LENGTH: usize = 63;

/// An e-mail address that mail can go to.
///
/// It consists of an ASCII dot-atom, an `@` and a domain of at least two labels. The domain may be written in any script that has A-labels
/// (UTS #46), and its A-labels must be well-formed.
#[derive(Clone)]
pub struct EmailAddress {
    given: String,
    folded: String,
}

/// A text is not an e-mail address. The error does not contain the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Enter a valid email address.")]
pub struct InvalidEmail;

impl EmailAddress {
    /// Parses a trimmed text as an address.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        if text.len() > MAX_NORMALIZED_BYTES {
            return Err(InvalidEmail);
        }
        let (local_part, domain) = text.rsplit_once('@').ok_or(InvalidEmail)?;
        // Some texts fold to an address without being one, for example with full-width dots.
        let is_allowed = |char| matches!(char, '.' | '-') || (is_letter_or_number(char) || is_mark(char)) && !is_invisible(char);
        if !is_dot_atom(local_part) || !domain.chars().all(is_allowed) {
            return Err(InvalidEmail);
        }
        // A ligature such as `ﬁ` is one character here, although it folds to two; a top label of one letter is refused.
        if domain.rsplit('.').next().is_none_or(|last| last.chars().nth(1).is_none()) {
            return Err(InvalidEmail);
        }
        let folded = canonical(&without_variants(text)).ok_or(InvalidEmail)?;
        Ok(Self { given: text.to_owned(), folded })
    }

    /// A stored address, which was parsed and folded before.
    #[must_use]
    pub fn stored(given: &str, folded: &str) -> Self {
        Self { given: given.to_owned(), folded: folded.to_owned() }
    }

    /// The address as its owner wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.given
    }

    /// The address in the form in which addresses are compared, see [`email_key`].
    #[must_use]
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// The address for mail servers without SMTPUTF8, such as SES: as given, with the domain in A-labels.
    #[must_use]
    pub fn deliverable(&self) -> String {
        match (self.given.rsplit_once('@'), self.folded.rsplit_once('@')) {
            (Some((local_part, given)), Some((_, domain))) if !given.is_ascii() => format!("{local_part}@{domain}"),
            _ => self.given.clone(),
        }
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EmailAddress(..)")
    }
}

/// The form in which a login name is looked up: the address that it reads as, otherwise the folded text.
///
/// Applying it twice changes nothing, and a text that does not read as an address never gets the form of an address. A text that is too long for a name is
/// its own form.
#[must_use]
pub fn email_key(text: &str) -> String {
    if text.len() > MAX_NORMALIZED_BYTES {
        return text.to_owned();
    }
    reads_as_email(text).unwrap_or_else(|| fold(text))
}

/// The address that a text reads as, in the form in which addresses are compared. A username that is an address could be mistaken for its owner.
///
/// The text is first read as written, because case folding changes the domain (`straße.de` is not `strasse.de`), and then folded, because names
/// are compared in that form.
#[must_use]
pub(crate) fn reads_as_email(text: &str) -> Option<String> {
    if text.len() > MAX_NORMALIZED_BYTES {
        return None;
    }
    canonical(&without_variants(text)).or_else(|| canonical(&fold(text)))
}

/// The address with a folded local part and its domain in A-labels, if it is well-formed.
fn canonical(text: &str) -> Option<String> {
    // The length is checked before and after, because the time to make A-labels grows with the square of a label's length.
    if text.chars().count() > MAX_ADDRESS_LENGTH {
        return None;
    }
    let (local_part, domain) = text.rsplit_once('@')?;
    let local_part = fold(local_part);
    if !is_dot_atom(&local_part) {
        return None;
    }
    let address = format!("{local_part}@{}", a_labels(domain)?);
    (address.len() <= MAX_ADDRESS_LENGTH).then_some(address)
}

/// The domain in lower case as it is in the DNS, if mail can be addressed to it.
fn a_labels(domain: &str) -> Option<String> {
    let (_, last) = domain.rsplit_once(['.', '。'])?;
    // An ASCII domain is used in the DNS as it is, even if UTS #46 does not allow what an `xn--` label decodes to.
    let ascii = if domain.is_ascii() {
        domain.to_ascii_lowercase()
    } else {
        let unicode = Uts46::new();
        unicode.to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Ignore).ok()?.into_owned()
    };
    (is_last_label(last) && ascii.split('.').all(is_label)).then_some(ascii)
}

/// Whether the text is an ASCII dot-atom (RFC 5322, 3.2.3) that is short enough for a local part.
fn is_dot_atom(text: &str) -> bool {
    let is_atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    text.len() <= MAX_LOCAL_PART_LENGTH && text.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

/// Whether the text consists of letters, digits and inner hyphens (RFC 1123, 2.1).
fn is_label(text: &str) -> bool {
    (1..=MAX_LABEL_LENGTH).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether a label can be the last one: an A-label, or two or more letters. It never contains digits, so no IPv4 address is a domain
/// (RFC 3696, 2). Inner hyphens are allowed because the DRF API accepts them.
fn is_last_label(label: &str) -> bool {
    let is_a_label = label.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--"));
    is_a_label || label.chars().count() >= 2 && !label.contains(char::is_numeric)
}

#[cfg(test)]
mod tests {

    use proptest::prelude::*;

    use super::*;

    fn is_address(text: &str) -> bool {
        EmailAddress::parse(text).is_ok()
    }

    #[test]
    fn the_local_part_is_an_ascii_dot_atom_of_at_most_64_characters() {
        let long = "x".repeat(64);
        for local_part in ["a", "A.b", "!#$%&'*+-/=?^_`{|}~", "o'neil", &long] {
            assert!(is_address(&format!("{local_part}@example.com")), "{local_part}");
        }
        let too_long = "x".repeat(65);
        for local_part in ["", ".a", "a.", "a..b", "a b", "\"a\"", "a(b)", "ä", "ａ", "a,b", "a\0b", "a@b", "\u{17F}", &too_long] {
            assert!(!is_address(&format!("{local_part}@example.com")), "{local_part}");
        }
    }

    #[test]
    fn the_domain_has_two_labels_and_the_last_one_is_no_number() {
        let (label, last) = (format!("{}.co", "b".repeat(63)), format!("b.{}", "c".repeat(63)));
        for domain in ["b.co", "1.com", "1-1.B-c.CO", "b.c-o", "xn--mnchen-3ya.de", "b.xn--p1ai", "b.xn--1", &label, &last] {
            assert!(is_address(&format!("a@{domain}")), "{domain}");
        }
        let (label, last) = (format!("{}.co", "b".repeat(64)), format!("b.{}", "c".repeat(64)));
        for domain in [
            "",
            "b",
            "localhost",
            "b.c",
            "127.0.0.1",
            "[127.0.0.1]",
            "b.c0",
            ".b.co",
            "b..co",
            "b.co.",
            "-b.co",
            "b-.co",
            "b.-co",
            "b.co-",
            "b_c.co",
            "b c.co",
            "b.co\n",
            &label,
            &last,
        ] {
            assert!(!is_address(&format!("a@{domain}")), "{domain}");
        }
    }

    #[test]
    fn a_domain_in_another_script_is_the_same_as_its_a_labels() {
        for (given, ascii) in
            [("a@MÜNCHEN.de", "a@xn--mnchen-3ya.de"), ("a@straße.de", "a@xn--strae-oqa.de"), ("a@почта.рф", "a@xn--80a1acny.xn--p1ai")]
        {
            let address = EmailAddress::parse(given).unwrap();
            assert_eq!(address.as_str(), given);
            assert_eq!(address.folded(), EmailAddress::parse(ascii).unwrap().folded());
            assert_eq!(address.deliverable(), ascii);
        }
        for text in [
            "a@☃.com",
            "a@😀.com",
            "a@b。co",
            "a@b．co",
            "a@\u{301}b.co",
            "a@ü\u{AD}b.co",
            "a@ü\u{3164}b.co",
            "a@b\u{115F}.co",
            "a@xn--a-ü.com",
            "a@ü-.de",
            "a@-ü.de",
            "a@ü.名",
            "a@ü.名2",
            "a@b.ﬁ",
        ] {
            assert!(!is_address(text), "{text}");
        }
    }

    #[test]
    fn mail_goes_to_the_address_as_given() {
        let address = EmailAddress::parse("Alice.O'Neil@Example.COM").unwrap();
        assert_eq!(address.deliverable(), "Alice.O'Neil@Example.COM");
        assert_eq!(address.folded(), "alice.o'neil@example.com");
    }

    #[test]
    fn a_name_that_only_looks_different_from_an_address_reads_as_it() {
        for text in [
            "ALICE@Example.Com",
            "ａｌｉｃｅ＠ｅｘａｍｐｌｅ．ｃｏｍ",
            "alice@example。com",
            "ALIC\u{1D404}@example.com",
            "al\u{2170}ce@example.com",
        ] {
            assert_eq!(reads_as_email(text).as_deref(), Some("alice@example.com"), "{text}");
        }
        assert_eq!(reads_as_email("Straße@Straße.de").as_deref(), Some("strasse@xn--strae-oqa.de"));
        for text in ["alice", "alice@", "@example.com", "alice@example", "älice@example.com", "a@b@example.com", "@", ""] {
            assert_eq!(reads_as_email(text), None, "{text}");
            assert_eq!(email_key(text), fold(text), "{text}");
        }
    }

    #[test]
    fn debug_does_not_print_the_address() {
        assert_eq!(format!("{:?}", EmailAddress::parse("alice@example.com")), "Ok(EmailAddress(..))");
        assert_eq!(format!("{:?}", EmailAddress::parse("alice@example")), "Err(InvalidEmail)");
    }

    /// A character that becomes 18 when it is normalized. That nothing of this length is, `text` asserts.
    #[test]
    fn a_text_as_long_as_a_body_is_refused_before_it_is_normalized() {
        let long = "\u{FDFA}".repeat(80_000);
        for text in [format!("a@{long}.com"), format!("{long}@example.com"), format!("a@{}.com", "\u{4E00}".repeat(80_000)), long] {
            assert!(!is_address(&text));
            assert_eq!(reads_as_email(&text), None);
            assert_eq!(email_key(&text), text);
        }
    }

    fn awkward_name() -> impl Strategy<Value = String> {
        let awkward: Vec<char> =
            "aZ09.-_+@@@..ß\u{1E9E}ς\u{3A3}İıſ\u{212A}ＡＢ＠．。｡ﬁü\u{308}\u{345}\u{AD}\u{200D}\u{200C}אب\u{661}xn--\u{2F868}℀⒈\u{3F4}"
                .chars()
                .collect();
        proptest::collection::vec(prop_oneof![4 => proptest::sample::select(awkward), 1 => any::<char>()], 0..14)
            .prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn the_key_of_a_key_is_itself(text in prop_oneof![awkward_name(), awkward_name().prop_map(|name| format!("a@{name}.de"))]) {
            let key = email_key(&text);
            prop_assert_eq!(email_key(&key), &*key);
            prop_assert_eq!(reads_as_email(&key).is_some(), reads_as_email(&text).is_some());
        }

        #[test]
        fn an_address_has_the_key_that_a_login_with_it_looks_up(domain in awkward_name()) {
            if let Ok(address) = EmailAddress::parse(&format!("a@{domain}.de")) {
                prop_assert_eq!(address.folded(), email_key(address.as_str()));
                let deliverable = EmailAddress::parse(&address.deliverable()).unwrap();
                prop_assert_eq!(deliverable.folded(), address.folded());
            }
        }

        #[test]
        fn ascii_addresses_are_told_as_a_reading_of_the_rule_tells_them(
            text in "[aZ.\"@ ]{0,4}@{0,2}[aZ0.-]{0,5}(\\.(xn--)?[aZ0-]{0,3})?"
        ) {
            let plain = || {
                let [local_part, domain] = text.split('@').collect::<Vec<_>>()[..] else { return false };
                let labels: Vec<&str> = domain.split('.').collect();
                let last = labels[labels.len() - 1];
                !text.contains(['"', ' ']) && local_part.split('.').all(|atom| !atom.is_empty())
                    && labels.len() > 1
                    && labels.iter().all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
                    && (last.starts_with("xn--") || last.len() > 1 && !last.contains('0'))
            };
            prop_assert_eq!(is_address(&text), plain());
        }
    }
}
