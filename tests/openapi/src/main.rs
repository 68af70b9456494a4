//! Writes `docs/openapi.json`. `make openapi` runs it.

use std::{fs, process::ExitCode};

use doorward_openapi::{DOCUMENT, Result, document, files};

fn main() -> ExitCode {
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            eprintln!("openapi: {complaint}");
            ExitCode::FAILURE
        }
    }
}

fn write() -> Result<()> {
    fs::write(DOCUMENT, document(&files()?)?).map_err(|error| format!("{DOCUMENT}: {error}"))
}
