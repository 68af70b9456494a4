//! A Lambda authorizer for the user's own APIs: REST (token and request) and HTTP (format 2.0, simple answers).
//!
//! A request with a valid session passes. Its context for the API behind the authorizer has `account_id`, `username`, `verified` (whether the address is
//! verified), the `external_id` of an account that was imported with one, the attributes that `AUTHORIZER_CONTEXT` names, and the declared fields with
//! `token`.
//!
//! Each call makes one consistent read, which includes the profile if such a field is declared. So with the authorizer's result cache off
//! (`AuthorizerResultTtlInSeconds: 0`), a session that has ended is refused at once.

use std::{collections::HashMap, time::Duration};

use doorward::{
    account::Account,
    clock::{Clock, rfc3339},
    config::Settings,
    fault::Fault,
    http::credentials_of,
    profile::{ProfileFields, Scalar},
    session::{Checked, Sessions},
    store::{Store, Table},
};
use lambda_runtime::Error;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Function, Handler, Wiring};

/// The attributes of an account that can be passed on, by their name in the context and in `AUTHORIZER_CONTEXT`.
const FACTS: [(&str, Fact); 3] = [
    ("email", |account| account.email.as_str().to_owned()),
    ("date_joined", |account| rfc3339(account.created_at)),
    ("password_changed_at", |account| rfc3339(account.password_changed_at)),
];

type Fact = fn(&Account) -> String;

pub struct Authorizer {
    store: Store,
    sessions: Sessions,
    told: Vec<(&'static str, Fact)>,
    fields: ProfileFields,
    clock: Clock,
}

/// The request of an API, in any of the three formats.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    version: Option<String>,
    #[serde(default)]
    headers: Option<HashMap<String, Option<String>>>,
    authorization_token: Option<String>,
    method_arn: Option<String>,
}

impl Question {
    fn header(&self) -> Option<&str> {
        let named = self.headers.iter().flatten().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        named.and_then(|(_, value)| value.as_deref()).or(self.authorization_token.as_deref())
    }
}

impl Function for Authorizer {
    const NAME: &str = "authorizer";
    const TABLES: &[Table] = &[Table::Accounts];

    fn new(wiring: &mut Wiring) -> Self {
        let told = told(&mut wiring.settings);
        let fields = ProfileFields::configured(&mut wiring.settings);
        let sessions = wiring.sessions().with_profile(fields.any_in_token());
        Self { sessions, told, fields, store: wiring.store.clone(), clock: wiring.clock.clone() }
    }
}

impl Handler for Authorizer {
    type Event = Question;
    type Answer = Value;

    async fn handle(&self, question: Question, _: Duration) -> Result<Value, Error> {
        Ok(self.decide(&question).await?)
    }
}

impl Authorizer {
    /// Decides whether a request passes. A fault is returned as an error, and the API then answers 500.
    pub async fn decide(&self, question: &Question) -> Result<Value, Fault> {
        let signed_in = match question.header().and_then(|header| credentials_of(header.as_bytes()).ok()) {
            Some(token) => match self.sessions.check(&self.store, token, self.clock.now()).await? {
                Checked::SignedIn(signed_in) => Some(*signed_in),
                Checked::Not(_) => None,
            },
            None => None,
        };
        // A request that passes is not logged. Nearly all requests of a deployment are such checks, and a log line costs nearly as much as their reads.
        if signed_in.is_none() {
            tracing::info!(outcome = "unauthenticated", "answered");
        }
        let simple = question.version.as_deref() == Some("2.0");
        let account = signed_in.as_ref().map(|signed_in| &signed_in.account);
        let context = account.map(|account| self.context(account));
        Ok(if simple { simple_answer(context) } else { policy_answer(question, account.zip(context)) })
    }

    fn context(&self, account: &Account) -> Value {
        let mut context = json!({
            "account_id": account.id.to_string(), "username": account.username.as_str(), "verified": account.verified_at.is_some(),
        });
        // The key is left out if the account has no id elsewhere, and below if a field has no value, because no gateway accepts null in a context.
        if let Some(external_id) = &account.external_id {
            context["external_id"] = external_id.as_str().into();
        }
        for (name, fact) in &self.told {
            context[name] = fact(account).into();
        }
        for field in self.fields.iter().filter(|field| field.in_token) {
            if let Some(value) = field.value_in(&account.profile) {
                context[field.name] = match value {
                    Scalar::Text(text) => text.as_str().into(),
                    Scalar::Truth(truth) => (*truth).into(),
                    Scalar::Number(number) => (*number).into(),
                };
            }
        }
        context
    }
}

/// `AUTHORIZER_CONTEXT`, a list of names of [`FACTS`].
fn told(settings: &mut Settings) -> Vec<(&'static str, Fact)> {
    let mut told = Vec::new();
    for (index, name) in settings.list("AUTHORIZER_CONTEXT").iter().enumerate() {
        match FACTS.iter().find(|(fact, _)| fact == name) {
            Some(fact) => told.push(*fact),
            None => settings.complain(format!(
                "AUTHORIZER_CONTEXT: entry {} must be one of {}",
                index + 1,
                FACTS.map(|(fact, _)| fact).join(", ")
            )),
        }
    }
    told
}

fn simple_answer(context: Option<Value>) -> Value {
    match context {
        Some(context) => json!({ "isAuthorized": true, "context": context }),
        None => json!({ "isAuthorized": false }),
    }
}

/// The policy covers every method of the API's stage, because API Gateway may apply a cached policy to another method.
fn policy_answer(question: &Question, passes: Option<(&Account, Value)>) -> Value {
    let arn = question.method_arn.as_deref().unwrap_or_default();
    let stage: Vec<&str> = arn.splitn(3, '/').take(2).collect();
    let resource = if stage.len() == 2 { format!("{}/*", stage.join("/")) } else { "*".to_owned() };
    let effect = if passes.is_some() { "Allow" } else { "Deny" };
    let mut answer = json!({
        "principalId": passes.as_ref().map_or_else(|| "nobody".to_owned(), |(account, _)| account.id.to_string()),
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{ "Action": "execute-api:Invoke", "Effect": effect, "Resource": resource }],
        },
    });
    if let (Some((_, context)), Some(answer)) = (passes, answer.as_object_mut()) {
        answer.insert("context".to_owned(), context);
    }
    answer
}
