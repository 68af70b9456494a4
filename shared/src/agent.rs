//! Browsers and operating systems that are recognised.

use std::{fmt, str::FromStr};

/// A browser, and its operating system if that is recognised too. It displays as `Firefox on Linux`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent {
    /// The browser.
    pub browser: Browser,
    /// The system.
    pub system: Option<System>,
}

/// A text does not name a known browser and system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a browser that is known here")]
pub struct UnknownAgentError;

/// A browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browser {
    Edge,
    Opera,
    Firefox,
    Chrome,
    Safari,
}

/// An operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    IPhone,
    IPad,
    Android,
    Windows,
    MacOs,
    Linux,
}

/// Browsers in the order of their enum, with their names and the marks by which a header shows them. The order matters: Edge and Opera also call
/// themselves Chrome, and Chrome calls itself Safari.
const BROWSERS: [(Browser, &str, &str); 5] = [
    (Browser::Edge, "Edge", "Edg"),
    (Browser::Opera, "Opera", "OPR/"),
    (Browser::Firefox, "Firefox", "Firefox/"),
    (Browser::Chrome, "Chrome", "Chrome/"),
    (Browser::Safari, "Safari", "Safari/"),
];

/// Systems, likewise: an iPhone also calls itself Mac OS X, and Android calls itself Linux.
const SYSTEMS: [(System, &str, &str); 6] = [
    (System::IPhone, "iPhone", "iPhone"),
    (System::IPad, "iPad", "iPad"),
    (System::Android, "Android", "Android"),
    (System::Windows, "Windows", "Windows"),
    (System::MacOs, "macOS", "Mac OS X"),
    (System::Linux, "Linux", "Linux"),
];

fn seen_in<T: Copy>(header: &str, known: &[(T, &str, &str)]) -> Option<T> {
    known.iter().find(|(_, _, mark)| header.contains(mark)).map(|(value, _, _)| *value)
}

fn named<T: Copy>(text: &str, known: &[(T, &str, &str)]) -> Result<T, UnknownAgentError> {
    known.iter().find(|(_, name, _)| *name == text).map(|(value, _, _)| *value).ok_or(UnknownAgentError)
}

impl Browser {
    /// Its name, the same in every language.
    #[must_use]
    pub fn name(self) -> &'static str {
        BROWSERS[self as usize].1
    }
}

impl System {
    /// Its name, the same in every language.
    #[must_use]
    pub fn name(self) -> &'static str {
        SYSTEMS[self as usize].1
    }
}

impl Agent {
    /// The agent that a `User-Agent` header names.
    ///
    /// Only recognised names are used, never the header's text, because no text of a stranger may be in a mail (OWASP Forgot Password Cheat Sheet).
    pub(crate) fn seen_in(header: &str) -> Option<Self> {
        Some(Self { browser: seen_in(header, &BROWSERS)?, system: seen_in(header, &SYSTEMS) })
    }
}

impl fmt::Display for Agent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.system {
            Some(system) => write!(formatter, "{} on {}", self.browser.name(), system.name()),
            None => formatter.write_str(self.browser.name()),
        }
    }
}

impl FromStr for Agent {
    type Err = UnknownAgentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (browser, system) = match text.split_once(" on ") {
            Some((browser, system)) => (browser, Some(named(system, &SYSTEMS)?)),
            None => (text, None),
        };
        Ok(Self { browser: named(browser, &BROWSERS)?, system })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(header: &str) -> String {
        Agent::seen_in(header).map(|agent| agent.to_string()).unwrap_or_default()
    }

    #[test]
    fn an_agent_is_recognised_and_never_repeated() {
        assert_eq!(seen("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), "Firefox on Linux");
        let edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0";
        assert_eq!(seen(edge), "Edge on Windows");
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1";
        assert_eq!(seen(phone), "Safari on iPhone");
        assert_eq!(seen("Opera OPR/100"), "Opera");
        assert_eq!(seen("visit https://evil.example now"), "");
        assert_eq!(seen("Linux"), "");
    }

    #[test]
    fn an_agent_is_read_back_from_its_text_and_no_other_text_is_one() {
        for (browser, ..) in BROWSERS {
            for system in SYSTEMS.iter().map(|(system, ..)| Some(*system)).chain([None]) {
                let agent = Agent { browser, system };
                assert_eq!(agent.to_string().parse(), Ok(agent));
            }
        }
        for wrong in ["", "Netscape", "Firefox on Mars", "Firefox on ", "firefox", "Firefox on Linux on Linux", "https://evil.example"] {
            assert_eq!(wrong.parse::<Agent>(), Err(UnknownAgentError), "{wrong}");
        }
    }
}
