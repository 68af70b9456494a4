//! Imports accounts with their password hashes. Each account is one transaction, so that nothing is imported by half and a second run continues where
//! the first one ended.
//!
//! The file is read entry by entry. Only a number per name is kept, to find duplicate names, and the names that are listed at the end.

mod candidate;
mod records;
mod refused;
mod report;

use std::{cell::Cell, path::PathBuf};

use clap::Args;
use doorward::{
    account::{Account, AccountId, Registered, Taken},
    fault::Fault,
};
use futures_util::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};

use self::{
    candidate::{Candidate, Reader},
    records::Records,
    refused::RefusedFile,
    report::{Reason, Report},
};
use crate::{Admin, Failure, Terminal, names::taken_names};

/// The arguments of an import.
#[derive(Debug, Args)]
pub struct Import {
    /// JSON lines, a list in JSON (also of Django's `dumpdata`) or CSV: username, email, password (a hash), `is_active`, `date_joined`
    file: PathBuf,
    /// Check everything, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Also import accounts whose hash cannot be verified, without a password; `reset` mails their owners an invitation
    #[arg(long)]
    without_password: bool,
    /// Write refused entries unchanged to this new file
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// Number of accounts that are written at the same time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    at_once: u16,
}

/// An entry that is being imported.
struct Entry {
    number: usize,
    /// Its name, if it has one.
    name: String,
    /// Its text in the file.
    raw: Vec<u8>,
    account: Result<Candidate, Reason>,
}

/// The outcome of an account.
#[derive(Clone, Copy)]
enum Fate {
    Imported,
    AlreadyThere,
    Taken(Option<Taken>),
}

impl Admin {
    pub(crate) async fn import(&self, import: &Import, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let bar = progress();
        let mut records = Records::open(&import.file, &bar, import.without_password)?;
        let mut refused = import.refused.as_deref().map(|path| RefusedFile::create(path, records.frame())).transpose()?;
        let mut report = Report::new(records.entry_word(), import.dry_run);
        let mut reader = Reader::new(records.entry_word(), import.without_password);
        let mut broken = None;
        // After a fault nothing new is begun. The writes under way are completed, and the rest is counted.
        let goes_on = Cell::new(true);
        let one = |entry: Entry| {
            let goes_on = &goes_on;
            async move {
                let fate = match &entry.account {
                    Ok(candidate) if goes_on.get() => Some(self.bring(candidate, import.dry_run).await),
                    _ => None,
                };
                goes_on.set(goes_on.get() && !matches!(fate, Some(Err(_))));
                (entry, fate)
            }
        };
        let read = || loop {
            match records.next()? {
                Ok(record) => {
                    if let Some(entry) = reader.read(record) {
                        return Some(entry);
                    }
                }
                Err(failure) => {
                    broken = Some(failure);
                    return None;
                }
            }
        };
        {
            let mut fates = std::pin::pin!(stream::iter(std::iter::from_fn(read)).map(one).buffered(import.at_once.into()));
            while let Some((entry, fate)) = fates.next().await {
                let reason = match (entry.account, fate) {
                    (Ok(candidate), Some(Ok(fate))) => report.note(&candidate, fate),
                    (Ok(_), Some(Err(fault))) => report.stopped(fault),
                    (Ok(_), None) => report.left(),
                    (Err(reason), _) => Some(reason),
                };
                if let Some(reason) = reason {
                    report.refuse(entry.number, &entry.name, reason);
                    if let Some(file) = &mut refused {
                        file.add(&entry.raw)?;
                    }
                }
            }
        }
        bar.finish_and_clear();
        let kept = refused.map(RefusedFile::finish).transpose()?.flatten();
        report.tell(&reader, kept.as_deref(), broken, terminal)
    }

    /// Writes an account, or returns why not.
    async fn bring(&self, candidate: &Candidate, dry_run: bool) -> Result<Fate, Fault> {
        let now = self.clock.now();
        if !dry_run {
            let id = AccountId::from(self.entropy.uuid(now));
            let mut account = Account::new(id, candidate.username.clone(), candidate.email.clone(), candidate.password.clone(), now);
            account.active = candidate.active;
            account.created_at = candidate.created_at.unwrap_or(now).min(now);
            if self.store.import(&account).await? == Registered::Now {
                return Ok(Fate::Imported);
            }
        }
        let holders = self.store.holders(&candidate.username, &candidate.email).await?;
        let same = match (holders.username, holders.email) {
            (None, None) if dry_run => return Ok(Fate::Imported),
            (Some(one), Some(other)) if one == other => self.store.account(one).await?,
            _ => None,
        };
        // It was deleted between the two reads, so the names may be free again.
        if same.is_none() && holders.username.is_some() && holders.username == holders.email {
            return Ok(Fate::Taken(None));
        }
        // The hash may have changed, because the first login replaces it.
        let is_same = same.is_some_and(|account| {
            account.username.as_str() == candidate.username.as_str() && account.email.as_str() == candidate.email.as_str()
        });
        Ok(if is_same { Fate::AlreadyThere } else { Fate::Taken(holders.taken()) })
    }
}

/// A progress bar on standard error, if that is a terminal, for the part of the file that was read.
fn progress() -> ProgressBar {
    let bar = ProgressBar::no_length();
    let style = ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

impl From<Option<Taken>> for Reason {
    fn from(taken: Option<Taken>) -> Self {
        Self::new(taken_names(taken))
    }
}
