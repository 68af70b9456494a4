//! Mail that failed.

use doorward::{clock::rfc3339, store::Redriven};

use crate::{Admin, Failure, Terminal};

impl Admin {
    pub(crate) async fn list_failed(&self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let mail = self.store.failed_mail().await?;
        for entry in &mail {
            let (kind, fate) = (kind(&entry.key.0), if entry.for_good { "failed" } else { "comes again" });
            let (when, reason, attempts) = (rfc3339(entry.failed_at), &entry.reason, entry.attempts);
            let email = entry.email.as_deref().unwrap_or("(no address)");
            writeln!(terminal.out, "{}\n  {kind} to {email}, {fate}: {reason} at {when}, tried {attempts} times", id(&entry.key))?;
        }
        let for_good = mail.iter().filter(|entry| entry.for_good).count();
        Ok(writeln!(terminal.out, "{for_good} failed for good, {} come again by themselves.", mail.len() - for_good)?)
    }

    pub(crate) async fn retry(&self, ids: &[String], all: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let keys = if all {
            self.store.failed_mail().await?.into_iter().filter(|entry| entry.for_good).map(|entry| entry.key).collect()
        } else {
            let keys: Option<Vec<_>> = ids.iter().map(|id| id.split_once('/').map(|(pk, sk)| (pk.to_owned(), sk.to_owned()))).collect();
            keys.ok_or_else(|| Failure::Refused("that is no id; `mail failed` lists them".to_owned()))?
        };
        let mut left = 0;
        for key in &keys {
            match self.store.redrive(key, self.clock.now()).await? {
                Redriven::Now => writeln!(terminal.out, "{} is on its way.", id(key))?,
                Redriven::NotFailed => {
                    left += 1;
                    writeln!(terminal.out, "{} has not failed for good, or is gone.", id(key))?;
                }
            }
        }
        writeln!(terminal.out, "{} mails are on their way.", keys.len() - left)?;
        if left > 0 { Err(Failure::Refused(format!("{left} mails were left as they are"))) } else { Ok(()) }
    }
}

/// By what an entry is named on the command line.
fn id((partition, sort): &(String, String)) -> String {
    format!("{partition}/{sort}")
}

fn kind(partition: &str) -> &'static str {
    if partition.starts_with("notice#") { "notice of a change" } else { "reset link" }
}
