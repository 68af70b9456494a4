//! Generates Rust code for the languages, templates and logo from the files of `templates/` and of the folder in `BRANDING`.

#[path = "language.rs"]
mod language;
#[path = "logo.rs"]
mod logo;
#[path = "sources.rs"]
mod sources;
#[path = "template.rs"]
mod template;

use std::path::Path;

use sources::Sources;

/// The problems, a sentence each.
pub type Problems = Vec<String>;

/// The files of code by their names.
pub fn generate(root: &Path, branding: Option<&str>) -> Result<[(&'static str, String); 3], Problems> {
    let sources = Sources::of(root, branding)?;
    let (languages, messages) = language::generate(&sources)?;
    Ok([("languages.rs", languages), ("templates.rs", template::generate(&sources, &messages)?), ("logo.rs", logo::generate(&sources)?)])
}
