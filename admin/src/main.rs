//! `doorward-admin`: the operator's commands for accounts and for failed mail.

use std::{io, process::ExitCode};

use clap::Parser as _;
use dialoguer::Input;
use doorward_admin::{Admin, Arguments, Failure, Terminal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = io::Write::write_fmt(&mut io::stderr(), format_args!("admin: {failure}\n"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let admin = Admin::of_environment()?;
    let mut ask = |question: &str| Input::new().with_prompt(question).interact_text().map_err(io::Error::other);
    let terminal = Terminal { out: &mut io::stdout(), ask: &mut ask, json: arguments.json };
    // Boxed, because the commands together need much memory.
    Box::pin(admin.run(arguments.command, terminal)).await
}
