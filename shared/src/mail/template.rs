//! Templates: in the binary, strict, escaped.

use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior, syntax::SyntaxConfig};
use serde::Serialize;

/// Every template, by the name it is rendered under.
///
/// The name's last extension before `.j2` chooses the escaping: `.html` is escaped, `.txt` is not.
const TEMPLATES: [(&str, &str); 8] = [
    ("email/password_reset/subject.txt", include_str!("../../../templates/email/password_reset/subject.txt.j2")),
    ("email/password_reset/body.txt", include_str!("../../../templates/email/password_reset/body.txt.j2")),
    ("email/password_reset/body.html", include_str!("../../../templates/email/password_reset/body.html.j2")),
    ("email/password_changed/subject.txt", include_str!("../../../templates/email/password_changed/subject.txt.j2")),
    ("email/password_changed/body.txt", include_str!("../../../templates/email/password_changed/body.txt.j2")),
    ("email/password_changed/body.html", include_str!("../../../templates/email/password_changed/body.html.j2")),
    ("page/reset.html", include_str!("../../../templates/page/reset.html.j2")),
    ("page/message.html", include_str!("../../../templates/page/message.html.j2")),
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Blocks stand on lines of their own and leave none behind. The configuration is fixed, so building it cannot fail.
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    for (name, source) in TEMPLATES {
        // A template that does not parse is missing then, and its rendering fails: the tests render every one.
        let _ = environment.add_template(name, source);
    }
    environment
});

/// A mail, ready to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject: one line.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// A mail with a reset link.
#[derive(Clone, Serialize)]
pub struct ResetMail {
    /// The product's name.
    pub product: String,
    /// The link, token included: it opens the account.
    pub link: String,
    /// How long the link works, in words.
    pub lifetime: String,
    /// The client's address.
    pub address: String,
    /// The browser and system, or nothing.
    pub browser: String,
    /// When it was asked for, in words.
    pub requested_at: String,
}

/// A mail that says a password was changed.
#[derive(Clone, Serialize)]
pub struct ChangedMail {
    /// The product's name.
    pub product: String,
    /// Whether by a reset link rather than by somebody signed in.
    pub by_reset: bool,
    /// The client's address.
    pub address: String,
    /// The browser and system, or nothing.
    pub browser: String,
    /// When it was changed, in words.
    pub changed_at: String,
}

/// A template could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("template {0} cannot be rendered")]
pub struct Broken(&'static str);

impl ResetMail {
    /// The mail.
    pub fn render(&self) -> Result<Rendered, Broken> {
        render_mail("email/password_reset/subject.txt", "email/password_reset/body.txt", "email/password_reset/body.html", self)
    }
}

impl ChangedMail {
    /// The mail.
    pub fn render(&self) -> Result<Rendered, Broken> {
        render_mail("email/password_changed/subject.txt", "email/password_changed/body.txt", "email/password_changed/body.html", self)
    }
}

fn render_mail(subject: &'static str, text: &'static str, html: &'static str, data: &impl Serialize) -> Result<Rendered, Broken> {
    // A subject is one line, whatever its template does.
    let subject = render(subject, data)?.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Rendered { subject, text: render(text, data)?, html: render(html, data)? })
}

/// A template with its data.
pub fn render(name: &'static str, data: &impl Serialize) -> Result<String, Broken> {
    let template = ENVIRONMENT.get_template(name).map_err(|_| Broken(name))?;
    template.render(minijinja::value::Serde(data)).map_err(|_| Broken(name))
}
