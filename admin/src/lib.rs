//! The operator's commands for accounts and for failed mail.
//!
//! They use the same conditional writes as the functions. They can neither read nor set a password.

mod accounts;
mod import;
mod mail;

use std::io::{self, Write};

use clap::{Parser, Subcommand};
use doorward::{
    account::{Account, AccountId},
    clock::Clock,
    config::{ConfigError, Settings},
    entropy::Entropy,
    fault::Fault,
    password::Hasher,
    store::{Store, Table},
};
pub use import::Import;

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "doorward-admin", about = "Accounts of a Doorward deployment, and its mail that failed")]
pub struct Arguments {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What there is to do. An account is named by its id, its username or its e-mail address; `id:…` is its id and nothing else.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Shows an account: its state, sessions, networks, reset link
    Show {
        /// Id, username or e-mail address
        account: String,
    },
    /// Creates an account and mails its owner a link to choose a password
    Create {
        /// Username
        username: String,
        /// E-mail address
        email: String,
    },
    /// Activates an account
    Activate {
        /// Id, username or e-mail address
        account: String,
    },
    /// Deactivates an account and ends its sessions
    Deactivate {
        /// Id, username or e-mail address
        account: String,
    },
    /// Deletes an account and all its data
    Delete {
        /// Id, username or e-mail address
        account: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Ends every session of an account
    EndSessions {
        /// Id, username or e-mail address
        account: String,
    },
    /// Mails an account's owner a reset link, or an invitation if it has no password yet
    Reset {
        /// Id, username or e-mail address
        account: String,
    },
    /// Lists failed mail, or sends it again
    Mail {
        /// The command.
        #[command(subcommand)]
        command: MailCommand,
    },
    /// Imports accounts with the password hashes that they have elsewhere
    Import(Import),
}

/// The commands for failed mail.
#[derive(Debug, Subcommand)]
pub enum MailCommand {
    /// Lists it: id, address, reason, time
    Failed,
    /// Sends it again
    Retry {
        /// Ids, as `mail failed` lists them
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// All mail that failed for good
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}

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
    /// It is the id of one account and a name of another: anybody can register a username that looks like an id.
    #[error("this is the id of one account and the username of another, so say which: id:{0} or id:{1}")]
    Ambiguous(AccountId, AccountId),
    /// The command was refused, for this reason.
    #[error("{0}")]
    Refused(String),
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The output of a command, and its way to ask questions.
pub struct Terminal<'a> {
    /// The output.
    pub out: &'a mut dyn Write,
    /// Asks a question and returns the answer.
    pub ask: &'a mut dyn FnMut(&str) -> io::Result<String>,
}

/// The commands over a store.
pub struct Admin {
    store: Store,
    hasher: Hasher,
    clock: Clock,
    entropy: Entropy,
}

impl Admin {
    /// An operator of the stack whose Region, credentials and tables the environment names.
    pub fn of_environment() -> Result<Self, ConfigError> {
        let mut settings = Settings::from_environment();
        settings.text("AWS_REGION");
        let store = Store::connect(&mut settings, &[Table::Accounts, Table::Limits, Table::Outbox], Entropy::system());
        let admin = Self::new(&mut settings, store, Clock::system(), Entropy::system());
        settings.finish()?;
        Ok(admin)
    }

    /// The commands as configured. `ARGON2_…` are the variables of the functions.
    pub fn new(settings: &mut Settings, store: Store, clock: Clock, entropy: Entropy) -> Self {
        Self { store, hasher: Hasher::configured(settings, entropy.clone()), clock, entropy }
    }

    /// Runs a command.
    pub async fn run(&self, command: Command, mut terminal: Terminal<'_>) -> Result<(), Failure> {
        let terminal = &mut terminal;
        match command {
            Command::Show { account } => self.show(&self.find(&account).await?, terminal).await,
            Command::Create { username, email } => self.create(&username, &email, terminal).await,
            Command::Activate { account } => self.activate(&self.find(&account).await?, terminal).await,
            Command::Deactivate { account } => self.deactivate(&self.find(&account).await?, terminal).await,
            Command::Delete { account, yes } => self.delete(&self.find(&account).await?, yes, terminal).await,
            Command::EndSessions { account } => self.end_sessions(&self.find(&account).await?, terminal).await,
            Command::Reset { account } => self.reset(&self.find(&account).await?, terminal).await,
            Command::Mail { command: MailCommand::Failed } => self.list_failed(terminal).await,
            Command::Mail { command: MailCommand::Retry { ids, all } } => self.retry(&ids, all, terminal).await,
            Command::Import(import) => self.import(&import, terminal).await,
        }
    }

    /// The one account that this can mean.
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
            (None, None) => Err(Failure::NoAccount),
        }
    }
}
