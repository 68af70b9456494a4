//! The operations of a route.

use doorward::http::Method;
use doorward_functions::{PageRole, Routes};
use serde_json::{Map, Value, json};

use crate::{
    Result,
    answer::{Answers, described, errors},
    component,
    description::{Body, Common, Fields, Operation, Operations},
};

/// Where operations are described: what the registry knows of their routes, and what all have in common.
pub struct Route<'a> {
    pub common: &'a Common,
    pub answers: &'a Answers,
    pub routes: &'a Routes,
}

impl Route<'_> {
    /// All operations of a route.
    pub fn item(&self, operations: &Operations) -> Result<Value> {
        let mut item = Map::new();
        for (method, operation) in operations {
            item.insert(method.clone(), self.operation(method, operation)?);
        }
        if self.routes.methods.contains(&Method::HEAD) {
            let get = operations.get("get").ok_or("HEAD is GET without a body, and there is no GET")?;
            item.insert("head".to_owned(), self.head(get)?);
        }
        item.insert("options".to_owned(), self.options(operations));
        Ok(item.into())
    }

    fn has_pages(&self) -> bool {
        self.routes.page != PageRole::None
    }

    /// Whether this is the GET of a mailed link.
    fn opens_link(&self, method: &str) -> bool {
        method == "get" && self.routes.page == PageRole::MailedLink
    }

    fn operation(&self, method: &str, described: &Operation) -> Result<Value> {
        let mut operation = json!({
            "operationId": described.operation_id,
            "summary": described.summary,
            "responses": self.responses(method, described)?,
        });
        if self.routes.protected {
            let schemes = self.common.security_schemes.keys().map(|scheme| json!({ scheme: [] }));
            operation["security"] = schemes.collect();
        }
        if described.body.is_some() != described.errors.is_some() {
            return Err(format!("{method} has a body without errors, or errors without a body"));
        }
        if let Some(body) = &described.body {
            operation["requestBody"] = request_body(body, method);
        }
        let mut parameters = Vec::new();
        if self.opens_link(method) {
            parameters.push(component("parameters", "LinkToken"));
        }
        if self.opens_link(method) || described.body.is_some() {
            parameters.push(component("parameters", "AcceptLanguage"));
        }
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        Ok(operation)
    }

    /// The answers that are described, and those that every operation of this kind gives.
    fn responses(&self, method: &str, operation: &Operation) -> Result<Map<String, Value>> {
        let mut refusals = vec!["Forbidden", "MethodNotAllowed", "Internal", "Unavailable"];
        if self.routes.protected {
            refusals.push("Unauthenticated");
        }
        if operation.body.is_some() {
            refusals.extend(["TooLarge", "UnsupportedMediaType"]);
        }
        if operation.body.is_some() || operation.limited || self.opens_link(method) {
            refusals.push("Throttled");
        }
        let mut responses: Map<String, Value> = refusals.into_iter().map(|name| self.answers.refusal(name, self.has_pages())).collect();
        if method == "post" && self.has_pages() {
            responses.insert("303".to_owned(), self.answers.named("SeeOther", false)?);
        }
        if let Some(wrong) = &operation.errors {
            responses.insert("400".to_owned(), described(self.common, &errors(wrong), self.has_pages())?);
        }
        for (status, answer) in &operation.answers {
            let answer = match answer.as_str() {
                Some(name) => self.answers.named(name, self.has_pages())?,
                None => described(self.common, &self.answers.resolved(answer)?, self.has_pages())?,
            };
            responses.insert(status.clone(), answer);
        }
        Ok(responses)
    }

    /// GET without the body of what it shows.
    fn head(&self, get: &Operation) -> Result<Value> {
        let mut operation = self.operation("get", get)?;
        operation["operationId"] = format!("head{}", noun(get)).into();
        operation["summary"] = "The same without its body.".into();
        let shown = get.answers.get("200").ok_or("GET has no answer 200")?;
        let mut headers = described(self.common, &self.answers.resolved(shown)?, self.has_pages())?;
        headers["description"] = "The headers of the answer to GET.".into();
        headers.as_object_mut().map(|headers| headers.remove("content"));
        operation["responses"]["200"] = headers;
        Ok(operation)
    }

    fn options(&self, operations: &Operations) -> Value {
        let named = operations.get("post").map(|post| post.operation_id.clone());
        let named = named.or_else(|| operations.get("get").map(|get| lower_first(noun(get)))).unwrap_or_default();
        let (refused, refusal) = self.answers.refusal("Forbidden", false);
        json!({
            "operationId": format!("{named}Options"),
            "summary": "What the route offers; answers preflights.",
            "responses": { "204": component("responses", "Options"), refused: refusal },
        })
    }
}

/// What a GET shows, by its operationId: Sessions in listSessions.
fn noun(get: &Operation) -> &str {
    get.noun.as_deref().unwrap_or_else(|| get.operation_id.trim_start_matches(char::is_lowercase))
}

fn lower_first(word: &str) -> String {
    let (first, rest) = word.split_at(1.min(word.len()));
    first.to_lowercase() + rest
}

/// A body, as JSON and, where browsers can send them, as forms.
fn request_body(body: &Body, method: &str) -> Value {
    let json = media(body, &Fields::new(), body.example.clone());
    let mut content = Map::from_iter([("application/json".to_owned(), json)]);
    if method != "delete" {
        let mut example = body.example.clone();
        example.extend(body.tick.iter().map(|(name, schema)| (name.clone(), schema["const"].clone())));
        for media_type in ["application/x-www-form-urlencoded", "multipart/form-data"] {
            content.insert(media_type.to_owned(), media(body, &body.tick, example.clone()));
        }
    }
    json!({ "required": !body.required.is_empty(), "content": content })
}

fn media(body: &Body, tick: &Fields, example: Map<String, Value>) -> Value {
    let fields = [&body.required, &body.optional, &body.ignored, tick].into_iter().flatten();
    let properties: Map<String, Value> = fields.map(|(name, schema)| (name.clone(), field(schema))).collect();
    let required: Vec<&String> = body.required.keys().chain(tick.keys()).collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if body.others {
        schema["additionalProperties"] = true.into();
    }
    json!({ "schema": schema, "example": example })
}

fn field(schema: &Value) -> Value {
    schema.as_str().map_or_else(|| schema.clone(), |name| component("schemas", name))
}
