//! Accounts from elsewhere, with the hashes they have there: one transaction each, so that nothing is half imported and a second run goes on
//! where the first one ended.
//!
//! The file is read as it is written, entry by entry; what is kept of it is a number per name, to find names that come twice, and the names
//! that are listed in the end.

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
use crate::{Admin, Failure, Terminal, accounts::taken_names};

/// What to import, and how.
#[derive(Debug, Args)]
pub struct Import {
    /// JSON lines, a list in JSON (also of Django's `dumpdata`) or CSV: username, email, password (a hash), `is_active`, `date_joined`
    file: PathBuf,
    /// Check everything, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Import accounts whose hash cannot be verified too, without a password: `reset` mails their owners an invitation
    #[arg(long)]
    without_password: bool,
    /// Write what is refused to this new file, as it was
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// How many accounts are written at the same time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    at_once: u16,
}

/// An entry of the file on its way.
struct Entry {
    number: usize,
    /// Who it is, as far as that can be told.
    name: String,
    /// As it was in the file.
    raw: Vec<u8>,
    account: Result<Candidate, Reason>,
}

/// What became of an account.
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
        // Once the store fails nothing new is begun; what is under way is waited for, and the rest counted.
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

    /// Writes an account, or says why not.
    async fn bring(&self, candidate: &Candidate, dry_run: bool) -> Result<Fate, Fault> {
        let now = self.clock.now();
        if !dry_run {
            let id = AccountId::from(self.entropy.uuid(now));
            let mut account = Account::new(id, candidate.username.clone(), candidate.email.clone(), candidate.password.clone(), now);
            account.active = candidate.active;
            account.created_at = candidate.created_at.unwrap_or(now).min(now);
            if self.store.register(&account).await? == Registered::Now {
                return Ok(Fate::Imported);
            }
        }
        let holders = self.store.holders(&candidate.username, &candidate.email).await?;
        let same = match (holders.username, holders.email) {
            (None, None) if dry_run => return Ok(Fate::Imported),
            (Some(one), Some(other)) if one == other => self.store.account(one).await?,
            _ => None,
        };
        // The hash may be another by now: the first login replaces it.
        let is_same = same.is_some_and(|account| {
            account.username.as_str() == candidate.username.as_str() && account.email.as_str() == candidate.email.as_str()
        });
        Ok(if is_same { Fate::AlreadyThere } else { Fate::Taken(holders.taken()) })
    }
}

/// A bar on standard error, if somebody looks at it: how much of the file is read.
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
