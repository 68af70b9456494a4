//! Words for what is different in every world.

use std::collections::BTreeMap;

use doorward::token::{Purpose, Token};

/// Names for what is different in every world: ids and digests.
#[derive(Clone, Default)]
pub struct Names(pub BTreeMap<String, String>);

impl Names {
    pub fn digest<P: Purpose>(&mut self, token: &str, name: impl Into<String>) {
        self.0.insert(Token::<P>::parse(token).expect("a token").digest().as_str().to_owned(), name.into());
    }

    /// A text in which ids and digests are replaced by their names, or by their kind if they have none.
    pub fn in_words(&self, text: &str) -> String {
        let is_part = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
        let mut words = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let length = rest.find(|char| !is_part(char)).unwrap_or(rest.len());
            let (word, other) = rest.split_at(length);
            words.push_str(match self.0.get(word) {
                Some(name) => name,
                None if word.len() == 36 && word.matches('-').count() == 4 => "(an id)",
                None if word.len() == 43 => "(a digest)",
                None if word.len() == 13 && word.bytes().all(|byte| byte.is_ascii_digit()) => "(an instant)",
                None => word,
            });
            let next = other.find(is_part).unwrap_or(other.len());
            words.push_str(&other[..next]);
            rest = &other[next..];
        }
        words
    }
}
