//! Measures whether the time of an answer reveals that an account exists.
//!
//! The probe registers accounts of its own. Then it makes the same request about one of them and about an unknown name, alternately and in random order,
//! over one connection. It compares the times by a rank test and by the effect size; see [`statistics`].

pub mod plot;
pub mod statistics;

use std::{
    hash::{BuildHasher as _, RandomState},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use statistics::Comparison;
use ureq::Agent;

/// The number of requests about one name. It is below the ten attempts that an account allows in 15 minutes, because over the limit every account
/// costs what an unknown one costs, and nothing would be compared.
const TRIES_PER_NAME: usize = 8;
/// Pairs that are discarded, while connections open, processes start and caches fill.
const WARM_UP: usize = 6;
/// The longest `Retry-After` that is waited for without `--patient`.
const SHORT_WAIT: Duration = Duration::from_secs(60);

/// The kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// POST `/api/login/` with a wrong password.
    Login,
    /// POST `/api/password_reset/`.
    Reset,
}

impl Question {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Reset => "reset",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Login => "/api/login/",
            Self::Reset => "/api/password_reset/",
        }
    }

    fn body(self, name: &str) -> Value {
        match self {
            Self::Login => json!({ "username": name, "password": "A-wrong-guess-of-the-probe" }),
            Self::Reset => json!({ "email": address(name) }),
        }
    }
}

/// The times in milliseconds, and their comparison.
pub struct Report {
    /// The kind of request.
    pub question: Question,
    /// Times for unknown names.
    pub unknown: Vec<f64>,
    /// Times for accounts of the probe.
    pub known: Vec<f64>,
    /// The comparison of the two.
    pub comparison: Comparison,
    /// Answers that differ in status or body, which is worse than any difference in time.
    pub told_apart: Option<String>,
}

/// How many accounts a question of so many samples takes.
#[must_use]
pub fn accounts(samples: usize) -> usize {
    (samples + WARM_UP).div_ceil(TRIES_PER_NAME)
}

/// How many requests a question of so many samples takes, registrations apart.
#[must_use]
pub fn requests(samples: usize) -> usize {
    2 * (samples + WARM_UP)
}

/// Is called with the name of every account before it is created. An error ends the probe.
pub type OnAccount = Box<dyn FnMut(&str) -> Result<(), ProbeError>>;

/// A deployment to be probed.
pub struct Probe {
    agent: Agent,
    base: String,
    /// Is told the name of every account before it is made; what it refuses ends the probe.
    pub on_account: OnAccount,
    /// Is told of how many requests of a question so many are answered.
    pub on_progress: Box<dyn FnMut(Question, usize, usize)>,
    /// Whether to wait for every limit, however long.
    pub patient: bool,
    random: RandomState,
    drawn: u64,
}

/// Why there is no result.
pub type ProbeError = String;

/// An address whose mail arrives nowhere and does no harm: SES's simulator takes it without a bounce ("Using the mailbox simulator",
/// Amazon SES Developer Guide).
fn address(name: &str) -> String {
    format!("success+{name}@simulator.amazonses.com")
}

impl Probe {
    /// A probe of the deployment whose `/api/login/` is below `base`.
    pub fn of(base: &str) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(60))).build();
        Self {
            agent: config.into(),
            base: base.trim_end_matches('/').to_owned(),
            on_account: Box::new(|_| Ok(())),
            on_progress: Box::new(|_, _, _| ()),
            patient: false,
            random: RandomState::new(),
            drawn: 0,
        }
    }

    /// Takes this many samples of each kind.
    pub fn ask(&mut self, question: Question, samples: usize) -> Result<Report, ProbeError> {
        let (mut known_names, mut unknown_names) = (Vec::new(), Vec::new());
        for _ in 0..accounts(samples) {
            known_names.push(self.register()?);
            unknown_names.push(self.name());
        }
        let (mut known, mut unknown, mut answers) = (Vec::new(), Vec::new(), [const { None }; 2]);
        for number in 0..samples + WARM_UP {
            let pair = [&known_names[number / TRIES_PER_NAME], &unknown_names[number / TRIES_PER_NAME]];
            // In random order, so that no effect of being the second of two is taken for an effect of the name.
            let first = usize::from(self.draw().is_multiple_of(2));
            for kind in [first, 1 - first] {
                let (took, answer) = self.time(question, pair[kind])?;
                if number >= WARM_UP {
                    [&mut known, &mut unknown][kind].push(took);
                    answers[kind].get_or_insert(answer);
                }
            }
            (self.on_progress)(question, 2 * (number + 1), requests(samples));
        }
        let told_apart =
            (answers[0] != answers[1]).then(|| format!("{:?} for a known one, {:?} for an unknown one", answers[0], answers[1]));
        let comparison = Comparison::of(&unknown, &known);
        Ok(Report { question, unknown, known, comparison, told_apart })
    }

    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.random.hash_one(self.drawn)
    }

    /// An unknown name. All have the same length.
    fn name(&mut self) -> String {
        format!("probe-{:016x}", self.draw())
    }

    fn register(&mut self) -> Result<String, ProbeError> {
        let name = self.name();
        (self.on_account)(&name)?;
        // In letters that are not hexadecimal digits, because a password must not be similar to a name.
        let password: String = format!("{:016x}", self.draw()).bytes().map(|digit| char::from(b'G' + digit % 16)).collect();
        let body = json!({ "username": name, "email": address(&name), "password": password });
        let (status, body, _) = self.post("/api/register/", &body)?;
        if status == 201 { Ok(name) } else { Err(format!("registering an account of the probe's own: {status} {body}")) }
    }

    fn time(&self, question: Question, name: &str) -> Result<(f64, (u16, String)), ProbeError> {
        let body = question.body(name);
        let (status, text, took) = self.post(question.path(), &body)?;
        if status >= 500 || status == 404 { Err(format!("{}: {status} {text}", question.path())) } else { Ok((took, (status, text))) }
    }

    /// Makes a request, again after a 429.
    fn post(&self, path: &str, body: &Value) -> Result<(u16, String, f64), ProbeError> {
        loop {
            let request = self.agent.post(format!("{}{path}", self.base)).header("Content-Type", "application/json");
            let started = Instant::now();
            let mut answer = request.send(body.to_string()).map_err(|error| format!("{path}: {error}"))?;
            let text = answer.body_mut().read_to_string().map_err(|error| format!("{path}: {error}"))?;
            let took = started.elapsed().as_secs_f64() * 1e3;
            if answer.status().as_u16() != 429 {
                return Ok((answer.status().as_u16(), text, took));
            }
            let header = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            let wait = Duration::from_secs(header.unwrap_or(60));
            if wait > SHORT_WAIT && !self.patient {
                return Err(format!(
                    "{path} wants {} s of patience: raise the limits per client for the time of the probe, or say --patient",
                    wait.as_secs()
                ));
            }
            std::thread::sleep(wait);
        }
    }
}
