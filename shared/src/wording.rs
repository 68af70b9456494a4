//! The texts of mails and pages, with their values.

use std::time::Duration;

use crate::{agent::Agent, clock::Timestamp, language::Language};

/// Begins a text whose direction must not affect the sentence around it (Unicode Bidirectional Algorithm, UAX 9, 2.7).
const ISOLATE: char = '\u{2068}';
/// Ends it.
const END_OF_ISOLATE: char = '\u{2069}';

/// A message, or a value that it uses, is missing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no message or value for {0}")]
pub struct MissingMessageError(pub String);

/// A placeholder of a message and its value.
pub type Value<'a> = (&'a str, &'a str);

impl Language {
    /// A message with its `{placeholders}` filled in. Where the language runs right to left, values are isolated from the text around them.
    pub fn say(self, id: &str, values: &[Value<'_>]) -> Result<String, MissingMessageError> {
        let mut rest = self.message(id).ok_or_else(|| MissingMessageError(id.to_owned()))?;
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
    use std::collections::BTreeSet;

    use super::*;

    /// The nouns that are used with a number.
    const NOUNS: [&str; 5] = ["characters", "days", "hours", "minutes", "times"];

    fn placeholders(message: &str) -> BTreeSet<&str> {
        message.split('{').skip(1).filter_map(|part| part.split('}').next()).collect()
    }

    fn of(tag: &str) -> Language {
        Language::of_tag(tag).unwrap()
    }

    #[test]
    fn every_language_has_every_text_with_the_same_values() {
        let english: Vec<_> =
            Language::default().messages().filter(|(id, _)| !NOUNS.iter().any(|noun| id.starts_with(&format!("{noun}.")))).collect();
        assert!(english.len() > 80);
        for language in Language::all() {
            for (id, message) in &english {
                let said = language.message(id).unwrap_or_else(|| panic!("{language:?} lacks {id}"));
                assert_eq!(placeholders(said), placeholders(message), "{language:?} {id}");
            }
            for (noun, count) in NOUNS.iter().flat_map(|noun| (0..250).map(move |count| (noun, count))) {
                let said = language.count(noun, count).unwrap_or_else(|missing| panic!("{language:?}: {missing}"));
                assert!(!said.is_empty());
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
        let unsaid: Vec<&str> = Language::default()
            .messages()
            .map(|(id, _)| id)
            // The build reads the direction.
            .filter(|id| *id != "language.direction" && !id.starts_with("month.") && !NOUNS.iter().any(|noun| id.starts_with(noun)))
            .filter(|id| !sources.contains(&format!("\"{id}\"")))
            .collect();
        assert!(unsaid.is_empty(), "{unsaid:?}");
    }

    #[test]
    fn numbers_times_and_agents_are_said_in_every_language() {
        let said = |tag: &str| {
            let language = of(tag);
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
            format!("{tag}: {}\n", said.map(|said| without_isolates(&said.unwrap())).join("; "))
        };
        insta::assert_snapshot!(["ar", "de", "en", "es", "fr", "ja"].map(said).concat(), @r"
        ar: 8 أحرف; مرتين; 7 مرات; 12 مرة; ساعة واحدة; 90 دقيقة; 1 مارس 2026، 09:05 UTC; Firefox على Linux
        de: 8 Zeichen; 2-mal; 7-mal; 12-mal; 1 Stunde; 90 Minuten; 1. März 2026, 09:05 UTC; Firefox auf Linux
        en: 8 characters; 2 times; 7 times; 12 times; 1 hour; 90 minutes; 1 March 2026, 09:05 UTC; Firefox on Linux
        es: 8 caracteres; 2 veces; 7 veces; 12 veces; 1 hora; 90 minutos; 1 de marzo de 2026, 09:05 UTC; Firefox en Linux
        fr: 8 caractères; 2 fois; 7 fois; 12 fois; 1 heure; 90 minutes; 1 mars 2026 à 09:05 UTC; Firefox sur Linux
        ja: 8文字; 2回; 7回; 12回; 1時間; 90分; 2026年3月1日 09:05 UTC; Firefox（Linux）
        ");
    }

    #[test]
    fn what_is_missing_is_an_error() {
        assert_eq!(of("de").say("nonsense", &[]), Err(MissingMessageError("nonsense".to_owned())));
        assert_eq!(of("de").say("mail.reset.subject", &[]), Err(MissingMessageError("mail.reset.subject: product".to_owned())));
    }
}
