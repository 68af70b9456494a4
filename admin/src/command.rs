//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{Export, Import, List, Selection};

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "doorward-admin", about = "Accounts of a Doorward deployment, and its mail that failed")]
pub struct Arguments {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Print JSON, one document a line
    #[arg(long, global = true)]
    pub json: bool,
}

/// The subcommands. An account is named by its id, its username or its e-mail address; `id:…` can only be its id.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Shows an account: its state, sessions, networks, limits on logins, reset link, and the outcomes of its mail
    Show {
        /// Id, username or e-mail address
        account: String,
    },
    /// Lists accounts
    List(List),
    /// Counts accounts by their state
    Count {
        /// Which accounts
        #[command(flatten)]
        selection: Selection,
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
    /// Deletes accounts and all their data
    Delete {
        /// Id, username or e-mail address
        #[arg(required_unless_present = "file")]
        account: Option<String>,
        /// Delete every account in this file: a name a line, or what `list` prints
        #[arg(long, value_name = "FILE", conflicts_with = "account")]
        file: Option<PathBuf>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Ends every session of an account
    EndSessions {
        /// Id, username or e-mail address
        account: String,
    },
    /// Accepts the right password of an account again after too many wrong ones
    Unlock {
        /// Id, username or e-mail address
        account: String,
    },
    /// Mails an account's owner a reset link, or an invitation if it has no password yet
    Reset {
        /// Id, username or e-mail address
        account: String,
    },
    /// Disables the password of an account that was taken over, ends its sessions and mails its owner a link to choose another
    Disavow {
        /// Id, username or e-mail address
        account: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Changes the e-mail address of an account; a notice goes to the former one
    SetEmail {
        /// Id, username or e-mail address
        account: String,
        /// The new address
        email: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Gives an account a former address back that is reserved for it, and mails a link to choose a password there
    RestoreAddress {
        /// The former address; or the account's id, username or e-mail address, for its oldest former address
        account: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Changes the username of an account; a notice goes to its address
    SetUsername {
        /// Id, username or e-mail address
        account: String,
        /// The new username
        username: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Sets a declared field of an account (`ProfileFields`), also one that its owner cannot change
    SetField {
        /// Id, username or e-mail address
        account: String,
        /// Name of the field
        field: String,
        /// The value
        #[arg(required_unless_present = "clear", allow_negative_numbers = true)]
        value: Option<String>,
        /// Remove the value, so that the field has its default
        #[arg(long, conflicts_with = "value")]
        clear: bool,
    },
    /// Lists failed mail, or retries it
    Mail {
        /// The command.
        #[command(subcommand)]
        command: MailCommand,
    },
    /// Writes accounts to a file
    Export(Export),
    /// Lists events that were not published, or publishes them again
    Events {
        /// The command.
        #[command(subcommand)]
        command: EventsCommand,
    },
    /// Imports accounts with their password hashes
    Import(Import),
}

/// The commands for events that were not published.
#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// Lists them: key, type, account, time, reason
    Failed,
    /// Publishes them again
    Retry {
        /// Keys, as `events failed` lists them
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// All that failed permanently
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
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
        /// All mail that failed permanently
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}
