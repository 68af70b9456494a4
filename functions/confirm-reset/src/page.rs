//! The page that a mailed link opens.

use doorward::{
    config::Settings,
    http::{Answer, Field, Fields, Refusal, Request, StatusCode, html},
    mail::{
        product_name,
        template::{Broken, render},
    },
};
use serde::Serialize;

/// Nothing is loaded, nothing runs, the form goes only to where it came from (CSP 3).
const POLICY: &str = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The pages, in the product's name.
pub struct Pages {
    product: String,
}

#[derive(Serialize)]
struct FormPage<'a> {
    product: &'a str,
    token: &'a str,
    username: &'a str,
    messages: &'a [String],
}

#[derive(Serialize)]
struct MessagePage<'a> {
    product: &'a str,
    title: &'a str,
    message: &'a str,
}

impl Pages {
    /// `PRODUCT_NAME`, default Doorward.
    pub fn configured(settings: &mut Settings) -> Self {
        Self { product: product_name(settings) }
    }

    /// The form that sets a new password, with what was wrong with the last one.
    pub fn form(&self, token: &str, username: &str, messages: &[String]) -> Result<Answer, Broken> {
        let status = if messages.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        let page = render("page/reset.html", &FormPage { product: &self.product, token, username, messages })?;
        Ok(html(status, page, POLICY))
    }

    /// The password is set.
    pub fn done(&self) -> Result<Answer, Broken> {
        self.message(
            StatusCode::OK,
            "Your password has been changed",
            "You can log in with your new password now. Every other session has been ended.",
        )
    }

    /// What went wrong, as a page; what is nobody's doing stays a refusal.
    pub fn refused(&self, request: &Request, refusal: Refusal) -> Result<Answer, Refusal> {
        let status = refusal.status();
        Ok(match refusal {
            Refusal::Token => self.message(
                status,
                "This link does not work any more",
                "It may have been used already, have expired, or been replaced by a newer one. Ask for a new link where you log in.",
            )?,
            Refusal::Throttled { .. } => self.message(status, "Too many tries", "Wait a few minutes and open the link again.")?,
            Refusal::Fields(errors) => {
                // The form comes back with the messages and its token; the username is left to the next opening of the link.
                let mut fields = Fields::of(request.form()?);
                let token = fields.take("token", Field::Text).unwrap_or_default();
                let messages: Vec<String> = errors.iter().flat_map(|(_, messages)| messages.iter().cloned()).collect();
                self.form(&token, "", &messages)?
            }
            other => return Err(other),
        })
    }

    fn message(&self, status: StatusCode, title: &str, message: &str) -> Result<Answer, Broken> {
        Ok(html(status, render("page/message.html", &MessagePage { product: &self.product, title, message })?, POLICY))
    }
}
