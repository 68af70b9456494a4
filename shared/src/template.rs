//! Templates. They are compiled in, strict about unknown values, and escaped. Their texts come from [`crate::wording`].

use std::{fmt::Write as _, sync::LazyLock};

use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, escape_formatter, syntax::SyntaxConfig, value::Kwargs,
};
use serde::Serialize;

use crate::{
    brand::{Logo, Picture, Product, ProductLinks},
    language::Language,
    wording::{self, MissingMessageError},
};

// Every template with its name, and the style and script of pages. The extension of a name decides about escaping: `.html` is escaped, `.txt` is not.
include!(concat!(env!("OUT_DIR"), "/templates.rs"));

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_function("say", say);
    environment.add_filter("parts", |address: &str| address.split('/').map(str::to_owned).collect::<Vec<_>>());
    environment.set_formatter(write_value);
    // Blocks are on lines of their own, which are removed. The configuration is fixed, so building it cannot fail.
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    for (name, source) in TEMPLATES {
        // The build parses every template.
        let _ = environment.add_template(name, source);
    }
    environment
});

/// A template could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("{0} cannot be rendered")]
pub struct TemplateError(String);

impl From<MissingMessageError> for TemplateError {
    fn from(missing: MissingMessageError) -> Self {
        Self(missing.to_string())
    }
}

/// The data that every template gets, besides its own.
#[derive(Serialize)]
struct Context<'a, T> {
    language: &'static str,
    direction: &'static str,
    product: &'a str,
    colour: String,
    colour_in_the_dark: String,
    links: &'a ProductLinks,
    logo: Option<Picture>,
    #[serde(flatten)]
    data: &'a T,
}

/// A template with its data, in a language.
pub fn render(name: &str, language: Language, product: &Product, data: &impl Serialize) -> Result<String, TemplateError> {
    let context = Context {
        language: language.tag(),
        direction: language.direction(),
        product: &product.name,
        colour: product.colour.css(),
        colour_in_the_dark: product.colour.in_the_dark().css(),
        links: &product.links,
        logo: product.logo.map(Logo::shown),
        data,
    };
    let broken = |error: Error| TemplateError(format!("template {name} ({})", error.kind()));
    ENVIRONMENT.get_template(name).map_err(broken)?.render(minijinja::value::Serde(&context)).map_err(broken)
}

/// Escapes text for markup (OWASP Cross Site Scripting Prevention Cheat Sheet, 1), except slashes, so that links remain readable for people and for mail
/// scanners that do not decode entities.
fn write_value(out: &mut Output<'_>, state: &mut State, value: &minijinja::Value) -> Result<(), Error> {
    let Some(text) = value.as_str().filter(|_| *state.auto_escape() == AutoEscape::Html && !value.is_safe()) else {
        return escape_formatter(out, state, value);
    };
    for char in text.chars() {
        match char {
            '&' => out.write_str("&amp;"),
            '<' => out.write_str("&lt;"),
            '>' => out.write_str("&gt;"),
            '"' => out.write_str("&quot;"),
            '\'' => out.write_str("&#x27;"),
            char => out.write_char(char),
        }?;
    }
    Ok(())
}

/// `say("id", name=value)`: a message in the language being rendered. Every message can use the product's name.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over")]
fn say(state: &State, id: &str, values: Kwargs) -> Result<String, Error> {
    let known = |name: &str| state.lookup(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let language = Language::of_tag(&known("language")).unwrap_or_default();
    let mut words = vec![("product".to_owned(), known("product"))];
    for name in values.args() {
        words.push((name.to_owned(), values.peek::<minijinja::Value>(name)?.to_string()));
    }
    let words: Vec<wording::Value<'_>> = words.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    language.say(id, &words).map_err(|missing| Error::new(ErrorKind::InvalidOperation, missing.to_string()))
}
