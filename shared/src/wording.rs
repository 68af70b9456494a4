//! The texts of mails and pages: all messages of a language are in `templates/language/<tag>.json`.

use std::{collections::HashMap, sync::LazyLock, time::Duration};

use crate::{agent::Agent, clock::Timestamp, language::Language};

/// Begins text whose direction must not affect the sentence around it (Unicode Bidirectional Algorithm, UAX 9, 2.7).
const ISOLATE: char = '\u{2068}';
/// Ends it.
const END_OF_ISOLATE: char = '\u{2069}';

type Messages = HashMap<String, String>;

/// A message, or a value that it uses, is missing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no message or value for {0}")]
pub struct MissingMessageError(pub String);

/// A placeholder of a message and its value.
pub type Value<'a> = (&'a str, &'a str);

impl Language {
    fn messages(self) -> &'static Messages {
        // A file that does not parse has no messages, so every rendering fails. A test reads every file.
        fn read(json: &str) -> Messages {
            serde_json::from_str(json).unwrap_or_default()
        }
        static ENGLISH: LazyLock<Messages> = LazyLock::new(|| read(include_str!("../../templates/language/en.json")));
        static GERMAN: LazyLock<Messages> = LazyLock::new(|| read(include_str!("../../templates/language/de.json")));
        static SPANISH: LazyLock<Messages> = LazyLock::new(|| read(include_str!("../../templates/language/es.json")));
        static ARABIC: LazyLock<Messages> = LazyLock::new(|| read(include_str!("../../templates/language/ar.json")));
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::Spanish => &SPANISH,
            Self::Arabic => &ARABIC,
        }
    }

    /// A message with its `{placeholders}` filled in. Where the language runs right to left, values are isolated from the text around them.
    pub fn say(self, id: &str, values: &[Value<'_>]) -> Result<String, MissingMessageError> {
        let mut rest = self.messages().get(id).ok_or_else(|| MissingMessageError(id.to_owned()))?.as_str();
        let mut said = String::with_capacity(rest.len() + 32);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| MissingMessageError(id.to_owned()))?;
            let (_, value) = values.iter().find(|(known, _)| *known == name).ok_or_else(|| MissingMessageError(format!("{id}: {name}")))?;
            said.push_str(before);
            if self.direction() == "rtl" {
                said.extend([ISOLATE].into_iter().chain(value.chars()).chain([END_OF_ISOLATE]));
            } else {
                said.push_str(value);
            }
            rest = after;
        }
        Ok(said + rest)
    }

    /// A number of things: `8 characters`.
    pub fn count(self, noun: &str, count: u64) -> Result<String, MissingMessageError> {
        // The number is part of the phrase, so it needs no isolate of its own.
        let said = self.say(&format!("{noun}.{}", self.plural(count)), &[("count", &count.to_string())])?;
        Ok(without_isolates(&said))
    }

    /// A span of time in whole hours or minutes: `90 minutes`.
    pub fn span(self, span: Duration) -> Result<String, MissingMessageError> {
        let minutes = span.as_secs().div_ceil(60);
        match (minutes / 60, minutes % 60) {
            (hours @ 1.., 0) => self.count("hours", hours),
            _ => self.count("minutes", minutes),
        }
    }

    /// An instant in UTC, because the reader's time zone is unknown.
    pub fn instant(self, instant: Timestamp) -> Result<String, MissingMessageError> {
        let part = |format: &str| instant.strftime(format).to_string();
        let month = self.say(&format!("month.{}", part("%-m")), &[])?;
        let said = self.say("date", &[("day", &part("%-d")), ("month", &month), ("year", &part("%Y")), ("time", &part("%H:%M"))])?;
        Ok(without_isolates(&said))
    }

    /// A browser and its system: `Firefox on Linux`.
    pub fn agent(self, agent: Agent) -> Result<String, MissingMessageError> {
        match agent.system {
            Some(system) => self.say("agent", &[("browser", agent.browser.name()), ("system", system.name())]),
            None => Ok(agent.browser.name().to_owned()),
        }
    }
}

/// Text without isolates, for use without surrounding text.
#[must_use]
pub fn without_isolates(text: &str) -> String {
    text.replace([ISOLATE, END_OF_ISOLATE], "")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// The nouns that are used with a number.
    const NOUNS: [&str; 5] = ["characters", "days", "hours", "minutes", "times"];

    fn placeholders(message: &str) -> BTreeSet<&str> {
        message.split('{').skip(1).filter_map(|part| part.split('}').next()).collect()
    }

    #[test]
    fn no_language_lacks_a_message_or_has_a_stray_one() {
        let expected = |language: Language| {
            let plain = Language::English.messages().keys().filter(|id| !NOUNS.iter().any(|noun| id.starts_with(&format!("{noun}."))));
            let forms = NOUNS.iter().flat_map(|noun| language.plurals().iter().map(move |form| format!("{noun}.{form}")));
            plain.cloned().chain(forms).collect::<BTreeSet<String>>()
        };
        for language in Language::ALL {
            let has: BTreeSet<String> = language.messages().keys().cloned().collect();
            assert!(has.len() > 80, "{language:?} is not read");
            let (lacks, stray): (Vec<_>, Vec<_>) =
                (expected(language).difference(&has).cloned().collect(), has.difference(&expected(language)).cloned().collect());
            assert!(lacks.is_empty() && stray.is_empty(), "{language:?} lacks {lacks:?} and has {stray:?}");
        }
    }

    #[test]
    fn every_language_says_the_same_with_the_same_values() {
        for language in Language::ALL {
            for (id, message) in language.messages() {
                assert!(!message.trim().is_empty() && message.trim() == message, "{language:?} {id}");
                if let Some(english) = Language::English.messages().get(id).filter(|_| !NOUNS.iter().any(|noun| id.starts_with(noun))) {
                    assert_eq!(placeholders(message), placeholders(english), "{language:?} {id}");
                }
            }
        }
    }

    #[test]
    fn every_message_is_said_somewhere() {
        let mut sources = String::new();
        let mut places =
            vec!["src", "../templates/email", "../templates/page"].into_iter().map(std::path::PathBuf::from).collect::<Vec<_>>();
        while let Some(place) = places.pop() {
            if place.is_dir() {
                places.extend(std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()));
            } else if place.extension().is_some_and(|extension| ["rs", "j2"].iter().any(|known| extension == *known)) {
                sources.push_str(&std::fs::read_to_string(&place).unwrap());
            }
        }
        let unsaid: Vec<&String> = Language::English
            .messages()
            .keys()
            .filter(|id| !id.starts_with("month.") && !NOUNS.iter().any(|noun| id.starts_with(noun)))
            .filter(|id| !sources.contains(&format!("\"{id}\"")))
            .collect();
        assert!(unsaid.is_empty(), "{unsaid:?}");
    }

    #[test]
    fn numbers_times_and_agents_are_said_in_every_language() {
        let said: BTreeMap<&str, String> = Language::ALL
            .into_iter()
            .map(|language| {
                let said = [
                    language.count("characters", 8),
                    language.count("times", 2),
                    language.count("times", 7),
                    language.count("times", 12),
                    language.span(crate::config::span::hours(1)),
                    language.span(crate::config::span::minutes(90)),
                    language.instant("2026-03-01T09:05:59Z".parse().unwrap()),
                    language.agent("Firefox on Linux".parse().unwrap()),
                ];
                (language.tag(), said.map(|said| without_isolates(&said.unwrap())).join("; "))
            })
            .collect();
        insta::assert_debug_snapshot!(said, @r#"
        {
            "ar": "8 أحرف; مرتين; 7 مرات; 12 مرة; ساعة واحدة; 90 دقيقة; 1 مارس 2026، 09:05 UTC; Firefox على Linux",
            "de": "8 Zeichen; 2-mal; 7-mal; 12-mal; 1 Stunde; 90 Minuten; 1. März 2026, 09:05 UTC; Firefox auf Linux",
            "en": "8 characters; 2 times; 7 times; 12 times; 1 hour; 90 minutes; 1 March 2026, 09:05 UTC; Firefox on Linux",
            "es": "8 caracteres; 2 veces; 7 veces; 12 veces; 1 hora; 90 minutos; 1 de marzo de 2026, 09:05 UTC; Firefox en Linux",
        }
        "#);
    }

    #[test]
    fn what_is_missing_is_an_error() {
        assert_eq!(Language::German.say("nonsense", &[]), Err(MissingMessageError("nonsense".to_owned())));
        assert_eq!(Language::German.say("mail.reset.subject", &[]), Err(MissingMessageError("mail.reset.subject: product".to_owned())));
    }
}
