//! Mail: data in, a rendered mail out, sent by SES.

#[cfg(feature = "mail")]
mod send;
#[cfg(any(feature = "mail", feature = "pages"))]
pub mod template;

use crate::config::Settings;

#[cfg(feature = "mail")]
pub use send::{NotSent, Sender};

/// `PRODUCT_NAME`: what mails and pages call the product; Doorward by default.
#[must_use]
pub fn product_name(settings: &Settings) -> String {
    settings.optional("PRODUCT_NAME").unwrap_or_else(|| "Doorward".to_owned())
}

/// From where something was asked, in words that may stand in a mail: an address the gateway saw, a browser we recognised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address.
    pub address: String,
    /// The browser and system, in words of ours; empty when not recognised.
    pub browser: String,
    /// The language the client prefers, among those we speak (BCP 47).
    pub language: Option<String>,
}

/// How a password came to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// By somebody signed in who knew the old one.
    Changed,
    /// By a reset link.
    Reset,
}

impl ChangeKind {
    /// As the store holds it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Reset => "reset",
        }
    }

    /// From what the store holds.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        [Self::Changed, Self::Reset].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The languages of mails and pages (BCP 47), the first of which is spoken where none is asked for.
pub const LANGUAGES: [&str; 1] = ["en"];

/// The language among ours that an `Accept-Language` header likes best (RFC 9110, 12.5.4), if it likes one.
#[must_use]
pub fn preferred_language(header: &str) -> Option<&'static str> {
    let mut best: Option<(&'static str, f32)> = None;
    for range in header.split(',').take(32) {
        let mut parts = range.split(';');
        let tag = parts.next().unwrap_or_default().trim();
        let quality = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0_f32);
        let primary = tag.split('-').next().unwrap_or_default();
        let ours = LANGUAGES.iter().find(|language| language.eq_ignore_ascii_case(primary));
        // The first of equals wins, as browsers list them by preference.
        if let Some(language) = ours.filter(|_| quality > best.map_or(0.0, |(_, quality)| quality)) {
            best = Some((language, quality));
        }
    }
    best.map(|(language, _)| language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_language_of_ours_is_spoken() {
        assert_eq!(preferred_language("en"), Some("en"));
        assert_eq!(preferred_language("tlh, en-GB;q=0.8"), Some("en"));
        assert_eq!(preferred_language("en;q=0"), None);
        assert_eq!(preferred_language("tlh, *;q=0.1"), None);
        assert_eq!(preferred_language(""), None);
    }
}
