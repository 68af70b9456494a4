//! Accounts from elsewhere, with the hashes they have there: one transaction each, so that nothing is half imported and a second run goes on
//! where the first one ended.

use std::{
    cell::Cell,
    collections::HashMap,
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use doorward::{
    account::{Account, AccountId, EmailAddress, Registered, Taken, Username},
    clock::Timestamp,
    fault::Fault,
    password::StoredPassword,
};
use futures_util::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{civil::DateTime, tz::TimeZone};
use serde::Deserialize;

use crate::{
    Admin, Failure, Terminal,
    accounts::{parse_names, taken_names},
};

/// A line of the file, as Django's `values()` writes a user.
#[derive(Deserialize)]
struct Line {
    username: String,
    email: String,
    password: String,
    #[serde(default = "active")]
    is_active: bool,
    date_joined: Option<String>,
}

fn active() -> bool {
    true
}

/// An account to be.
struct Candidate {
    number: usize,
    username: Username,
    email: EmailAddress,
    password: StoredPassword,
    active: bool,
    created_at: Option<Timestamp>,
}

/// What became of a line.
enum Fate {
    Imported,
    AlreadyThere,
    Taken(Option<Taken>),
}

/// Line numbers and what was wrong.
type Refused = Vec<(usize, String)>;

#[derive(Default)]
struct Report {
    imported: usize,
    already_there: usize,
    refused: Refused,
    /// The last fault; what came after the first was not tried.
    fault: Option<Fault>,
}

impl Admin {
    pub(crate) async fn import(&self, file: &Path, dry_run: bool, at_once: usize, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let (candidates, refused) = read(file)?;
        let mut report = Report { refused, ..Report::default() };
        let total = candidates.len() + report.refused.len();
        let bar = progress(total);
        bar.inc(report.refused.len() as u64);
        // Once the store fails nothing new is begun; what is under way is waited for.
        let goes_on = Cell::new(true);
        let one = |candidate: Candidate| {
            let goes_on = &goes_on;
            async move {
                let fate = if goes_on.get() { Some(self.bring(&candidate, dry_run).await) } else { None };
                goes_on.set(goes_on.get() && !matches!(fate, Some(Err(_))));
                (candidate.number, fate)
            }
        };
        let mut fates = stream::iter(candidates).map(one).buffer_unordered(at_once);
        while let Some((number, fate)) = fates.next().await {
            match fate {
                Some(Ok(Fate::Imported)) => report.imported += 1,
                Some(Ok(Fate::AlreadyThere)) => report.already_there += 1,
                Some(Ok(Fate::Taken(taken))) => report.refused.push((number, taken_names(taken).to_owned())),
                Some(Err(fault)) => report.fault = Some(fault),
                None => continue,
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        report.tell(total, dry_run, terminal)
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

impl Report {
    fn tell(mut self, total: usize, dry_run: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        self.refused.sort();
        for (number, reason) in &self.refused {
            writeln!(terminal.out, "line {number}: {reason}")?;
        }
        let (imported, there, refused) = (self.imported, self.already_there, self.refused.len());
        let verb = if dry_run { "would be imported" } else { "imported" };
        writeln!(terminal.out, "{total} accounts: {imported} {verb}, {there} already there, {refused} refused.")?;
        if let Some(fault) = self.fault {
            let left = total - imported - there - refused;
            return Err(Failure::Refused(format!("{fault}; {left} accounts were left. Run it again to go on")));
        }
        if refused > 0 { Err(Failure::Refused(format!("{refused} lines were refused"))) } else { Ok(()) }
    }
}

/// Every line that can be an account, and what is wrong with the others. Of two lines with the same name the first one counts.
fn read(file: &Path) -> Result<(Vec<Candidate>, Refused), Failure> {
    let open = File::open(file).map_err(|error| Failure::Refused(format!("{}: {error}", file.display())))?;
    let (mut candidates, mut refused) = (Vec::new(), Vec::new());
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (number, line) in (1..).zip(BufReader::new(open).lines()) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        match parse(number, &line) {
            Ok(candidate) => {
                let names = [format!("username {}", candidate.username.folded()), format!("email {}", candidate.email.folded())];
                if let Some((name, first)) = names.iter().find_map(|name| Some((name, seen.get(name)?))) {
                    let which = if name.starts_with("username ") { "username" } else { "e-mail address" };
                    refused.push((number, format!("line {first} has the same {which}, in whatever case")));
                } else {
                    seen.extend(names.map(|name| (name, number)));
                    candidates.push(candidate);
                }
            }
            Err(reason) => refused.push((number, reason)),
        }
    }
    Ok((candidates, refused))
}

fn parse(number: usize, line: &str) -> Result<Candidate, String> {
    // What serde says may quote the line, and with it a hash.
    let line: Line = serde_json::from_str(line)
        .map_err(|error| format!("no JSON object with username, email and password as texts (column {})", error.column()))?;
    let (username, email) = parse_names(&line.username, &line.email)?;
    let password = StoredPassword::imported(line.password).map_err(|refused| format!("password: {refused}"))?;
    let created_at =
        line.date_joined.map(|text| instant(&text).ok_or("date_joined: no instant such as 2026-01-31T12:00:00Z")).transpose()?;
    Ok(Candidate { number, username, email, password, active: line.is_active, created_at })
}

/// An instant, with its offset or, as Django without time zones writes it, in UTC.
fn instant(text: &str) -> Option<Timestamp> {
    let naive = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse().ok().or_else(naive)
}

/// A bar on standard error, if somebody looks at it.
fn progress(total: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64);
    let style = ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len}, {per_sec}, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
