//! Answers: those that are described, and refusals, whose statuses, headers and bodies are those of `doorward::http`.

use std::collections::{BTreeMap, BTreeSet};

use doorward::{
    fault::Fault,
    http::{self, HeaderValue, Refusal},
};
use serde_json::{Map, Value, json};

use crate::{
    Result, component,
    description::{Answer, Common, Errors},
};

/// The media type of pages.
const PAGE: &str = "text/html; charset=utf-8";
/// The header that a page has and JSON has not.
const POLICY: &str = "Content-Security-Policy";

/// Refusals that a browser gets as JSON too, because no form of ours leads to them (`doorward::page::Pages::refused`).
const NEVER_A_PAGE: [&str; 3] = ["MethodNotAllowed", "TooLarge", "UnsupportedMediaType"];

/// A refusal that operations have in common, and examples of it.
struct Refused {
    name: &'static str,
    description: &'static str,
    examples: Vec<(&'static str, Refusal)>,
}

fn refusals() -> Vec<Refused> {
    let several = |name, description, examples| Refused { name, description, examples };
    let refused = |name, description, refusal| several(name, description, vec![("", refusal)]);
    let allow = HeaderValue::from_static("POST, OPTIONS");
    vec![
        several(
            "Unauthenticated",
            "No or no valid session.",
            vec![
                ("absent", Refusal::Unauthenticated("Authentication credentials were not provided.")),
                ("unknown", Refusal::Unauthenticated("Invalid token.")),
                ("inactive", Refusal::Unauthenticated("User inactive or deleted.")),
            ],
        ),
        several(
            "Forbidden",
            "A page of another site asks, registration is closed, or the request came past the proxy.",
            vec![("origin", Refusal::Origin), ("closed", Refusal::RegistrationClosed)],
        ),
        refused("MethodNotAllowed", "The route has no such method.", Refusal::Method { method: "PUT".to_owned(), allow }),
        refused("TooLarge", "The body is larger than 256 KiB.", Refusal::TooLarge),
        refused("UnsupportedMediaType", "The body is neither JSON nor a form.", Refusal::MediaType("text/plain".to_owned())),
        refused("Throttled", "Too many tries.", Refusal::Throttled { retry_after: 42 }),
        refused("InvalidLink", "The link is unknown, used, expired, replaced, or its account cannot be opened.", Refusal::Token),
        refused("Internal", "A fault of ours.", Refusal::Fault(Fault::Internal(""))),
        refused("Unavailable", "A service we stand on did not answer in time.", Refusal::Fault(Fault::OutOfTime)),
    ]
}

/// The schemas of refusals whose body is always the same.
pub fn constants() -> impl Iterator<Item = (&'static str, Value)> {
    let constants = [
        ("InvalidCredentials", Refusal::Credentials),
        ("Unverified", Refusal::Unverified),
        ("IncorrectOldPassword", Refusal::OldPassword),
        ("TooLarge", Refusal::TooLarge),
        ("InvalidLink", Refusal::Token),
        ("Internal", Refusal::Fault(Fault::Internal(""))),
        ("Unavailable", Refusal::Fault(Fault::OutOfTime)),
    ];
    constants.into_iter().map(|(name, refusal)| {
        let body = refusal.body();
        let members = || body.as_object().into_iter().flatten();
        let properties: Map<String, Value> = members().map(|(name, value)| (name.clone(), json!({ "const": value }))).collect();
        let required: Vec<&String> = members().map(|(name, _)| name).collect();
        (name, json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties }))
    })
}

/// The names of an answer's headers as the gateway gets them, but that of its media type.
fn names(answer: http::Answer) -> BTreeSet<String> {
    let event = answer.into_event();
    event["headers"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).filter(|name| name != "content-type").collect()
}

/// The answers that operations refer to.
pub struct Answers {
    /// Refusals with their statuses. Each may be a page.
    refusals: BTreeMap<&'static str, (String, Answer)>,
    /// Those of `document.json`.
    written: BTreeMap<String, Answer>,
}

impl Answers {
    pub fn of(common: &Common) -> Self {
        let refusals = refusals().into_iter().map(|Refused { name, description, examples }| {
            let (_, first) = &examples[0];
            let headers = names(http::Answer::from(first)).difference(&names(http::no_content())).cloned().collect();
            let schema = if name == "Forbidden" { "Detail" } else { name };
            let status = first.status().as_str().to_owned();
            let mut answer = Answer { description: description.to_owned(), schema: schema.into(), headers, ..Answer::default() };
            match &examples[..] {
                [(_, only)] => answer.example = Some(only.body()),
                several => answer.examples = several.iter().map(|(name, refusal)| ((*name).to_owned(), refusal.body())).collect(),
            }
            (name, (status, answer))
        });
        Self { refusals: refusals.collect(), written: common.answers.clone() }
    }

    /// The status of a refusal, and a reference to its description.
    pub fn refusal(&self, name: &str, page: bool) -> (String, Value) {
        (self.refusals[name].0.clone(), component("responses", &component_name(name, page)))
    }

    /// A reference to the answer of this name, which is a refusal or in `document.json`.
    pub fn named(&self, name: &str, page: bool) -> Result<Value> {
        if self.refusals.contains_key(name) {
            return Ok(self.refusal(name, page).1);
        }
        self.written.get(name).map(|_| component("responses", name)).ok_or_else(|| format!("there is no answer {name}"))
    }

    /// What is described: an answer, or the name of one.
    pub fn resolved(&self, described: &Value) -> Result<Answer> {
        match described.as_str() {
            Some(name) => {
                let refusal = self.refusals.get(name).map(|(_, answer)| answer);
                refusal.or_else(|| self.written.get(name)).cloned().ok_or_else(|| format!("there is no answer {name}"))
            }
            None => serde_json::from_value(described.clone()).map_err(|error| format!("an answer: {error}")),
        }
    }

    /// The answers that these paths refer to and those that are written, for the components of the document.
    pub fn components(&self, common: &Common, paths: &Map<String, Value>) -> Result<Map<String, Value>> {
        let mut components = Map::new();
        for (name, answer) in &self.written {
            components.insert(name.clone(), described(common, answer, false)?);
        }
        let referring = json!(paths).to_string();
        for (name, (_, answer)) in &self.refusals {
            for page in [false, true] {
                let name = component_name(name, page);
                if !components.contains_key(&name) && referring.contains(&component("responses", &name).to_string()) {
                    components.insert(name, described(common, answer, page)?);
                }
            }
        }
        Ok(components)
    }
}

/// The name of a refusal where there are pages or none.
fn component_name(refusal: &str, page: bool) -> String {
    if page && !NEVER_A_PAGE.contains(&refusal) { format!("{refusal}OrPage") } else { refusal.to_owned() }
}

/// An answer as the document has it. Where there are pages, a browser gets one in place of JSON.
pub fn described(common: &Common, answer: &Answer, pages: bool) -> Result<Value> {
    let mut content = Map::new();
    if !answer.schema.is_null() {
        let mut json = Map::from_iter([("schema".to_owned(), schema(&answer.schema))]);
        if let Some(example) = &answer.example {
            json.insert("example".to_owned(), example.clone());
        }
        if !answer.examples.is_empty() {
            let examples: Map<String, Value> =
                answer.examples.iter().map(|(name, value)| (name.clone(), json!({ "value": value }))).collect();
            json.insert("examples".to_owned(), examples.into());
        }
        content.insert("application/json".to_owned(), json.into());
    }
    if answer.page || pages && !content.is_empty() {
        content.insert(PAGE.to_owned(), json!({ "schema": { "type": "string" } }));
    }
    let mut headers = headers(common, answer)?;
    if content.contains_key(PAGE) {
        let policy = common.headers.get(POLICY).ok_or("Content-Security-Policy is not described in docs/openapi/document.json")?;
        // Where there may be JSON, the header may be absent.
        let is_always_page = content.len() == 1;
        let policy = if is_always_page { required(policy) } else { component("headers", &POLICY.replace('-', "")) };
        headers.insert(POLICY.to_owned(), policy);
    }
    let mut described = json!({ "description": answer.description, "headers": headers });
    if !content.is_empty() {
        described["content"] = content.into();
    }
    Ok(described)
}

fn required(header: &Value) -> Value {
    let mut header = header.clone();
    header["required"] = true.into();
    header
}

fn schema(names: &Value) -> Value {
    let of = |name: &Value| component("schemas", name.as_str().unwrap_or_default());
    names.as_array().map_or_else(|| of(names), |names| json!({ "oneOf": names.iter().map(of).collect::<Vec<_>>() }))
}

fn headers(common: &Common, answer: &Answer) -> Result<Map<String, Value>> {
    let mut headers = Map::new();
    for header in names(http::no_content()).iter().chain(&answer.headers) {
        let name = common.headers.keys().find(|name| name.eq_ignore_ascii_case(header));
        let name = name.ok_or_else(|| format!("the header {header} is not described in docs/openapi/document.json"))?;
        headers.insert(name.clone(), component("headers", &name.replace('-', "")));
    }
    Ok(headers)
}

/// Answer 400 to a body that cannot be read or whose fields are wrong.
pub fn errors(errors: &Errors) -> Answer {
    let mut schemas: Vec<&str> = errors.others.iter().map(String::as_str).collect();
    schemas.extend(["Detail", "NoObject", &errors.schema]);
    let mut examples = errors.examples.clone();
    examples.insert("malformed".to_owned(), Refusal::Unreadable("malformed JSON: line 1 column 3".to_owned()).body());
    examples.insert("no_object".to_owned(), Refusal::NoObject("list").body());
    Answer { description: errors.description.clone(), schema: json!(schemas), examples, ..Answer::default() }
}
