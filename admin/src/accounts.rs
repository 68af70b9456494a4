//! Commands for one account.

use std::time::Duration;

use doorward::{
    account::{Account, AccountId, EmailAddress, LONGEST_EMAIL, Registered, Taken, Username},
    caller::Caller,
    clock::{Timestamp, after, rfc3339},
    lifecycle::{Deleted, Requested, Switched},
    outbox::ResetRequest,
};

use crate::{Admin, Failure, Terminal};

/// The refusal of a command whose account was changed by somebody else while it ran.
const OVERTAKEN: &str = "the account changed meanwhile; look at it again";

impl Admin {
    /// Prints everything about an account except hashes and digests.
    pub(crate) async fn show(&self, account: &Account, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let now = self.clock.now();
        let sessions = self.store.sessions_of(account, now).await?;
        let (_, link) = self.store.reset_link(account.id).await?;
        let newest = sessions.iter().map(|session| session.created_at).max();
        let newest = newest.map_or_else(String::new, |newest| format!(", the newest of {}", rfc3339(newest)));
        let link = link.filter(|link| now < link.valid_until);
        let link = link.map_or_else(|| "none".to_owned(), |link| format!("open until {}", rfc3339(link.valid_until)));
        let networks: Vec<String> =
            account.networks.iter().map(|known| format!("{} ({})", known.network, rfc3339(known.seen_at))).collect();
        let mail = account.undeliverable.map_or_else(
            || "reaches the address, as far as known".to_owned(),
            |(why, sent_at)| format!("{}: what was sent at {} did not arrive or was not wanted", why.as_str(), rfc3339(sent_at)),
        );
        for (name, value) in [
            ("id", account.id.to_string()),
            ("username", account.username.as_str().to_owned()),
            ("email", account.email.as_str().to_owned()),
            ("state", state(account).to_owned()),
            ("created", rfc3339(account.created_at)),
            ("password set", rfc3339(account.password_changed_at)),
            ("language", account.language.clone().unwrap_or_else(|| "not said".to_owned())),
            ("sessions", format!("{}{newest}", sessions.len())),
            ("reset link", link),
            ("mail", mail),
            ("networks", if networks.is_empty() { "none".to_owned() } else { networks.join(", ") }),
        ] {
            writeln!(terminal.out, "{name:<13} {value}")?;
        }
        Ok(())
    }

    /// Creates an account with a password that nobody knows, and the request for a mail that lets its owner choose one, in one transaction.
    pub(crate) async fn create(&self, username: &str, email: &str, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let (username, email) = parse_names(username, email).map_err(Failure::Refused)?;
        let now = self.clock.now();
        let id = AccountId::from(self.entropy.uuid(now));
        let account = Account::new(id, username, email, self.hasher.unknowable(), now);
        match self.store.invite(&account, &invitation(&account, now)).await? {
            Registered::Now => Ok(writeln!(terminal.out, "{id} is made; a link to choose a password is on its way.")?),
            Registered::Taken(taken) => Err(Failure::Refused(taken_names(Some(taken)).to_owned())),
        }
    }

    pub(crate) async fn activate(&self, account: &Account, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        match self.store.activate(account.id).await? {
            Switched::Now => Ok(writeln!(terminal.out, "{} is switched on.", account.id)?),
            Switched::Missing => Err(Failure::NoAccount),
        }
    }

    pub(crate) async fn deactivate(&self, account: &Account, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        match self.store.deactivate(account.id, self.clock.now()).await? {
            Switched::Now => Ok(writeln!(terminal.out, "{} is switched off; its sessions are over.", account.id)?),
            Switched::Missing => Err(Failure::NoAccount),
        }
    }

    pub(crate) async fn delete(&self, account: &Account, yes: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        if !yes {
            let question = format!("This cannot be undone. To delete {} ({}), type its username", account.username.as_str(), account.id);
            let typed = (terminal.ask)(&question).map_err(|_| Failure::Refused("nobody is there to ask; --yes goes without".to_owned()))?;
            if typed.trim() != account.username.as_str() {
                return Err(Failure::Refused("that is not its username; nothing was deleted".to_owned()));
            }
        }
        match self.store.delete_account(account, self.clock.now()).await? {
            Deleted::Now => Ok(writeln!(terminal.out, "{} is deleted.", account.id)?),
            Deleted::Overtaken => Err(Failure::Refused(OVERTAKEN.to_owned())),
        }
    }

    pub(crate) async fn end_sessions(&self, account: &Account, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        self.store.end_sessions(account.id).await?;
        Ok(writeln!(terminal.out, "The sessions of {} are over.", account.id)?)
    }

    pub(crate) async fn reset(&self, account: &Account, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        if !account.active {
            return Err(Failure::Refused(format!("no link is mailed to an account that is {}", state(account))));
        }
        if account.usable_password().is_none() {
            return self.invite(account, terminal).await;
        }
        match self.store.request_reset_at_once(account.id, &reset_request(account, self.clock.now())).await? {
            Requested::Now => {
                Ok(writeln!(terminal.out, "A reset link for {} is on its way, unless one was sent minutes ago.", account.id)?)
            }
            Requested::Overtaken => Err(Failure::Refused(OVERTAKEN.to_owned())),
        }
    }

    /// Leaves the request for the mail that invites an owner to choose a first password.
    async fn invite(&self, account: &Account, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        match self.store.invite_again(account.id, &self.hasher.unknowable(), &invitation(account, self.clock.now())).await? {
            Requested::Now => Ok(writeln!(terminal.out, "{} had no password; a link to choose one is on its way.", account.id)?),
            Requested::Overtaken => Err(Failure::Refused(OVERTAKEN.to_owned())),
        }
    }
}

fn state(account: &Account) -> &'static str {
    match (account.active, account.usable_password(), account.disavowed) {
        (false, _, _) => "switched off",
        (true, None, _) => "without a password",
        (true, Some(_), true) => "disavowed by its owner, until a reset",
        (true, Some(_), false) => "active",
    }
}

/// A reset request by an operator, who is no caller.
fn reset_request(account: &Account, now: Timestamp) -> ResetRequest {
    ResetRequest {
        email: account.email.clone(),
        // Only a request that is newer than the password leads to a link.
        requested_at: now.max(after(account.password_changed_at, Duration::from_millis(1))),
        caller: Caller::default().in_language(account.language()),
        invites: false,
    }
}

/// The request for the mail that invites an owner to choose a first password.
fn invitation(account: &Account, now: Timestamp) -> ResetRequest {
    ResetRequest { invites: true, ..reset_request(account, now) }
}

/// Parses a username and an address of one account. The error repeats neither of them.
pub(crate) fn parse_names(username: &str, email: &str) -> Result<(Username, EmailAddress), String> {
    let username = Username::parse(username)
        .map_err(|rules| rules.iter().map(|rule| format!("username: {}", rule.message())).collect::<Vec<_>>().join(" "))?;
    let fits = |email: &EmailAddress| email.as_str().chars().count() <= LONGEST_EMAIL;
    let email = EmailAddress::parse(email).ok().filter(fits).ok_or("email: it is no e-mail address that mail can go to")?;
    if username.is_another_address_than(&email) {
        return Err("username: it reads as an e-mail address that is not this account's own".to_owned());
    }
    Ok((username, email))
}

/// Tells which names are taken.
pub(crate) fn taken_names(taken: Option<Taken>) -> &'static str {
    match taken {
        Some(Taken::Both) => "another account has this username, and one this e-mail address",
        Some(Taken::Username) => "another account has this username, in whatever case",
        Some(Taken::Email) => "another account has this e-mail address, in whatever case",
        None => "the names were taken and free again; run it once more",
    }
}
