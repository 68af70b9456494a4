//! The languages of mails and pages. The API's messages are always English.

use std::fmt;

use crate::{config::Settings, preference::liked};

/// A language of mails and pages: a file of texts in `templates/language`.
#[derive(Clone, Copy)]
pub struct Language(&'static Texts);

/// The compiled content of a language's file.
pub(crate) struct Texts {
    /// Its tag (BCP 47), which is the file's name.
    tag: &'static str,
    direction: &'static str,
    /// The plural forms, by their CLDR names.
    forms: &'static [&'static str],
    /// The plural form of each number: at the number's index, or at 100 plus the number's last two digits.
    form_of: &'static [u8],
    /// Texts, a line each: name, tab, text.
    messages: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/languages.rs"));

impl Language {
    /// Every language, in the order of their tags.
    pub fn all() -> impl Iterator<Item = Self> {
        LANGUAGES.iter().map(Self)
    }

    /// `DEFAULT_LANGUAGE`: the tag of the language for people whose own is unknown or not available (default `en`).
    pub fn configured(settings: &mut Settings) -> Self {
        settings.parsed("DEFAULT_LANGUAGE", Self::default(), |text| {
            let known = Self::all().find(|language| language.0.tag.eq_ignore_ascii_case(text));
            known.ok_or_else(|| format!("must be one of {}", Self::all().map(Self::tag).collect::<Vec<_>>().join(", ")))
        })
    }

    /// Its tag (BCP 47).
    #[must_use]
    pub fn tag(self) -> &'static str {
        self.0.tag
    }

    /// Its direction, for HTML's `dir`.
    #[must_use]
    pub fn direction(self) -> &'static str {
        self.0.direction
    }

    /// The language of a tag: that with the same tag, otherwise the first with the same first part. `de-AT` is German, and so are `de_AT` and
    /// `de.UTF-8`, as systems other than the Web write it (POSIX.1, Base Definitions, 8.2).
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let whole = tag.split(['.', '@']).next().unwrap_or_default().replace('_', "-");
        let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
        let same = Self::all().find(|language| language.0.tag.eq_ignore_ascii_case(&whole));
        same.or_else(|| Self::all().find(|language| primary(language.0.tag) == primary(&whole)))
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

    /// The plural form for a number (CLDR, cardinal plural rules, for whole numbers).
    #[must_use]
    pub(crate) fn plural(self, count: u64) -> &'static str {
        let listed = usize::try_from(count).ok().filter(|count| *count < self.0.form_of.len());
        let index = listed.unwrap_or_else(|| 100 + usize::try_from(count % 100).unwrap_or_default());
        self.0.form_of.get(index).and_then(|form| self.0.forms.get(usize::from(*form))).copied().unwrap_or("other")
    }

    /// The text of this name.
    pub(crate) fn message(self, id: &str) -> Option<&'static str> {
        self.0.messages.lines().find_map(|line| line.strip_prefix(id)?.strip_prefix('\t'))
    }

    /// The names of its texts.
    #[cfg(test)]
    pub(crate) fn messages(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.messages.lines().filter_map(|line| line.split_once('\t'))
    }
}

impl Default for Language {
    /// English, whose file determines which texts every language has.
    fn default() -> Self {
        Self(&LANGUAGES[ENGLISH])
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        self.0.tag == other.0.tag
    }
}

impl Eq for Language {}

impl fmt::Debug for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preferred(header: &str) -> Option<&'static str> {
        Language::preferred(header).map(Language::tag)
    }

    #[test]
    fn the_best_liked_language_of_ours_is_spoken() {
        assert_eq!(preferred("en"), Some("en"));
        assert_eq!(preferred("tlh, en-GB;q=0.8"), Some("en"));
        assert_eq!(preferred("de-AT,de;q=0.9,en;q=0.8"), Some("de"));
        assert_eq!(preferred("en;q=0.5, AR-eg;q=0.8"), Some("ar"));
        assert_eq!(preferred("en;q=0"), None);
        assert_eq!(preferred("tlh, *;q=0.1"), None);
        assert_eq!(preferred(""), None);
        for posix in ["de_DE", "de.UTF-8", "de_AT.UTF-8", "de@euro"] {
            assert_eq!(preferred(posix), Some("de"), "{posix}");
        }
        assert_eq!(preferred("tlh_XX,es_419;Q=.5"), Some("es"));
    }

    #[test]
    fn nouns_take_the_form_of_their_number_in_every_language_of_ours() {
        let forms = |tag: &str, counts: &[u64]| {
            let language = Language::of_tag(tag).unwrap();
            counts.iter().map(|count| language.plural(*count)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(forms("en", &[0, 1, 2, 101, 1001]), "other one other other other");
        assert_eq!(forms("fr", &[0, 1, 2, 100]), "one one other other");
        assert_eq!(forms("ja", &[0, 1, 2, 100]), "other other other other");
        assert_eq!(forms("ar", &[0, 1, 2, 3, 10, 11, 99, 100, 103]), "zero one two few few many many other few");
        // Beyond the numbers that are listed.
        assert_eq!(forms("ar", &[200, 202, 1003, 1011, u64::MAX]), "other other few many many");
    }

    #[test]
    fn the_default_language_is_one_of_ours() {
        let configured = |tag: &str| {
            let mut settings = Settings::from_pairs([("DEFAULT_LANGUAGE".to_owned(), tag.to_owned())]);
            let language = Language::configured(&mut settings);
            settings.finish().map(|()| language.tag()).map_err(|complaint| complaint.to_string())
        };
        assert_eq!(configured("").unwrap(), "en");
        assert_eq!(configured("FR").unwrap(), "fr");
        assert_eq!(configured("tlh").unwrap_err(), "DEFAULT_LANGUAGE: must be one of ar, de, en, es, fr, ja");
    }
}
