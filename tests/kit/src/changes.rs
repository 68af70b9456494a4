//! The changes of the store between two moments, in words that are the same for two runs of the same request.

use std::collections::BTreeSet;

use crate::store::Facts;

/// The kind of an item, by its key: `account`, `session`, `reset`, `username claim`, `notice` …
fn kind((partition, sort): &(String, String)) -> String {
    let start = |text: &str| text.split('#').next().unwrap_or_default().to_owned();
    match start(partition).as_str() {
        "account" => start(sort),
        name if sort == "claim" => format!("{name} claim"),
        "reset" | "verify" => "request".to_owned(),
        other => other.to_owned(),
    }
}

/// Each item that was added, removed or changed, in order: `+session`, `-reset`, `~account epoch password`.
pub fn changes(before: &Facts, after: &Facts) -> Vec<String> {
    let mut changes: Vec<String> = before
        .keys()
        .chain(after.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter_map(|key| match (before.get(key), after.get(key)) {
            (None, Some(_)) => Some(format!("+{}", kind(key))),
            (Some(_), None) => Some(format!("-{}", kind(key))),
            (Some(old), Some(new)) if old != new => {
                let names: BTreeSet<&String> = old.keys().chain(new.keys()).filter(|name| old.get(*name) != new.get(*name)).collect();
                Some(names.into_iter().fold(format!("~{}", kind(key)), |text, name| format!("{text} {name}")))
            }
            _ => None,
        })
        .collect();
    changes.sort();
    changes
}
