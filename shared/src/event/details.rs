//! The data of an event besides its kind, and its public form.

use serde::Serialize;

use super::Event;
use crate::{
    client::Network,
    clock::rfc3339,
    store::{Item, Value, number, text, truth},
};

/// The data that was written with an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// For ended sessions: whether all ended or one.
    pub all: Option<bool>,
    /// The network of the person who caused it. It is written only with `EVENT_DATA=full`.
    pub network: Option<Network>,
    /// For an export: what was exported.
    pub exported: Option<Exported>,
}

/// An export of accounts by an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The number of accounts.
    pub count: u64,
    /// The form of the file.
    pub format: String,
    /// Whether password hashes are in it.
    pub with_hashes: bool,
    /// The operator's ARN, if there is one.
    pub caller: Option<String>,
}

/// The names of an account, which an event contains with `EVENT_DATA=full`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Names {
    /// Its username.
    pub username: String,
    /// Its e-mail address.
    pub email: String,
}

impl Details {
    /// The attributes in which an item stores them.
    pub(super) fn attributes(self) -> impl Iterator<Item = (&'static str, Value)> {
        let exported = self.exported.into_iter().flat_map(|exported| {
            let caller = exported.caller.map(|caller| ("caller", text(caller)));
            let facts =
                [("count", number(exported.count)), ("format", text(exported.format)), ("with_hashes", truth(exported.with_hashes))];
            facts.into_iter().chain(caller)
        });
        let all = self.all.map(|all| ("all", truth(all)));
        let network = self.network.map(|network| ("network", text(network.as_str())));
        all.into_iter().chain(network).chain(exported)
    }

    pub(super) fn read(item: &Item) -> Self {
        let exported = item.optional_number("count").map(|count| Exported {
            count,
            format: item.optional_text("format").unwrap_or_default().to_owned(),
            with_hashes: item.truth("with_hashes").unwrap_or_default(),
            caller: item.optional_text("caller").map(str::to_owned),
        });
        let network = item.optional_text("network").map(|network| Network::stored(network.to_owned()));
        Self { all: item.truth("all").ok(), network, exported }
    }
}

/// The public form of an event, the same on the bus and in a webhook.
#[derive(Serialize)]
struct Public<'a> {
    id: String,
    r#type: &'a str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(flatten)]
    names: Option<&'a Names>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    with_hashes: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<&'a str>,
}

impl Event {
    /// Its public form, as JSON.
    #[must_use]
    pub(crate) fn public(&self) -> String {
        let exported = self.details.exported.as_ref();
        let data = Data {
            account_id: self.account.map(|account| account.to_string()),
            names: self.names.as_ref(),
            network: self.details.network.as_ref().map(Network::as_str),
            all: self.details.all,
            count: exported.map(|exported| exported.count),
            format: exported.map(|exported| exported.format.as_str()),
            with_hashes: exported.map(|exported| exported.with_hashes),
            caller: exported.and_then(|exported| exported.caller.as_deref()),
        };
        let public = Public { id: self.id.to_string(), r#type: &self.kind, timestamp: rfc3339(self.at), data };
        // It consists of texts and numbers only, which can always be serialized.
        serde_json::to_string(&public).unwrap_or_default()
    }
}
