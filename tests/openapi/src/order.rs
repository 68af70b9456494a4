//! The order in which the document is written: as people read it, and where it does not matter by name.

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::Result;

/// Names of the document itself; of a route and an operation; of a parameter, an answer and a schema.
const ORDER: &str = "openapi info title version jsonSchemaDialect servers url security paths components securitySchemes \
    get head post put patch delete options operationId summary parameters requestBody responses \
    name in type description required headers schemas content schema properties additionalProperties";

/// The document as text, with the routes in this order.
pub fn text(document: &Value, paths: impl Iterator<Item = &'static str>) -> Result<String> {
    let names: Vec<&str> = ORDER.split(' ').chain(paths).collect();
    let text = serde_json::to_string_pretty(&Ordered { value: document, names: &names });
    text.map(|text| text + "\n").map_err(|error| error.to_string())
}

struct Ordered<'a> {
    value: &'a Value,
    names: &'a [&'a str],
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let ordered = |value| Self { value, names: self.names };
        match self.value {
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                let rank = |name: &str| self.names.iter().position(|first| *first == name).unwrap_or(self.names.len());
                members.sort_by_key(|(name, _)| (rank(name), name.as_str()));
                serializer.collect_map(members.into_iter().map(|(name, value)| (name, ordered(value))))
            }
            Value::Array(values) => serializer.collect_seq(values.iter().map(ordered)),
            value => value.serialize(serializer),
        }
    }
}
