//! The form of the files in `docs/openapi`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// `<function>.json`: the routes of a function, and of each its operations by method. HEAD and OPTIONS follow from the others.
pub type Endpoint = BTreeMap<String, Operations>;
pub type Operations = BTreeMap<String, Operation>;

/// Names of fields with their schemas: the name of one in `schemas.json`, or the schema itself.
pub type Fields = BTreeMap<String, Value>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Operation {
    pub operation_id: String,
    pub summary: String,
    /// The end of the operationId of HEAD, and the beginning of that of OPTIONS, if they are not what follows the verb in the operationId of GET.
    pub noun: Option<String>,
    pub body: Option<Body>,
    /// Whether there is a limit: requests with a body and mailed links always have one.
    #[serde(default)]
    pub limited: bool,
    /// Answers by status: an [`Answer`], or the name of a refusal or of an answer in `document.json`. Refusals that every operation of this kind can give
    /// are added.
    pub answers: BTreeMap<String, Value>,
    /// Where there is a body, how its fields can be wrong.
    pub errors: Option<Errors>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Body {
    #[serde(default)]
    pub required: Fields,
    #[serde(default)]
    pub optional: Fields,
    /// Fields that other servers' clients send and that are not read, so that they are never wrong.
    #[serde(default)]
    pub ignored: Fields,
    /// A box to tick that is required in a form, and in JSON is not.
    #[serde(default, rename = "box")]
    pub tick: Fields,
    /// Whether further fields have a meaning.
    #[serde(default)]
    pub others: bool,
    pub example: Map<String, Value>,
}

impl Body {
    /// The fields that can be wrong.
    pub fn judged(&self) -> impl Iterator<Item = &String> {
        self.required.keys().chain(self.optional.keys()).chain(self.tick.keys())
    }
}

/// Answer 400.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Errors {
    #[serde(default = "Errors::usual")]
    pub description: String,
    /// The name of the schema of errors in fields. It is made of the names of the fields unless `schemas.json` has it.
    pub schema: String,
    /// Schemas of further bodies.
    #[serde(default)]
    pub others: Vec<String>,
    /// Examples, besides those of a body that cannot be read.
    pub examples: BTreeMap<String, Value>,
}

impl Errors {
    fn usual() -> String {
        "The body or its fields are wrong.".to_owned()
    }
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Answer {
    pub description: String,
    /// The name of the schema of a JSON body, or several names.
    #[serde(default)]
    pub schema: Value,
    pub example: Option<Value>,
    #[serde(default)]
    pub examples: BTreeMap<String, Value>,
    /// Headers besides those of every answer.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Whether a browser gets a page and a program gets nothing. In place of JSON a browser gets a page wherever the routes have pages.
    #[serde(default)]
    pub page: bool,
}

/// `document.json`: what the endpoints have in common.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Common {
    pub info: Map<String, Value>,
    pub servers: Value,
    pub security_schemes: Map<String, Value>,
    pub parameters: Map<String, Value>,
    /// Headers of answers, by name.
    pub headers: BTreeMap<String, Value>,
    /// Answers that more than one operation gives.
    pub answers: BTreeMap<String, Answer>,
}
