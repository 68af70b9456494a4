//! Deleting accounts.

use std::{collections::BTreeSet, fs, path::Path};

use doorward::{account::Account, lifecycle::Deleted};
use serde_json::{Value, json};

use crate::{Admin, Failure, Terminal};

impl Admin {
    pub(crate) async fn delete(&self, account: &Account, yes: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let (username, id) = (account.username.as_str(), account.id);
        let question = format!("This cannot be undone. To delete {username} ({id}), type its username");
        terminal.confirm(yes, &question, username, "that is not its username; nothing was deleted")?;
        match self.store.delete_account(account, self.clock.now()).await? {
            Deleted::Now => terminal.done(id, "deleted", &format!("{id} is deleted.")),
            Deleted::Overtaken => Err(Failure::Refused("the account changed meanwhile; look at it again".to_owned())),
        }
    }

    /// Deletes the accounts that a file names, one a line. Every name is looked up before the first account is deleted. A second run continues where the
    /// first was interrupted, because accounts that no longer exist are only counted.
    pub(crate) async fn delete_listed(&self, file: &Path, yes: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let text = fs::read_to_string(file)?;
        let (mut accounts, mut ids, mut unknown): (Vec<Account>, BTreeSet<String>, Vec<String>) = (Vec::new(), BTreeSet::new(), Vec::new());
        for (number, name) in (1..).zip(text.lines()).filter_map(|(number, line)| Some((number, name_in(line)?))) {
            match self.find(&name).await {
                Ok(account) => accounts.extend(ids.insert(account.id.to_string()).then_some(account)),
                Err(Failure::NoAccount) => unknown.push(number.to_string()),
                Err(Failure::Ambiguous(one, other)) => {
                    let failure = Failure::Ambiguous(one, other);
                    return Err(Failure::Refused(format!("line {number}: {failure}; nothing was deleted")));
                }
                Err(failure) => return Err(failure),
            }
        }
        let found = format!("The file names {} accounts that exist, and {} that do not", accounts.len(), unknown.len());
        let lines = if unknown.is_empty() { String::new() } else { format!(" (lines {})", unknown.join(", ")) };
        if accounts.is_empty() {
            return Err(Failure::Refused(format!("{found}{lines}; nothing was deleted")));
        }
        let question = format!("{found}{lines}. This cannot be undone. To delete them, type how many");
        terminal.confirm(yes, &question, &accounts.len().to_string(), "that is not their number; nothing was deleted")?;
        let mut changed = 0;
        for account in &accounts {
            match self.store.delete_account(account, self.clock.now()).await? {
                Deleted::Now => terminal.done(account.id, "deleted", &format!("{} is deleted.", account.id))?,
                Deleted::Overtaken => changed += 1,
            }
        }
        let deleted = accounts.len() - changed;
        terminal.tell(
            &json!({ "deleted": deleted, "unknown": unknown.len(), "changed_meanwhile": changed }),
            format!("{deleted} accounts are deleted, {} were not there.", unknown.len()),
        )?;
        if changed == 0 { Ok(()) } else { Err(Failure::Refused(format!("{changed} accounts changed meanwhile; run it again"))) }
    }
}

/// The name in a line: its first word, or the id in a line of `list --json`. Comments, empty lines and other JSON have none.
fn name_in(line: &str) -> Option<String> {
    let line = line.trim();
    if line.starts_with('{') {
        let facts: Value = serde_json::from_str(line).ok()?;
        return facts["id"].as_str().map(|id| format!("id:{id}"));
    }
    line.split_whitespace().next().filter(|word| !word.starts_with('#')).map(str::to_owned)
}
