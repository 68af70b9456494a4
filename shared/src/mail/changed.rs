//! The notice that a password was changed.

use std::time::Duration;

use serde::Serialize;

use super::{ChangeKind, Origin, Rendered, rendered::OriginInWords};
use crate::{brand::Product, clock::Timestamp, language::Language, template::Broken};

/// A mail that says that a password was changed.
#[derive(Clone)]
pub struct ChangedMail {
    /// The product.
    pub product: Product,
    /// The language.
    pub language: Language,
    /// How it was changed.
    pub kind: ChangeKind,
    /// The link that says "this wasn't me", token included.
    pub link: String,
    /// How long that link works.
    pub lifetime: Duration,
    /// From where it was changed.
    pub origin: Origin,
    /// When it was changed.
    pub changed_at: Timestamp,
}

#[derive(Serialize)]
struct Data<'a> {
    by_reset: bool,
    link: &'a str,
    days: String,
    #[serde(flatten)]
    origin: OriginInWords,
}

impl ChangedMail {
    /// The mail.
    pub fn render(&self) -> Result<Rendered, Broken> {
        let data = Data {
            by_reset: self.kind == ChangeKind::Reset,
            link: &self.link,
            days: self.language.count("days", self.lifetime.as_secs() / (24 * 60 * 60))?,
            origin: OriginInWords::new(&self.origin, self.changed_at, self.language)?,
        };
        Rendered::of("password_changed", self.language, &self.product, &data)
    }
}

#[cfg(any(test, feature = "samples"))]
impl ChangedMail {
    /// What such mails look like: after a change, after a reset, and with difficult characters.
    #[must_use]
    pub fn samples(language: Language) -> Vec<(&'static str, Self)> {
        let changed = Self {
            product: Product::default(),
            language,
            kind: ChangeKind::Changed,
            link: "https://accounts.example.com/api/password_reset/disavow/?token=dwn_AZsW0t9gcbuyT3Z1bZ5c3nJ1Q0d1vK2xq7f8sVt0n4uYx3JmL9wPzA6hRkDe5GiB".to_owned(),
            lifetime: crate::store::DISAVOWAL_LIFETIME,
            origin: Origin { address: "203.0.113.7".to_owned(), browser: "Safari on iPhone".to_owned(), language: Some(language) },
            changed_at: sample_instant(),
        };
        let reset = Self { kind: ChangeKind::Reset, ..changed.clone() };
        let difficult = Self {
            product: Product { name: "Tom's <Bits+Bobs>".to_owned(), ..Product::default() },
            origin: Origin { address: "2001:db8:85a3::8a2e:370:7334".to_owned(), browser: String::new(), language: None },
            ..reset.clone()
        };
        vec![("changed", changed), ("reset", reset), ("difficult", difficult)]
    }
}

/// The instant of samples.
#[cfg(any(test, feature = "samples"))]
pub(super) fn sample_instant() -> Timestamp {
    Timestamp::from_second(1_767_273_000).unwrap_or_default()
}
