//! What the template gives the functions of a stack that was deployed without parameters.

use std::collections::BTreeMap;

const TEMPLATE: &str = include_str!("../../../infra/template.yaml");

/// Every environment variable that has the value of a parameter, with the default of that parameter. Those that are empty by default are left out, and so
/// are those without a default and those that are made of resources.
pub fn defaults() -> BTreeMap<&'static str, &'static str> {
    let variable = |line: &'static str| {
        let (name, value) = line.trim().split_once(": !")?;
        let is_variable = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        // Of a choice it is the last, because no condition on which one depends holds by default: `!If [HasDashboard, all, !Ref Metrics]`.
        let parameter = value.rsplit("Ref ").next()?.split(|char: char| !char.is_alphanumeric()).next()?;
        let default = default_of(parameter).filter(|default| is_variable && !default.is_empty())?;
        Some((name, default))
    };
    TEMPLATE.lines().filter_map(variable).collect()
}

/// The default of a parameter. The template is read line by line, which its plain layout allows: a name at two spaces, its properties at four.
fn default_of(parameter: &str) -> Option<&'static str> {
    let (_, declaration) = TEMPLATE.split_once(&format!("\n  {parameter}:\n    Type: "))?;
    let properties = declaration.lines().skip(1).take_while(|line| line.starts_with("    "));
    let default = properties.filter_map(|line| line.strip_prefix("    Default: ")).next()?;
    Some(default.trim_matches('"'))
}
