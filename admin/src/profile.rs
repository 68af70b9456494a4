//! Declared fields of accounts.

use doorward::account::{Account, Profiled};

use crate::{Admin, Failure, Terminal};

impl Admin {
    /// Sets a field, or removes its value.
    pub(crate) async fn set_field(
        &self,
        account: &Account,
        name: &str,
        value: Option<&str>,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Failure> {
        let Some(field) = self.fields.named(name) else {
            let declared: Vec<&str> = self.fields.iter().map(|field| field.name).collect();
            let declared = if declared.is_empty() { "none".to_owned() } else { declared.join(", ") };
            return Err(Failure::Refused(format!("no such field is declared (ProfileFields); declared are: {declared}")));
        };
        let value = value.map(|text| field.parse(text)).transpose().map_err(|complaints| {
            let complaints: Vec<_> = complaints.iter().map(doorward::http::Complaint::in_english).collect();
            Failure::Refused(format!("{name}: {}", complaints.join(" ")))
        })?;
        match self.store.set_profile(account.id, &[(field.clone(), value)], self.clock.now()).await? {
            Profiled::Now => terminal.done(account.id, "field set", &format!("{}: {name} set", account.id)),
            // It may have been deleted since it was found.
            Profiled::Overtaken if self.store.account(account.id).await?.is_none() => Err(Failure::NoAccount),
            Profiled::Overtaken => Err(Failure::Refused("no field can be set in an account that is deactivated".to_owned())),
        }
    }
}
