//! The OpenAPI document of the API. `make openapi` writes it into `docs/openapi.json`, and a test fails when that file is another.
//!
//! Routes, methods, sessions and pages come from the registry of functions, refusals with their headers from `doorward::http`. The rest is described in
//! `docs/openapi`: each endpoint in a file of its function's name, what all have in common in `document.json` and `schemas.json`. The form of these
//! files is in `description.rs`.

mod answer;
mod description;
mod operation;
mod order;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use doorward::http::Method;
use doorward_functions::{FUNCTIONS, Routes, paths};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::{
    answer::Answers,
    description::{Common, Endpoint, Errors},
    operation::Route,
};

/// The document.
pub const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi");

/// An error is a sentence for the author of a description.
pub type Result<T> = std::result::Result<T, String>;

/// Texts of the descriptions, by the names of their files without `.json`.
pub type Files = BTreeMap<String, String>;

/// Reads `docs/openapi`.
pub fn files() -> Result<Files> {
    let failed = |error: std::io::Error| format!("{FOLDER}: {error}");
    let mut files = Files::new();
    for entry in fs::read_dir(FOLDER).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json")) {
            files.insert(name.to_owned(), fs::read_to_string(&path).map_err(failed)?);
        }
    }
    Ok(files)
}

/// The document that these files describe, as text.
pub fn document(files: &Files) -> Result<String> {
    let common: Common = read(files, "document")?;
    let mut schemas = Schemas::written(read(files, "schemas")?)?;
    let answers = Answers::of(&common);
    let mut items = Map::new();
    let mut known = BTreeSet::from(["document", "schemas"]);
    for function in &FUNCTIONS {
        let Some(routes) = &function.routes else { continue };
        let name = function.name;
        let endpoint: Endpoint = read(files, name)?;
        agree(routes, &endpoint).map_err(|complaint| format!("docs/openapi/{name}.json {complaint}"))?;
        for (path, operations) in endpoint {
            let route = Route { common: &common, answers: &answers, routes };
            items.insert(
                path.clone(),
                route.item(&operations).map_err(|complaint| format!("docs/openapi/{name}.json, {path}: {complaint}"))?,
            );
            for operation in operations.values() {
                if let (Some(body), Some(errors)) = (&operation.body, &operation.errors) {
                    schemas.derive(errors, body.judged())?;
                }
            }
        }
        known.insert(name);
    }
    if let Some(stranger) = files.keys().find(|name| !known.contains(name.as_str())) {
        return Err(format!("docs/openapi/{stranger}.json describes no endpoint"));
    }
    let mut info = common.info.clone();
    info.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
    let headers: Map<String, Value> = common.headers.iter().map(|(name, header)| (name.replace('-', ""), header.clone())).collect();
    let document = json!({
        "openapi": "3.1.0",
        "info": info,
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": common.servers,
        "security": [],
        "components": {
            "securitySchemes": common.security_schemes,
            "parameters": common.parameters,
            "headers": headers,
            "schemas": schemas.all,
            "responses": answers.components(&common, &items)?,
        },
        "paths": items,
    });
    order::text(&document, paths())
}

fn read<T: DeserializeOwned>(files: &Files, name: &str) -> Result<T> {
    let text = files.get(name).ok_or_else(|| format!("docs/openapi/{name}.json is missing"))?;
    serde_json::from_str(text).map_err(|error| format!("docs/openapi/{name}.json: {error}"))
}

/// Refuses a description of other routes or methods than the registry has.
fn agree(routes: &Routes, endpoint: &Endpoint) -> Result<()> {
    let (described, registered) = (endpoint.keys().map(String::as_str).collect(), routes.paths.iter().copied().collect::<BTreeSet<_>>());
    if registered != described {
        return Err(format!("describes {described:?}, and the routes of the function are {registered:?}"));
    }
    let methods: BTreeSet<String> =
        routes.methods.iter().filter(|method| **method != Method::HEAD).map(|method| method.as_str().to_lowercase()).collect();
    for (path, operations) in endpoint {
        let described: BTreeSet<String> = operations.keys().cloned().collect();
        if methods != described {
            return Err(format!("describes {described:?} of {path}, and its methods are {methods:?}"));
        }
    }
    Ok(())
}

/// A reference to a component.
fn component(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

/// The schemas of the document, and the names of those that somebody wrote.
struct Schemas {
    all: Map<String, Value>,
    written: BTreeSet<String>,
}

impl Schemas {
    /// Those that are written, with those of refusals whose body is always the same.
    fn written(all: Map<String, Value>) -> Result<Self> {
        let mut schemas = Self { written: all.keys().cloned().collect(), all };
        for (name, schema) in answer::constants() {
            if schemas.all.insert(name.to_owned(), schema).is_some() {
                return Err(format!("docs/openapi/schemas.json has {name}, which is made of a refusal"));
            }
        }
        Ok(schemas)
    }

    /// Adds the schema of errors in these fields, unless it is written.
    fn derive<'a>(&mut self, errors: &Errors, fields: impl Iterator<Item = &'a String>) -> Result<()> {
        if self.written.contains(&errors.schema) {
            return Ok(());
        }
        let properties: Map<String, Value> = fields.map(|field| (field.clone(), component("schemas", "Messages"))).collect();
        let schema = json!({ "type": "object", "additionalProperties": false, "minProperties": 1, "properties": properties });
        match self.all.insert(errors.schema.clone(), schema.clone()) {
            Some(other) if other != schema => Err(format!("{} would be the schema of errors in two sets of fields", errors.schema)),
            _ => Ok(()),
        }
    }
}
