//! The forms of items: which keys there are, and which attributes an item of each kind has.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use doorward::{account::AccountId, mail_rate};

use crate::store::Item;

/// The attributes of one kind of item, as `name:type`, in the types of DynamoDB. Those in brackets belong together and may be absent together.
pub(crate) struct Form {
    pub(crate) kind: &'static str,
    attributes: &'static str,
}

pub(crate) const FORMS: [Form; 20] = [
    Form {
        kind: "account",
        attributes: "username:S username_folded:S email:S email_folded:S epoch:N active:BOOL created_at:N password_changed_at:N networks:M \
                     [password:S] [language:S] [external_id:S] [disavowed_at:N] [disavowals_before:N] [undeliverable:S undeliverable_at:N] \
                     [verified_at:N] [verified_by:S] [address_no:N] [former:S] [deleted_at:N delete_after:N] [deleting:N]",
    },
    // Besides it has a value for each declared field, see `differs`.
    Form { kind: "profile", attributes: "changed_at:N" },
    Form { kind: "sweep", attributes: "" },
    Form { kind: "session", attributes: "epoch:N created_at:N valid_until:N expires_at:N [network:S] [browser:S] [seen_on:N]" },
    Form {
        kind: "reset",
        attributes: "digest:S issued_at:N valid_until:N expires_at:N requested_at:N sent:N [sent_at:N] \
                     [pending_digest:S pending_issued_at:N pending_valid_until:N]",
    },
    Form {
        kind: "verify",
        attributes: "digest:S issued_at:N valid_until:N expires_at:N requested_at:N sent:N [sent_at:N] \
                     [pending_digest:S pending_issued_at:N pending_valid_until:N]",
    },
    Form { kind: "disavow", attributes: "issued_at:N valid_until:N expires_at:N [address_no:N]" },
    Form {
        kind: "address",
        attributes: "email:S email_folded:S epoch:N requested_at:N valid_until:N expires_at:N [digest:S issued_at:N] [sent_at:N]",
    },
    Form { kind: "claim", attributes: "account_id:S [reserved_until:N expires_at:N]" },
    // A token of another site: whose it is, and that it was taken.
    Form { kind: "token", attributes: "account_id:S expires_at:N" },
    Form { kind: "taken", attributes: "" },
    Form {
        kind: "request",
        attributes: "[email:S email_folded:S address:S] browser:S requested_at:N expires_at:N [language:S] [request_id:S] [changed_at:N] [invites:BOOL] \
                     [attempts:N] [lease_until:N worker:S] [done_at:N] [failed_at:N] [outcome:S]",
    },
    // The request for the link of a change of the address, which names no address.
    Form {
        kind: "address-request",
        attributes: "[address:S] browser:S requested_at:N expires_at:N [language:S] [request_id:S] [changed_at:N] [attempts:N] [lease_until:N worker:S] [done_at:N] \
                     [failed_at:N] [outcome:S]",
    },
    Form {
        kind: "notice",
        attributes: "[email:S address:S] change:S changed_at:N browser:S requested_at:N expires_at:N [language:S] [request_id:S] \
                     [changes:N first_changed_at:N] [signed_in:BOOL] [attempts:N] [lease_until:N worker:S] [done_at:N] [failed_at:N] [outcome:S]",
    },
    Form {
        kind: "mail-rate",
        attributes: "revision:N notices:N resets:N expires_at:N [noticed_at:N] [reset_at:N] [permitted:S] \
                     [due_at:N email:S address:S browser:S change:S changed_at:N] [changes:N first_changed_at:N] [signed_in:BOOL] [language:S] \
                     [request_id:S]",
    },
    Form { kind: "held", attributes: "expires_at:N" },
    // An event is about an account that may be gone by the time it is published.
    Form {
        kind: "event",
        attributes: "type:S at:N stored_at:N expires_at:N [all:BOOL] [network:S] [count:N format:S with_hashes:BOOL] [caller:S] [id:S] \
                     [given_up_at:N reason:S]",
    },
    Form { kind: "mail", attributes: "entries:S version:N expires_at:N" },
    Form { kind: "former", attributes: "email:S email_folded:S expires_at:N" },
    Form { kind: "window", attributes: "hits:N attempt:S expires_at:N" },
];

/// The kind of an item, by its key; `None` if no item has such a key.
pub(crate) fn kind(partition: &str, sort: &str) -> Option<&'static str> {
    let is_id = |text: &str| text.parse::<AccountId>().is_ok();
    if mail_rate::is_list(partition) {
        return sort.split_once('#').is_some_and(|(_, id)| is_id(id)).then_some("held");
    }
    let (start, rest) = partition.split_once('#')?;
    match (start, sort.split_once('#')) {
        ("account", None) if is_id(rest) => {
            ["account", "profile", "reset", "verify", "address", "mail-rate", "mail"].into_iter().find(|own| *own == sort)
        }
        ("account", Some(("former", _))) if is_id(rest) => Some("former"),
        ("account", Some(("session", _))) if is_id(rest) => Some("session"),
        ("account", Some(("disavow", _))) if is_id(rest) => Some("disavow"),
        ("account", Some(("token", _))) if is_id(rest) => Some("taken"),
        ("token", None) if sort == "token" => Some("token"),
        ("username" | "email", None) if sort == "claim" => Some("claim"),
        ("sweep", Some((_, id))) if rest.len() == 1 && is_id(id) && id.ends_with(rest) => Some("sweep"),
        ("verify", None) if is_id(rest) => is_id(sort).then_some("address-request"),
        ("reset" | "verify", _) => Some("request"),
        ("notice", None) if is_id(rest) && is_id(sort) => Some("notice"),
        ("event", None) if (is_id(rest) || rest == "accounts") && is_id(sort) => Some("event"),
        (_, None) if sort.parse::<i64>().is_ok() => Some("window"),
        _ => None,
    }
}

fn type_of(value: &AttributeValue) -> &'static str {
    match value {
        AttributeValue::S(_) => "S",
        AttributeValue::N(_) => "N",
        AttributeValue::Bool(_) => "BOOL",
        AttributeValue::M(_) => "M",
        _ => "another type",
    }
}

/// The attributes of an item with their types, without its key.
pub(crate) fn shape(item: &Item) -> BTreeSet<String> {
    item.iter()
        .filter(|(name, _)| !["pk", "sk"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}:{}", type_of(value)))
        .collect()
}

impl Form {
    /// What of this shape is missing or is too much.
    pub(crate) fn differs(&self, mut shape: BTreeSet<String>) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.kind == "profile" {
            let is_field = |text: &str| text.starts_with("f_") && [":S", ":N", ":BOOL"].iter().any(|kind| text.ends_with(kind));
            shape.retain(|attribute| !is_field(attribute));
        }
        for (number, part) in self.attributes.split(['[', ']']).enumerate() {
            let there: Vec<bool> = part.split_whitespace().map(|attribute| shape.remove(attribute)).collect();
            let is_optional = number % 2 == 1;
            if there.contains(&false) && (!is_optional || there.contains(&true)) {
                wrong.push(format!("of {part} something is missing"));
            }
        }
        wrong.extend(shape.into_iter().map(|attribute| format!("{attribute} is too much")));
        wrong
    }
}
