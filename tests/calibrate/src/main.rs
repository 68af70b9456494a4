//! `calibrate [--memory-kib N] [--budget-ms N] [--json]`: prints the cost of Argon2id that the budget allows, as parameters of the template.
//!
//! `calibrate --iterations N --hashes N [--memory-kib N]` measures that cost instead: the milliseconds of each hash, as JSON. On Lambda it takes
//! `{"memory_kib": N, "budget_ms": N}` as an event.

use std::process::ExitCode;

use doorward::password::Cost;
use doorward_calibrate::{Request, calibrate, mean_time, times};
use lambda_runtime::{Error, LambdaEvent, service_fn};

const USAGE: &str =
    "usage: calibrate [--memory-kib N] [--budget-ms N] [--json]\n       calibrate --iterations N --hashes N [--memory-kib N]";

#[derive(Default)]
struct Arguments {
    request: Request,
    iterations: u32,
    hashes: u32,
    json: bool,
}

fn arguments(mut given: impl Iterator<Item = String>) -> Option<Arguments> {
    let mut arguments = Arguments::default();
    while let Some(name) = given.next() {
        let number = match name.as_str() {
            "--memory-kib" => &mut arguments.request.memory_kib,
            "--budget-ms" => &mut arguments.request.budget_ms,
            "--iterations" => &mut arguments.iterations,
            "--hashes" => &mut arguments.hashes,
            "--json" => {
                arguments.json = true;
                continue;
            }
            _ => return None,
        };
        *number = given.next()?.parse().ok()?;
    }
    Some(arguments)
}

fn main() -> ExitCode {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        return ended(on_lambda());
    }
    let Some(arguments) = arguments(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    ended(if arguments.hashes > 0 { timed(&arguments) } else { told(&arguments) })
}

fn ended(outcome: Result<(), Error>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("calibrate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn timed(arguments: &Arguments) -> Result<(), Error> {
    let cost = Cost::new(arguments.request.memory_kib, arguments.iterations, 1)?;
    let times: Vec<f64> = times(&cost, arguments.hashes as usize).iter().map(|time| time.as_secs_f64() * 1000.0).collect();
    println!("{}", serde_json::to_string(&times)?);
    Ok(())
}

fn told(arguments: &Arguments) -> Result<(), Error> {
    let found = calibrate(arguments.request, mean_time)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&found)?);
        return Ok(());
    }
    println!("{}", found.parameters);
    let budget = arguments.request.budget_ms;
    let within = if found.within_budget { "within" } else { "above: OWASP's floor does not fit in" };
    eprintln!("A hash takes {:.1} ms here, {within} {budget} ms.", found.milliseconds);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn on_lambda() -> Result<(), Error> {
    lambda_runtime::run(service_fn(|event: LambdaEvent<Request>| async move { calibrate(event.payload, mean_time).map_err(Error::from) }))
        .await
}
