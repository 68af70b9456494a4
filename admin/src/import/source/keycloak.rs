//! Keycloak.

use serde_json::{Map, Value};

use super::{Known, given::Given};
use crate::import::reasons::Reason;

/// A user of a realm's export; `None` for the account of a service.
pub(super) fn user(given: &mut Given) -> Result<Option<Known>, Reason> {
    if given.take("serviceAccountClientId").is_some() {
        return Ok(None);
    }
    let mut password = None;
    for credential in given.list("credentials")? {
        let Value::Object(credential) = credential else { continue };
        let mut credential = Given::new(credential);
        if credential.text("type")?.as_deref() == Some("password") && password.is_none() {
            password = Some(stored(&mut credential)?);
        }
    }
    Ok(Some(Known {
        username: given.text("username")?,
        email: given.text("email")?,
        password,
        inactive: !given.truth("enabled")?.unwrap_or(true),
        created_at: given.millis("createdTimestamp")?,
        external_id: given.text("id")?,
        verified: given.truth("emailVerified")?,
    }))
}

/// The string to store for a credential. Its two parts are JSON in a text; before Keycloak 8 they were fields of the credential.
fn stored(credential: &mut Given) -> Result<String, Reason> {
    let mut data = part(credential, "credentialData")?;
    let mut secret = part(credential, "secretData")?;
    let mut of = |part: &mut Given, name: &str, former: &str| match part.text(name)? {
        Some(text) => Ok(Some(text)),
        None => credential.text(former),
    };
    let algorithm = of(&mut data, "algorithm", "algorithm")?.unwrap_or_default();
    let rounds = of(&mut data, "hashIterations", "hashIterations")?.unwrap_or_default();
    let salt = of(&mut secret, "salt", "salt")?.unwrap_or_default();
    let value = of(&mut secret, "value", "hashedSaltedValue")?.unwrap_or_default();
    let mut more = data.object("additionalParameters")?;
    match algorithm.as_str() {
        "argon2" => {
            let mut first =
                |name: &str| more.list(name).ok().and_then(|values| values.first()?.as_str().map(str::to_owned)).unwrap_or_default();
            let version = if first("version") == "1.0" { 16 } else { 19 };
            let (variant, memory, lanes) = (first("type"), first("memory"), first("parallelism"));
            let (salt, value) = (salt.trim_end_matches('='), value.trim_end_matches('='));
            Ok(format!("$argon2{variant}$v={version}$m={memory},t={rounds},p={lanes}${salt}${value}"))
        }
        "pbkdf2" | "pbkdf2-sha1" | "pbkdf2-sha256" | "pbkdf2-sha512" => Ok(format!("${algorithm}$i={rounds}${salt}${value}")),
        // It is refused with the reason that its algorithm is unknown.
        _ => Ok(format!("${algorithm}$")),
    }
}

fn part(credential: &mut Given, name: &str) -> Result<Given, Reason> {
    match credential.take(name) {
        None => Ok(Given::new(Map::new())),
        Some(Value::Object(fields)) => Ok(Given::new(fields)),
        Some(Value::String(text)) => match serde_json::from_str(&text) {
            Ok(Value::Object(fields)) => Ok(Given::new(fields)),
            _ => Err(Reason::new(format!("credentials: {name} is no object in JSON"))),
        },
        Some(_) => Err(Reason::new(format!("credentials: {name} is no object in JSON"))),
    }
}
