//! Commands for failed mail.

use doorward::{
    clock::rfc3339,
    outbox::{EntryKey, Kind, Redriven},
};

use crate::{Admin, Failure, Terminal};

impl Admin {
    pub(crate) async fn list_failed(&self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let mail = self.store.failed_mail(self.clock.now()).await?;
        for entry in &mail {
            let (kind, fate) = (kind(&entry.key), if entry.for_good { "failed" } else { "comes again" });
            let (when, reason, attempts) = (rfc3339(entry.failed_at), &entry.reason, entry.attempts);
            let email = entry.email.as_deref().unwrap_or("(no address)");
            writeln!(terminal.out, "{}\n  {kind} to {email}, {fate}: {reason} at {when}, tried {attempts} times", entry.key)?;
        }
        let for_good = mail.iter().filter(|entry| entry.for_good).count();
        Ok(writeln!(terminal.out, "{for_good} failed for good, {} come again by themselves.", mail.len() - for_good)?)
    }

    pub(crate) async fn retry(&self, ids: &[String], all: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let keys = if all {
            self.store.failed_mail(self.clock.now()).await?.into_iter().filter(|entry| entry.for_good).map(|entry| entry.key).collect()
        } else {
            let keys: Option<Vec<EntryKey>> = ids.iter().map(|id| EntryKey::parse(id)).collect();
            keys.ok_or_else(|| Failure::Refused("that is no id; `mail failed` lists them".to_owned()))?
        };
        let mut left = 0;
        for key in &keys {
            match self.store.redrive(key, self.clock.now()).await? {
                Redriven::Now => writeln!(terminal.out, "{key} is on its way.")?,
                Redriven::NotFailed => {
                    left += 1;
                    writeln!(terminal.out, "{key} has not failed for good, or is gone.")?;
                }
            }
        }
        writeln!(terminal.out, "{} mails are on their way.", keys.len() - left)?;
        if left > 0 { Err(Failure::Refused(format!("{left} mails were left as they are"))) } else { Ok(()) }
    }
}

fn kind(key: &EntryKey) -> &'static str {
    match key.kind() {
        Some(Kind::Reset) => "reset link",
        Some(Kind::Notice) => "notice of a change",
        None => "unknown mail",
    }
}
