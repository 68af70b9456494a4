//! `probe URL [--samples N] [--plot FILE] [--patient]`: whether a deployment's times tell which accounts exist.
//!
//! Ends with 0 where no leak was found, 1 where one was, 2 where nothing can be said.

use std::process::ExitCode;

use doorward_probe::{
    Probe, Question, Report, Trouble, plot,
    statistics::{EFFECT_BOUND, Verdict},
};

const USAGE: &str = "usage: probe URL [--samples N] [--plot FILE] [--patient]
URL is what /api/login/ hangs on. The probe registers accounts of its own (samples / 8 for each of two questions), so run it where that does no harm.";

struct Wish {
    url: String,
    samples: usize,
    plot: String,
    patient: bool,
}

fn wish(mut arguments: impl Iterator<Item = String>) -> Option<Wish> {
    let mut wish = Wish { url: String::new(), samples: 150, plot: "probe.svg".to_owned(), patient: false };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--samples" => wish.samples = arguments.next()?.parse().ok().filter(|samples| *samples >= 10)?,
            "--plot" => wish.plot = arguments.next()?,
            "--patient" => wish.patient = true,
            url if url.starts_with("http") && wish.url.is_empty() => url.clone_into(&mut wish.url),
            _ => return None,
        }
    }
    (!wish.url.is_empty()).then_some(wish)
}

fn main() -> ExitCode {
    let Some(wish) = wish(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match probe(&wish) {
        Ok(code) => code,
        Err(trouble) => {
            eprintln!("nothing can be said: {trouble}");
            ExitCode::from(2)
        }
    }
}

fn probe(wish: &Wish) -> Result<ExitCode, Trouble> {
    let mut probe = Probe::of(&wish.url);
    probe.patient = wish.patient;
    let mut reports = Vec::new();
    for question in [Question::Login, Question::Reset] {
        let report = probe.ask(question, wish.samples)?;
        println!("{}", told(&report));
        reports.push(report);
    }
    std::fs::write(&wish.plot, plot::svg(&reports)).map_err(|error| format!("{}: {error}", wish.plot))?;
    println!("plot: {}", wish.plot);
    let verdicts: Vec<Verdict> = reports.iter().map(|report| report.comparison.verdict()).collect();
    Ok(if verdicts.contains(&Verdict::Leak) || reports.iter().any(|report| report.told_apart.is_some()) {
        ExitCode::from(1)
    } else if verdicts.contains(&Verdict::Undecided) {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
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
