//! Events that were not published.

use doorward::{
    clock::rfc3339,
    event::{EventKey, Republished},
};
use serde_json::json;

use crate::{Admin, Failure, Terminal};

impl Admin {
    pub(crate) async fn failed_events(&self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let events = self.store.failed_events(self.clock.now()).await?;
        for event in &events {
            let (key, kind, account, at) =
                (event.key.to_string(), &event.kind, event.account.map(|account| account.to_string()), rfc3339(event.at));
            let reason = event.given_up.as_ref().map_or("never published", |(reason, _)| reason);
            let facts = json!({ "key": key, "id": event.id.to_string(), "type": kind, "account": account, "at": at, "reason": reason });
            let account = account.unwrap_or_else(|| "all accounts".to_owned());
            terminal.tell(&facts, format!("{key}\n  {kind} of {account} at {at}: {reason}"))?;
        }
        terminal.tell(&json!({ "failed": events.len() }), format!("{} events were not published.", events.len()))
    }

    pub(crate) async fn retry_events(&self, ids: &[String], all: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let keys = if all {
            self.store.failed_events(self.clock.now()).await?.into_iter().map(|event| event.key).collect()
        } else {
            let keys: Option<Vec<EventKey>> = ids.iter().map(|id| EventKey::parse(id)).collect();
            keys.ok_or_else(|| Failure::Refused("that is no id; `events failed` lists them".to_owned()))?
        };
        let mut left = 0;
        for key in &keys {
            let is_sent = self.store.republish(key, self.clock.now()).await? == Republished::Now;
            left += usize::from(!is_sent);
            let sentence = if is_sent { "is on its way." } else { "has not failed for good, or is gone." };
            terminal.tell(&json!({ "key": key.to_string(), "published_again": is_sent }), format!("{key} {sentence}"))?;
        }
        let sent = keys.len() - left;
        terminal.tell(&json!({ "published_again": sent, "left": left }), format!("{sent} events are on their way."))?;
        if left > 0 { Err(Failure::Refused(format!("{left} events were left as they are"))) } else { Ok(()) }
    }
}
