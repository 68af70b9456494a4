//! Checks that the OpenAPI document describes an answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::Response;

/// The document: `docs/openapi.json`.
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// The document, and its descriptions of the answers of each operation.
pub struct Document {
    value: Value,
    answers: BTreeMap<(String, String, u16), Described>,
}

/// The document's description of an answer.
struct Described {
    /// The name of a header, whether it is required, and the schema of its value.
    headers: Vec<(String, bool, Arc<Validator>)>,
    /// Media types, with the schema of a body.
    content: BTreeMap<String, Arc<Validator>>,
}

impl Document {
    /// The document with all its schemas compiled, once for all tests of a process.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Document> = LazyLock::new(Document::read);
        &SHARED
    }

    fn read() -> Self {
        let value: Value = serde_json::from_str(DOCUMENT).expect("JSON");
        let (mut answers, mut compiled) = (BTreeMap::new(), Compiled::default());
        for (path, methods) in value["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                for (status, response) in operation["responses"].as_object().expect("responses") {
                    let key = (path.clone(), method.clone(), status.parse().expect("a status"));
                    answers.insert(key, described(&value, resolved(&value, response), &mut compiled));
                }
            }
        }
        Self { value, answers }
    }

    /// The paths, and the methods of each in upper case.
    pub fn operations(&self) -> Vec<(String, BTreeSet<String>)> {
        let paths = self.value["paths"].as_object().expect("paths").iter();
        paths
            .map(|(path, methods)| (path.clone(), methods.as_object().expect("methods").keys().map(|m| m.to_uppercase()).collect()))
            .collect()
    }

    /// The example of an operation's body, if it takes one.
    pub fn example(&self, path: &str) -> Option<Value> {
        let example = &self.value["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"];
        (!example.is_null()).then(|| example.clone())
    }

    /// The fields of an operation's body with their schemas; empty if it takes no body.
    pub fn fields(&self, path: &str) -> Vec<(String, Value)> {
        let schema = &self.value["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"];
        let fields = schema["properties"].as_object().into_iter().flatten();
        fields.map(|(name, schema)| (name.clone(), schema.clone())).collect()
    }

    /// Every pattern, under the name of its component: a schema, a property of a schema (`Schema/property`), or a header.
    pub fn patterns(&self) -> BTreeMap<String, Validator> {
        let components = |kind: &str| self.value["components"][kind].as_object().into_iter().flatten();
        let schemas = components("schemas").flat_map(|(name, schema)| {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let properties = properties.map(move |(property, schema)| (format!("{name}/{property}"), schema));
            std::iter::once((name.clone(), schema)).chain(properties)
        });
        let headers = components("headers").map(|(name, header)| (name.clone(), &header["schema"]));
        let compiled = |pattern: &Value| jsonschema::draft202012::new(&json!({ "pattern": pattern })).expect("a pattern");
        schemas.chain(headers).filter_map(|(name, schema)| Some((name, compiled(schema.get("pattern")?)))).collect()
    }

    /// The differences between an answer and its description. A method that the document does not name is described as POST is or,
    /// where there is no POST, as GET is.
    pub fn check(&self, method: &str, path: &str, answer: &Response) -> Result<(), String> {
        let path = format!("{}/", path.split('?').next().unwrap_or_default().trim_end_matches('/'));
        let methods = [method.to_lowercase(), "post".to_owned(), "get".to_owned()];
        let operation = methods.into_iter().find(|method| self.value["paths"][&path].get(method).is_some()).unwrap_or_default();
        let unknown = || format!("{method} {path}: {} is not in the document", answer.status);
        let described = self.answers.get(&(path.clone(), operation, answer.status)).ok_or_else(unknown)?;
        for (name, required, validator) in &described.headers {
            match answer.headers.get(name) {
                Some(value) if validator.is_valid(&json!(value)) => {}
                None if !required => {}
                other => return Err(format!("{method} {path}, {}: header {name}: {other:?}", answer.status)),
            }
        }
        if method == "HEAD" || described.content.is_empty() {
            return if answer.body.is_empty() {
                Ok(())
            } else {
                Err(format!("{method} {path}: a body where there is none: {}", answer.body))
            };
        }
        let stated = answer.headers.get("content-type").cloned().unwrap_or_default();
        let validator = described.content.get(&stated).ok_or_else(|| format!("{method} {path}, {}: {stated:?}", answer.status))?;
        let body = if stated == "application/json" { answer.json() } else { json!(answer.body) };
        if validator.is_valid(&body) {
            Ok(())
        } else {
            Err(format!("{method} {path}, {}: the document knows no such body: {body}", answer.status))
        }
    }
}

/// Each schema that was compiled, by its text. The same few stand in all answers, and one takes a millisecond.
type Compiled = BTreeMap<String, Arc<Validator>>;

fn described(document: &Value, response: &Value, known: &mut Compiled) -> Described {
    let mut compiled = |schema: &Value| {
        let compile = || {
            let schema = json!({ "components": document["components"], "allOf": [schema] });
            Arc::new(jsonschema::draft202012::new(&schema).expect("a schema"))
        };
        Arc::clone(known.entry(schema.to_string()).or_insert_with(compile))
    };
    let headers = response["headers"].as_object().into_iter().flatten().map(|(name, header)| {
        let header = resolved(document, header);
        (name.to_lowercase(), header["required"] == true, compiled(&header["schema"]))
    });
    let headers = headers.collect();
    let content = response["content"].as_object().into_iter().flatten();
    Described { headers, content: content.map(|(name, media)| (name.clone(), compiled(&media["schema"]))).collect() }
}

/// Resolves a reference.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.map_or(value, |pointer| document.pointer(pointer).expect("what is referred to"))
}
