//! The report of an import, which never contains a hash.

use std::path::Path;

use doorward::fault::Fault;
use serde_json::{Value, json};

use super::{
    Fate,
    candidate::{Candidate, Reader},
    layer::Layers,
    reasons::{Reason, Reasons, shown},
    tokens::Tokens,
};
use crate::{Failure, Terminal};

/// The counters of an import.
pub(super) struct Report {
    entry_word: &'static str,
    dry_run: bool,
    imported: usize,
    lost_their_password: usize,
    /// The number of layered hashes, with `--layered`.
    layered: Option<usize>,
    /// The estimated time for them, in a dry run.
    estimate: Option<String>,
    already_there: usize,
    reasons: Reasons,
    could_go_without: bool,
    left: usize,
    /// How often the store was too busy.
    pub(super) busy: usize,
    /// The first fault. Entries after it were not tried.
    fault: Option<Fault>,
}

impl Report {
    pub(super) fn new(entry_word: &'static str, dry_run: bool, layered: bool) -> Self {
        let (imported, lost_their_password, already_there, left) = (0, 0, 0, 0);
        let (reasons, fault) = (Reasons::new(entry_word), None);
        Self {
            entry_word,
            dry_run,
            imported,
            lost_their_password,
            layered: layered.then_some(0),
            estimate: None,
            already_there,
            reasons,
            could_go_without: false,
            left,
            busy: 0,
            fault,
        }
    }

    /// Counts the outcome of an account; returns the reason if it was refused.
    pub(super) fn note(&mut self, candidate: &Candidate, fate: Fate) -> Option<Reason> {
        match fate {
            Fate::Imported(_) => {
                self.imported += 1;
                self.lost_their_password += usize::from(candidate.lost_its_password);
                if let Some(layered) = &mut self.layered {
                    *layered += usize::from(candidate.password.takes_layer());
                }
                None
            }
            Fate::AlreadyThere(_) => {
                self.already_there += 1;
                None
            }
            Fate::Taken(taken) => Some(taken.into()),
            Fate::IdTaken => Some(Reason::new("id: another account has this id")),
        }
    }

    /// Counts an account whose write failed, and which may or may not exist now.
    pub(super) fn stopped(&mut self, fault: Fault) -> Option<Reason> {
        self.fault.get_or_insert(fault);
        self.left()
    }

    /// Whether every entry was tried.
    pub(super) fn is_whole(&self) -> bool {
        self.fault.is_none() && self.left == 0
    }

    /// Counts an account that was not tried.
    pub(super) fn left(&mut self) -> Option<Reason> {
        self.left += 1;
        None
    }

    /// Estimates the time for the layers, if none was computed.
    pub(super) fn estimate(&mut self, layers: Option<&Layers>) -> Result<(), Fault> {
        if let (true, Some(layers), Some(count)) = (self.dry_run, layers, self.layered.filter(|count| *count > 0)) {
            self.estimate = Some(layers.estimate(count)?);
        }
        Ok(())
    }

    /// Lists an entry with its reason.
    pub(super) fn refuse(&mut self, number: usize, name: &str, reason: Reason) {
        self.could_go_without |= reason.mended_without_password;
        self.reasons.add(number, name, reason);
    }

    /// Prints the report; returns whether anything is left to do.
    pub(super) fn tell(
        self,
        reader: &Reader,
        tokens: Option<&Tokens>,
        kept: Option<&Path>,
        broken: Option<Failure>,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Failure> {
        if terminal.json {
            terminal.tell(&self.facts(reader, tokens), "")?;
        } else {
            self.tell_sentences(reader, terminal)?;
            tokens.map_or(Ok(()), |tokens| tokens.tell(self.dry_run, terminal))?;
        }
        if let Some(failure) = broken {
            return Err(failure);
        }
        if let Some(fault) = self.fault {
            return Err(Failure::Refused(format!("{fault}; {} accounts were left. Run it again to go on", self.left)));
        }
        let tokens = tokens.map_or(0, Tokens::refused);
        if self.reasons.count == 0 {
            return if tokens == 0 { Ok(()) } else { Err(Failure::Refused(format!("{tokens} tokens were refused"))) };
        }
        let entries = if self.entry_word == "entry" { "entries" } else { "lines" };
        let kept = kept.map_or_else(String::new, |path| format!("; {} has them as they were", path.display()));
        let tokens = if tokens == 0 { String::new() } else { format!(", and {tokens} tokens") };
        Err(Failure::Refused(format!("{} {entries} were refused{tokens}{kept}", self.reasons.count)))
    }

    fn facts(&self, reader: &Reader, tokens: Option<&Tokens>) -> Value {
        json!({
            "dry_run": self.dry_run, "imported": self.imported, "without_password": self.lost_their_password, "already_there": self.already_there,
            "layered": self.layered, "refused": self.reasons.count, "left": self.left, "busy": self.busy, "reasons": self.reasons.facts(),
            "tokens": tokens.map(Tokens::facts),
            "dropped": reader.dropped.iter().map(|name| shown(name)).collect::<Vec<_>>(),
        })
    }

    fn tell_sentences(&self, reader: &Reader, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        self.reasons.tell("; --refused FILE writes all of them to a file", terminal)?;
        if self.could_go_without {
            writeln!(
                terminal.out,
                "With --without-password, accounts whose hash cannot be verified are imported too; `reset` mails their owners an invitation."
            )?;
        }
        Self::tell_dropped(reader, terminal)?;
        if self.busy > 0 {
            writeln!(terminal.out, "The store could not keep up {} times; what it refused was tried again later.", self.busy)?;
        }
        if let Some(layered) = self.layered {
            let (verb, estimate) = if self.dry_run { ("would get", self.estimate.as_deref()) } else { ("got", None) };
            let estimate = estimate.map(|estimate| format!(": {estimate}")).unwrap_or_default();
            writeln!(terminal.out, "{layered} hashes {verb} Argon2id over them{estimate}.")?;
        }
        let (imported, there, refused) = (self.imported, self.already_there, self.reasons.count);
        let verb = if self.dry_run { "would be imported" } else { "imported" };
        let without = match self.lost_their_password {
            0 => String::new(),
            count => format!(" ({count} without a password)"),
        };
        let total = imported + there + refused + self.left;
        Ok(writeln!(terminal.out, "{total} accounts: {imported} {verb}{without}, {there} already there, {refused} refused.")?)
    }

    fn tell_dropped(reader: &Reader, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        if !reader.others.is_empty() {
            let others: Vec<String> = reader.others.iter().map(|(model, count)| format!("{} ({count})", shown(model))).collect();
            writeln!(terminal.out, "Skipped, as they are no users: {}.", others.join(", "))?;
        }
        if !reader.dropped.is_empty() {
            let dropped: Vec<String> = reader.dropped.iter().map(|name| shown(name)).collect();
            writeln!(terminal.out, "Left behind, as accounts have no place for them: {}.", dropped.join(", "))?;
        }
        Ok(())
    }
}
