//! `check-settings`: checks whether functions would start with these environments. It makes no call and is not deployed.
//!
//! Standard input is JSON with an object of variables for each function: `{"login": {"SESSION_LIFETIME": "400d", …}, …}`. Each problem is printed as a
//! line `function: complaint`, which names a variable and what it must be, never its value. The exit code is 1 if there is a problem, and 2 if the input
//! is not such an object.
//!
//! `check-settings templates` reads no input. It renders every mail and page in every language with the templates that are compiled in, and prints a line
//! for each that cannot be rendered.

use std::{
    collections::BTreeMap,
    env,
    io::{self, Read as _, Write as _},
    process::ExitCode,
};

fn main() -> io::Result<ExitCode> {
    if env::args().nth(1).is_some_and(|argument| argument == "templates") {
        return told(&doorward::samples::broken());
    }
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    let environments: BTreeMap<String, BTreeMap<String, String>> = match serde_json::from_str(&input) {
        Ok(environments) => environments,
        // serde's message may quote a value.
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            writeln!(io::stderr(), "check-settings: line {line} column {column}: not an object of variables for each function")?;
            return Ok(ExitCode::from(2));
        }
    };
    told(&doorward_functions::complaints(environments))
}

/// Prints the complaints, and returns the exit code.
fn told(complaints: &[String]) -> io::Result<ExitCode> {
    for complaint in complaints {
        writeln!(io::stdout(), "{complaint}")?;
    }
    Ok(if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
