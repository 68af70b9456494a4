//! Imports accounts with their password hashes. Each account is one transaction, so no account is imported partly and a second run continues where the
//! first one ended.
//!
//! The file is read entry by entry. Only a number for each name is kept in memory, to find duplicate names, and the names that are listed at the end.

mod candidate;
mod container;
mod instant;
mod layer;
mod load;
pub(crate) mod own;
mod reasons;
mod records;
mod refused;
mod report;
mod source;
mod tokens;

use std::{cell::Cell, path::PathBuf, time::Duration};

use clap::Args;
use doorward::{
    account::{Account, AccountId, Imported, Taken},
    fault::Fault,
    password::StoredPassword,
    registration::is_placeholder,
    session::CarriedOver,
};
use futures_util::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::OnceCell;

use self::{
    candidate::{Candidate, Reader},
    layer::Layers,
    load::Load,
    reasons::Reason,
    records::{Reading, Records},
    refused::RefusedFile,
    report::Report,
    source::{Converter, Format, HashConfig},
    tokens::{Carried, Tokens},
};
use crate::{Admin, Failure, Terminal, names::taken_names, reset_request::invitation};

/// The arguments of an import.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an argument of its own")]
pub struct Import {
    /// JSON lines, a list in JSON (also of Django's `dumpdata`) or CSV: username, email, password (a hash), `is_active`, `date_joined`, `external_id`,
    /// declared fields
    file: PathBuf,
    /// The service that the file is from
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Other names of the columns of a CSV, such as `username=login,password=pw_hash`
    #[arg(long, value_name = "OURS=THEIRS", value_delimiter = ',', value_parser = renamed)]
    columns: Vec<(String, String)>,
    /// A file with the password hash parameters that the console of Firebase shows
    #[arg(long, value_name = "FILE")]
    hash_config: Option<PathBuf>,
    /// Check everything, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Also import accounts whose hash cannot be verified, without a password; `reset` mails their owners an invitation
    #[arg(long)]
    without_password: bool,
    /// Also import weak hashes (phpass, of WordPress before 6.8), which protect passwords hardly at all; a login replaces them
    #[arg(long)]
    weak_hashes: bool,
    /// Put Argon2id over hashes of other algorithms, so that no account has a weaker one. Takes about 25 ms of a core for each; a login removes the layer
    #[arg(long)]
    layered: bool,
    /// Turn the tokens in this file into sessions of their accounts: Django's `dumpdata authtoken`, or CSV with key and `user_id`. Needs
    /// `ImportedTokens=on`
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// Mail the owner of every active account without a password an invitation to choose one, at most this number a second
    #[arg(long, value_name = "RATE", value_parser = clap::value_parser!(u16).range(1..=1000))]
    invite: Option<u16>,
    /// Write refused entries unchanged to this new file
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// Number of accounts that are written at the same time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    at_once: u16,
    /// How long to continue while the store does not answer or is too busy, before the rest is left for another run
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    patience: Duration,
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

/// An account that is being written, by one or several tries.
struct PendingImport<'a> {
    candidate: &'a Candidate,
    /// The id is the same for all tries, so that a try recognises an account that an earlier one wrote and whose answer was lost.
    new: AccountId,
    pace: Option<&'a Pace>,
    layers: Option<&'a Layers>,
    /// Its hash with a layer, once that is computed.
    layered: OnceCell<StoredPassword>,
    dry_run: bool,
}

/// The outcome of an account.
#[derive(Clone, Copy)]
enum Fate {
    Imported(AccountId),
    AlreadyThere(AccountId),
    Taken(Option<Taken>),
    /// The names are free, but another account has the id.
    IdTaken,
}

impl Admin {
    pub(crate) async fn import(&self, import: &Import, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        if import.tokens.is_some() && !import.dry_run && !self.sessions.take_imported_tokens() {
            return Err(Failure::Refused(
                "--tokens: they open nothing as long as ImportedTokens is off; make set PARAMS=ImportedTokens=on".to_owned(),
            ));
        }
        let tokens = import.tokens.as_deref().map(Tokens::read).transpose()?;
        let bar = progress(import.layered);
        let layers = import.layered.then(|| Layers::new(self.hasher.cost(), &self.entropy, &bar));
        let firebase = import.hash_config.as_deref().map(HashConfig::read).transpose()?;
        let reading = Reading { layout: import.format.layout(), without_password: import.without_password, columns: &import.columns };
        let mut records = Records::open(&import.file, &bar, &reading)?;
        let mut refused = import.refused.as_deref().map(|path| RefusedFile::create(path, records.frame())).transpose()?;
        let mut report = Report::new(records.entry_word(), import.dry_run, import.layered);
        let converter = Converter::new(import.format, firebase, self.clock.now());
        let weak_hashes = import.weak_hashes || import.layered;
        let mut reader = Reader::new(records.entry_word(), converter, import.without_password, weak_hashes, self.fields.clone());
        let pace = import.invite.map(Pace::new);
        let mut broken = None;
        // After a permanent fault no new write begins. Writes in progress are completed, and the rest is counted.
        let load = Load::new(import.at_once.into(), import.patience);
        let one = |entry: Entry| {
            let (load, pace, layers, tokens) = (&load, pace.as_ref(), layers.as_ref(), tokens.as_ref());
            async move {
                let mut carried = Vec::new();
                let fate = match &entry.account {
                    Ok(candidate) => {
                        let new = AccountId::from(self.entropy.uuid(self.clock.now()));
                        let pending = PendingImport { candidate, new, pace, layers, layered: OnceCell::new(), dry_run: import.dry_run };
                        let fate = load.carry(async |again| self.import_account(&pending, again).await).await;
                        self.with_tokens(candidate, fate, tokens, load, import.dry_run, &mut carried).await.transpose()
                    }
                    Err(_) => None,
                };
                (entry, fate, carried)
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
            while let Some((entry, fate, carried)) = fates.next().await {
                if let Some(tokens) = &tokens {
                    for carried in &carried {
                        tokens.note(carried);
                    }
                }
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
        report.busy = load.refused();
        report.estimate(layers.as_ref())?;
        if let Some(tokens) = tokens.as_ref().filter(|_| report.is_whole() && broken.is_none()) {
            tokens.refuse_rest();
        }
        report.tell(&reader, tokens.as_ref(), kept.as_deref(), broken, terminal)
    }

    /// Imports the tokens of an existing account. They are written after the account, so that another run can write the ones that this run could not.
    async fn with_tokens(
        &self,
        candidate: &Candidate,
        fate: Result<Option<Fate>, Fault>,
        tokens: Option<&Tokens>,
        load: &Load,
        dry_run: bool,
        carried: &mut Vec<Carried>,
    ) -> Result<Option<Fate>, Fault> {
        let (Ok(Some(Fate::Imported(id) | Fate::AlreadyThere(id))), Some(tokens), Some(user)) = (&fate, tokens, candidate.external_id())
        else {
            return fate;
        };
        for waiting in tokens.of(user) {
            let carry = async |again: bool| match &fate {
                Ok(Some(Fate::Imported(_))) if dry_run => {
                    Ok(if candidate.takes_tokens() { CarriedOver::Now } else { CarriedOver::Changed })
                }
                _ if dry_run => self.sessions.would_carry_over(&self.store, *id, user, &waiting.token).await,
                _ => match self.sessions.carry_over(&self.store, *id, user, &waiting.token, self.clock.now()).await? {
                    // The previous try wrote it, and its answer was lost.
                    CarriedOver::Before if again => Ok(CarriedOver::Now),
                    outcome => Ok(outcome),
                },
            };
            match load.carry(carry).await? {
                Some(outcome) => carried.push(Carried { user: user.to_owned(), number: waiting.number, outcome }),
                None => return Ok(None),
            }
        }
        fate
    }

    /// Writes an account, or returns the reason why not. `again` is true if an earlier try had no answer and may have written it.
    async fn import_account(&self, pending: &PendingImport<'_>, again: bool) -> Result<Fate, Fault> {
        let PendingImport { candidate, new, dry_run, .. } = *pending;
        if !dry_run {
            match self.write(pending).await? {
                Imported::Now => return Ok(Fate::Imported(candidate.id().unwrap_or(new))),
                Imported::IdTaken => return Ok(Fate::IdTaken),
                Imported::Taken(_) => {}
            }
        }
        let holders = self.store.holders(&candidate.username, &candidate.email, self.clock.now()).await?;
        let same = match (holders.username, holders.email) {
            (None, None) if dry_run => return self.would_be(candidate, new).await,
            (Some(one), Some(other)) if one == other => self.store.account(one).await?,
            _ => None,
        };
        // The account was deleted between the two reads, so the names may be free again.
        if same.is_none() && holders.username.is_some() && holders.username == holders.email {
            return Ok(Fate::Taken(None));
        }
        if again && same.as_ref().is_some_and(|account| account.id == candidate.id().unwrap_or(new)) {
            return Ok(Fate::Imported(candidate.id().unwrap_or(new)));
        }
        // The account may have been given another name since its claims were read.
        let mut holders = holders;
        if let Some(account) = &same {
            holders.username = holders.username.filter(|_| account.username.folded() == candidate.username.folded());
            holders.email = holders.email.filter(|_| account.email.folded() == candidate.email.folded());
        }
        // The hash may have changed, because the first login replaces it.
        let same = same.filter(|account| {
            account.username.as_str() == candidate.username.as_str()
                && account.email.as_str() == candidate.email.as_str()
                && candidate.id().is_none_or(|id| id == account.id)
        });
        Ok(same.map_or_else(|| Fate::Taken(holders.taken()), |account| Fate::AlreadyThere(account.id)))
    }

    /// Writes an account. An invitation is written with it, so that a second run invites nobody twice.
    async fn write(&self, pending: &PendingImport<'_>) -> Result<Imported, Fault> {
        let PendingImport { candidate, new, pace, .. } = *pending;
        if let Some(layers) = pending.layers.filter(|_| candidate.password.takes_layer()) {
            // This read is quicker than a layer, and saves it where an earlier run has imported the account. The unlayered hash is never written.
            if let Some(taken) = self.store.holders(&candidate.username, &candidate.email, self.clock.now()).await?.taken() {
                return Ok(Imported::Taken(taken));
            }
            let layered = pending.layered.get_or_try_init(|| layers.over(&candidate.password)).await?;
            let now = self.clock.now();
            let mut account = candidate.account(new, now);
            account.password = Some(layered.clone());
            return self.store.import(&account, None, now).await;
        }
        let is_invited = |account: &Account| account.active && !candidate.password.is_usable() && !is_placeholder(account);
        match pace.filter(|_| is_invited(&candidate.account(new, self.clock.now()))) {
            None => self.store.import(&candidate.account(new, self.clock.now()), None, self.clock.now()).await,
            Some(pace) => {
                pace.wait().await;
                let now = self.clock.now();
                let mut account = candidate.account(new, now);
                account.password = Some(self.hasher.unknowable());
                self.store.import(&account, Some(&invitation(&account, now)), now).await
            }
        }
    }

    /// The outcome of a dry run for an account whose names are free.
    async fn would_be(&self, candidate: &Candidate, new: AccountId) -> Result<Fate, Fault> {
        let is_taken = match candidate.id() {
            Some(id) => self.store.account(id).await?.is_some(),
            None => false,
        };
        Ok(if is_taken { Fate::IdTaken } else { Fate::Imported(candidate.id().unwrap_or(new)) })
    }
}

/// Limits the number of calls a second.
struct Pace {
    step: Duration,
    next: Cell<tokio::time::Instant>,
}

impl Pace {
    fn new(a_second: u16) -> Self {
        Self { step: Duration::from_secs(1) / u32::from(a_second), next: Cell::new(tokio::time::Instant::now()) }
    }

    async fn wait(&self) {
        let turn = self.next.get().max(tokio::time::Instant::now());
        self.next.set(turn + self.step);
        tokio::time::sleep_until(turn).await;
    }
}

/// `ours=theirs`.
fn renamed(text: &str) -> Result<(String, String), String> {
    const OURS: [&str; 6] = ["username", "email", "password", "is_active", "date_joined", "external_id"];
    match text.split_once('=') {
        Some((ours, theirs)) if OURS.contains(&ours) && !theirs.is_empty() => Ok((ours.to_owned(), theirs.to_owned())),
        _ => Err(format!("must be one of {}, and = and the name of a column", OURS.join(", "))),
    }
}

/// A progress bar on standard error, if that is a terminal, for the part of the file that was read. With layers it shows their rate.
fn progress(layered: bool) -> ProgressBar {
    let bar = ProgressBar::no_length();
    let rate = if layered { "{msg}" } else { "{bytes_per_sec}" };
    let style = ProgressStyle::with_template(&format!("{{wide_bar}} {{bytes}} of {{total_bytes}}, {rate}, {{eta}} left"));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

impl From<Option<Taken>> for Reason {
    fn from(taken: Option<Taken>) -> Self {
        Self::new(taken_names(taken))
    }
}
