//! The templates of mails and pages. Each is parsed. It may use only existing texts, and only the values that are passed to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use minijinja::{Environment, syntax::SyntaxConfig};

use super::{
    Problems,
    sources::{Sources, nearest, read},
};

/// The Rust code of the templates, style and script.
pub fn generate(sources: &Sources, messages: &BTreeSet<String>) -> Result<String, Problems> {
    let names: Vec<&str> = sources.names().filter_map(|name| name.strip_suffix(".j2")).collect();
    let values = values(sources, &names)?;
    let mut problems = Problems::new();
    let mut code = format!("static TEMPLATES: [(&str, &str); {}] = [\n", names.len());
    for name in names {
        let file = format!("{name}.j2");
        let Some(path) = sources.own(&file).or_else(|| sources.ours(&file)) else { continue };
        problems.extend(check(name, &read(path).map_err(|error| vec![error])?, messages, &values));
        let _ = writeln!(code, "({name:?}, include_str!({:?})),", path.display().to_string());
    }
    code += "];\n";
    for (constant, name) in [("STYLE", "page/page.css"), ("SCRIPT", "page/page.js")] {
        let path = sources.own(name).or_else(|| sources.ours(name)).ok_or_else(|| vec![format!("{name} is missing")])?;
        let _ = writeln!(code, "/// {name}.\npub(crate) const {constant}: &str = include_str!({:?});", path.display().to_string());
    }
    if problems.is_empty() { Ok(code) } else { Err(problems) }
}

/// The values that our templates of the same mail or page use. A template gets only these.
fn values(sources: &Sources, names: &[&str]) -> Result<BTreeMap<String, BTreeSet<String>>, Problems> {
    let mut of_folder: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in names {
        let Some(path) = sources.ours(&format!("{name}.j2")) else { continue };
        let text = read(path).map_err(|error| vec![error])?;
        let used = undeclared(name, &text).map_err(|error| vec![error])?;
        of_folder.entry(place(name)).or_default().extend(used);
    }
    // Every template gets the values that the layouts use.
    for layout in ["email", "page/layout.html"] {
        let shared = of_folder.get(layout).cloned().unwrap_or_default();
        for (folder, used) in &mut of_folder {
            if folder.split('/').next() == layout.split('/').next() {
                used.extend(shared.iter().cloned());
            }
        }
    }
    Ok(of_folder)
}

/// The group of templates that get the same values: all of one mail, or one page.
fn place(name: &str) -> String {
    if name.starts_with("page/") { name.to_owned() } else { name.rsplit_once('/').map_or(name, |(folder, _)| folder).to_owned() }
}

fn check(name: &str, text: &str, messages: &BTreeSet<String>, values: &BTreeMap<String, BTreeSet<String>>) -> Problems {
    let used = match undeclared(name, text) {
        Ok(used) => used,
        Err(wrong) => return vec![wrong],
    };
    let nothing = BTreeSet::new();
    let given = values.get(&place(name)).unwrap_or(&nothing);
    let mut problems: Problems =
        used.difference(given).map(|value| format!("{name}.j2: there is no value {value}{}", nearest(value, given.iter()))).collect();
    let said = text.split("say(\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(id, _)| id.to_owned());
    problems.extend(
        said.filter(|id| !messages.contains(id))
            .map(|id| format!("{name}.j2: no language has a text {id}{}", nearest(&id, messages.iter()))),
    );
    problems
}

/// The values that a template uses, besides those that it sets itself.
fn undeclared(name: &str, text: &str) -> Result<BTreeSet<String>, String> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(|error| error.to_string())?;
    environment.set_syntax(syntax);
    let template = environment.template_from_named_str(name, text).map_err(|error| format!("{name}.j2: {error}"))?;
    Ok(template
        .undeclared_variables(false)
        .into_iter()
        .filter(|value| !["say", "super", "self", "loop"].contains(&value.as_str()))
        .collect())
}
