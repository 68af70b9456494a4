//! The output of a command, and its questions.

use std::{
    fmt,
    io::{self, Write},
};

use doorward::account::AccountId;
use serde::Serialize;
use serde_json::json;

use crate::Failure;

/// The output of a command, and how it asks questions.
pub struct Terminal<'a> {
    /// The output.
    pub out: &'a mut dyn Write,
    /// Asks a question and returns the answer.
    pub ask: &'a mut dyn FnMut(&str) -> io::Result<String>,
    /// Whether to print JSON, one document a line, in place of sentences.
    pub json: bool,
}

impl Terminal<'_> {
    /// Prints a sentence, or these facts as a line of JSON.
    pub(crate) fn tell(&mut self, facts: &impl Serialize, sentence: impl fmt::Display) -> Result<(), Failure> {
        if self.json {
            serde_json::to_writer(&mut *self.out, facts).map_err(io::Error::from)?;
            writeln!(self.out)?;
        } else {
            writeln!(self.out, "{sentence}")?;
        }
        Ok(())
    }

    /// Prints what was done to an account.
    pub(crate) fn done(&mut self, id: AccountId, what: &str, sentence: &str) -> Result<(), Failure> {
        self.tell(&json!({ "id": id.to_string(), "done": what }), sentence)
    }

    /// Continues if the answer to the question is `expected`, or with `--yes`.
    pub(crate) fn confirm(&mut self, yes: bool, question: &str, expected: &str, refusal: &str) -> Result<(), Failure> {
        if yes {
            return Ok(());
        }
        let typed = (self.ask)(question).map_err(|_| Failure::Refused("nobody is there to ask; --yes goes without".to_owned()))?;
        if typed.trim() == expected { Ok(()) } else { Err(Failure::Refused(refusal.to_owned())) }
    }
}
