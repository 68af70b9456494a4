//! Everything that is stored about an account, as one document: for its owner (GDPR, articles 15 and 20), and for an operator who answers for the owner.
//!
//! It reads whole partitions of the account instead of single items, so no item is missed. The document lists what is left out, with the reason.

mod form;
mod shown;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use serde_json::{Map, Value as Json, json};

use self::{
    form::{Kind, SECTIONS},
    shown::As,
};
use crate::{
    account::{self, Account, EmailAddress},
    clock::{Timestamp, rfc3339},
    event,
    fault::Fault,
    limit, outbox,
    session::{self, Sessions},
    store::{Item, Store, Table},
    token::{Digest, Session},
};

/// The maximum number of items in one part of the document. Lambda's answers have at most 6 MB, and an account can have any number of sessions. The
/// document says how many more there are.
const MAX_ITEMS: usize = 5000;

/// The account and the reader of the document.
pub struct View<'a> {
    /// The account, as it was read.
    pub account: &'a Account,
    /// The rules of sessions.
    pub sessions: &'a Sessions,
    /// The session that makes the request. An operator has none.
    pub asking: Option<&'a Digest<Session>>,
    /// How a name that is an e-mail address is shown.
    pub name: &'a (dyn Fn(&str) -> String + Sync),
}

/// The document while it is being made.
struct Document<'a> {
    view: &'a View<'a>,
    now: Timestamp,
    account: Map<String, Json>,
    sections: BTreeMap<&'static str, Vec<Json>>,
    /// How many items are left out of a part because it has too many.
    further: BTreeMap<&'static str, u64>,
    left_out: BTreeMap<String, &'static str>,
    /// Items and attributes that this version does not know.
    not_known: BTreeSet<String>,
    former: Vec<(EmailAddress, Timestamp)>,
    /// Whether the account's sessions were not ended since it was read.
    is_unchanged: bool,
    has_asking: bool,
}

impl Document<'_> {
    fn add(&mut self, item: Item) -> Result<(), Fault> {
        let (partition, sort) = (item.text("pk")?.to_owned(), item.text("sk")?.to_owned());
        let Some(kind) = Kind::of(&partition, &sort) else {
            // Only the prefix of a key, which contains no digest.
            let start = |key: &str| key.split_once('#').map_or_else(|| key.to_owned(), |(start, _)| format!("{start}#"));
            self.not_known.insert(format!("{} {}", start(&partition), start(&sort)));
            return Ok(());
        };
        let mut shown: Map<String, Json> = kind.says.iter().map(|(name, said)| ((*name).to_owned(), json!(said))).collect();
        match kind.section {
            "account" => self.is_unchanged = item.number::<u64>("epoch")? == self.view.account.epoch,
            "sessions" => {
                let listed = session::listed(&item)?;
                let is_over = !self.view.sessions.lets_in(self.view.account, &listed, self.now);
                let is_asking = self.view.asking.is_some_and(|asking| listed.has(asking));
                self.has_asking |= is_asking && !is_over;
                shown.extend([("is_over".to_owned(), json!(is_over)), ("is_current".to_owned(), json!(is_asking))]);
            }
            "former_addresses" => self.former.push(account::had_until(&item)?),
            _ => {}
        }
        if self.sections.get(kind.section).is_some_and(|items| items.len() >= MAX_ITEMS) {
            *self.further.entry(kind.section).or_default() += 1;
            return Ok(());
        }
        // These are listed whether the item has them or not, because their presence would reveal the same as their values.
        for (name, _, form) in kind.attributes {
            if let As::Never(why) = form {
                self.left_out.insert(format!("{}.{name}", kind.section), why);
            }
        }
        for (name, value) in item.into_attributes() {
            let named = format!("{}.{name}", kind.section);
            match form::of_attribute(kind, &name) {
                Some((_, As::Never(_))) => {}
                Some((called, form)) => match form.show(&value, self.view.name) {
                    Some(value) => drop(shown.insert(called.to_owned(), value)),
                    None => drop(self.not_known.insert(named)),
                },
                // A key that is not shown consists of the account's id and of digests.
                None if ["pk", "sk"].contains(&name.as_str()) => {}
                None => drop(self.not_known.insert(named)),
            }
        }
        match kind.section {
            "account" => self.account = shown,
            section => self.sections.entry(section).or_default().push(Json::Object(shown)),
        }
        Ok(())
    }

    fn finish(self) -> Json {
        let mut document = Map::from_iter([
            ("exported_at".to_owned(), json!(rfc3339(self.now))),
            ("account".to_owned(), Json::Object(self.account)),
            ("left_out".to_owned(), json!(self.left_out)),
        ]);
        document.extend(self.sections.into_iter().map(|(section, items)| (section.to_owned(), Json::Array(items))));
        if !self.further.is_empty() {
            document.insert("further".to_owned(), json!(self.further));
        }
        if !self.not_known.is_empty() {
            tracing::warn!(kinds = ?self.not_known, "the export lacks stored data of an unknown kind");
            document.insert("not_known".to_owned(), json!(self.not_known));
        }
        Json::Object(document)
    }
}

impl Store {
    /// Everything that is stored about an account, read at `now`: one query, and then one for each further partition, all at once.
    ///
    /// `None` if the account no longer exists, its sessions were ended since it was read, or the session that makes the request has ended, because only a
    /// valid session may get the document.
    pub async fn personal_data(&self, view: &View<'_>, now: Timestamp) -> Result<Option<Json>, Fault> {
        let mut document = Document {
            view,
            now,
            account: Map::new(),
            sections: SECTIONS.into_iter().map(|section| (section, Vec::new())).collect(),
            further: BTreeMap::new(),
            left_out: BTreeMap::new(),
            not_known: BTreeSet::new(),
            former: Vec::new(),
            is_unchanged: false,
            has_asking: view.asking.is_none(),
        };
        let own = account::partition(view.account.id);
        let mut read = Ok(());
        self.visit_partition(Table::Accounts, "account", &own, |item| {
            if read.is_ok() {
                read = document.add(item);
            }
        })
        .await?;
        read?;
        if !document.is_unchanged || !document.has_asking {
            return Ok(None);
        }
        // The key of requests is the address. Requests for a former address are about the account until another account could have the address.
        let mut outbox: BTreeMap<String, Option<Timestamp>> = BTreeMap::new();
        let former = document.former.iter().map(|(email, until)| (email, Some(*until)));
        for (email, until) in former.chain([(&view.account.email, None)]) {
            outbox.extend([outbox::request_partition(email), outbox::verification_partition(email)].map(|partition| (partition, until)));
        }
        let id = view.account.id;
        outbox
            .extend([outbox::notice_partition(id), outbox::address_partition(id), event::partition(id)].map(|partition| (partition, None)));
        let partitions = outbox.into_iter().map(|(partition, until)| (Table::Outbox, partition, until));
        let partitions = partitions.chain(limit::windows_of(view.account).into_iter().map(|partition| (Table::Limits, partition, None)));
        let reads = partitions.map(|(table, partition, until)| {
            Box::pin(async move {
                let items = self.read_partition(table, "item", &partition).await?;
                let is_about = |item: &Item| until.is_none_or(|until| outbox::was_asked_by(item, until));
                Ok::<_, Fault>(items.into_iter().filter(is_about).collect::<Vec<Item>>())
            })
        });
        for item in try_join_all(reads).await?.into_iter().flatten() {
            document.add(item)?;
        }
        Ok(Some(document.finish()))
    }
}
