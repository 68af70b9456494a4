//! Commands that change the state of one account.

use doorward::{
    account::{Account, AccountId, Registered},
    clock::rfc3339,
    disavow::Disavowed,
    lifecycle::{ActivationOutcome, Requested},
    registration::is_placeholder,
};

use crate::{
    Admin, Failure, Terminal,
    names::{parse_names, taken_names},
    reset_request::{invitation, reset_request},
    state::State,
};

/// The refusal of a command whose account was changed by somebody else while it ran.
const OVERTAKEN: &str = "the account changed meanwhile; look at it again";

/// The refusal of commands that would cancel a deletion that has begun.
const BEING_DELETED: &str = "its requested deletion has begun and can no longer be cancelled";

impl Admin {
    /// Creates an account with a random password that nobody knows, and the request for the mail with which its owner chooses one, in one transaction.
    pub(crate) async fn create(&self, username: &str, email: &str, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let (username, email) = parse_names(username, email).map_err(Failure::Refused)?;
        let now = self.clock.now();
        let id = AccountId::from(self.entropy.uuid(now));
        let account = Account::new(id, username, email, self.hasher.unknowable(), now);
        match self.store.invite(&account, &invitation(&account, now)).await? {
            Registered::Now => terminal.done(id, "created", &format!("{id} is created; a link to choose a password is on its way.")),
            Registered::Taken(taken) => Err(Failure::Refused(taken_names(Some(taken)).to_owned())),
        }
    }

    pub(crate) async fn activate(&self, account: &Account, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        match self.store.activate(account.id, self.clock.now()).await? {
            ActivationOutcome::Now => terminal.done(account.id, "activated", &format!("{} is activated.", account.id)),
            ActivationOutcome::Missing => Err(Failure::NoAccount),
            ActivationOutcome::BeingDeleted => Err(Failure::Refused(BEING_DELETED.to_owned())),
        }
    }

    pub(crate) async fn deactivate(&self, account: &Account, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        match self.store.deactivate(account.id, self.clock.now()).await? {
            ActivationOutcome::Now => {
                terminal.done(account.id, "deactivated", &format!("{} is deactivated; its sessions have ended.", account.id))
            }
            ActivationOutcome::Missing => Err(Failure::NoAccount),
            ActivationOutcome::BeingDeleted => Err(Failure::Refused(BEING_DELETED.to_owned())),
        }
    }

    pub(crate) async fn end_sessions(&self, account: &Account, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        self.store.end_sessions(account.id, self.clock.now()).await?;
        terminal.done(account.id, "sessions ended", &format!("The sessions of {} have ended.", account.id))
    }

    /// Clears the limits' windows of an account, so that the right password is accepted again from everywhere.
    pub(crate) async fn unlock(&self, account: &Account, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let tries = self.store.login_tries(account, self.login_limit, self.clock.now()).await?;
        self.store.unlock(account).await?;
        let before = match tries.iter().filter(|tries| tries.is_limited).map(|tries| tries.until).max() {
            Some(until) => format!("Logins were limited until {}.", rfc3339(until)),
            None => "Logins were not limited.".to_owned(),
        };
        terminal.done(account.id, "unlocked", &format!("{before} {} can be logged in to from everywhere.", account.id))
    }

    pub(crate) async fn reset(&self, account: &Account, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        if !account.active {
            return Err(Failure::Refused(format!("no link is mailed to an account that is {}", State::of(account).words())));
        }
        if is_placeholder(account) {
            return Err(Failure::Refused("it is a placeholder account (Registration=silent), to which no mail arrives".to_owned()));
        }
        if account.usable_password().is_none() {
            return self.invite(account, terminal).await;
        }
        let sentence = format!("A reset link for {} is on its way, unless one was sent minutes ago.", account.id);
        match self.store.request_reset_at_once(account.id, &reset_request(account, self.clock.now())).await? {
            Requested::Now => terminal.done(account.id, "reset requested", &sentence),
            Requested::Overtaken => Err(Failure::Refused(OVERTAKEN.to_owned())),
        }
    }

    /// Leaves the request for the mail that invites an owner to choose a first password.
    async fn invite(&self, account: &Account, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        match self.store.invite_again(account.id, &self.hasher.unknowable(), &invitation(account, self.clock.now())).await? {
            Requested::Now => {
                terminal.done(account.id, "invited", &format!("{} had no password; a link to choose one is on its way.", account.id))
            }
            Requested::Overtaken => Err(Failure::Refused(OVERTAKEN.to_owned())),
        }
    }

    /// Does what the "this wasn't me" link of a notice does, for an owner whose account was taken over.
    pub(crate) async fn disavow(&self, account: &Account, yes: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        if !account.can_be_disavowed() {
            let state = State::of(account).words();
            return Err(Failure::Refused(format!("the password cannot be disabled in an account that is {state}")));
        }
        let (username, id) = (account.username.as_str(), account.id);
        let question = format!(
            "The password of {username} ({id}) stops working until its owner chooses another by a link in the mailbox. This cannot be undone. \
             To go on, type its username"
        );
        terminal.confirm(yes, &question, username, "that is not its username; nothing was changed")?;
        match self.store.disavow_for_owner(account, reset_request(account, self.clock.now())).await? {
            Disavowed::Now => {
                let sentence =
                    format!("{id}: every session has ended and the password is disabled; a link to choose another is on its way.");
                terminal.done(id, "disavowed", &sentence)
            }
            Disavowed::NotValid => Err(Failure::Refused(OVERTAKEN.to_owned())),
        }
    }
}
