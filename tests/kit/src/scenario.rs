//! Recorded scenarios: a line of `wire.jsonl` each. The format is described beside the file, in `tests/api/contract/README.md`.

use std::{
    collections::{BTreeSet, HashMap},
    future::Future,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Response,
    mailbox::Mail,
    operator::Operator,
    requests::{Request, request},
};

/// A scenario.
#[derive(Deserialize)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// A step.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// An operation on the store or the mailbox.
    Op(Op),
    /// A request and the expected answer.
    Http(Box<Http>),
}

/// A request and the expected answer.
#[derive(Deserialize)]
pub struct Http {
    method: String,
    path: String,
    #[serde(default)]
    headers: HashMap<String, String>,
    body: Option<String>,
    body_b64: Option<String>,
    body_gen: Option<String>,
    #[serde(default)]
    save: HashMap<String, String>,
    expect: Expect,
}

#[derive(Deserialize)]
struct Expect {
    status: u16,
    json: Option<Value>,
    #[serde(default)]
    headers: HashMap<String, String>,
}

/// An operation on the store or the mailbox.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// Waits until this many reset mails have reached the address, and saves the newest one's token.
    Mail {
        /// The address.
        to: String,
        /// The number of mails.
        count: usize,
        /// The variable.
        save_token_as: Option<String>,
    },
    /// Deactivates an account.
    Deactivate {
        /// The username.
        username: String,
    },
    /// Activates an account.
    Activate {
        /// The username.
        username: String,
    },
    /// Deletes an account.
    DeleteUser {
        /// The username.
        username: String,
    },
    /// Leaves an account without a usable password.
    UnusablePassword {
        /// The username.
        username: String,
    },
    /// Stores this text as the password's hash.
    SetPasswordHash {
        /// The username.
        username: String,
        /// The text.
        hash: String,
    },
    /// Makes a reset link older.
    AgeResetToken {
        /// The username.
        username: String,
        /// By how many hours.
        hours: f64,
    },
}

/// What scenarios are replayed on: functions by events, or a stack over HTTP.
pub trait Stage {
    /// Makes a request.
    fn send(&self, request: Request) -> impl Future<Output = Response>;
    /// The mails that have reached an address, when everything requested has been sent.
    fn mails(&self, address: &str, at_least: usize) -> impl Future<Output = Vec<Mail>>;
    /// The operator, who can change the store.
    fn operator(&self) -> &Operator;
}

/// Every scenario of a file.
pub fn read(lines: &str) -> Vec<Scenario> {
    lines.lines().map(|line| serde_json::from_str(line).expect("a scenario")).collect()
}

/// Replays a scenario; returns the first difference, if there is one.
pub async fn play(scenario: &Scenario, stage: &impl Stage) -> Result<(), String> {
    let mut variables = HashMap::new();
    for (number, step) in scenario.steps.iter().enumerate() {
        let differs = match step {
            Step::Http(http) => exchange(http, stage, &mut variables).await,
            Step::Op(op) => operate(op, stage, &mut variables).await,
        };
        differs.map_err(|difference| format!("{}, step {}: {difference}", scenario.name, number + 1))?;
    }
    Ok(())
}

async fn exchange(http: &Http, stage: &impl Stage, variables: &mut HashMap<String, String>) -> Result<(), String> {
    let mut asked = request(&http.method, &http.path);
    for (name, value) in &http.headers {
        asked = asked.header(name, &filled(value, variables));
    }
    asked.body = match (&http.body, &http.body_b64, &http.body_gen) {
        (Some(text), _, _) => Some(filled(text, variables).into_bytes()),
        (_, Some(base64), _) => Some(STANDARD_NO_PAD.decode(base64.trim_end_matches('=')).expect("base64")),
        (_, _, Some(template)) => Some(generated(&filled(template, variables)).into_bytes()),
        _ => None,
    };
    let answer = stage.send(asked).await;
    if answer.status != http.expect.status {
        return Err(format!("{} instead of {}: {}", answer.status, http.expect.status, answer.body));
    }
    if let Some(expected) = &http.expect.json {
        let body: Value = serde_json::from_str(&answer.body).map_err(|_| format!("no JSON: {}", answer.body))?;
        if !matches(expected, &body) {
            return Err(format!("{body} instead of {expected}"));
        }
    }
    for (name, expected) in &http.expect.headers {
        let header = answer.headers.get(name).map(String::as_str);
        // The order of methods does not matter.
        let sorted = |methods: &str| methods.split(", ").map(str::to_owned).collect::<BTreeSet<_>>();
        let same = header == Some(expected) || name == "allow" && header.map(sorted) == Some(sorted(expected));
        if !same {
            return Err(format!("header {name}: {header:?} instead of {expected:?}"));
        }
    }
    for (variable, field) in &http.save {
        let value = answer.json()[field].as_str().ok_or(format!("no {field} to save"))?.to_owned();
        variables.insert(variable.clone(), value);
    }
    Ok(())
}

async fn operate(op: &Op, stage: &impl Stage, variables: &mut HashMap<String, String>) -> Result<(), String> {
    let operator = stage.operator();
    match op {
        Op::Mail { to, count, save_token_as } => {
            let mails = stage.mails(to, *count).await;
            let tokens: Vec<String> = mails.iter().filter_map(Mail::reset_token).collect();
            if tokens.len() != *count {
                return Err(format!("{} reset mails instead of {count}", tokens.len()));
            }
            if let (Some(variable), Some(token)) = (save_token_as, tokens.last()) {
                variables.insert(variable.clone(), token.clone());
            }
        }
        Op::Deactivate { username } => operator.set_active(username, false).await,
        Op::Activate { username } => operator.set_active(username, true).await,
        Op::DeleteUser { username } => operator.delete_user(username).await,
        Op::UnusablePassword { username } => operator.set_password_hash(username, "!unusable").await,
        Op::SetPasswordHash { username, hash } => operator.set_password_hash(username, hash).await,
        Op::AgeResetToken { username, hours } => operator.age_reset_token(username, *hours).await,
    }
    Ok(())
}

/// Fills in `{{variable}}`.
fn filled(text: &str, variables: &HashMap<String, String>) -> String {
    variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

/// Expands `<x * 300>`.
fn generated(template: &str) -> String {
    let mut rest = template;
    let mut text = String::new();
    while let Some((before, after)) = rest.split_once('<') {
        let Some((inner, after_inner)) = after.split_once('>') else { break };
        text.push_str(before);
        match inner.split_once(" * ").and_then(|(what, times)| Some(what.repeat(times.parse().ok()?))) {
            Some(repeated) => text.push_str(&repeated),
            None => text.push_str(&format!("<{inner}>")),
        }
        rest = after_inner;
    }
    text + rest
}

/// Whether an answer is the recorded one. `<token>` matches an opaque token, and an answer with one may have further fields; `… <reason>` is a prefix.
fn matches(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::String(expected), Value::String(actual)) if expected == "<token>" => {
            actual.len() >= 20 && actual.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte))
        }
        (Value::String(expected), Value::String(actual)) if expected.ends_with("<reason>") => {
            actual.starts_with(expected.trim_end_matches("<reason>"))
        }
        (Value::Object(expected), Value::Object(actual)) => {
            let may_carry_more = expected.values().any(|value| value == "<token>");
            (may_carry_more || expected.len() == actual.len())
                && expected.iter().all(|(name, value)| actual.get(name).is_some_and(|actual| matches(value, actual)))
        }
        (Value::Array(expected), Value::Array(actual)) => {
            expected.len() == actual.len() && expected.iter().zip(actual).all(|(expected, actual)| matches(expected, actual))
        }
        _ => expected == actual,
    }
}
