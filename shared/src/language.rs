//! The languages of mails and pages. The API's messages are always English.

use crate::preference::liked;

/// A language of mails and pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// The default.
    #[default]
    English,
    /// German.
    German,
    /// Spanish.
    Spanish,
    /// Arabic.
    Arabic,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 4] = [Self::English, Self::German, Self::Spanish, Self::Arabic];

    /// Its tag (BCP 47).
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Spanish => "es",
            Self::Arabic => "ar",
        }
    }

    /// Its direction, for HTML's `dir`.
    #[must_use]
    pub fn direction(self) -> &'static str {
        match self {
            Self::English | Self::German | Self::Spanish => "ltr",
            Self::Arabic => "rtl",
        }
    }

    /// The language of a tag, by its first part: `de-AT` is German, and so are `de_AT` and `de.UTF-8`, as systems other than the Web write it
    /// (POSIX.1, Base Definitions, 8.2).
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_', '.', '@']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The language that an `Accept-Language` header prefers (RFC 9110, 12.5.4), if it accepts one of them.
    #[must_use]
    pub fn preferred(header: &str) -> Option<Self> {
        let mut best: Option<(Self, u16)> = None;
        for (tag, quality) in liked(header) {
            // The first of equal weights wins, because browsers list languages by preference.
            if let Some(language) = Self::of_tag(tag).filter(|_| quality > best.map_or(0, |(_, quality)| quality)) {
                best = Some((language, quality));
            }
        }
        best.map(|(language, _)| language)
    }

    /// The form that a noun takes beside a number (CLDR 48, cardinal plural rules, for whole numbers).
    #[must_use]
    pub fn plural(self, count: u64) -> &'static str {
        match (self, count, count % 100) {
            (Self::Arabic, 0, _) => "zero",
            (_, 1, _) => "one",
            (Self::Arabic, 2, _) => "two",
            (Self::Arabic, _, 3..=10) => "few",
            (Self::Arabic, _, 11..) => "many",
            _ => "other",
        }
    }

    /// Every form that [`Language::plural`] names.
    #[must_use]
    pub fn plurals(self) -> &'static [&'static str] {
        match self {
            Self::English | Self::German | Self::Spanish => &["one", "other"],
            Self::Arabic => &["zero", "one", "two", "few", "many", "other"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_language_of_ours_is_spoken() {
        assert_eq!(Language::preferred("en"), Some(Language::English));
        assert_eq!(Language::preferred("tlh, en-GB;q=0.8"), Some(Language::English));
        assert_eq!(Language::preferred("de-AT,de;q=0.9,en;q=0.8"), Some(Language::German));
        assert_eq!(Language::preferred("en;q=0.5, AR-eg;q=0.8"), Some(Language::Arabic));
        assert_eq!(Language::preferred("en;q=0"), None);
        assert_eq!(Language::preferred("tlh, *;q=0.1"), None);
        assert_eq!(Language::preferred(""), None);
        for posix in ["de_DE", "de.UTF-8", "de_AT.UTF-8", "de@euro"] {
            assert_eq!(Language::preferred(posix), Some(Language::German), "{posix}");
        }
        assert_eq!(Language::preferred("tlh_XX,es_419;Q=.5"), Some(Language::Spanish));
    }

    #[test]
    fn nouns_take_the_form_of_their_number() {
        assert_eq!([0, 1, 2].map(|count| Language::English.plural(count)), ["other", "one", "other"]);
        let arabic = [0, 1, 2, 3, 10, 11, 99, 100, 103].map(|count| Language::Arabic.plural(count));
        assert_eq!(arabic, ["zero", "one", "two", "few", "few", "many", "many", "other", "few"]);
    }
}
