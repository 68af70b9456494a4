//! Commands for failed mail.

use doorward::{
    clock::rfc3339,
    outbox::{EntryKey, Kind, Redriven},
};
use serde_json::json;

use crate::{Admin, Failure, Terminal, show::words};

impl Admin {
    pub(crate) async fn list_failed(&self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let mail = self.store.failed_mail(self.clock.now()).await?;
        for entry in &mail {
            let (kind, fate) = (words(entry.key.kind()), if entry.for_good { "failed" } else { "comes again" });
            let (when, reason, attempts) = (rfc3339(entry.failed_at), &entry.reason, entry.attempts);
            let facts = json!({
                "key": entry.key.to_string(), "kind": entry.key.kind().map(Kind::as_str), "email": entry.email, "for_good": entry.for_good,
                "reason": reason, "failed_at": when, "attempts": attempts,
            });
            let email = entry.email.as_deref().unwrap_or("(no address)");
            terminal.tell(&facts, format!("{}\n  {kind} to {email}, {fate}: {reason} at {when}, tried {attempts} times", entry.key))?;
        }
        let for_good = mail.iter().filter(|entry| entry.for_good).count();
        let again = mail.len() - for_good;
        terminal.tell(
            &json!({ "failed": for_good, "retried": again }),
            format!("{for_good} failed for good, {again} come again by themselves."),
        )
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
            let is_sent = self.store.redrive(key, self.clock.now()).await? == Redriven::Now;
            left += usize::from(!is_sent);
            let sentence = if is_sent { "is on its way." } else { "has not failed for good, or is gone." };
            terminal.tell(&json!({ "key": key.to_string(), "sent_again": is_sent }), format!("{key} {sentence}"))?;
        }
        let sent = keys.len() - left;
        terminal.tell(&json!({ "sent_again": sent, "left": left }), format!("{sent} mails are on their way."))?;
        if left > 0 { Err(Failure::Refused(format!("{left} mails were left as they are"))) } else { Ok(()) }
    }
}
