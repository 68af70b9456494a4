//! docs/configuration.md lists the parameters of the template, with the defaults and values that the template has.

use std::collections::BTreeMap;

const PAGE: &str = include_str!("../../../docs/configuration.md");
const TEMPLATE: &str = include_str!("../../../infra/template.yaml");

/// A parameter as the template declares it or as the page describes it: only what both know.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parameter {
    /// `None` for a parameter that must be given.
    default: Option<String>,
    /// The allowed values, empty where any value may be given.
    allowed: Vec<String>,
}

/// The parameters of the template. It is read line by line, which its plain layout allows: a name at two spaces, its properties at four.
fn declared(template: &str) -> BTreeMap<String, Parameter> {
    let section = template.split("\nParameters:\n").nth(1).expect("a section of parameters");
    let section = section.split("\nRules:\n").next().unwrap_or(section);
    let mut parameters = BTreeMap::new();
    let mut name = String::new();
    for line in section.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        let (key, value) = line.trim().split_once(':').unwrap_or_else(|| panic!("not a property: {line}"));
        match line.len() - line.trim_start().len() {
            2 => {
                assert_eq!(value, "", "the properties of {key} stand on lines of their own");
                key.clone_into(&mut name);
                parameters.insert(name.clone(), Parameter::default());
            }
            4 => {
                let parameter = parameters.get_mut(&name).expect("a name before its properties");
                match key {
                    "Default" => parameter.default = Some(unquoted(value)),
                    "AllowedValues" => parameter.allowed = value.trim().trim_matches(['[', ']']).split(',').map(unquoted).collect(),
                    _ => {}
                }
            }
            _ => panic!("neither a name nor a property: {line}"),
        }
    }
    parameters
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches('"').to_owned()
}

/// The parameters of the page: every row whose first cell is a name in code.
fn described(page: &str) -> BTreeMap<String, Parameter> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let parameters = rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, default, values, meaning] = cells[..] else { panic!("four cells are needed: {row}") };
        assert!(meaning.len() > 10 && meaning.ends_with('.'), "a meaning is a sentence: {row}");
        let default = match default {
            "required" => None,
            "(empty)" => Some(String::new()),
            code => Some(code.trim_matches('`').to_owned()),
        };
        (
            name.trim_matches('`').to_owned(),
            Parameter { default, allowed: values.split(',').map(|value| value.trim().to_owned()).collect() },
        )
    });
    let list: Vec<(String, Parameter)> = parameters.collect();
    let count = list.len();
    let map: BTreeMap<_, _> = list.into_iter().collect();
    assert_eq!(map.len(), count, "a parameter is described twice");
    map
}

/// What is wrong with the page, a sentence each.
fn differences(page: &str, template: &str) -> Vec<String> {
    let (declared, described) = (declared(template), described(page));
    let mut wrong: Vec<String> =
        described.keys().filter(|name| !declared.contains_key(*name)).map(|name| format!("{name} is not in the template")).collect();
    for (name, parameter) in &declared {
        let Some(row) = described.get(name) else {
            wrong.push(format!("{name} has no row"));
            continue;
        };
        if row.default != parameter.default {
            wrong.push(format!("{name} has the default {:?}, not {:?}", parameter.default, row.default));
        }
        let words = row.allowed.join(" or ").replace('`', "");
        let named: Vec<&str> = words.split(" or ").collect();
        if !parameter.allowed.is_empty() && named != parameter.allowed {
            wrong.push(format!("{name} takes {:?}, not {named:?}", parameter.allowed));
        }
    }
    wrong
}

#[test]
fn every_parameter_is_described_with_its_default_and_its_allowed_values() {
    assert!(declared(TEMPLATE).len() > 50);
    assert_eq!(differences(PAGE, TEMPLATE), [""; 0]);
}

#[test]
fn a_missing_a_stale_and_a_wrong_row_are_each_found() {
    let row = |name: &str| PAGE.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).expect("a row");
    assert_eq!(differences(&PAGE.replace(row("Sender"), ""), TEMPLATE), ["Sender has no row"]);
    assert_eq!(
        differences(&PAGE.replace("`StageName` |", "`Stage` |"), TEMPLATE),
        ["Stage is not in the template", "StageName has no row"]
    );
    assert_eq!(differences(&PAGE.replace(row("ThrottleRate"), &row("ThrottleRate").replace("200", "20")), TEMPLATE).len(), 1);
    assert_eq!(differences(&PAGE.replace("`error`, `warn`, `info`", "`error`, `info`"), TEMPLATE).len(), 1);
}
