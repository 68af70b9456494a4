//! The fields of an entry, which are taken one by one, so that the rest can be reported as not imported.

use doorward::clock::Timestamp;
use serde_json::{Map, Value};

use crate::import::{instant::instant, reasons::Reason};

/// The fields of an entry that were not taken yet. Names are found in any case, because the columns of a table are in lower case here.
pub(super) struct Given(Map<String, Value>);

impl Given {
    pub(super) fn new(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    pub(super) fn into_fields(self) -> Map<String, Value> {
        self.0
    }

    /// The names of the fields that were not taken and are not empty.
    pub(super) fn left(self) -> Vec<String> {
        self.0.into_iter().filter(|(_, value)| !is_nothing(value)).map(|(name, _)| name).collect()
    }

    /// Takes a field. The notations of databases and programs for a missing value give `None`.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let name = self.0.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
        self.0.remove(&name).filter(|value| !is_nothing(value))
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Reason> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(Reason::new(format!("{name}: must be a text"))),
        }
    }

    pub(super) fn truth(&mut self, name: &str) -> Result<Option<bool>, Reason> {
        let written = match self.take(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.trim().to_ascii_lowercase(),
            Some(value) => value.to_string(),
        };
        match written.as_str() {
            "true" | "t" | "1" => Ok(Some(true)),
            "false" | "f" | "0" => Ok(Some(false)),
            _ => Err(Reason::new(format!("{name}: must be true or false, or 1 or 0"))),
        }
    }

    /// An instant as databases write it. MySQL may write a missing one as a day that does not exist.
    pub(super) fn instant(&mut self, name: &str) -> Result<Option<Timestamp>, Reason> {
        let wrong = || Reason::new(format!("{name}: no instant such as 2026-01-31T12:00:00Z"));
        match self.text(name)? {
            Some(text) if text.starts_with("0000-00-00") => Ok(None),
            // Rails writes the name of the zone.
            Some(text) => instant(text.trim_end_matches(" UTC")).map(Some).ok_or_else(wrong),
            None => Ok(None),
        }
    }

    /// An instant in milliseconds since 1970.
    pub(super) fn millis(&mut self, name: &str) -> Result<Option<Timestamp>, Reason> {
        let wrong = || Reason::new(format!("{name}: must be milliseconds since 1970"));
        let read = |text: String| text.parse().ok().and_then(|millis| Timestamp::from_millisecond(millis).ok()).ok_or_else(wrong);
        self.text(name)?.map(read).transpose()
    }

    /// Takes an object, whose fields are taken in the same way. A missing object has no fields.
    pub(super) fn object(&mut self, name: &str) -> Result<Self, Reason> {
        match self.take(name) {
            None => Ok(Self(Map::new())),
            Some(Value::Object(fields)) => Ok(Self(fields)),
            Some(_) => Err(Reason::new(format!("{name}: must be an object"))),
        }
    }

    pub(super) fn list(&mut self, name: &str) -> Result<Vec<Value>, Reason> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => Ok(values),
            Some(_) => Err(Reason::new(format!("{name}: must be a list"))),
        }
    }

    /// Puts the rest of an object back, so that its fields are reported as not imported.
    pub(super) fn put_back(&mut self, object: &str, rest: Self) {
        self.0.extend(rest.0.into_iter().map(|(name, value)| (format!("{object}.{name}"), value)));
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty() || text == "\\N" || text == "NULL",
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
