//! The operator's commands for accounts and for failed mail.
//!
//! They use the same conditional writes as the functions. They can neither read nor set a password.

mod accounts;
mod command;
mod delete;
mod events;
mod export;
mod import;
mod list;
mod mail;
mod names;
mod profile;
mod reset_request;
mod show;
mod state;
mod terminal;

use std::io;

use doorward::{
    account::{Account, AccountId, EmailAddress},
    clock::Clock,
    config::{ConfigError, Settings},
    entropy::Entropy,
    fault::Fault,
    limit::Limit,
    password::Hasher,
    profile::ProfileFields,
    session::Sessions,
    store::{Store, Table},
};

pub use self::{
    command::{Arguments, Command, EventsCommand, MailCommand},
    export::Export,
    import::Import,
    list::{List, Selection},
    terminal::Terminal,
};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration is incomplete.
    #[error("{0}; `make admin` reads it from .local/stack.env, or from AWS with STACK=name")]
    Misconfigured(#[from] ConfigError),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] Fault),
    /// There is no account with this name or id.
    #[error("no account has this username, e-mail address or id")]
    NoAccount,
    /// It is the id of one account and a name of another, because anybody can register a username that looks like an id.
    #[error("this is the id of one account and the username of another, so say which: id:{0} or id:{1}")]
    Ambiguous(AccountId, AccountId),
    /// The command was refused, for this reason.
    #[error("{0}")]
    Refused(String),
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The commands over a store.
pub struct Admin {
    store: Store,
    hasher: Hasher,
    sessions: Sessions,
    login_limit: Limit,
    fields: ProfileFields,
    clock: Clock,
    entropy: Entropy,
    /// The operator's ARN.
    caller: Option<String>,
}

impl Admin {
    /// The commands for the stack whose Region, credentials and tables are in the environment.
    pub fn of_environment() -> Result<Self, ConfigError> {
        let mut settings = Settings::from_environment();
        settings.text("AWS_REGION");
        let store = Store::connect(&mut settings, &[Table::Accounts, Table::Limits, Table::Outbox], Entropy::system());
        let admin = Self::new(&mut settings, store, Clock::system(), Entropy::system());
        settings.finish()?;
        Ok(admin)
    }

    /// The commands as configured, by the variables of the functions: `ARGON2_…`, `LOGIN_ACCOUNT_LIMIT`, `SESSIONS_NOT_BEFORE`, `PROFILE_FIELDS`; and
    /// `CALLER_ARN`, which `make admin` asks AWS for.
    pub fn new(settings: &mut Settings, store: Store, clock: Clock, entropy: Entropy) -> Self {
        let (hasher, sessions) = (Hasher::configured(settings, entropy.clone()), Sessions::configured(settings, clock.now()));
        let (login_limit, caller) = (Limit::of_logins(settings), settings.optional("CALLER_ARN").filter(|caller| !caller.is_empty()));
        let fields = ProfileFields::configured(settings);
        Self { store, hasher, sessions, login_limit, fields, clock, entropy, caller }
    }

    /// Runs a command.
    pub async fn run(&self, command: Command, mut terminal: Terminal<'_>) -> Result<(), Failure> {
        let terminal = &mut terminal;
        match command {
            Command::Show { account } => self.show(&self.find(&account).await?, terminal).await,
            Command::List(list) => self.list(&list, terminal).await,
            Command::Count { selection } => self.count(&selection, terminal).await,
            Command::Create { username, email } => self.create(&username, &email, terminal).await,
            Command::Activate { account } => self.activate(&self.find(&account).await?, terminal).await,
            Command::Deactivate { account } => self.deactivate(&self.find(&account).await?, terminal).await,
            Command::Delete { file: Some(file), yes, .. } => self.delete_listed(&file, yes, terminal).await,
            Command::Delete { account, yes, .. } => self.delete(&self.find(&account.unwrap_or_default()).await?, yes, terminal).await,
            Command::EndSessions { account } => self.end_sessions(&self.find(&account).await?, terminal).await,
            Command::Unlock { account } => self.unlock(&self.find(&account).await?, terminal).await,
            Command::Reset { account } => self.reset(&self.find(&account).await?, terminal).await,
            Command::Disavow { account, yes } => self.disavow(&self.find(&account).await?, yes, terminal).await,
            Command::SetEmail { account, email, yes } => self.set_email(&self.find(&account).await?, &email, yes, terminal).await,
            Command::RestoreAddress { account, yes } => self.restore_address(&self.find(&account).await?, &account, yes, terminal).await,
            Command::SetUsername { account, username, yes } => {
                self.set_username(&self.find(&account).await?, &username, yes, terminal).await
            }
            Command::SetField { account, field, value, .. } => {
                self.set_field(&self.find(&account).await?, &field, value.as_deref(), terminal).await
            }
            Command::Mail { command: MailCommand::Failed } => self.list_failed(terminal).await,
            Command::Mail { command: MailCommand::Retry { ids, all } } => self.retry(&ids, all, terminal).await,
            Command::Events { command: EventsCommand::Failed } => self.failed_events(terminal).await,
            Command::Events { command: EventsCommand::Retry { ids, all } } => self.retry_events(&ids, all, terminal).await,
            Command::Export(export) => Box::pin(self.export(&export, terminal)).await,
            Command::Import(import) => Box::pin(self.import(&import, terminal)).await,
        }
    }

    /// The account that is named.
    async fn find(&self, name: &str) -> Result<Account, Failure> {
        if let Some(id) = name.strip_prefix("id:") {
            let id = id.parse::<AccountId>().map_err(|_| Failure::NoAccount)?;
            return self.store.account(id).await?.ok_or(Failure::NoAccount);
        }
        let by_id = match name.parse::<AccountId>() {
            Ok(id) => self.store.account(id).await?,
            Err(_) => None,
        };
        match (by_id, self.store.account_by_login_name(name).await?) {
            (Some(one), Some(other)) if one.id != other.id => Err(Failure::Ambiguous(one.id, other.id)),
            (Some(account), _) | (None, Some(account)) => Ok(account),
            // The owner of an account that was taken over may write from its former address.
            (None, None) => {
                let Ok(email) = EmailAddress::parse(name) else { return Err(Failure::NoAccount) };
                self.store.account_by_former_address(&email, self.clock.now()).await?.ok_or(Failure::NoAccount)
            }
        }
    }
}
