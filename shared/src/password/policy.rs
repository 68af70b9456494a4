//! The rules for new passwords: those of Django's four validators, in their order.

use std::borrow::Cow;

use zeroize::Zeroizing;

use crate::text::{composed, is_digit, is_letter_or_number, trim};

/// The most common passwords, as a set that is searched without unpacking it (see `data/README.md`).
static COMMON: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/common-passwords.fst"));

/// The rules for a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Minimum number of code points: 8 by default, as in the DRF API.
    pub min_length: usize,
    /// Maximum number of code points. It is checked where the field is read, not with the other rules.
    pub max_length: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self { min_length: 8, max_length: 128 }
    }
}

/// The owner's data that a password must not resemble. Unknown values are empty, and no password resembles them.
#[derive(Clone, Copy, Default)]
pub struct Owner<'a> {
    /// The username.
    pub username: &'a str,
    /// The first name, if the deployment declares such a field.
    pub first_name: &'a str,
    /// The last name, likewise.
    pub last_name: &'a str,
    /// The e-mail address.
    pub email: &'a str,
}

/// A rule that a password breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// It resembles the username.
    LikeUsername,
    /// It resembles the first name.
    LikeFirstName,
    /// It resembles the last name.
    LikeLastName,
    /// It resembles the e-mail address.
    LikeEmail,
    /// It has fewer code points than this minimum.
    TooShort(usize),
    /// It is on the list of common passwords.
    Common,
    /// It consists of digits only.
    Numeric,
}

impl Violation {
    /// The message for the client.
    #[must_use]
    pub fn message(self) -> Cow<'static, str> {
        match self {
            Self::LikeUsername => "The password is too similar to the username.".into(),
            Self::LikeFirstName => "The password is too similar to the first name.".into(),
            Self::LikeLastName => "The password is too similar to the last name.".into(),
            Self::LikeEmail => "The password is too similar to the email.".into(),
            Self::TooShort(1) => "This password is too short. It must contain at least 1 character.".into(),
            Self::TooShort(length) => format!("This password is too short. It must contain at least {length} characters.").into(),
            Self::Common => "This password is too common.".into(),
            Self::Numeric => "This password is entirely numeric.".into(),
        }
    }
}

impl Policy {
    /// Every rule that the password breaks for an account of this owner, in the order in which they are reported.
    pub(super) fn judge(&self, password: &str, owner: &Owner<'_>) -> Vec<Violation> {
        let lower = Zeroizing::new(password.to_lowercase());
        let characters = sorted(&lower);
        // In the order of Django's `DEFAULT_USER_ATTRIBUTES`.
        let resembled = [
            (owner.username, Violation::LikeUsername),
            (owner.first_name, Violation::LikeFirstName),
            (owner.last_name, Violation::LikeLastName),
            (owner.email, Violation::LikeEmail),
        ];
        let broken = [
            resembled.into_iter().find_map(|(value, violation)| resembles(&characters, value).then_some(violation)),
            (password.chars().count() < self.min_length).then_some(Violation::TooShort(self.min_length)),
            is_common(trim(&lower)).then_some(Violation::Common),
            (!password.is_empty() && password.chars().all(is_digit)).then_some(Violation::Numeric),
        ];
        broken.into_iter().flatten().collect()
    }
}

/// Whether a password, given as its sorted lower-case characters, resembles a value or a word in it. Both are compared in the form in which passwords are
/// hashed.
fn resembles(password: &[char], value: &str) -> bool {
    let value = composed(value).to_lowercase();
    let is_word = |char: char| is_letter_or_number(char) || char == '_';
    value.split(|char| !is_word(char)).chain([&*value]).any(|part| {
        let part = sorted(part);
        // 20 · shared ≥ 7 · sum means 2 · shared / sum ≥ 0.7. A password that is ten times as long as a part hardly resembles it.
        password.len() < 10 * part.len() && 20 * shared(password, &part) >= 7 * (password.len() + part.len())
    })
}

fn sorted(text: &str) -> Zeroizing<Vec<char>> {
    let mut characters = Zeroizing::new(Vec::with_capacity(text.len()));
    characters.extend(text.chars());
    characters.sort_unstable();
    characters
}

/// The number of characters that two sorted texts have in common, with multiplicity.
fn shared(mut one: &[char], mut other: &[char]) -> usize {
    let mut count = 0;
    while let ([first, one_rest @ ..], [second, other_rest @ ..]) = (one, other) {
        if first <= second {
            one = one_rest;
        }
        if second <= first {
            other = other_rest;
        }
        count += usize::from(first == second);
    }
    count
}

/// Whether a password, in lower case and trimmed, is on the list.
fn is_common(password: &str) -> bool {
    // Opening reads 36 bytes at both ends. A test checks that the set opens and contains the list.
    fst::Set::new(COMMON).is_ok_and(|set| set.contains(password))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const LIST: &str = include_str!("../../data/common-passwords.txt");

    impl Policy {
        /// For an account of which only these names are known.
        fn judge_names(&self, password: &str, username: &str, email: &str) -> Vec<Violation> {
            self.judge(password, &Owner { username, email, ..Owner::default() })
        }
    }

    fn messages(password: &str, username: &str, email: &str) -> Vec<String> {
        Policy::default().judge_names(password, username, email).into_iter().map(|violation| violation.message().into_owned()).collect()
    }

    #[test]
    fn a_password_like_nothing_known_is_accepted() {
        assert!(messages("Correct-Horse-42", "alice", "alice@example.com").is_empty());
        assert!(messages("ⅧⅧⅧⅧⅧⅧⅧⅧ", "alice", "alice@example.com").is_empty());
    }

    #[test]
    fn all_broken_rules_are_reported_in_order() {
        assert_eq!(
            messages("123", "123", "123@example.com"),
            [
                "The password is too similar to the username.",
                "This password is too short. It must contain at least 8 characters.",
                "This password is too common.",
                "This password is entirely numeric.",
            ]
        );
    }

    #[test]
    fn only_the_first_resemblance_is_reported() {
        let judged = |password, username| Policy::default().judge_names(password, username, "alice.liddell@wonder.land");
        assert_eq!(judged("ALICE.LIDDELL", "alice.liddell"), [Violation::LikeUsername]);
        assert_eq!(judged("ALICE.LIDDELL", "bob"), [Violation::LikeEmail]);
    }

    #[test]
    fn a_name_resembles_a_password_however_its_letters_were_typed() {
        let apart = "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}";
        assert_eq!(Policy { min_length: 2, ..Policy::default() }.judge_names("한글", apart, ""), [Violation::LikeUsername]);
    }

    #[test]
    fn resemblance_begins_at_seven_tenths() {
        // 2·7/(10+10) is 0.7, 2·6/(10+9) is less.
        let judged = |password| Policy::default().judge_names(password, "abcdefghij", "x@y.zz");
        assert_eq!(judged("abcdefg-!~"), [Violation::LikeUsername]);
        assert_eq!(judged("abcdef-!~"), []);
    }

    #[test]
    fn a_word_of_a_name_counts_as_the_name_does() {
        for username in ["x.wonderland", "wonderland+x", "x@wonderland", "İwonderland"] {
            assert_eq!(Policy::default().judge_names("dnalrednow", username, ""), [Violation::LikeUsername], "{username}");
        }
        assert_eq!(Policy::default().judge_names("dnalrednow", "wonderland_of_words", ""), []);
    }

    #[test]
    fn length_is_counted_in_code_points_and_the_configured_least_is_in_the_message() {
        let judged = |min_length, password| {
            let policy = Policy { min_length, ..Policy::default() };
            policy
                .judge_names(password, "alice", "alice@example.com")
                .into_iter()
                .map(|violation| violation.message().into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(judged(12, "éééééééé"), ["This password is too short. It must contain at least 12 characters."]);
        assert!(judged(8, "éééééééé").is_empty());
        assert_eq!(judged(1, ""), ["This password is too short. It must contain at least 1 character."]);
    }

    #[test]
    fn digits_of_every_script_and_style_are_numeric() {
        for password in ["8675309118", "٣٤٥٦٧٨٩٠", "²³¹⁴⁵⁶⁷⁸", "①②③④⑤⑥⑦⑧", "12345٦⑦⁸"] {
            assert!(Policy::default().judge_names(password, "", "").contains(&Violation::Numeric), "{password}");
        }
        for password in ["½½½½½½½½", "ⅧⅧⅧⅧⅧⅧⅧⅧ", "一二三四五六七八", "8675309a", "8675 309", ""] {
            assert!(!Policy::default().judge_names(password, "", "").contains(&Violation::Numeric), "{password}");
        }
    }

    #[test]
    fn every_common_password_is_found_in_any_case_and_with_white_space_around_it() {
        let is_found = |password: &str| Policy::default().judge_names(password, "", "").contains(&Violation::Common);
        // The number that Django 5.2 ships.
        assert_eq!(LIST.lines().count(), 19_640);
        for password in LIST.lines() {
            assert!(is_found(password), "{password}");
            assert!(is_found(&format!("\u{1C} {}\u{3000}", password.to_uppercase())), "{password}");
        }
    }

    #[test]
    fn nothing_else_is_common() {
        let list: std::collections::HashSet<_> = LIST.lines().collect();
        assert!(!is_common(""));
        for password in &list {
            for other in [format!("{password}\n"), format!("{password}~"), format!("~{password}"), password.chars().skip(1).collect()] {
                assert_eq!(is_common(&other), list.contains(&*other), "{other:?}");
            }
        }
    }

    #[test]
    fn a_lookup_takes_microseconds() {
        // The thread's processor time in nanoseconds, which does not depend on other programs.
        let processor_time = || -> u64 {
            let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
            statistics.split(' ').next().and_then(|time| time.parse().ok()).expect("a number")
        };
        let before = processor_time();
        let found = LIST.lines().filter(|password| is_common(password)).count() as u64;
        // 2 µs a lookup without optimisation.
        assert!(processor_time() - before < found * 100_000);
    }

    /// Python's `SequenceMatcher(a=password, b=part).quick_ratio()`, as its source has it.
    fn quick_ratio(password: &str, part: &str) -> f64 {
        let mut available: HashMap<char, usize> = HashMap::new();
        for char in part.chars() {
            *available.entry(char).or_default() += 1;
        }
        let mut matches = 0_u16;
        for char in password.chars() {
            if let Some(left @ 1..) = available.get_mut(&char) {
                *left -= 1;
                matches += 1;
            }
        }
        let length = u16::try_from(password.chars().count() + part.chars().count()).unwrap_or(u16::MAX);
        if length == 0 { 1.0 } else { 2.0 * f64::from(matches) / f64::from(length) }
    }

    proptest! {
        #[test]
        fn similarity_agrees_with_python_s(
            password in "[a-fA-FéÉßΣ0-1_ .@-]{1,24}|[a-c]{1,60}",
            value in "([a-fA-FéÉßΣ0-1_]{0,12}[ .@+-]{0,2}){0,4}",
        ) {
            let (password, value) = (password.to_lowercase(), value.to_lowercase());
            let words = value.split([' ', '.', '@', '+', '-']).chain([&*value]);
            let plain = words
                .filter(|part| password.chars().count() < 10 * part.chars().count())
                .any(|part| quick_ratio(&password, part) >= 0.7);
            prop_assert_eq!(resembles(&sorted(&password), &value), plain);
        }

        #[test]
        fn any_texts_are_judged(password in any::<String>(), username in any::<String>(), email in any::<String>()) {
            prop_assert!(Policy::default().judge_names(&password, &username, &email).len() <= 4);
        }
    }
}
