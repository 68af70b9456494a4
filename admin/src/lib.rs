//! What an operator does to accounts and to mail that failed: a command each.
//!
//! It writes accounts by the same conditional writes as the functions do. It cannot read a password, nor set one.

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

/// What an operator types.
#[derive(Debug, Parser)]
#[command(name = "doorward-admin", about = "Accounts of a Doorward deployment, and its mail that failed")]
pub struct Arguments {
    /// What to do.
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
    /// Makes an account and mails its owner a link to choose a password
    Create {
        /// Username
        username: String,
        /// E-mail address
        email: String,
    },
    /// Switches an account on
    Activate {
        /// Id, username or e-mail address
        account: String,
    },
    /// Switches an account off and ends its sessions
    Deactivate {
        /// Id, username or e-mail address
        account: String,
    },
    /// Deletes an account with everything of its, for good
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
    /// Mails an account's owner a reset link; the first one, where it has no password yet
    Reset {
        /// Id, username or e-mail address
        account: String,
    },
    /// Mail that failed
    Mail {
        /// What to do with it.
        #[command(subcommand)]
        command: MailCommand,
    },
    /// Brings accounts with their password hashes from elsewhere
    Import(Import),
}

/// What there is to do with mail that failed.
#[derive(Debug, Subcommand)]
pub enum MailCommand {
    /// Lists it: id, when, why, to whom
    Failed,
    /// Sends it once more
    Retry {
        /// Ids, as `mail failed` lists them
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// All that failed for good
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}

/// Why a command did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The environment lacks something.
    #[error("{0}; `make admin` reads it from .local/stack.env, or from AWS with STACK=name")]
    Misconfigured(#[from] ConfigError),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] Fault),
    /// Nobody has this name or id.
    #[error("no account has this username, e-mail address or id")]
    NoAccount,
    /// It is the id of one account and a name of another: anybody can register a username that looks like an id.
    #[error("this is the id of one account and the username of another, so say which: id:{0} or id:{1}")]
    Ambiguous(AccountId, AccountId),
    /// It cannot be done, and why.
    #[error("{0}")]
    Refused(String),
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Where a command writes to, and whom it asks.
pub struct Terminal<'a> {
    /// What is written.
    pub out: &'a mut dyn Write,
    /// Asks a question; the answer.
    pub ask: &'a mut dyn FnMut(&str) -> io::Result<String>,
}

/// An operator over a store.
pub struct Admin {
    store: Store,
    hasher: Hasher,
    clock: Clock,
    entropy: Entropy,
}

impl Admin {
    /// An operator of the stack whose Region, credentials and tables the environment names.
    pub fn of_environment() -> Result<Self, Misconfigured> {
        let mut settings = Settings::from_environment();
        settings.text("AWS_REGION");
        let store = Store::connect(&mut settings, &[Table::Accounts, Table::Limits, Table::Outbox], Entropy::system());
        let admin = Self::new(&mut settings, store, Clock::system(), Entropy::system());
        settings.finish()?;
        Ok(admin)
    }

    /// An operator as configured. `ARGON2_…` is what the functions are configured with.
    pub fn new(settings: &mut Settings, store: Store, clock: Clock, entropy: Entropy) -> Self {
        Self { store, hasher: Hasher::configured(settings, entropy.clone()), clock, entropy }
    }

    /// Does it.
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
