//! What holds of all items together, whatever was done in whatever order: claims and accounts point at each other, nothing is left of an account that
//! was deleted, epochs only rise, and every item is complete and can be read by the code that uses it.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use doorward::{
    account::AccountId,
    clock::after,
    config::{Settings, span},
    entropy::Entropy,
    event::EventKey,
    mail_rate,
    outbox::EntryKey,
    session::Sessions,
    token::{Disavow, Token},
};
use sha2::{Digest as _, Sha256};

use crate::{
    App,
    store::{Item, Items},
};

/// The attributes of one kind of item, as `name:type`, in the types of DynamoDB. Those in brackets belong together and may be absent together.
struct Form {
    kind: &'static str,
    attributes: &'static str,
}

const FORMS: [Form; 14] = [
    Form {
        kind: "account",
        attributes: "username:S username_folded:S email:S email_folded:S epoch:N active:BOOL created_at:N password_changed_at:N networks:M \
                     [password:S] [language:S] [external_id:S] [disavowed_at:N] [disavowals_before:N] [undeliverable:S undeliverable_at:N] \
                     [verified_at:N] [verified_by:S]",
    },
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
    Form { kind: "disavow", attributes: "issued_at:N valid_until:N expires_at:N" },
    Form { kind: "claim", attributes: "account_id:S" },
    Form {
        kind: "request",
        attributes: "[email:S email_folded:S address:S] browser:S requested_at:N expires_at:N [language:S] [request_id:S] [changed_at:N] [invites:BOOL] \
                     [attempts:N] [lease_until:N worker:S] [done_at:N] [failed_at:N] [outcome:S]",
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
    Form { kind: "event", attributes: "type:S at:N stored_at:N expires_at:N [all:BOOL] [id:S] [given_up_at:N reason:S]" },
    Form { kind: "mail", attributes: "entries:S version:N expires_at:N" },
    Form { kind: "former", attributes: "email:S email_folded:S expires_at:N" },
    Form { kind: "window", attributes: "hits:N attempt:S expires_at:N" },
];

/// The kind of an item, by its key; `None` if no item has such a key.
fn kind(partition: &str, sort: &str) -> Option<&'static str> {
    let is_id = |text: &str| text.parse::<AccountId>().is_ok();
    if mail_rate::is_list(partition) {
        return sort.split_once('#').is_some_and(|(_, id)| is_id(id)).then_some("held");
    }
    let (start, rest) = partition.split_once('#')?;
    match (start, sort.split_once('#')) {
        ("account", None) if is_id(rest) && sort == "account" => Some("account"),
        ("account", None) if is_id(rest) && sort == "reset" => Some("reset"),
        ("account", None) if is_id(rest) && sort == "verify" => Some("verify"),
        ("account", None) if is_id(rest) && sort == "mail-rate" => Some("mail-rate"),
        ("account", None) if is_id(rest) && sort == "mail" => Some("mail"),
        ("account", Some(("former", _))) if is_id(rest) => Some("former"),
        ("account", Some(("session", _))) if is_id(rest) => Some("session"),
        ("account", Some(("disavow", _))) if is_id(rest) => Some("disavow"),
        ("username" | "email", None) if sort == "claim" => Some("claim"),
        ("reset" | "verify", _) => Some("request"),
        ("notice", None) if is_id(rest) && is_id(sort) => Some("notice"),
        ("event", None) if is_id(rest) && is_id(sort) => Some("event"),
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
fn shape(item: &Item) -> BTreeSet<String> {
    item.iter()
        .filter(|(name, _)| !["pk", "sk"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}:{}", type_of(value)))
        .collect()
}

impl Form {
    /// What of this shape is missing or is too much.
    fn differs(&self, mut shape: BTreeSet<String>) -> Vec<String> {
        let mut wrong = Vec::new();
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

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str).unwrap_or_default()
}

fn number(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// The partition of the claim on a folded name. A name that is too long for a key is claimed by its digest.
fn claim_of(name: &str, folded: &str) -> (String, String) {
    let plain = folded.len() <= 1024;
    let name = if plain { format!("{name}#{folded}") } else { format!("{name}#sha256:{}", URL_SAFE_NO_PAD.encode(Sha256::digest(folded))) };
    (name, "claim".to_owned())
}

/// Everything that is wrong with these items, if they were `before` at an earlier moment; empty if nothing is.
pub fn broken(before: &Items, items: &Items) -> Vec<String> {
    let mut broken = Vec::new();
    let mut claims = BTreeMap::new();
    let accounts = || items.iter().filter(|((_, sort), _)| sort == "account");
    for ((partition, _), account) in accounts() {
        let id = partition.trim_start_matches("account#");
        for (name, folded) in [("username", "username_folded"), ("email", "email_folded")] {
            claims.insert(claim_of(name, text(account, folded)), id);
        }
    }
    for (claim, id) in &claims {
        if items.get(claim).map(|item| text(item, "account_id")) != Some(id) {
            broken.push(format!("{} is a name of {id}, which has no claim on it", claim.0));
        }
    }
    for (key, item) in items {
        let (partition, sort) = (key.0.as_str(), key.1.as_str());
        let Some(kind) = kind(partition, sort) else {
            broken.push(format!("{partition}/{sort}: no item has such a key"));
            continue;
        };
        let form = FORMS.iter().find(|form| form.kind == kind).expect("every kind has a form");
        let mut wrong = form.differs(shape(item));
        let id = if kind == "held" { sort.split_once('#') } else { partition.split_once('#') }.map_or("", |(_, id)| id);
        let of_account = |sort: &str| items.get(&(format!("account#{id}"), sort.to_owned()));
        let account = of_account("account");
        match kind {
            "claim" if claims.get(key) != Some(&text(item, "account_id")) => {
                wrong.push("it claims a name for an account that has it not".to_owned())
            }
            "session" | "reset" | "verify" | "disavow" | "notice" | "mail-rate" | "held" | "mail" | "former" if account.is_none() => {
                wrong.push("its account is gone".to_owned())
            }
            "session" if number(item, "epoch") > account.and_then(|account| number(account, "epoch")) => {
                wrong.push("its epoch is still to come".to_owned());
            }
            "held" if of_account("mail-rate").is_none_or(|rate| !rate.contains_key("due_at")) => {
                wrong.push("its account has no notices that are held".to_owned());
            }
            "reset" | "verify" if text(item, "digest") == text(item, "pending_digest") => wrong.push("it is its own successor".to_owned()),
            "account" if item.contains_key("verified_by") && !item.contains_key("verified_at") => {
                wrong.push("a link verified an address that is not verified".to_owned());
            }
            _ => {}
        }
        let lives = ["valid_until", "pending_valid_until"].iter().filter_map(|name| number(item, name)).max();
        if lives > number(item, "expires_at").map(|seconds| seconds * 1000) {
            wrong.push("it is removed before it ends".to_owned());
        }
        for name in ["epoch", "password_changed_at", "disavowals_before"].iter().filter(|_| kind == "account") {
            if before.get(key).is_some_and(|before| number(before, name) > number(item, name)) {
                wrong.push(format!("its {name} has fallen"));
            }
        }
        let open = number(item, "done_at").is_none() || number(item, "failed_at").is_some();
        if ["request", "notice"].contains(&kind) && open == text(item, "email").is_empty() {
            wrong.push("it has an address exactly while it is open".to_owned());
        }
        broken.extend(wrong.into_iter().map(|wrong| format!("{kind} {partition}/{sort}: {wrong}")));
    }
    broken
}

/// The shapes of items that the code that uses them has read. They are few, so nearly every item has one of them.
static READ: Mutex<BTreeSet<(&'static str, BTreeSet<String>)>> = Mutex::new(BTreeSet::new());

impl App {
    /// Asserts that all items fit together, and that the code that uses them can read them.
    pub async fn assert_sound(&self) {
        let items = self.items().await;
        let unsound = self.unsound(&Items::new(), &items).await;
        assert!(unsound.is_empty(), "{unsound:#?}");
    }

    /// Everything that is wrong with these items, which are everything in every table, if they were `before` at an earlier moment.
    pub async fn unsound(&self, before: &Items, items: &Items) -> Vec<String> {
        let mut unsound = broken(before, items);
        for ((partition, sort), item) in items {
            let Some(kind) = kind(partition, sort) else { continue };
            let shape = (kind, shape(item));
            if READ.lock().expect("nobody panics while reading").contains(&shape) {
                continue;
            }
            match self.read(kind, item).await {
                Ok(()) => {
                    READ.lock().expect("nobody panics while reading").insert(shape);
                }
                Err(fault) => unsound.push(format!("{kind} {partition}/{sort}: {fault}")),
            }
        }
        unsound
    }

    /// Reads an item as the product does. An item that is only found by a secret, or only read when it is changed, is read as a copy.
    async fn read(&self, kind: &str, item: &Item) -> Result<(), String> {
        let partition = text(item, "pk");
        let id = partition.split_once('#').and_then(|(_, id)| id.parse::<AccountId>().ok());
        let now = after(self.clock.now(), span::days(1));
        let read = match (kind, id) {
            ("account", Some(id)) => self.store.account(id).await.map(drop),
            ("session", Some(id)) => match self.store.account(id).await {
                Ok(Some(account)) => {
                    let sessions = Sessions::configured(&mut Settings::from_pairs([]), now);
                    sessions.list(&self.store, &account, now).await.map(drop)
                }
                read => read.map(drop),
            },
            ("reset" | "mail-rate", Some(id)) => match self.store.reset_link_and_mail_rate(id).await {
                Ok(_) => self.store.account_and_mail_rate(id).await.map(drop),
                read => read.map(drop),
            },
            ("verify", Some(id)) => self.store.verification_link(id).await.map(drop),
            ("mail", Some(id)) => self.store.deliveries(id).await.map(drop),
            ("held", _) => self.store.due_notices(now).await.map(drop),
            ("disavow", Some(id)) => {
                let token = Token::<Disavow>::generate(id, &Entropy::system());
                let copy = self.copied(item, format!("disavow#{}", token.digest().as_str())).await;
                let read = self.store.disavowal(&token, now).await.map(drop);
                self.removed(&copy).await;
                read
            }
            ("request" | "notice", _) if number(item, "done_at").is_none() => {
                let copy = self.copied(item, Entropy::system().uuid(now).to_string()).await;
                let read = self.store.lease(&EntryKey::new(partition, text(&copy, "sk")), span::seconds(1), now).await.map(drop);
                self.removed(&copy).await;
                read
            }
            // What is done is only looked at by the list of failed mail, which reads all of it.
            ("request" | "notice", _) => self.store.failed_mail(now).await.map(drop),
            ("event", _) => {
                let key = EventKey::of(partition, text(item, "sk")).expect("the key of an event");
                self.store.waiting_event(&key).await.map(drop)
            }
            // The holder of a claim was compared, and a window is only counted.
            _ => Ok(()),
        };
        read.map_err(|fault| fault.to_string())
    }

    /// Puts a copy of an item under another sort key.
    async fn copied(&self, item: &Item, sort: String) -> Item {
        let mut copy = item.clone();
        copy.insert("sk".to_owned(), AttributeValue::S(sort));
        let put = self.operator.client.put_item().table_name(self.table_of(text(item, "pk"))).set_item(Some(copy.clone()));
        put.send().await.expect("the store answers");
        copy
    }

    async fn removed(&self, copy: &Item) {
        let delete = self.operator.client.delete_item().table_name(self.table_of(text(copy, "pk")));
        delete.key("pk", copy["pk"].clone()).key("sk", copy["sk"].clone()).send().await.expect("the store answers");
    }
}
