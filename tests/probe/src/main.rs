//! `probe URL [--samples N] [--plot FILE] [--patient] [--made FILE]`: whether a deployment's times tell which accounts exist.
//!
//! Ends with 0 where no leak was found, 1 where one was, 2 where nothing can be said. It registers accounts of its own and writes their names to
//! `--made`; `probe --delete FILE` deletes those on the stack whose tables the environment names. `make probe` does both.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    process::ExitCode,
};

use doorward_admin::{Admin, Command, Failure, Terminal};
use doorward_probe::{
    Probe, ProbeError, Question, Report, accounts, plot, requests,
    statistics::{EFFECT_BOUND, Verdict},
};

const USAGE: &str = "usage: probe URL [--samples N] [--plot FILE] [--patient] [--made FILE], or probe --delete FILE
URL is what /api/login/ hangs on. The probe registers accounts of its own (samples / 8 for each of two questions), so run it where that does no harm.";

struct Options {
    url: String,
    samples: usize,
    plot: String,
    patient: bool,
    made: Option<String>,
}

fn options(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options { url: String::new(), samples: 150, plot: "probe.svg".to_owned(), patient: false, made: None };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--samples" => options.samples = arguments.next()?.parse().ok().filter(|samples| *samples >= 10)?,
            "--plot" => options.plot = arguments.next()?,
            "--patient" => options.patient = true,
            "--made" => options.made = Some(arguments.next()?),
            url if url.starts_with("http") && options.url.is_empty() => url.clone_into(&mut options.url),
            _ => return None,
        }
    }
    (!options.url.is_empty()).then_some(options)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match (arguments.as_slice(), options(arguments.iter().cloned())) {
        ([delete, file], _) if delete == "--delete" => deleted(file),
        (_, Some(options)) => probe(&options),
        _ => Err(USAGE.to_owned()),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(2)
    })
}

fn probe(options: &Options) -> Result<ExitCode, ProbeError> {
    eprintln!("{}", plan(options));
    let mut probe = Probe::of(&options.url);
    probe.patient = options.patient;
    probe.on_progress = Box::new(|question, done, all| {
        if done * 10 / all > (done - 2) * 10 / all {
            eprintln!("{}: {done} of {all} requests", question.name());
        }
    });
    if let Some(made) = &options.made {
        let mut file = File::create(made).map_err(|error| format!("{made}: {error}"))?;
        probe.on_account = Box::new(move |name| writeln!(file, "{name}").map_err(|error| format!("noting an account: {error}")));
    }
    let mut reports = Vec::new();
    for question in [Question::Login, Question::Reset] {
        let report = probe.ask(question, options.samples).map_err(|error| format!("nothing can be said: {error}"))?;
        println!("{}", told(&report));
        reports.push(report);
    }
    fs::write(&options.plot, plot::svg(&reports)).map_err(|error| format!("{}: {error}", options.plot))?;
    println!("plot: {}", options.plot);
    let verdicts: Vec<Verdict> = reports.iter().map(|report| report.comparison.verdict()).collect();
    Ok(if verdicts.contains(&Verdict::Leak) || reports.iter().any(|report| report.told_apart.is_some()) {
        ExitCode::from(1)
    } else if verdicts.contains(&Verdict::Undecided) {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}

/// What is about to be sent, for the operator of the deployment.
fn plan(options: &Options) -> String {
    let (each, asked) = (accounts(options.samples), requests(options.samples));
    let after = if options.made.is_some() {
        "The accounts are deleted at the end."
    } else {
        "The accounts stay, because this stack's tables are not within reach: delete probe-… there."
    };
    format!(
        "This registers {} accounts named probe-… at {}, tries {asked} logins and asks for {asked} reset links. At least {each} links are mailed, to \
         success+probe-…@simulator.amazonses.com, which takes mail without a bounce. {after}",
        2 * each,
        options.url,
    )
}

/// Deletes the accounts that a probe noted. One that is not there was refused, or is deleted already.
#[tokio::main(flavor = "current_thread")]
async fn deleted(file: &str) -> Result<ExitCode, ProbeError> {
    let names = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let admin = Admin::of_environment().map_err(|wrong| wrong.to_string())?;
    let (mut gone, mut left) = (0, Vec::new());
    for name in names.lines() {
        let command = Command::Delete { account: Some(name.to_owned()), file: None, yes: true };
        let terminal = Terminal { out: &mut io::sink(), ask: &mut |_| Err(io::ErrorKind::Unsupported.into()), json: false };
        match admin.run(command, terminal).await {
            Ok(()) => gone += 1,
            Err(Failure::NoAccount) => {}
            Err(failure) => left.push(format!("{name}: {failure}")),
        }
    }
    eprintln!("{gone} accounts of the probe are deleted.");
    if left.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(format!("These are still there:\n{}", left.join("\n"))) }
}

fn told(report: &Report) -> String {
    let comparison = &report.comparison;
    let verdict = match (&report.told_apart, comparison.verdict()) {
        (Some(difference), _) => format!("LEAK: the answers differ: {difference}"),
        (None, Verdict::Leak) => "LEAK: the times tell which accounts exist".to_owned(),
        (None, Verdict::NoLeakFound) => {
            format!("no leak found: a difference, if there is one, is smaller than delta {EFFECT_BOUND} (99 %)")
        }
        (None, Verdict::Undecided) => "undecided: take more samples, from a quieter place".to_owned(),
    };
    format!(
        "{}: {} samples of each; medians {:.2} ms unknown, {:.2} ms known; Cliff's delta {:.3}, 99 % within [{:.3}, {:.3}]; Mann–Whitney p {:.2e}\n  {verdict}",
        report.question.name(),
        report.known.len(),
        comparison.medians.0,
        comparison.medians.1,
        comparison.delta,
        comparison.interval.0,
        comparison.interval.1,
        comparison.p,
    )
}
