//! Showing an account.

use std::fmt::Write as _;

use doorward::{
    account::{Account, EmailAddress, FormerAddress},
    clock::{Timestamp, rfc3339},
    delivery::{Delivery, Outcome, Suppressed},
    fault::Fault,
    limit::LoginTries,
    outbox::{Kind, OpenMail},
    personal_data::View,
    profile::Profile,
    session::SessionRecord,
    store::MAX_TRIES,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Admin, Failure, Terminal, state::State};

/// All data of an account, except hashes and digests.
struct Known {
    now: Timestamp,
    sessions: Vec<SessionRecord>,
    link_until: Option<Timestamp>,
    pending_email: Option<EmailAddress>,
    tries: Vec<LoginTries>,
    mail: Vec<Mail>,
    profile: Profile,
}

/// A mail to the account: from the delivery record, or one that waits or failed.
enum Mail {
    Done(Delivery),
    Open(OpenMail),
}

impl Mail {
    /// The time of its outcome; for a mail that waits, now.
    fn at(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Done(delivery) => delivery.done_at,
            Self::Open(mail) => mail.failed.as_ref().map_or(now, |failed| failed.failed_at),
        }
    }
}

impl Admin {
    /// Prints everything about an account except hashes and digests.
    pub(crate) async fn show(&self, account: &Account, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let known = self.known(account).await?;
        let mut facts = facts(account, &known, self.login_limit.allowed);
        facts["personal_data"] = self.personal_data(account, known.now).await?;
        terminal.tell(&facts, text(account, &known, self.login_limit.allowed).trim_end())
    }

    /// The document that the owner gets from `/api/users/me/export/`; null if the account no longer exists.
    async fn personal_data(&self, account: &Account, now: Timestamp) -> Result<Value, Failure> {
        let mut account = account.clone();
        for _ in 0..MAX_TRIES {
            let view = View { account: &account, sessions: &self.sessions, asking: None, name: &str::to_owned };
            if let Some(document) = self.store.personal_data(&view, now).await? {
                return Ok(document);
            }
            // Its sessions were ended since it was read.
            let Some(changed) = self.store.account(account.id).await? else { return Ok(Value::Null) };
            account = changed;
        }
        Err(Fault::OutOfTime.into())
    }

    async fn known(&self, account: &Account) -> Result<Known, Failure> {
        let now = self.clock.now();
        let listed = match self.sessions.list(&self.store, account, now).await? {
            Some(listed) => listed,
            // The password was changed since the account was read.
            None => match self.store.account(account.id).await? {
                Some(changed) => self.sessions.list(&self.store, &changed, now).await?.unwrap_or_default(),
                None => Vec::new(),
            },
        };
        let sessions = listed.into_iter().rev().map(|session| session.record).collect();
        let (_, link) = self.store.reset_link(account.id).await?;
        let link = link.filter(|link| now < link.valid_until && !self.sessions.ended_by_switch(link.issued_at));
        let open = self.store.open_mail_of(account, now).await?;
        let deliveries = self.store.deliveries(account.id).await?;
        // Mail that failed and can be retried is listed once, with its key.
        let is_open = |delivery: &Delivery| open.iter().any(|mail| mail.failed.is_some() && mail.requested_at == delivery.requested_at);
        let told = deliveries.into_iter().filter(|delivery| !(matches!(delivery.outcome, Outcome::Failed(_)) && is_open(delivery)));
        let mut mail: Vec<Mail> = told.map(Mail::Done).collect();
        mail.extend(open.into_iter().map(Mail::Open));
        mail.sort_by_key(|mail| mail.at(now));
        Ok(Known {
            now,
            sessions,
            link_until: link.map(|link| link.valid_until),
            pending_email: self.store.pending_address(account, now).await?,
            tries: self.store.login_tries(account, self.login_limit, now).await?,
            mail,
            profile: self.store.profile(account.id).await?,
        })
    }
}

/// Everything, as JSON.
fn facts(account: &Account, known: &Known, allowed: u32) -> Value {
    #[derive(Serialize)]
    struct Session {
        created_at: String,
        valid_until: String,
        network: Option<String>,
        browser: Option<String>,
    }
    let session = |session: &SessionRecord| Session {
        created_at: rfc3339(session.created_at),
        valid_until: rfc3339(session.valid_until),
        network: session.network.as_ref().map(ToString::to_string),
        browser: session.agent.map(|agent| agent.to_string()),
    };
    json!({
        "id": account.id.to_string(),
        "external_id": account.external_id,
        "username": account.username.as_str(),
        "email": account.email.as_str(),
        "pending_email": known.pending_email.as_ref().map(EmailAddress::as_str),
        "former_addresses": account.reserved(known.now).map(|former| json!({ "email": former.email.as_str(), "kept_until": rfc3339(former.until) })).collect::<Vec<_>>(),
        "verified_at": account.verified_at.map(rfc3339),
        "state": State::of(account),
        "created_at": rfc3339(account.created_at),
        "password_set_at": rfc3339(account.password_changed_at),
        "language": account.language,
        "sessions": known.sessions.iter().map(session).collect::<Vec<_>>(),
        "reset_link_until": known.link_until.map(rfc3339),
        "deletion": account.deletion.map(|deletion| json!({ "asked_at": rfc3339(deletion.asked_at), "delete_after": rfc3339(deletion.due_at) })),
        "undeliverable": account.undeliverable.map(|(why, sent_at)| json!({ "why": why.as_str(), "sent_at": rfc3339(sent_at) })),
        "networks": account.networks.iter().map(|known| json!({ "network": known.network.as_str(), "seen_at": rfc3339(known.seen_at) })).collect::<Vec<_>>(),
        "logins": known.tries.iter().map(|tries| json!({
            "network": tries.network.as_ref().map(ToString::to_string),
            "tries": tries.tries,
            "allowed": allowed,
            "limited": tries.is_limited,
            "until": rfc3339(tries.until),
        })).collect::<Vec<_>>(),
        "profile": known.profile,
        "mail": known.mail.iter().map(mail_facts).collect::<Vec<_>>(),
    })
}

fn mail_facts(mail: &Mail) -> Value {
    match mail {
        Mail::Done(delivery) => delivery_facts(delivery),
        Mail::Open(mail) => open_facts(mail),
    }
}

fn delivery_facts(delivery: &Delivery) -> Value {
    let (outcome, detail) = match &delivery.outcome {
        Outcome::Sent(id) => ("sent", id.as_str()),
        Outcome::Suppressed(why) => ("suppressed", why.as_str()),
        Outcome::Failed(why) => ("failed", why.as_str()),
    };
    json!({
        "kind": delivery.kind.as_str(), "outcome": outcome, "detail": detail, "times": delivery.times,
        "requested_at": rfc3339(delivery.requested_at), "done_at": rfc3339(delivery.done_at), "request_id": delivery.request_id.map(|id| id.to_string()),
    })
}

fn open_facts(mail: &OpenMail) -> Value {
    let failed = mail.failed.as_ref();
    let outcome = failed.map_or("waiting", |failed| if failed.for_good { "failed" } else { "retried" });
    json!({
        "kind": mail.kind.map(Kind::as_str), "outcome": outcome, "detail": failed.map(|failed| &failed.reason),
        "requested_at": rfc3339(mail.requested_at), "key": failed.filter(|failed| failed.for_good).map(|failed| failed.key.to_string()),
    })
}

/// The same, as text.
fn text(account: &Account, known: &Known, allowed: u32) -> String {
    let newest = known.sessions.last().map_or_else(String::new, |newest| format!(", the newest of {}", rfc3339(newest.created_at)));
    let networks: Vec<String> = account.networks.iter().map(|known| format!("{} ({})", known.network, rfc3339(known.seen_at))).collect();
    let mail = account.undeliverable.map_or_else(
        || "reaches the address, as far as known".to_owned(),
        |(why, sent_at)| format!("{}: what was sent at {} did not arrive or was not wanted", why.as_str(), rfc3339(sent_at)),
    );
    let lines = [
        ("id", account.id.to_string()),
        ("username", account.username.as_str().to_owned()),
        ("email", account.email.as_str().to_owned()),
        ("verified", account.verified_at.map_or_else(|| "no, as far as known".to_owned(), rfc3339)),
        ("state", State::of(account).words().to_owned()),
        ("created", rfc3339(account.created_at)),
        ("password set", rfc3339(account.password_changed_at)),
        ("language", account.language.clone().unwrap_or_else(|| "not said".to_owned())),
        ("sessions", format!("{}{newest}", known.sessions.len())),
        ("logins", logins(&known.tries, allowed)),
        ("reset link", known.link_until.map_or_else(|| "none".to_owned(), |until| format!("open until {}", rfc3339(until)))),
        ("mail", mail),
        ("networks", if networks.is_empty() { "none".to_owned() } else { networks.join(", ") }),
    ];
    let history = known.mail.iter().map(|mail| match mail {
        Mail::Done(delivery) => delivery_line(delivery),
        Mail::Open(mail) => open_line(mail, known.now),
    });
    let elsewhere = account.external_id.iter().map(|id| ("id elsewhere", id.clone()));
    let deletion = account.deletion.map(|deletion| {
        let (asked_at, due_at) = (rfc3339(deletion.asked_at), rfc3339(deletion.due_at));
        let begun = if deletion.has_begun { ", and has begun" } else { "; activate ID or disavow ID cancels it" };
        ("deletion", format!("asked for at {asked_at}, carried out after {due_at}{begun}"))
    });
    let pending = known.pending_email.iter().map(|email| ("address asked", format!("{}, until its mailbox confirms it", email.as_str())));
    let kept = |former: &FormerAddress| {
        format!("{}, kept until {}; restore-address ID gives it back", former.email.as_str(), rfc3339(former.until))
    };
    let former = account.reserved(known.now).map(|former| ("former", kept(former)));
    let fields = known.profile.iter().map(|(name, value)| ("field", format!("{name}: {}", value.to_string().escape_debug())));
    let lines = lines.into_iter().chain(pending).chain(former).chain(deletion).chain(elsewhere).chain(fields);
    let lines = lines.chain(history.map(|line| ("history", line)));
    lines.fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<13} {value}");
        text
    })
}

fn logins(tries: &[LoginTries], allowed: u32) -> String {
    let told = tries.iter().map(|tries| {
        let from = tries.network.as_ref().map_or_else(|| "networks that it does not know".to_owned(), ToString::to_string);
        let until = rfc3339(tries.until);
        if tries.is_limited {
            format!("limited until {until} from {from}")
        } else {
            format!("{} of {allowed} tries until {until} from {from}", tries.tries)
        }
    });
    let told = told.collect::<Vec<_>>().join("; ");
    if told.is_empty() { "not limited".to_owned() } else { told }
}

fn delivery_line(delivery: &Delivery) -> String {
    let outcome = match &delivery.outcome {
        Outcome::Sent(id) => format!("sent, SES message {id}"),
        Outcome::Suppressed(why) => format!("not sent, because {}", because(*why)),
        Outcome::Failed(reason) => format!("failed: {reason}"),
    };
    let times = if delivery.times > 1 { format!(" ({} times, this is the last)", delivery.times) } else { String::new() };
    let request = delivery.request_id.map_or_else(String::new, |id| format!(", request {id}"));
    let (done_at, asked) = (rfc3339(delivery.done_at), rfc3339(delivery.requested_at));
    format!("{done_at} {}: {outcome}{times}; asked for at {asked}{request}", words(Some(delivery.kind)))
}

fn because(why: Suppressed) -> &'static str {
    match why {
        Suppressed::CoolingDown => "a link that works was sent shortly before",
        Suppressed::NewerRequest => "a newer request gets the link",
        Suppressed::Overtaken => "the password was set after the request",
        Suppressed::NoPassword => "the account is deactivated or has no password",
        Suppressed::Verified => "the address is verified already",
    }
}

fn open_line(mail: &OpenMail, now: Timestamp) -> String {
    let (kind, asked) = (words(mail.kind), rfc3339(mail.requested_at));
    match &mail.failed {
        None => format!("{} {kind}: waits to be sent; asked for at {asked}", rfc3339(now)),
        Some(failed) => {
            let (at, reason, attempts) = (rfc3339(failed.failed_at), &failed.reason, failed.attempts);
            let next = if failed.for_good { format!("`mail retry {}` sends it again", failed.key) } else { "comes again".to_owned() };
            format!("{at} {kind}: failed: {reason}, tried {attempts} times; {next}; asked for at {asked}")
        }
    }
}

/// A kind of mail.
pub(crate) fn words(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Reset) => "reset link",
        Some(Kind::Notice) => "notice of a change",
        Some(Kind::Verify) => "verification link",
        None => "unknown mail",
    }
}
