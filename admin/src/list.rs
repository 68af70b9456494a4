//! Lists and counts accounts. Both read the whole table, and print the cost first.

use std::{collections::BTreeMap, ops::ControlFlow, time::Duration};

use clap::Args;
use doorward::{
    account::{Account, AccountId, Username},
    clock::{Timestamp, before, rfc3339},
    fault::Fault,
};
use serde_json::{Value, json};

use crate::{Admin, Failure, Terminal, state::State};

/// Prices of AWS in US dollars, the same as in the report (docs/bench).
const PRICES: &str = include_str!("../../tests/bench/prices.json");
/// Bytes that one read unit reads with eventual consistency.
const BYTES_PER_UNIT: u64 = 8192;
/// From this price in US dollars on, a scan needs confirmation.
const ASKED_FROM: f64 = 1.0;

/// Which accounts to list or to count.
#[derive(Debug, Args)]
pub struct Selection {
    /// Only accounts in this state
    #[arg(long, value_enum)]
    pub(crate) state: Option<State>,
    /// Only accounts whose username begins with this, in any case
    #[arg(long, value_name = "TEXT")]
    pub(crate) prefix: Option<String>,
    /// Only accounts created since this instant (2026-01-31T12:00:00Z) or within this time (1h)
    #[arg(long, value_name = "INSTANT")]
    pub(crate) since: Option<String>,
    /// Only accounts whose address mail does not reach
    #[arg(long)]
    pub(crate) undeliverable: bool,
    /// Do not ask before reading a table that costs more than a dollar
    #[arg(long)]
    pub(crate) yes: bool,
}

/// The arguments of `list`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// The newest first. Without this the order is arbitrary, and only the listed accounts are read
    #[arg(long)]
    pub(crate) newest: bool,
    /// Maximum number of accounts
    #[arg(long, default_value_t = 100, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) max: u32,
    /// Continue after the account with this id, the last one of the previous page
    #[arg(long, value_name = "ID")]
    pub(crate) after: Option<String>,
}

/// The parsed options that select accounts.
struct Filter<'a> {
    selection: &'a Selection,
    prefix: Option<String>,
    since: Option<Timestamp>,
}

impl Filter<'_> {
    fn holds(&self, account: &Account) -> bool {
        self.selection.state.is_none_or(|state| state == State::of(account))
            && (!self.selection.undeliverable || account.undeliverable.is_some())
            && self.prefix.as_ref().is_none_or(|prefix| account.username.folded().starts_with(prefix))
            && self.since.is_none_or(|since| since <= account.created_at)
    }
}

impl Admin {
    pub(crate) async fn list(&self, list: &List, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let filter = self.filter(&list.selection)?;
        let after = list.after.as_deref().map(|id| id.trim_start_matches("id:").parse::<AccountId>());
        let after = after.transpose().map_err(|_| Failure::Refused("--after needs the id of an account".to_owned()))?;
        self.announce_scan(list.selection.yes, terminal).await?;
        let max = usize::try_from(list.max).unwrap_or(usize::MAX);
        let (accounts, unreadable) =
            if list.newest { self.newest(&filter, after, max).await? } else { self.some(&filter, after, max).await? };
        for account in &accounts {
            terminal.tell(&row(account), line(account))?;
        }
        let next = accounts.last().filter(|_| accounts.len() == max).map(|last| last.id.to_string());
        let more = next.as_ref().map_or_else(String::new, |id| format!(" There may be more: --after {id}"));
        let facts = json!({ "listed": accounts.len(), "unreadable": unreadable, "after": next });
        terminal.tell(&facts, format!("# {} accounts.{}{more}", accounts.len(), told_unreadable(unreadable)))
    }

    pub(crate) async fn count(&self, selection: &Selection, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let filter = self.filter(selection)?;
        self.announce_scan(selection.yes, terminal).await?;
        let (mut counts, mut undeliverable, mut unreadable) = (BTreeMap::<State, u64>::new(), 0_u64, 0);
        let visit = |account: Result<Account, Fault>| {
            match account {
                Ok(account) if filter.holds(&account) => {
                    *counts.entry(State::of(&account)).or_default() += 1;
                    undeliverable += u64::from(account.undeliverable.is_some());
                }
                Ok(_) => {}
                Err(_) => unreadable += 1,
            }
            ControlFlow::Continue(())
        };
        self.store.visit_accounts(None, visit).await?;
        let total: u64 = counts.values().sum();
        let by_state: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {}", state.words())).collect();
        let by_state = if by_state.is_empty() { String::new() } else { format!(": {}", by_state.join("; ")) };
        let facts = json!({ "accounts": total, "states": counts, "undeliverable": undeliverable, "unreadable": unreadable });
        let sentence = format!("{total} accounts{by_state}. Mail does not reach {undeliverable} of them.{}", told_unreadable(unreadable));
        terminal.tell(&facts, sentence)
    }

    fn filter<'a>(&self, selection: &'a Selection) -> Result<Filter<'a>, Failure> {
        // Names are compared in the form in which they are looked up.
        let prefix = selection.prefix.as_deref().map(|prefix| match Username::parse(prefix) {
            Ok(name) => Ok(name.folded().to_owned()),
            Err(_) => Err(Failure::Refused("--prefix: no username begins like this".to_owned())),
        });
        let since = selection.since.as_deref().map(|text| self.since(text)).transpose()?;
        Ok(Filter { selection, prefix: prefix.transpose()?, since })
    }

    /// An instant, or a span before now.
    pub(crate) fn since(&self, text: &str) -> Result<Timestamp, Failure> {
        let ago = humantime::parse_duration(text).ok().map(|ago: Duration| before(self.clock.now(), ago));
        let since = ago.or_else(|| text.parse().ok());
        since.ok_or_else(|| Failure::Refused("--since needs an instant such as 2026-01-31T12:00:00Z, or a time such as 1h".to_owned()))
    }

    /// Prints the cost of the scan, and asks for confirmation if it is high.
    pub(crate) async fn announce_scan(&self, yes: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let bytes = self.store.size_of_accounts().await?;
        let units = bytes.div_ceil(BYTES_PER_UNIT).max(1);
        let dollars = price_of(units);
        let price = if dollars < 0.01 { "less than a cent".to_owned() } else { format!("{dollars:.2} US dollars") };
        let facts = json!({ "scan": { "bytes": bytes, "read_units": units, "us_dollars": dollars } });
        let sentence =
            format!("# Reads the table of accounts, at most {units} read units: {price}. DynamoDB counts its size every six hours.");
        terminal.tell(&facts, sentence)?;
        let is_free = yes || dollars < ASKED_FROM;
        terminal.confirm(is_free, &format!("This costs {price}. To go on, type yes"), "yes", "nothing was read")
    }

    /// The first accounts that the scan returns, in no order.
    async fn some(&self, filter: &Filter<'_>, after: Option<AccountId>, max: usize) -> Result<(Vec<Account>, usize), Failure> {
        let (mut accounts, mut unreadable) = (Vec::new(), 0);
        let visit = |account: Result<Account, Fault>| {
            match account {
                Ok(account) if filter.holds(&account) => accounts.push(account),
                Ok(_) => {}
                Err(_) => unreadable += 1,
            }
            if accounts.len() < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        self.store.visit_accounts(after, visit).await?;
        Ok((accounts, unreadable))
    }

    /// The newest accounts, or the newest that are older than the one with the id `after`.
    async fn newest(&self, filter: &Filter<'_>, after: Option<AccountId>, max: usize) -> Result<(Vec<Account>, usize), Failure> {
        let end = match after {
            Some(id) => Some(age(&self.store.account(id).await?.ok_or(Failure::NoAccount)?)),
            None => None,
        };
        let (mut accounts, mut unreadable) = (Vec::new(), 0);
        let visit = |account: Result<Account, Fault>| {
            match account {
                Ok(account) if filter.holds(&account) && end.is_none_or(|end| age(&account) < end) => accounts.push(account),
                Ok(_) => {}
                Err(_) => unreadable += 1,
            }
            // At most twice as many as requested are kept in memory.
            if accounts.len() >= 2 * max {
                keep_newest(&mut accounts, max);
            }
            ControlFlow::Continue(())
        };
        self.store.visit_accounts(None, visit).await?;
        keep_newest(&mut accounts, max);
        Ok((accounts, unreadable))
    }
}

/// Sort key: the creation time, and the id for accounts of the same instant.
fn age(account: &Account) -> (Timestamp, uuid::Uuid) {
    (account.created_at, account.id.uuid())
}

fn keep_newest(accounts: &mut Vec<Account>, max: usize) {
    accounts.sort_by_key(|account| std::cmp::Reverse(age(account)));
    accounts.truncate(max);
}

/// The price of read units in US dollars.
fn price_of(units: u64) -> f64 {
    let prices: Value = serde_json::from_str(PRICES).unwrap_or_default();
    let million = prices["prices"]["read_million"]["price"].as_f64().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "a price for a person")]
    let units = units as f64;
    units * million / 1e6
}

fn row(account: &Account) -> Value {
    json!({
        "id": account.id.to_string(), "username": account.username.as_str(), "email": account.email.as_str(), "state": State::of(account),
        "created_at": rfc3339(account.created_at), "undeliverable": account.undeliverable.map(|(why, _)| why.as_str()),
        "delete_after": account.deletion.map(|deletion| rfc3339(deletion.due_at)),
    })
}

fn line(account: &Account) -> String {
    let mail = account.undeliverable.map_or_else(String::new, |(why, _)| format!(", {}", why.as_str()));
    let due = account.deletion.map_or_else(String::new, |deletion| format!(" after {}", rfc3339(deletion.due_at)));
    let (id, created, state) = (account.id, rfc3339(account.created_at), State::of(account).words());
    format!("id:{id}  {created}  {}  {}  {state}{due}{mail}", account.username.as_str(), account.email.as_str())
}

pub(crate) fn told_unreadable(unreadable: usize) -> String {
    if unreadable == 0 { String::new() } else { format!(" {unreadable} items of accounts cannot be read.") }
}
