//! The languages: each is a file of texts, `language/<tag>.json`, whose name is its tag (BCP 47). The English file determines which texts there are.
//!
//! A text whose name ends in `.other` is a noun after a number. Every language has a text for each of its plural forms (CLDR, cardinal plural rules).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use icu_locale_core::Locale;
use icu_plurals::{PluralCategory, PluralRules, PluralRulesOptions};

use super::{
    Problems,
    sources::{Sources, is_language, nearest, read},
};

/// Texts by their names.
pub type Messages = BTreeMap<String, String>;

/// In every language of CLDR, the plural form of a whole number below a million is that of the same number below 200, or of the number from 100 to 199
/// with the same last two digits.
const NUMBERS: usize = 200;

const FORMS: [(PluralCategory, &str); 6] = [
    (PluralCategory::Zero, "zero"),
    (PluralCategory::One, "one"),
    (PluralCategory::Two, "two"),
    (PluralCategory::Few, "few"),
    (PluralCategory::Many, "many"),
    (PluralCategory::Other, "other"),
];

/// The Rust code of the languages, and the names of all texts.
pub fn generate(sources: &Sources) -> Result<(String, BTreeSet<String>), Problems> {
    let mut problems = Problems::new();
    let ours = messages(sources.ours("language/en.json").ok_or_else(|| vec!["language/en.json is missing".to_owned()])?)?;
    let mut languages = BTreeMap::new();
    for name in sources.names().filter(|name| is_language(name)) {
        let tag = name.trim_start_matches("language/").trim_end_matches(".json");
        let mut texts = Messages::new();
        for path in [sources.ours(name), sources.own(name)].into_iter().flatten() {
            match messages(path) {
                Ok(read) => texts.extend(read),
                Err(wrong) => problems.extend(wrong),
            }
        }
        languages.insert(tag.to_owned(), texts);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    // A text named `own.…` is used by the operator's own templates. All other texts have the placeholders of our texts.
    let own = languages["en"].iter().filter(|(name, _)| name.starts_with("own."));
    let english: Messages = ours.iter().chain(own).map(|(name, text)| (name.clone(), text.clone())).collect();
    let known: BTreeSet<String> = english.keys().cloned().collect();
    let nouns: BTreeSet<&str> = known.iter().filter_map(|name| name.strip_suffix(".other")).collect();
    let mut code = format!("pub(crate) static LANGUAGES: [Texts; {}] = [\n", languages.len());
    for (tag, texts) in &languages {
        let rule = match rule(tag) {
            Ok(rule) => rule,
            Err(wrong) => {
                problems.push(wrong);
                continue;
            }
        };
        problems.extend(check(tag, texts, &known, &nouns, &rule, &english));
        let direction = if texts.get("language.direction").is_some_and(|direction| direction == "rtl") { "rtl" } else { "ltr" };
        // One long text takes less space in the binary than a table with a pointer for each part.
        let mut lines = String::new();
        for (name, text) in texts {
            let _ = writeln!(lines, "{name}\t{text}");
        }
        let Rule { forms, form_of } = rule;
        let _ = writeln!(
            code,
            "Texts {{ tag: {tag:?}, direction: {direction:?}, forms: &{forms:?}, form_of: &{form_of:?}, messages: {lines:?} }},"
        );
    }
    code += "];\n";
    let english = languages.keys().position(|tag| tag == "en").unwrap_or_default();
    let _ = writeln!(code, "pub(crate) const ENGLISH: usize = {english};");
    if problems.is_empty() { Ok((code, known)) } else { Err(problems) }
}

/// The plural forms of a language, and the index of the form for each number below [`NUMBERS`].
struct Rule {
    forms: Vec<&'static str>,
    form_of: Vec<u8>,
}

fn rule(tag: &str) -> Result<Rule, String> {
    let locale: Locale = tag.parse().map_err(|_| format!("language/{tag}.json: its name is no language tag such as fr or pt-BR"))?;
    let rules =
        PluralRules::try_new(locale.into(), PluralRulesOptions::default()).map_err(|error| format!("language/{tag}.json: {error}"))?;
    let said: Vec<PluralCategory> = (0..NUMBERS).map(|number| rules.category_for(number)).collect();
    let used: Vec<_> = FORMS.into_iter().filter(|(form, _)| said.contains(form)).collect();
    let index = |form: &PluralCategory| used.iter().position(|(used, _)| used == form).and_then(|index| u8::try_from(index).ok());
    Ok(Rule { forms: used.iter().map(|(_, name)| *name).collect(), form_of: said.iter().filter_map(index).collect() })
}

fn check(tag: &str, texts: &Messages, known: &BTreeSet<String>, nouns: &BTreeSet<&str>, rule: &Rule, english: &Messages) -> Problems {
    let noun = |name: &str| name.rsplit_once('.').map(|(noun, _)| noun).filter(|noun| nouns.contains(noun)).map(str::to_owned);
    let mut wanted: BTreeSet<String> = known.iter().filter(|name| noun(name).is_none()).cloned().collect();
    wanted.extend(nouns.iter().flat_map(|noun| rule.forms.iter().map(move |form| format!("{noun}.{form}"))));
    let mut problems = Problems::new();
    for name in wanted.iter().filter(|name| !texts.contains_key(*name)) {
        problems.push(format!("language/{tag}.json: {name} is missing"));
    }
    for (name, text) in texts {
        let mut wrong = |what: String| problems.push(format!("language/{tag}.json: {name} {what}"));
        if !wanted.contains(name) {
            wrong(format!("is no text that is said anywhere{}", nearest(name, wanted.iter())));
            continue;
        }
        if text.trim() != text || text.is_empty() {
            wrong("is empty, or begins or ends with a space".to_owned());
        }
        if text.contains(char::is_control) {
            wrong("has a line break or a tab".to_owned());
        }
        if name == "language.direction" && !["ltr", "rtl"].contains(&text.as_str()) {
            wrong("must be ltr or rtl".to_owned());
        }
        let allowed =
            if noun(name).is_some() { BTreeSet::from(["count"]) } else { english.get(name).map(|text| values(text)).unwrap_or_default() };
        for value in values(text).difference(&with_product(&allowed)) {
            wrong(format!(
                "has {{{value}}}, which is not among its values: {}",
                with_product(&allowed).into_iter().collect::<Vec<_>>().join(", ")
            ));
        }
    }
    problems
}

/// Every text can use the product's name.
fn with_product<'a>(values: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    values.iter().copied().chain(["product"]).collect()
}

/// The names between braces.
fn values(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).map(|part| part.split('}').next().unwrap_or(part)).collect()
}

fn messages(path: &std::path::Path) -> Result<Messages, Problems> {
    let text = read(path).map_err(|error| vec![error])?;
    serde_json::from_str(&text).map_err(|error| vec![format!("{}: not an object of texts: {error}", path.display())])
}
