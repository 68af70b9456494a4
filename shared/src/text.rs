//! Text as the DRF API reads it, and as names are compared.
//!
//! Properties come from ICU4X's data (Unicode 18). The DRF API's Python has an older Unicode version; the two differ only in characters that were
//! unassigned then.

use std::borrow::Cow;

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_normalizer::{ComposingNormalizer, ComposingNormalizerBorrowed};
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup},
};
use zeroize::Zeroizing;

const CASE: CaseMapperBorrowed<'static> = CaseMapper::new();
const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizer::new_nfkc();
const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizer::new_nfc();

/// Longest text that `composed` composes, bytes. A new password has at most 1,024 characters; spelled with all marks apart, each
/// becomes at most four characters of at most four bytes.
const MAX_COMPOSED_BYTES: usize = 16 * 1024;

/// Maximum length in bytes of a text that is normalized: 320 code points, the longest e-mail address, of four bytes each.
///
/// A code point can become 18, so normalizing 256 KiB, the largest body, takes tens of milliseconds. No name is longer than this, and callers check the
/// length first.
pub const MAX_NORMALIZED_BYTES: usize = 4 * 320;

/// Characters with `Numeric_Type=Digit`, as inclusive ranges: superscripts, subscripts, circled and other styled digits.
///
/// They come from Python 3.11's `unicodedata` (Unicode 14.0) and are complete: no character has been given this type since Unicode 6.3, and none
/// will be (UAX #44, on `Numeric_Type`).
const STYLED_DIGITS: [(char, char); 20] = [
    ('\u{B2}', '\u{B3}'),
    ('\u{B9}', '\u{B9}'),
    ('\u{1369}', '\u{1371}'),
    ('\u{19DA}', '\u{19DA}'),
    ('\u{2070}', '\u{2070}'),
    ('\u{2074}', '\u{2079}'),
    ('\u{2080}', '\u{2089}'),
    ('\u{2460}', '\u{2468}'),
    ('\u{2474}', '\u{247C}'),
    ('\u{2488}', '\u{2490}'),
    ('\u{24EA}', '\u{24EA}'),
    ('\u{24F5}', '\u{24FD}'),
    ('\u{24FF}', '\u{24FF}'),
    ('\u{2776}', '\u{277E}'),
    ('\u{2780}', '\u{2788}'),
    ('\u{278A}', '\u{2792}'),
    ('\u{10A40}', '\u{10A43}'),
    ('\u{10E60}', '\u{10E68}'),
    ('\u{11052}', '\u{1105A}'),
    ('\u{1F100}', '\u{1F10A}'),
];

/// The text without white space at its ends: Unicode's `White_Space` and the separators U+001C to U+001F, as Python's `str.strip`.
#[must_use]
pub fn trim(text: &str) -> &str {
    text.trim_matches(|char: char| char.is_whitespace() || matches!(char, '\u{1C}'..='\u{1F}'))
}

/// The text without white space (see [`trim`]) and default-ignorable characters at its ends, which are often copied along with a name. A text of such
/// characters only is kept, because it contains no name.
#[must_use]
pub(crate) fn trim_unseen(text: &str) -> &str {
    let seen = text.trim_matches(|char: char| trim(char.encode_utf8(&mut [0; 4])).is_empty() || is_invisible(char));
    if seen.is_empty() { trim(text) } else { seen }
}

/// The text in the form in which names are compared: NFKC, full case folding, without invisible characters, NFKC (compare `NFKC_Casefold`,
/// Unicode 3.13). At most [`MAX_NORMALIZED_BYTES`] bytes.
///
/// The function is idempotent.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = CASE.fold_string(&normalized(text)).into_owned();
    folded.retain(|char| !is_invisible(char));
    NFKC.normalize(&folded).into_owned()
}

/// The text in Unicode's normalization form KC: compatibility variants, such as full-width letters, become the characters
/// they stand for. Case stays.
///
/// At most [`MAX_NORMALIZED_BYTES`] bytes.
pub(crate) fn without_variants(text: &str) -> String {
    normalized(text).into_owned()
}

fn normalized(text: &str) -> Cow<'_, str> {
    debug_assert!(text.len() <= MAX_NORMALIZED_BYTES, "whoever normalizes looks at the length first");
    NFKC.normalize(text)
}

/// A secret in Unicode's normalization form C: a letter and its marks are one character wherever there is one. How they were typed depends
/// on the keyboard and the system. Nothing else changes, and ASCII is as it was.
///
/// Text that is longer than any new password is returned unchanged, so that a long text does not cost the time to normalize it.
#[must_use]
pub(crate) fn composed(text: &str) -> Zeroizing<String> {
    // A character takes at most three times its bytes in this form (UAX #15, 9.1), so the buffer is never reallocated, which would leave a copy of the
    // secret behind.
    let mut composed = Zeroizing::new(String::with_capacity(3 * text.len().min(MAX_COMPOSED_BYTES)));
    if text.is_ascii() || text.len() > MAX_COMPOSED_BYTES || NFC.normalize_to(text, &mut *composed).is_err() {
        return Zeroizing::new(text.to_owned());
    }
    composed
}

/// A secret in Unicode's normalization form KC, as some sites hash it.
///
/// Text that is longer than any new password is returned unchanged, see `composed`.
pub(crate) fn compatible(text: &str) -> Zeroizing<String> {
    if text.is_ascii() || text.len() > MAX_COMPOSED_BYTES {
        return Zeroizing::new(text.to_owned());
    }
    // A character can become 18, of three bytes each. With this capacity the buffer is never reallocated, which would leave a copy of the secret behind.
    let mut compatible = Zeroizing::new(String::with_capacity(18 * text.len()));
    if NFKC.normalize_to(text, &mut *compatible).is_err() {
        return Zeroizing::new(text.to_owned());
    }
    compatible
}

/// Whether the character is a letter or a number of any script (general category L* or N*).
///
/// With `_` these are the word characters (`\w`) of Python's regular expressions.
#[must_use]
pub(crate) fn is_letter_or_number(char: char) -> bool {
    GeneralCategoryGroup::Letter.union(GeneralCategoryGroup::Number).contains(category(char))
}

/// Whether the character is a digit, decimal or styled (`Numeric_Type` Decimal or Digit), as Python's `str.isdigit` tells.
///
/// `²` and `①` are, `½` and `Ⅷ` are not.
#[must_use]
pub(crate) fn is_digit(char: char) -> bool {
    // Numeric_Type=Decimal and general category Nd are the same characters (UAX #44, Numeric_Type).
    category(char) == GeneralCategory::DecimalNumber || STYLED_DIGITS.iter().any(|&(first, last)| (first..=last).contains(&char))
}

/// The value of a decimal digit of any script, as Python's `int` reads it; `None` for every other character.
///
/// The digits of a script are consecutive, from zero to nine (Unicode 4.6, and its stability policy). Where several styles follow one another, so do
/// their tens.
#[must_use]
pub(crate) fn decimal_value(char: char) -> Option<u8> {
    let is_decimal = |char: &char| category(*char) == GeneralCategory::DecimalNumber;
    if !is_decimal(&char) {
        return None;
    }
    let before = (0..u32::from(char)).rev().map_while(char::from_u32).take_while(is_decimal).count();
    u8::try_from(before % 10).ok()
}

/// Whether the character is invisible by default (`Default_Ignorable_Code_Point`), as the soft hyphen, the zero-width space and the Hangul fillers,
/// which are letters.
#[must_use]
pub(crate) fn is_invisible(char: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(char)
}

/// Whether the character is a mark that belongs to the letter before it (general category M*).
pub(crate) fn is_mark(char: char) -> bool {
    GeneralCategoryGroup::Mark.contains(category(char))
}

fn category(char: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(char)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// The characters for which `str.isspace` of Python 3.11 is true, as listed by that interpreter.
    const PYTHON_WHITE_SPACE: &str = "\t\n\u{B}\u{C}\r\u{1C}\u{1D}\u{1E}\u{1F} \u{85}\u{A0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}";

    fn white_space() -> impl Strategy<Value = char> {
        proptest::sample::select(PYTHON_WHITE_SPACE.chars().collect::<Vec<_>>())
    }

    /// Characters at which folding and normalization meet: combining marks, sigmas, sharp s, dotted i, jamo, ligatures, variants.
    fn awkward() -> impl Strategy<Value = char> {
        let list = "aAiIsSKﬁ\u{345}\u{301}\u{307}\u{327}\u{308}\u{3099}ΣσςßẞİıſΩKÅᾳᾼᾴΐ\u{1100}\u{1161}\u{11A8}각ｶﾞＡ＠Ⅷ①ŉẚ\u{3F4}\u{13A0}\u{AB70}\u{FB13}\u{1E9B}\u{323}\u{AD}\u{200D}\u{34F}\u{115F}\u{1160}\u{3164}\u{FFA0}\u{FE0F}\u{180B}";
        prop_oneof![proptest::sample::select(list.chars().collect::<Vec<_>>()), any::<char>()]
    }

    #[test]
    fn white_space_is_what_python_strips() {
        let ours: BTreeSet<char> = ('\0'..=char::MAX).filter(|&char| trim(&char.to_string()).is_empty()).collect();
        assert_eq!(ours, PYTHON_WHITE_SPACE.chars().collect());
    }

    #[test]
    fn names_that_differ_in_case_or_width_fold_alike() {
        for (one, other) in
            [("Straße", "STRASSE"), ("ＡＬＩＣＥ", "alice"), ("ΟΔΟΣ", "οδος"), ("\u{212B}ngstrom", "å\u{4E}gstrom"), ("ﬁ", "FI")]
        {
            assert_eq!(fold(one), fold(other));
        }
        assert_ne!(fold("alice"), fold("alicé"));
    }

    #[test]
    fn names_that_differ_in_what_nobody_sees_fold_alike() {
        for invisible in ('\0'..=char::MAX).filter(|&char| is_invisible(char)) {
            for name in [format!("mara{invisible}"), format!("{invisible}mara"), format!("ma{invisible}{invisible}ra")] {
                assert_eq!(fold(&name), "mara", "{invisible:?}");
            }
            assert_eq!(fold(&invisible.to_string()), "", "{invisible:?}");
        }
        assert!(
            "\u{AD}\u{34F}\u{115F}\u{1160}\u{180B}\u{200B}\u{200D}\u{202E}\u{2066}\u{3164}\u{FE0F}\u{FEFF}\u{FFA0}\u{E0001}"
                .chars()
                .all(is_invisible)
        );
        assert!("a \t\u{301}\u{2028}\u{3000}.-_".chars().all(|char| !is_invisible(char)));
    }

    #[test]
    fn what_nobody_sees_at_the_ends_of_a_name_is_taken_off_but_never_all_of_it() {
        for (text, name) in [
            ("\u{FEFF}\u{200E} a b \u{200B}\u{3164}\n", "a b"),
            ("a\u{200B}b", "a\u{200B}b"),
            (" \u{200B} ", "\u{200B}"),
            (" \u{1C}\u{3000}", ""),
            ("", ""),
        ] {
            assert_eq!(trim_unseen(text), name, "{text:?}");
        }
    }

    #[test]
    fn folding_any_one_character_twice_changes_nothing_more() {
        for char in '\0'..=char::MAX {
            let once = fold(&char.to_string());
            assert_eq!(fold(&once), once, "{char:?}");
        }
    }

    #[test]
    fn letters_and_numbers_are_of_all_scripts_and_marks_are_neither() {
        for char in "aZ0é名ｱⅧʰßı\u{1100}𝔘ℵ½²".chars() {
            assert!(is_letter_or_number(char), "{char:?}");
        }
        for char in "\u{301}🙂‿⁀﹏＿\\@ \0\u{7F}\u{FEFF}€™".chars() {
            assert!(!is_letter_or_number(char), "{char:?}");
        }
    }

    #[test]
    fn digits_are_decimal_or_styled_and_nothing_else_that_has_a_value() {
        for char in "09٣９²³①⑴⒈➀𝟗\u{19DA}\u{1F10A}".chars() {
            assert!(is_digit(char), "{char:?}");
        }
        for char in "½Ⅷ一⑩㉑a\u{2189}\u{1F10B}".chars() {
            assert!(!is_digit(char), "{char:?}");
        }
    }

    #[test]
    fn a_decimal_digit_of_any_script_has_its_value_and_nothing_else_has_one() {
        for (digits, value) in [("0٠०０𝟎𝟘𝟶", 0), ("7٧७７𝟕𝟟𝟽", 7), ("9٩९９𝟗𝟡𝟿", 9)] {
            for char in digits.chars() {
                assert_eq!(decimal_value(char), Some(value), "{char:?}");
            }
        }
        for char in "²①½Ⅷ一a ".chars() {
            assert_eq!(decimal_value(char), None, "{char:?}");
        }
        let zeros = ('\0'..=char::MAX).filter(|char| decimal_value(*char) == Some(0)).count();
        let all = ('\0'..=char::MAX).filter(|char| decimal_value(*char).is_some()).count();
        assert_eq!(all, 10 * zeros);
    }

    #[test]
    fn the_table_of_styled_digits_has_no_decimal_one() {
        let styled = || STYLED_DIGITS.iter().flat_map(|&(first, last)| first..=last);
        // As many as Python 3.11 calls digits that are not decimal.
        assert_eq!(styled().count(), 128);
        assert!(styled().all(|char| category(char) == GeneralCategory::OtherNumber));
    }

    #[test]
    fn a_secret_is_composed_and_nothing_else_of_it_changes() {
        for (typed, form) in [
            ("e\u{301}", "é"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("\u{212b}", "å".to_uppercase().as_str()),
            ("q\u{307}\u{323}", "q\u{323}\u{307}"),
            ("ﬁ ＡⅧ\u{ad} x ", "ﬁ ＡⅧ\u{ad} x "),
            ("Correct-Horse-42", "Correct-Horse-42"),
            ("\u{1d160}", "\u{1d158}\u{1d165}\u{1d16e}"),
        ] {
            assert_eq!(*composed(typed), form);
        }
    }

    #[test]
    fn the_longest_password_is_composed_and_what_is_longer_stays_as_it_is() {
        // No character decomposes into more than four characters of up to four bytes.
        let apart = |count| "\u{3b9}\u{308}\u{342}".repeat(count);
        assert_eq!(*composed(&apart(1024)), "\u{1fd7}".repeat(1024));
        let mut longest = apart(1);
        longest.push_str(&"x".repeat(MAX_COMPOSED_BYTES - longest.len()));
        assert_ne!(*composed(&longest), longest);
        longest.push('x');
        assert_eq!(*composed(&longest), longest);
    }

    proptest! {
        #[test]
        fn composing_leaves_no_copy_behind_and_twice_is_once(text in proptest::collection::vec(awkward(), 0..40)) {
            let text: String = text.into_iter().collect();
            let once = composed(&text);
            prop_assert!(once.len() <= 3 * text.len(), "it had to move");
            prop_assert_eq!(&*composed(&once), &*once);
            prop_assert!(NFC.is_normalized(&once));
        }

        #[test]
        fn trimming_agrees_with_taking_characters_off_one_by_one(
            text in proptest::collection::vec(prop_oneof![white_space(), any::<char>()], 0..20)
        ) {
            let mut rest = &text[..];
            while let [first, inner @ ..] = rest && PYTHON_WHITE_SPACE.contains(*first) { rest = inner; }
            while let [inner @ .., last] = rest && PYTHON_WHITE_SPACE.contains(*last) { rest = inner; }
            let text: String = text.iter().collect();
            prop_assert_eq!(trim(&text), rest.iter().collect::<String>());
        }

        #[test]
        fn folding_what_is_folded_changes_nothing(text in proptest::collection::vec(awkward(), 0..12)) {
            let once = fold(&text.into_iter().collect::<String>());
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn folding_ignores_the_case_of_latin_greek_and_cyrillic(text in "[a-zA-Zà-öø-ÿÀ-ÖØ-ßα-ωΑ-ΡΣ-Ωа-яА-Я0-9@.+_-]{0,20}") {
            // Plain reference: one character becomes its lower case; ß becomes ss, the final sigma a sigma.
            let plain: String = text.to_lowercase().replace('ß', "ss").replace('ς', "σ");
            prop_assert_eq!(fold(&text), &*plain);
            prop_assert_eq!(fold(&text.to_uppercase()), plain);
        }
    }
}
