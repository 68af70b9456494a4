//! The mail with a reset link.

use std::time::Duration;

use serde::Serialize;

use super::{Origin, Rendered, rendered::OriginInWords};
use crate::{brand::Product, clock::Timestamp, language::Language, template::Broken};

/// A mail with a reset link.
#[derive(Clone)]
pub struct ResetMail {
    /// The product.
    pub product: Product,
    /// The language.
    pub language: Language,
    /// The link, token included: it opens the account.
    pub link: String,
    /// How long the link works.
    pub lifetime: Duration,
    /// From where it was asked for.
    pub origin: Origin,
    /// When it was asked for.
    pub requested_at: Timestamp,
}

#[derive(Serialize)]
struct Data<'a> {
    link: &'a str,
    lifetime: String,
    #[serde(flatten)]
    origin: OriginInWords,
}

impl ResetMail {
    /// The mail.
    pub fn render(&self) -> Result<Rendered, Broken> {
        let data = Data {
            link: &self.link,
            lifetime: self.language.span(self.lifetime)?,
            origin: OriginInWords::new(&self.origin, self.requested_at, self.language)?,
        };
        Rendered::of("password_reset", self.language, &self.product, &data)
    }
}

#[cfg(any(test, feature = "samples"))]
impl ResetMail {
    /// What such mails look like: the usual one, and one of an unknown browser and a product with a difficult name.
    #[must_use]
    pub fn samples(language: Language) -> Vec<(&'static str, Self)> {
        let usual = Self {
            product: Product::default(),
            language,
            link: "https://accounts.example.com/api/password_reset/confirm/?token=dwr_AZsW0t9gcbuyT3Z1bZ5c3nJ1Q0d1vK2xq7f8sVt0n4uYx3JmL9wPzA6hRkDe5GiB".to_owned(),
            lifetime: crate::config::span::hours(1),
            origin: Origin { address: "203.0.113.7".to_owned(), browser: "Firefox on Android".to_owned(), language: Some(language) },
            requested_at: super::changed::sample_instant(),
        };
        let difficult = Self {
            product: Product { name: "Tom's <Bits+Bobs>".to_owned(), ..Product::default() },
            link: "https://app.example.com/welcome/#/reset/dwr_a'b+c?d=<e>&f=\"g\"".to_owned(),
            lifetime: crate::config::span::minutes(90),
            origin: Origin { address: "2001:db8:85a3::8a2e:370:7334".to_owned(), browser: String::new(), language: None },
            ..usual.clone()
        };
        vec![("usual", usual), ("difficult", difficult)]
    }
}
