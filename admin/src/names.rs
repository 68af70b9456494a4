//! The names of accounts: parsing them, and commands that change them.

use doorward::{
    account::{Account, EmailAddress, FormerAddress, MAX_EMAIL_LENGTH, Taken, Username},
    disavow::Disavowed,
    lifecycle::Renamed,
};

use crate::{Admin, Failure, Terminal, reset_request::reset_request};

impl Admin {
    pub(crate) async fn set_email(&self, account: &Account, email: &str, yes: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let email = parse_email(email).map_err(Failure::Refused)?;
        if account.username.is_another_address_than(&email) {
            return Err(Failure::Refused("its username is its former address; use set-username first".to_owned()));
        }
        let (username, id) = (account.username.as_str(), account.id);
        let question = format!(
            "Mail to {username} ({id}) will go to {}, links that were mailed before end, and anybody may use the former address. To go on, type its \
             username",
            email.as_str()
        );
        terminal.confirm(yes, &question, username, "that is not its username; nothing was changed")?;
        let renamed = self.store.set_email(account, &email, self.clock.now()).await?;
        told(terminal, account, renamed, "e-mail address set", Taken::Email, "A notice to the former address is on its way.")
    }

    /// Gives an account a former address back, as the link in the notice of its change does: the one by which it is `named`, otherwise the oldest. An
    /// owner who writes from one of several former addresses has that mailbox, but perhaps not the one before it.
    pub(crate) async fn restore_address(
        &self,
        account: &Account,
        named: &str,
        yes: bool,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Failure> {
        let now = self.clock.now();
        let named = EmailAddress::parse(named).ok();
        let is_named = |former: &&FormerAddress| named.as_ref().is_some_and(|named| named.folded() == former.email.folded());
        let Some(former) = account.reserved(now).find(is_named).or_else(|| account.reserved(now).next()) else {
            return Err(Failure::Refused("no former address is kept for it; use set-email".to_owned()));
        };
        if !account.can_be_disavowed() {
            return Err(Failure::Refused("it is deactivated; activate it first".to_owned()));
        }
        let (username, id) = (account.username.as_str(), account.id);
        let question = format!(
            "{username} ({id}) gets the address {} back. Its password stops working until its owner chooses another by a link in that mailbox, and every \
             change of the address since then is void. To go on, type its username",
            former.email.as_str()
        );
        terminal.confirm(yes, &question, username, "that is not its username; nothing was changed")?;
        match self.store.restore_address(account, &former.email, reset_request(account, now)).await? {
            Disavowed::Now => {
                let sentence = format!(
                    "{id}: the former address {} is back, every session has ended and the password is disabled; a link to choose another is on its way.",
                    former.email.as_str()
                );
                terminal.done(id, "address restored", &sentence)
            }
            Disavowed::NotValid => Err(Failure::Refused("the account changed meanwhile; look at it again".to_owned())),
        }
    }

    pub(crate) async fn set_username(&self, account: &Account, name: &str, yes: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let (new, _) = parse_names(name, account.email.as_str()).map_err(Failure::Refused)?;
        let (username, id) = (account.username.as_str(), account.id);
        let question =
            format!("{username} ({id}) will be {name}, and anybody may use the former name. To go on, type its present username");
        terminal.confirm(yes, &question, username, "that is not its username; nothing was changed")?;
        let renamed = self.store.set_username(account, &new, self.clock.now()).await?;
        told(terminal, account, renamed, "username set", Taken::Username, "A notice to its address is on its way.")
    }
}

fn told(terminal: &mut Terminal<'_>, account: &Account, renamed: Renamed, what: &str, taken: Taken, notice: &str) -> Result<(), Failure> {
    match renamed {
        Renamed::Now => terminal.done(account.id, what, &format!("{}: {what}. {notice}", account.id)),
        Renamed::Taken => Err(Failure::Refused(taken_names(Some(taken)).to_owned())),
        Renamed::Overtaken => Err(Failure::Refused("the account changed meanwhile; look at it again".to_owned())),
    }
}

/// Parses a username and an address of one account. The error repeats neither of them.
pub(crate) fn parse_names(username: &str, email: &str) -> Result<(Username, EmailAddress), String> {
    let username = Username::parse(username)
        .map_err(|rules| rules.iter().map(|rule| format!("username: {}", rule.message())).collect::<Vec<_>>().join(" "))?;
    let email = parse_email(email)?;
    if username.is_another_address_than(&email) {
        return Err("username: it reads as an e-mail address that is not this account's own".to_owned());
    }
    Ok((username, email))
}

fn parse_email(email: &str) -> Result<EmailAddress, String> {
    let fits = |email: &EmailAddress| email.as_str().chars().count() <= MAX_EMAIL_LENGTH;
    EmailAddress::parse(email).ok().filter(fits).ok_or_else(|| "email: it is no e-mail address that mail can go to".to_owned())
}

/// The message that says which names are taken.
pub(crate) fn taken_names(taken: Option<Taken>) -> &'static str {
    match taken {
        Some(Taken::Both) => "another account has this username, and one this e-mail address",
        Some(Taken::Username) => "another account has this username, in whatever case",
        Some(Taken::Email) => "another account has this e-mail address, in whatever case",
        None => "the names were taken and free again; run it once more",
    }
}
