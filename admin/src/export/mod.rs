//! Exports accounts to a file, sorted by username, so that the same accounts give the same file.
//!
//! A scan of the table returns accounts in no order. They are sorted in pieces of bounded size on disk, so memory does not grow with the table. The file
//! gets its name only when it is complete.

mod form;
mod hash;
mod sorted;
mod target;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use clap::Args;
use doorward::{
    account::Account,
    clock::{Timestamp, rfc3339},
    event::Exported,
    fault::Fault,
    registration::is_placeholder,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

pub(crate) use self::form::Form;
use self::{form::Entry, sorted::Sorted, target::Target};
use crate::{Admin, Failure, Terminal, list::told_unreadable};

/// The arguments of an export.
#[derive(Debug, Args)]
pub struct Export {
    /// The new file. Only its owner can read it
    file: PathBuf,
    /// The format of the file
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    /// Write the password hashes too. With them passwords can be guessed offline
    #[arg(long)]
    with_hashes: bool,
    /// Only accounts that were created, or changed in a way that ends sessions or links, since this instant (2026-01-31T12:00:00Z) or within this time (1h)
    #[arg(long, value_name = "INSTANT", conflicts_with = "who")]
    since: Option<String>,
    /// Only this account: its id, username or e-mail address
    #[arg(long, value_name = "ACCOUNT")]
    who: Option<String>,
    /// The model of users in a Django fixture
    #[arg(long, default_value = "auth.user")]
    model: String,
    /// Do not ask before it reads a table for more than a dollar
    #[arg(long)]
    yes: bool,
}

/// Maximum number of accounts that are listed because the other service cannot verify their hash.
const MAX_NAMED: usize = 1000;

/// Counters of an export.
struct Counted {
    exported: u64,
    unreadable: usize,
    /// The ids of accounts whose hash this format cannot contain.
    without_hash: Vec<String>,
    left_without_hash: u64,
    /// Placeholder accounts (`Registration=silent`). They are left out, because the other service would send mail to addresses at which none arrives.
    placeholders: u64,
    /// Whether an event of the export is recorded.
    is_told: bool,
}

impl Admin {
    pub(crate) async fn export(&self, export: &Export, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        if export.with_hashes && export.format == Form::Csv {
            return Err(Failure::Refused("csv has no hashes; --format jsonl has".to_owned()));
        }
        let since = export.since.as_deref().map(|since| self.since(since)).transpose()?;
        let one = match &export.who {
            Some(name) => {
                let account = self.find(name).await?;
                Some(Account { profile: self.store.profile(account.id).await?, ..account })
            }
            None => None,
        };
        // Checked before anything is read, because reading costs money.
        let mut target = Target::create(&export.file)?;
        if one.is_none()
            && let Err(failure) = self.announce_scan(export.yes, terminal).await
        {
            target.discard();
            return Err(failure);
        }
        let begun = self.clock.now();
        match self.read_and_write(export, one, since, &mut target).await {
            Ok(counted) => {
                let files = target.finish()?;
                told(&counted, &files, begun, terminal)
            }
            Err(failure) => {
                target.discard();
                Err(failure)
            }
        }
    }

    /// Reads the accounts, writes the event of the export, and only then writes the accounts to the file. So there is no file without its event, however
    /// this ends. An event without a file means that the export failed after reading everything.
    async fn read_and_write(
        &self,
        export: &Export,
        one: Option<Account>,
        since: Option<Timestamp>,
        target: &mut Target,
    ) -> Result<Counted, Failure> {
        let id = one.as_ref().map(|account| account.id);
        let (mut counted, sorted) = self.read_accounts(export, one, since, target.folder()).await?;
        let exported = Exported {
            count: counted.exported,
            format: export.format.name(),
            with_hashes: export.with_hashes,
            caller: self.caller.clone(),
        };
        counted.is_told = self
            .store
            .tell_export(id, exported, self.clock.now())
            .await
            .map_err(|fault| Failure::Refused(format!("the event of this export was not written, so nothing was exported: {fault}")))?;
        let bar = progress("{wide_bar} {human_pos} of {human_len} accounts written, {eta} left");
        bar.set_length(counted.exported);
        target.begin(export.format.frame());
        sorted.into_order(|text| {
            bar.inc(1);
            target.add(text)
        })?;
        bar.finish_and_clear();
        Ok(counted)
    }

    async fn read_accounts(
        &self,
        export: &Export,
        one: Option<Account>,
        since: Option<Timestamp>,
        folder: &Path,
    ) -> Result<(Counted, Sorted), Failure> {
        let mut counted =
            Counted { exported: 0, unreadable: 0, without_hash: Vec::new(), left_without_hash: 0, placeholders: 0, is_told: false };
        let mut sorted = Sorted::new(folder, sorted::PIECE_BYTES);
        let bar = progress("{spinner} {human_pos} accounts read, {per_sec}");
        let mut add = |account: &Account| -> Result<(), Failure> {
            let is_left_out = export.format != Form::Jsonl && is_placeholder(account);
            if since.is_none_or(|since| since <= changed_at(account)) && is_left_out {
                counted.placeholders += 1;
            } else if since.is_none_or(|since| since <= changed_at(account)) {
                let Entry { text, lost_its_hash } = export.format.entry(account, export.with_hashes, &export.model)?;
                counted.exported += 1;
                if lost_its_hash && counted.without_hash.len() < MAX_NAMED {
                    counted.without_hash.push(account.id.to_string());
                }
                counted.left_without_hash += u64::from(lost_its_hash);
                sorted.add(account.username.folded().as_bytes(), &text)?;
            }
            bar.inc(1);
            Ok(())
        };
        let mut failure = None;
        if let Some(account) = &one {
            add(account)?;
        } else {
            let visit = |account: Result<Account, Fault>| match account.map(|account| add(&account)) {
                Ok(Ok(())) => ControlFlow::Continue(()),
                Ok(Err(why)) => {
                    failure = Some(why);
                    ControlFlow::Break(())
                }
                Err(_) => {
                    counted.unreadable += 1;
                    ControlFlow::Continue(())
                }
            };
            self.store.visit_accounts_with_profiles(visit).await?;
        }
        bar.finish_and_clear();
        failure.map_or(Ok((counted, sorted)), Err)
    }
}

/// The last change of an account, as far as the account stores it: its creation, a new password, a disavowal or deactivation, a new or verified address, a
/// changed field, or a requested deletion.
fn changed_at(account: &Account) -> Timestamp {
    let asked_at = account.deletion.map(|deletion| deletion.asked_at);
    let later = [account.disavowals_before, account.verified_at, account.profile.changed_at, asked_at].into_iter().flatten();
    later.fold(account.created_at.max(account.password_changed_at), Timestamp::max)
}

fn told(counted: &Counted, files: &[PathBuf], begun: Timestamp, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let paths: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let since = rfc3339(begun);
    let facts = json!({
        "exported": counted.exported, "unreadable": counted.unreadable, "without_hash": counted.without_hash, "left_without_hash": counted.left_without_hash,
        "for_nobody": counted.placeholders, "files": paths, "since": since, "event": counted.is_told,
    });
    let lost = match counted.left_without_hash {
        0 => String::new(),
        lost => format!(
            " {lost} have hashes that this form cannot hold, and go without a password (id:{}{}).",
            counted.without_hash.join(", id:"),
            if usize::try_from(lost).is_ok_and(|lost| lost > MAX_NAMED) { " and others" } else { "" }
        ),
    };
    let nobody = match counted.placeholders {
        0 => String::new(),
        left_out => format!(" {left_out} placeholder accounts (Registration=silent) are left out."),
    };
    let unreadable = told_unreadable(counted.unreadable);
    let event = if counted.is_told { "" } else { " No event tells of it, because this deployment records none (Events=none)." };
    let sentence = format!(
        "{} accounts are in {}.{lost}{nobody}{unreadable}{event} Accounts that change from now on: --since {since}",
        counted.exported,
        paths.join(", ")
    );
    terminal.tell(&facts, sentence)?;
    if counted.unreadable > 0 { Err(Failure::Refused(format!("{} accounts are missing", counted.unreadable))) } else { Ok(()) }
}

/// A progress bar on standard error, if that is a terminal.
fn progress(template: &str) -> ProgressBar {
    let bar = ProgressBar::no_length();
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}
