//! Configuration: read once at start from the environment, with every problem reported at once.

use std::{collections::HashMap, fmt, str::FromStr, time::Duration};

use crate::clock::Timestamp;

/// The environment variables of a function, and the problems with them.
///
/// Reading a variable always returns a value: a harmless one if the variable is missing or wrong. The problem is collected, and [`Settings::finish`]
/// returns all problems, which stops the function.
pub struct Settings {
    variables: HashMap<String, String>,
    complaints: Vec<String>,
}

/// A function's configuration is incomplete or wrong. The error lists every problem and never a value.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct ConfigError(Vec<String>);

impl ConfigError {
    /// Every problem: a variable and what it must be.
    #[must_use]
    pub fn complaints(&self) -> &[String] {
        &self.0
    }
}

impl Settings {
    /// The variables of this process.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::from_pairs(std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))))
    }

    /// These variables. An empty value counts as not set, because CloudFormation cannot omit a variable.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = pairs.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect();
        Self { variables, complaints: Vec::new() }
    }

    /// A required variable.
    pub fn text(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.complain(format!("{name} is not set"));
            String::new()
        })
    }

    /// An optional variable.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|value| value.trim().to_owned())
    }

    /// A variable that `parse` reads, or `default` if it is not set. The error of `parse` says what the value must be.
    pub fn parsed<T>(&mut self, name: &str, default: T, parse: impl FnOnce(&str) -> Result<T, String>) -> T {
        let Some(text) = self.optional(name) else { return default };
        match parse(&text) {
            Ok(value) => value,
            Err(expected) => {
                self.complain(format!("{name}: {expected}"));
                default
            }
        }
    }

    /// A number from `min` to `max`.
    pub fn number<N>(&mut self, name: &str, default: N, min: N, max: N) -> N
    where
        N: FromStr + PartialOrd + fmt::Display + Copy,
    {
        self.parsed(name, default, |text| {
            let number = text.parse().ok().filter(|number| (min..=max).contains(number));
            number.ok_or_else(|| format!("must be a number from {min} to {max}"))
        })
    }

    /// A span of time such as `10m`, `24h`, `30d`, from `min` to `max`.
    pub fn span(&mut self, name: &str, default: Duration, min: Duration, max: Duration) -> Duration {
        self.parsed(name, default, |text| {
            let span = humantime::parse_duration(text).ok().filter(|span| (min..=max).contains(span));
            span.ok_or_else(|| format!("must be {} to {}", span::shown(min), span::shown(max)))
        })
    }

    /// The same, or 0.
    pub(crate) fn span_or_zero(&mut self, name: &str, default: Duration, min: Duration, max: Duration) -> Duration {
        self.parsed(name, default, |text| {
            let is_allowed = |span: &Duration| span.is_zero() || (min..=max).contains(span);
            let span = humantime::parse_duration(text).ok().filter(is_allowed);
            span.ok_or_else(|| format!("must be 0, or {} to {}", span::shown(min), span::shown(max)))
        })
    }

    /// An instant such as `2026-01-31T12:00:00Z` (RFC 3339).
    pub fn instant(&mut self, name: &str) -> Option<Timestamp> {
        self.parsed(name, None, |text| text.parse().map(Some).map_err(|_| "must be an instant such as 2026-01-31T12:00:00Z".to_owned()))
    }

    /// A list, separated by commas.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        let text = self.optional(name).unwrap_or_default();
        text.split(',').map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect()
    }

    /// Adds a problem. The text names the variable and what it must be, but never its value.
    pub fn complain(&mut self, complaint: String) {
        self.complaints.push(complaint);
    }

    /// All problems, if there are any.
    pub fn finish(self) -> Result<(), ConfigError> {
        if self.complaints.is_empty() { Ok(()) } else { Err(ConfigError(self.complaints)) }
    }
}

/// Spans for this crate's defaults and bounds.
pub mod span {
    use std::time::Duration;

    /// Seconds.
    #[must_use]
    pub const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }
    /// Minutes.
    #[must_use]
    pub const fn minutes(count: u64) -> Duration {
        seconds(60 * count)
    }
    /// Hours.
    #[must_use]
    pub const fn hours(count: u64) -> Duration {
        minutes(60 * count)
    }
    /// Days of 24 hours.
    #[must_use]
    pub const fn days(count: u64) -> Duration {
        hours(24 * count)
    }

    /// A span as it is written in configuration, in the largest unit that divides it: `5m`, `36h`, `365d`.
    #[must_use]
    pub fn shown(span: Duration) -> String {
        let seconds = span.as_secs();
        let divides = [(86_400, "d"), (3600, "h"), (60, "m")].into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
        let (unit, name) = divides.unwrap_or((1, "s"));
        format!("{}{name}", seconds / unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        Settings::from_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn every_complaint_is_made_at_once() {
        let mut settings = settings(&[("RESET_LIFETIME", "5m"), ("HOPS", "x"), ("DOOR", "ajar"), ("EMPTY", " ")]);
        settings.text("TABLE_NAME");
        settings.text("EMPTY");
        settings.span("RESET_LIFETIME", span::hours(1), span::minutes(10), span::hours(24));
        settings.number("HOPS", 0, 0, 9);
        settings.parsed("DOOR", (), |_| Err("must be open or closed".to_owned()));
        insta::assert_snapshot!(
            settings.finish().unwrap_err(),
            @"TABLE_NAME is not set; EMPTY is not set; RESET_LIFETIME: must be 10m to 1d; HOPS: must be a number from 0 to 9; DOOR: must be open or closed"
        );
    }

    #[test]
    fn what_is_set_is_read_and_what_is_not_has_its_default() {
        let mut settings = settings(&[("A", " 30d "), ("ORIGINS", "https://a.example, ,https://b.example")]);
        assert_eq!(settings.span("A", span::hours(1), span::hours(1), span::days(365)), span::days(30));
        assert_eq!(settings.span("B", span::hours(1), span::hours(1), span::days(365)), span::hours(1));
        assert_eq!(settings.list("ORIGINS"), ["https://a.example", "https://b.example"]);
        settings.finish().unwrap();
    }
}
