//! The admin commands, run in process: what each of them does and refuses.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod accounts;
mod address;
mod export;
mod export_event;
mod forms;
mod import;
mod layers;
mod list;
mod mail;
mod names;
mod nobody;
mod profile;
mod questions;
mod show;
mod sources;
mod tokens;

use std::io;

use clap::Parser as _;
use doorward::{config::Settings, entropy::Entropy};
use doorward_admin::{Admin, Arguments, Failure, Terminal};
use doorward_kit::App;

/// Runs a command and answers its question with `answer`; returns its output and its result.
pub async fn types(app: &App, command: &[&str], answer: Option<&str>) -> (String, Result<(), Failure>) {
    types_with(app, &[], command, answer).await
}

/// The same, where the deployment has these settings.
pub async fn types_with(app: &App, settings: &[(&str, &str)], command: &[&str], answer: Option<&str>) -> (String, Result<(), Failure>) {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let admin = Admin::new(&mut Settings::from_pairs(settings), app.store.clone(), app.clock.clock(), Entropy::system());
    let arguments = Arguments::try_parse_from([&["doorward-admin"], command].concat()).expect("a command");
    let mut out = Vec::new();
    let mut ask = |_: &str| answer.map(str::to_owned).ok_or_else(|| io::Error::other("no terminal"));
    let done = admin.run(arguments.command, Terminal { out: &mut out, ask: &mut ask, json: arguments.json }).await;
    (String::from_utf8(out).unwrap(), done)
}

/// Runs a command that must succeed; returns its output.
pub async fn done(app: &App, command: &[&str]) -> String {
    let (written, done) = types(app, command, None).await;
    done.unwrap_or_else(|failure| panic!("{command:?}: {failure}\n{written}"));
    written
}

/// Runs a command that must be refused; returns its output and the reason.
pub async fn refused(app: &App, command: &[&str]) -> (String, String) {
    let (written, done) = types(app, command, None).await;
    (written, done.err().unwrap_or_else(|| panic!("{command:?} was done")).to_string())
}

/// The value that `show` prints under a name.
pub fn line<'a>(shown: &'a str, name: &str) -> &'a str {
    shown.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {shown}")).trim()
}
