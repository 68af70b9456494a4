//! Auth0, Cognito and Ory Kratos.

use serde_json::{Map, Value};

use super::{Known, given::Given};
use crate::import::reasons::Reason;

/// A user of Auth0's export with password hashes, which support makes on request (Auth0 docs, "Export data"). The hashes are bcrypt.
pub(super) fn auth0(given: &mut Given) -> Result<Known, Reason> {
    let id = given.object("_id")?.text("$oid")?;
    // The form that the account's id has in Auth0's tokens.
    let external_id = match given.text("user_id")? {
        Some(id) => Some(id),
        None => id.map(|id| format!("auth0|{id}")),
    };
    let created_at = match given.take("created_at") {
        Some(Value::Object(date)) => Given::new(date).instant("$date")?,
        Some(Value::String(text)) => {
            Given::new([("created_at".to_owned(), Value::String(text))].into_iter().collect()).instant("created_at")?
        }
        _ => None,
    };
    Ok(Known {
        username: given.text("username")?,
        email: given.text("email")?,
        password: given.text("passwordHash")?,
        inactive: given.truth("blocked")?.unwrap_or(false),
        created_at,
        external_id,
        verified: given.truth("email_verified")?,
    })
}

/// A user of Cognito, as `list-users` prints it or as a row of a table with the columns of Cognito's own CSV. Cognito does not export hashes.
pub(super) fn cognito(given: &mut Given) -> Result<Known, Reason> {
    let name = match given.text("cognito:username")? {
        Some(name) => Some(name),
        None => given.text("Username")?,
    };
    let mut attributes = Map::new();
    for attribute in given.list("Attributes")? {
        let Value::Object(attribute) = attribute else { continue };
        let mut attribute = Given::new(attribute);
        attributes.extend(attribute.text("Name")?.zip(attribute.take("Value")));
    }
    let mut attributes = Given::new(attributes);
    let mut of = |name: &str| match attributes.text(name)? {
        Some(text) => Ok(Some(text)),
        None => given.text(name),
    };
    let (external_id, email, preferred) = (of("sub")?, of("email")?, of("preferred_username")?);
    let verified = of("email_verified")?.map(|text| text.eq_ignore_ascii_case("true"));
    given.put_back("Attributes", attributes);
    // In a pool in which users sign in by address, the username is an id.
    let username = preferred.or_else(|| name.clone().filter(|name| name.parse::<uuid::Uuid>().is_err()));
    Ok(Known {
        username,
        email,
        password: None,
        inactive: !given.truth("Enabled")?.unwrap_or(true),
        created_at: given.instant("UserCreateDate")?,
        external_id: external_id.or(name),
        verified,
    })
}

/// An identity of Ory Kratos with its password credential (`include_credential=password`).
pub(super) fn kratos(given: &mut Given) -> Result<Known, Reason> {
    let mut traits = given.object("traits")?;
    let (username, email) = (traits.text("username")?, traits.text("email")?);
    given.put_back("traits", traits);
    let mut credential = given.object("credentials")?.object("password")?;
    let identifiers = credential.list("identifiers")?;
    let identifier =
        |is_email: bool| identifiers.iter().filter_map(Value::as_str).find(|text| text.contains('@') == is_email).map(str::to_owned);
    let password = credential.object("config")?.text("hashed_password")?.map(|hash| firescrypt(&hash).unwrap_or(hash));
    Ok(Known {
        username: username.or_else(|| identifier(false)),
        email: email.or_else(|| identifier(true)),
        password,
        inactive: given.text("state")?.is_some_and(|state| state == "inactive"),
        created_at: given.instant("created_at")?,
        external_id: given.text("id")?,
        verified: None,
    })
}

/// Kratos's notation of Firebase's hash, `$firescrypt$ln=14,r=8,p=1$salt$hash$separator$key`, in that of Supabase.
fn firescrypt(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.strip_prefix("$firescrypt$ln=")?.split('$').collect();
    let [costs, salt, hash, separator, key] = parts[..] else { return None };
    Some(format!("$fbscrypt$v=1,n={costs},ss={separator},sk={key}${salt}${hash}"))
}
