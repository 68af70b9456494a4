//! Why entries are refused, and the refused ones, listed by reason and name.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::{Failure, Terminal};

/// Maximum number of names that are listed for one reason, so that the report is short and memory does not grow with the file.
const MAX_NAMES: usize = 1000;

/// Maximum number of characters of a name that are shown.
const MAX_NAME_LENGTH: usize = 254;

/// Why an entry is refused: a text for all such entries, and details of this one.
#[derive(Debug)]
pub(super) struct Reason {
    pub(super) text: Cow<'static, str>,
    pub(super) about: Option<String>,
    pub(super) mended_without_password: bool,
}

impl Reason {
    pub(super) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), about: None, mended_without_password: false }
    }

    /// The same, with details of this entry.
    pub(super) fn about(self, about: String) -> Self {
        Self { about: Some(about), ..self }
    }

    /// The same, for an account that could be imported without its password.
    pub(super) fn mended_without_password(self) -> Self {
        Self { mended_without_password: true, ..self }
    }
}

/// The entries that were refused for one reason.
struct Group {
    text: Cow<'static, str>,
    count: usize,
    listed: Vec<String>,
}

/// The entries of one file that were refused.
pub(super) struct Reasons {
    entry_word: &'static str,
    groups: Vec<Group>,
    pub(super) count: usize,
}

impl Reasons {
    pub(super) fn new(entry_word: &'static str) -> Self {
        Self { entry_word, groups: Vec::new(), count: 0 }
    }

    /// Lists an entry with its reason.
    pub(super) fn add(&mut self, number: usize, name: &str, reason: Reason) {
        self.count += 1;
        let index = self.groups.iter().position(|group| group.text == reason.text).unwrap_or_else(|| {
            self.groups.push(Group { text: reason.text, count: 0, listed: Vec::new() });
            self.groups.len() - 1
        });
        let group = &mut self.groups[index];
        group.count += 1;
        if group.listed.len() < MAX_NAMES {
            let name = if name.is_empty() { String::new() } else { format!(": {name}") };
            let about = reason.about.map_or_else(String::new, |about| format!(" ({about})"));
            group.listed.push(format!("{} {number}{name}{about}", self.entry_word));
        }
    }

    pub(super) fn facts(&self) -> Value {
        self.groups.iter().map(|group| json!({ "reason": group.text, "count": group.count, "entries": group.listed })).collect()
    }

    /// Prints them, and `more` where not all are listed.
    pub(super) fn tell(&self, more: &str, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        for group in &self.groups {
            writeln!(terminal.out, "{} refused: {}", group.count, group.text)?;
            for listed in &group.listed {
                writeln!(terminal.out, "  {listed}")?;
            }
            if group.count > group.listed.len() {
                writeln!(terminal.out, "  and {} more{more}", group.count - group.listed.len())?;
            }
        }
        Ok(())
    }
}

/// A name for the terminal. A text that may be a hash, for example because columns were mixed up, is not shown.
pub(super) fn shown(name: &str) -> String {
    if name.contains('$') || name.chars().count() > MAX_NAME_LENGTH {
        return "(not shown)".to_owned();
    }
    // Control characters and characters that change the direction of text could make the terminal show something else.
    let is_hidden = |char: char| {
        char.is_control() || matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    name.chars().flat_map(|char| if is_hidden(char) { char.escape_unicode().collect::<Vec<_>>() } else { vec![char] }).collect()
}
