//! Pages for browsers.
//!
//! A page loads nothing and runs only the script that it contains; its Content-Security-Policy lists style and script by their hashes. It also
//! works without the script.

mod content;
#[cfg(feature = "samples")]
mod sample;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

pub use content::{Asks, Page};

use crate::{
    brand::{Logo, Product},
    config::Settings,
    http::{Answer, Reader, Refusal, html, see_other},
    template::{SCRIPT, STYLE, TemplateError},
};

/// The pages of a product.
pub struct Pages {
    product: Product,
    style: String,
    icon: String,
    logo: String,
    policy: String,
}

impl Pages {
    /// The pages with the name and colour of the configured product.
    pub fn configured(settings: &mut Settings) -> Self {
        Self::of(Product::configured(settings))
    }

    /// The pages of this product.
    #[must_use]
    pub fn of(product: Product) -> Self {
        let style = STYLE.replace("COLOUR", &product.colour.css()).replace("LIGHTER", &product.colour.in_the_dark().css());
        let door = "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Cpath fill='COLOUR' d='M6 32V12a10 10 0 0 1 20 0v20z'/%3E%3C/svg%3E";
        let door = format!("data:image/svg+xml,{}", door.replace("COLOUR", &product.colour.css().replace('#', "%23")));
        let logo = product.logo.map(Logo::as_url).unwrap_or_default();
        let icon = if logo.is_empty() { door } else { logo.clone() };
        let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())));
        // Nothing is loaded, nothing else runs, and a form can only be sent to our own origin (CSP 3).
        let policy = format!(
            "default-src 'none'; style-src {}; script-src {}; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            hash(&style),
            hash(SCRIPT)
        );
        Self { product, style, icon, logo, policy }
    }

    /// A page, for its reader.
    pub fn show(&self, reader: &Reader, page: &Page<'_>) -> Result<Answer, TemplateError> {
        let (status, outcome) = page.outcome();
        Ok(Answer { outcome, ..html(status, page.render(self, reader)?, &self.policy) })
    }

    /// Redirects a reader from an accepted form to the same address with GET, which then says so. That address contains neither token nor name, and the page
    /// claims nothing that would be false for somebody who opens it directly.
    #[must_use]
    pub fn send_on(&self, reader: &Reader) -> Answer {
        // Relative, so that it works under any base path.
        see_other(&format!("?done=1&language={}", reader.language.tag()))
    }

    /// The page for a refusal that every endpoint can give, if there is one. Refusals of one endpoint, such as wrong fields or a dead link, are on pages of
    /// that endpoint.
    #[must_use]
    pub fn refused(&self, reader: &Reader, refusal: &Refusal) -> Option<Answer> {
        let page = match refusal {
            Refusal::Throttled { retry_after } => Page::Throttled { retry_after: *retry_after },
            Refusal::Origin => Page::Foreign,
            Refusal::Fault(_) => Page::Fault,
            _ => return None,
        };
        let shown = self.show(reader, &page).ok()?;
        // The status, the outcome and the headers that go with them are the refusal's.
        let plain = Answer::from(refusal);
        let mut headers = plain.headers;
        headers.extend(shown.headers);
        Some(Answer { status: plain.status, headers, body: shown.body, outcome: plain.outcome })
    }
}
