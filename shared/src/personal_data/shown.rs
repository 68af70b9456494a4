//! How a stored value is shown to the person whom it is about.

use std::net::IpAddr;

use serde_json::{Map, Value as Json, json};

use self::As::{
    AfterKey, Day, Declared, Deliveries, FormerUntil, Instant, Kept, Name, Network, Networks, Never, Number, Second, SessionId, Text, Truth,
};
use crate::{
    client::Client,
    clock::{Timestamp, rfc3339},
    session,
    store::Value,
};

/// How an attribute is shown.
pub(super) enum As {
    Text,
    Number,
    Truth,
    /// Milliseconds since 1970.
    Instant,
    /// Seconds since 1970.
    Second,
    /// Days since 1970.
    Day,
    /// An e-mail address, or a name that may be one. It is masked for readers who must not see addresses.
    Name,
    /// A caller's IP address, shown as a network, like those of sessions.
    Network,
    /// Networks, each with the instant at which it was last seen.
    Networks,
    /// The record of mail.
    Deliveries,
    /// The part of a key after the `#`.
    AfterKey,
    /// The id under which a session is listed, from its key.
    SessionId,
    /// When a former address was given up, from its key.
    FormerUntil,
    /// The former addresses that are reserved for the account.
    Kept,
    /// The value of a declared field, under the field's name.
    Declared,
    /// It is not shown, for this reason.
    Never(&'static str),
}

impl As {
    /// The value as it is shown; `None` if it has the wrong type.
    pub(super) fn show(&self, value: &Value, name: &(dyn Fn(&str) -> String + Sync)) -> Option<Json> {
        let text = || value.as_s().ok();
        let number = || value.as_n().ok()?.parse::<i64>().ok();
        let instant = |millis: i64| Timestamp::from_millisecond(millis).ok().map(rfc3339);
        let second = |text: &str| Timestamp::from_second(text.parse().ok()?).ok().map(rfc3339);
        Some(match self {
            Text => json!(text()?),
            Number => json!(number()?),
            Truth => json!(value.as_bool().ok()?),
            Instant => json!(instant(number()?)?),
            // A window has its start in its key.
            Second => json!(second(value.as_n().or(value.as_s()).ok()?)?),
            Day => json!(Timestamp::from_second(number()?.checked_mul(24 * 60 * 60)?).ok()?.strftime("%Y-%m-%d").to_string()),
            Name => json!(name(text()?)),
            // An operator has no address.
            Network => json!(text()?.parse::<IpAddr>().ok().map(|address| Client::at(address).site().to_string())),
            Networks => {
                let networks = value.as_m().ok()?.iter();
                let seen = networks.map(|(network, seen_at)| Some((network.clone(), json!(second(seen_at.as_n().ok()?)?))));
                Json::Object(seen.collect::<Option<Map<_, _>>>()?)
            }
            Deliveries => {
                let mut entries: Vec<Map<String, Json>> = serde_json::from_str(text()?).ok()?;
                for entry in &mut entries {
                    for at in ["requested_at", "done_at"] {
                        let shown = json!(instant(entry.get(at)?.as_i64()?)?);
                        entry.insert(at.to_owned(), shown);
                    }
                }
                json!(entries)
            }
            // Each with its own masked form, since a session may not see addresses whole.
            Kept => {
                let kept: Vec<Map<String, Json>> = serde_json::from_str(text()?).ok()?;
                let shown = kept.into_iter().map(|former| {
                    let until = instant(former.get("until")?.as_i64()?)?;
                    Some(json!({ "email": name(former.get("email")?.as_str()?), "until": until }))
                });
                Json::Array(shown.collect::<Option<_>>()?)
            }
            Declared => match value {
                Value::S(text) => json!(text),
                Value::Bool(truth) => json!(truth),
                Value::N(number) => json!(number.parse::<i64>().ok()?),
                _ => return None,
            },
            AfterKey => json!(text()?.split_once('#')?.1),
            SessionId => json!(session::id_in(text()?)?),
            FormerUntil => json!(instant(text()?.split('#').nth(1)?.parse().ok()?)?),
            Never(_) => return None,
        })
    }
}
