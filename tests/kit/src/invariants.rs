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
    clock::{Timestamp, after},
    config::{Settings, span},
    entropy::Entropy,
    event::EventKey,
    outbox::EntryKey,
    session::Sessions,
    token::{Disavow, Token},
};
use sha2::{Digest as _, Sha256};

use crate::{
    App,
    item_form::{FORMS, kind, shape},
    store::{Item, Items},
};

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str).unwrap_or_default()
}

fn number(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// An instant in milliseconds as the keys of the list of deletions have it.
fn due_in_key(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| String::new(), |due| due.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

/// The key under which an account is listed whose deletion is due then.
fn sweep_of(id: &str, due: &str) -> (String, String) {
    (format!("sweep#{}", &id[id.len() - 1..]), format!("{due}#{id}"))
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
    for ((partition, _), account) in accounts() {
        let id = partition.trim_start_matches("account#");
        let due = number(account, "delete_after").map(due_in_key);
        let listed = due.as_ref().is_some_and(|due| items.contains_key(&sweep_of(id, due)));
        let is_active = matches!(account.get("active"), Some(AttributeValue::Bool(true)));
        if due.is_some() && (is_active || !listed) {
            broken.push(format!("{partition} is to be deleted, and is active or in no list"));
        }
    }
    let kept = |id: &str| {
        let account = items.get(&(format!("account#{id}"), "account".to_owned()));
        account.map_or_else(BTreeMap::new, |account| {
            let listed: serde_json::Value = serde_json::from_str(text(account, "former")).unwrap_or_default();
            let listed = listed.as_array().cloned().unwrap_or_default();
            let entry = |former: &serde_json::Value| Some((former["email_folded"].as_str()?.to_owned(), former["until"].as_i64()?));
            // Of an address that it had twice the claim is that of the later time.
            listed.iter().filter_map(entry).collect::<BTreeMap<String, i64>>()
        })
    };
    for ((partition, _), account) in accounts() {
        let id = partition.trim_start_matches("account#");
        for (folded, until) in kept(id).into_iter().filter(|(folded, _)| folded != text(account, "email_folded")) {
            let claim = items.get(&claim_of("email", &folded));
            if claim.map(|claim| (text(claim, "account_id"), number(claim, "reserved_until"))) != Some((id, Some(until))) {
                broken.push(format!("a former address of {id} is not kept for it"));
            }
        }
        let last = text(account, "former").rsplit("\"no\":").next().and_then(|rest| rest.split(',').next()?.parse::<i64>().ok());
        if last > number(account, "address_no") {
            broken.push(format!("a former address of {id} is from a change that is still to come"));
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
        let id = if ["held", "sweep"].contains(&kind) { sort.split_once('#') } else { partition.split_once('#') }.map_or("", |(_, id)| id);
        let of_account = |sort: &str| items.get(&(format!("account#{id}"), sort.to_owned()));
        let account = of_account("account");
        match kind {
            "claim" if item.contains_key("reserved_until") => {
                let folded = partition.trim_start_matches("email#");
                if claims.contains_key(key) || !kept(text(item, "account_id")).contains_key(folded) {
                    wrong.push("it keeps an address that is no former one of its account".to_owned());
                }
            }
            "claim" if claims.get(key) != Some(&text(item, "account_id")) => {
                wrong.push("it claims a name for an account that has it not".to_owned());
            }
            "profile" | "session" | "reset" | "verify" | "address" | "address-request" | "disavow" | "notice" | "mail-rate" | "held"
            | "mail" | "former"
                if account.is_none() =>
            {
                wrong.push("its account is gone".to_owned())
            }
            "session" | "address" if number(item, "epoch") > account.and_then(|account| number(account, "epoch")) => {
                wrong.push("its epoch is still to come".to_owned());
            }
            "sweep" if account.and_then(|account| number(account, "delete_after")).map(due_in_key).as_deref() != sort.split('#').next() => {
                wrong.push("its account is not to be deleted then".to_owned());
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
        for name in ["epoch", "password_changed_at", "disavowals_before", "address_no"].iter().filter(|_| kind == "account") {
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
            ("profile", Some(id)) => self.store.profile(id).await.map(drop),
            ("address", Some(id)) => self.store.asked_address(id).await.map(drop),
            ("verify", Some(id)) => self.store.verification_link(id).await.map(drop),
            ("mail", Some(id)) => self.store.deliveries(id).await.map(drop),
            ("held", _) => self.store.due_notices(now).await.map(drop),
            ("disavow", Some(id)) => {
                let token = Token::<Disavow>::generate(id, &Entropy::system());
                let copy = self.copied(item, format!("disavow#{}", token.digest().as_str())).await;
                let read = self.store.disavowal(Some(&token), now).await.map(drop);
                self.removed(&copy).await;
                read
            }
            ("request" | "address-request" | "notice", _) if number(item, "done_at").is_none() => {
                let copy = self.copied(item, Entropy::system().uuid(now).to_string()).await;
                let read = self.store.lease(&EntryKey::new(partition, text(&copy, "sk")), span::seconds(1), now).await.map(drop);
                self.removed(&copy).await;
                read
            }
            // What is done is only looked at by the list of failed mail, which reads all of it.
            ("request" | "address-request" | "notice", _) => self.store.failed_mail(now).await.map(drop),
            ("sweep", _) => {
                let list = partition.split_once('#').and_then(|(_, digit)| u32::from_str_radix(digit, 16).ok()).expect("a digit");
                let (_, unreadable) = self.store.due_deletions(list, Timestamp::MAX).await.map_err(|fault| fault.to_string())?;
                assert_eq!(unreadable, 0, "items of the list of deletions");
                Ok(())
            }
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
