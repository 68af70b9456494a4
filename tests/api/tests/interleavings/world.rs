//! The state in which two operations meet, and the state that they leave, in words that are the same for every run.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use doorward::{
    clock::{Timestamp, before},
    config::Settings,
    entropy::Entropy,
    password::{StoredPassword, TypedPassword, UNUSABLE, Verdict},
    reset::ResetLinks,
    token::{self, Disavow, NewAddress, Session, Token, Verify},
    verification::Verification,
};
use doorward_admin::Admin;
use doorward_functions::batch::Records;
use doorward_kit::{
    App,
    app::Observer,
    bus::BusFault,
    mailbox::{Mail, Refuse},
    proxy::{Failure, Gate, When},
    requests::{NEW_PASSWORD, NICKNAME, PASSWORD, change_address, reset_request, verification_request},
    store::{Facts, Items, facts},
};
use serde_json::json;

use super::{
    names::Names,
    operations::{Answer, CHANGED, Operation, RESET},
    outcome::{DEAD, Outcome, WORKS},
};

/// Django's hash of PASSWORD, which takes no time to verify and which a login replaces.
const IMPORTED: &str = "pbkdf2_sha256$1000$abcdefgh$NV/xnCaTZ36ksDsXc7gM4kB2Eq1TSiwPZMBg1TZej6g=";
/// The time that passes between two operations, and while one is held.
const A_MOMENT: Duration = Duration::from_millis(50);
/// The network of [`super::operations::ELSEWHERE`].
const SITE_ELSEWHERE: &str = "198.51.100.0/24";

/// An account with everything that an account can have.
pub struct World {
    pub app: App,
    observer: Observer,
    pub admin: Admin,
    links: ResetLinks,
    pub held: Held,
    start: Items,
    starts_at: Timestamp,
    present: Items,
}

/// What the people of the world hold.
pub struct Held {
    pub account: String,
    pub session: String,
    /// The id of another session.
    pub other: String,
    pub link: String,
    /// The link of the notice of the first change.
    pub disavowal: String,
    /// The link of the mail after registering, and a request for another one.
    pub verification: String,
    pub verification_request: Records,
    /// The link that gives the account an address of the name nova.
    pub change: String,
    /// Two requests for another link.
    pub requests: [Records; 2],
    /// The notice of the second change.
    pub notice: Records,
    /// The id of a request whose mail was refused for good.
    pub failed: String,
    /// The events that wait.
    pub events: Records,
    /// The key of an event that was given up.
    pub failed_event: String,
    /// A file with the account, to be imported.
    pub file: PathBuf,
    pub names: Names,
}

impl World {
    pub async fn start() -> Self {
        let (app, observer) = App::patiently_observed(&[("EVENTS", "all"), ("ADDRESS_VERIFICATION", "optional"), NICKNAME]).await;
        let mara = app.sign_up("mara").await;
        app.deliver().await;
        // An account tells of logins from new places when it is an hour old.
        app.advance(60 * 60);
        app.bus.meets([BusFault::Entry("MalformedDetail")]);
        app.publish().await;
        let failed_event = app.store.failed_events(app.clock.now()).await.expect("the store answers")[0].key.to_string();
        let session = mara.login().await;
        assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
        app.deliver().await;
        let disavowal = app.mailbox.all().iter().find_map(Mail::disavowal_token).expect("a notice");
        app.advance(61);
        assert_eq!(app.change_password(&session, NEW_PASSWORD, PASSWORD).await.status, 200);
        let notice = app.stream().await;
        let other = mara.login().await;
        let id = app.session_id(&other).await;
        let verification = app.verification_links(&mara.email).pop().expect("a link");
        assert_eq!(app.send(verification_request(&mara.email)).await.status, 204);
        let verification_request = app.stream().await;
        app.advance(61);
        app.mailbox.refuse_next(Refuse(400, "MessageRejected"));
        assert_eq!(app.send(reset_request(&mara.email)).await.status, 200);
        app.deliver().await;
        app.advance(61);
        let link = mara.reset_link().await;
        let mut requests = Vec::new();
        for _ in 0..2 {
            app.advance(61);
            assert_eq!(app.send(reset_request(&mara.email)).await.status, 200);
            requests.push(app.stream().await);
        }
        assert_eq!(app.send(change_address(&session, "nova@example.com", PASSWORD)).await.status, 200);
        app.deliver().await;
        let change = app.verification_links("nova@example.com").pop().expect("a link");
        app.operator.set_password_hash("mara", IMPORTED).await;
        let events = app.event_records().await;
        let present = app.items().await;
        let start: Items =
            present.iter().filter(|(_, item)| !item.contains_key("hits")).map(|(key, item)| (key.clone(), item.clone())).collect();
        let failed =
            start.iter().find(|(_, item)| item.contains_key("failed_at")).map(|((pk, sk), _)| format!("{pk}/{sk}")).expect("it failed");
        let account = app.operator.partition("mara").await.replace("account#", "");
        let mut names = Names(BTreeMap::from([(account.clone(), "mara".to_owned())]));
        names.digest::<Session>(&session, "the session");
        names.digest::<Session>(&other, "another session");
        names.digest::<token::Reset>(&link, "the link");
        names.digest::<Disavow>(&disavowal, "the link of the first notice");
        names.digest::<Verify>(&verification, "the link of the first verification mail");
        names.digest::<NewAddress>(&change, "the link of a change of the address");
        // In the middle of a second, and of a window of requests: a moment later is the same second and the same window.
        let second = app.clock.now().as_second() / 10 * 10 + 65;
        let starts_at = Timestamp::from_millisecond(second * 1000 + 500).expect("an instant");
        let requests = requests.try_into().unwrap_or_else(|_| unreachable!());
        let (other, file) = (id, written());
        let held = Held {
            account,
            session,
            other,
            link,
            disavowal,
            verification,
            verification_request,
            change,
            requests,
            notice,
            failed,
            events,
            failed_event,
            file,
            names,
        };
        let mut declared = Settings::from_pairs([(NICKNAME.0.to_owned(), NICKNAME.1.to_owned())]);
        let admin = Admin::new(&mut declared, app.store.clone(), app.clock.clock(), Entropy::system());
        let links = ResetLinks::configured(&mut Settings::from_pairs([]), starts_at);
        Self { app, observer, admin, links, held, start, starts_at, present }
    }

    /// A second before every meeting.
    pub fn before(&self) -> Timestamp {
        before(self.starts_at, Duration::from_secs(1))
    }

    /// What two operations leave one after the other.
    pub async fn one_after_the_other(&mut self, [first, second]: [Operation; 2]) -> Outcome {
        self.begin([first, second]).await;
        let before = Box::pin(first.run(self)).await;
        self.app.clock.advance(A_MOMENT);
        let after = Box::pin(second.run(self)).await;
        self.outcome([(first, before), (second, after)]).await
    }

    /// Lets the first operation run until its call to the store of this number, and the second run completely before the first continues. `None` if the
    /// first makes fewer calls. Returns what they leave, and the number of the next call before which it can be anything else.
    pub async fn meet(&mut self, [first, second]: [Operation; 2], number: usize) -> Option<(Outcome, Option<usize>)> {
        self.begin([first, second]).await;
        let Some(([mut outer, mut inner], next)) = self.run([first, second], number).await else {
            self.present = self.app.items().await;
            return None;
        };
        self.observer.store.forget();
        // What was under way is over, and whoever was told to try again does.
        if inner.again {
            inner = Box::pin(second.run(self)).await;
        }
        if outer.again {
            outer = Box::pin(first.run(self)).await;
        }
        Some((self.outcome([(first, outer), (second, inner)]).await, next))
    }

    async fn run(&self, [first, second]: [Operation; 2], number: usize) -> Option<([Answer; 2], Option<usize>)> {
        let (gate, calls) = (Gate::default(), &self.observer.store);
        let held = gate.clone();
        calls.fail(move |call| (call.number == number).then(|| (When::Before, Failure::Waits(held.clone()))));
        let mut running = Box::pin(first.run(self));
        tokio::select! {
            _ = &mut running => return None,
            () = gate.reached() => {}
        }
        let before = calls.calls().len();
        self.app.clock.advance(A_MOMENT);
        let inner = Box::pin(second.run(self)).await;
        let between = calls.calls().split_off(before);
        gate.open();
        let outer = running.await;
        // While the next calls of the first have nothing to do with the second, the order makes no difference.
        let all = calls.calls();
        let next_calls = all[before - 1..before].iter().chain(&all[before + between.len()..]);
        let apart = next_calls.clone().take_while(|call| !between.iter().any(|other| call.meets(other))).count();
        // Where there is such a call, the first may go on differently once that is over.
        Some(([outer, inner], (apart < next_calls.count()).then_some(number + apart + 1)))
    }

    /// Everything as it was at first.
    async fn begin(&mut self, operations: [Operation; 2]) {
        let mut start = self.start.clone();
        let account = start.get_mut(&(format!("account#{}", self.held.account), "account".to_owned())).expect("the account");
        if operations.contains(&Operation::On) {
            account.insert("active".to_owned(), AttributeValue::Bool(false));
        }
        if operations.contains(&Operation::Sweep) {
            let due = before(self.starts_at, Duration::from_secs(60));
            let millis = AttributeValue::N(due.as_millisecond().to_string());
            account.insert("active".to_owned(), AttributeValue::Bool(false));
            account.extend([("deleted_at".to_owned(), millis.clone()), ("delete_after".to_owned(), millis)]);
        }
        operations.iter().for_each(|operation| operation.prepare(&mut start, &self.held.account));
        let account = start.get_mut(&(format!("account#{}", self.held.account), "account".to_owned())).expect("the account");
        if operations.contains(&Operation::Invite) {
            account.insert("password".to_owned(), AttributeValue::S(UNUSABLE.to_owned()));
        }
        if operations.contains(&Operation::Sweep) {
            let due = before(self.starts_at, Duration::from_secs(60)).strftime("%Y-%m-%dT%H:%M:%S.%3fZ");
            let id = &self.held.account;
            let key = (format!("sweep#{}", &id[id.len() - 1..]), format!("{due}#{id}"));
            let attributes = [("pk", &key.0), ("sk", &key.1)].map(|(name, text)| (name.to_owned(), AttributeValue::S(text.clone())));
            start.insert(key.clone(), attributes.into());
        }
        self.app.replace(&self.present, &start).await;
        self.present = start;
        self.app.clock.set(self.starts_at);
        self.app.mailbox.forget();
        self.observer.store.forget();
    }

    async fn outcome(&mut self, done: [(Operation, Answer); 2]) -> Outcome {
        let mut names = self.held.names.clone();
        for session in done.iter().filter_map(|(_, answer)| answer.session.as_ref()) {
            names.digest::<Session>(session, "the session of a login");
        }
        let mails = self.mails(&mut names).await;
        let items = self.app.items().await;
        let unsound = self.app.unsound(&self.present, &items).await;
        let mut outcome = Outcome { answers: Vec::new(), items: Vec::new(), noted: BTreeSet::new(), mails, unsound };
        outcome.answers = done.iter().map(|(operation, answer)| format!("{operation:?}: {}", answer.says)).collect();
        outcome.answers.sort();
        let operations = done.map(|(operation, _)| operation);
        let before = facts(&self.present);
        for ((partition, sort), item) in facts(&items).into_iter().filter(|(_, item)| !item.contains_key("hits")) {
            // Under when it is due, to the millisecond. The checker of all items compares that with the account.
            let sort = if partition.starts_with("sweep#") { sort.split('#').nth(1).unwrap_or_default().to_owned() } else { sort };
            let key = names.in_words(&format!("{partition}/{sort}"));
            let mut attributes = Vec::new();
            for (name, value) in &item {
                let value = match name.as_str() {
                    "pk" | "sk" => continue,
                    "networks" => networks(value, &mut outcome.noted),
                    "password" => self.password(&item, &before, operations, &mut outcome.noted).await,
                    name if name.ends_with("_at") || name.ends_with("_until") || name.ends_with("_before") => self.instant(name, value),
                    _ => names.in_words(value),
                };
                attributes.push(format!("{name}={value}"));
            }
            outcome.items.push(format!("{key}: {}", attributes.join(" ")));
        }
        outcome.items.sort();
        self.present = items;
        outcome
    }

    /// The mails that were sent. Their links get names.
    async fn mails(&self, names: &mut Names) -> Vec<String> {
        let now = self.app.clock.now();
        let mut mails = Vec::new();
        for mail in self.app.mailbox.all() {
            let works = if let Some(link) = mail.reset_token() {
                names.digest::<token::Reset>(&link, "a mailed link");
                let token = Token::parse(&link).expect("a token");
                self.links.check(&self.app.store, Some(&token), now).await.expect("the store answers").is_some()
            } else if let Some(link) = mail.verification_token() {
                names.digest::<Verify>(&link, "a mailed verification link");
                let token = Token::parse(&link).expect("a token");
                matches!(self.app.store.verification(Some(&token), now).await.expect("the store answers"), Verification::Live(_))
            } else {
                let link = mail.disavowal_token().expect("every mail has a link");
                names.digest::<Disavow>(&link, "the link of a notice");
                let token = Token::parse(&link).expect("a token");
                self.app.store.disavowal(Some(&token), now).await.expect("the store answers").is_some()
            };
            mails.push(format!("{} to {}, {}", mail.subject, mail.to, if works { WORKS } else { DEAD }));
        }
        mails.sort();
        mails
    }

    /// Tenths of seconds since the beginning.
    fn instant(&self, name: &str, value: &str) -> String {
        let unit = if name == "expires_at" { 1000 } else { 1 };
        let instant: i64 = value.parse().expect("a number");
        format!("{}", (instant * unit - self.starts_at.as_millisecond()).div_euclid(100))
    }

    /// Which password a hash is of. A new hash of the old password is only noted.
    async fn password(
        &self,
        item: &BTreeMap<String, String>,
        before: &Facts,
        operations: [Operation; 2],
        noted: &mut BTreeSet<&'static str>,
    ) -> String {
        let (stored, old) = (&item["password"], before.get(&(item["pk"].clone(), item["sk"].clone())));
        let old = |name: &str| old.and_then(|old| old.get(name));
        if !stored.starts_with("$argon2id$") || old("password") == Some(stored) {
            return stored.clone();
        }
        let sets = operations.iter().any(|operation| [Operation::Change, Operation::Confirm].contains(operation));
        if operations.contains(&Operation::Login) && sets {
            for password in [PASSWORD, CHANGED, RESET] {
                let (typed, stored) = (TypedPassword::new(password.to_owned()), StoredPassword::stored(stored.clone()));
                if let Verdict::Right { .. } = self.app.hasher.verify(typed, Some(stored)).await.expect("a verdict") {
                    if password == PASSWORD {
                        noted.insert("hash");
                        return IMPORTED.to_owned();
                    }
                    return password.to_owned();
                }
            }
            return "of no password".to_owned();
        }
        if old("password").is_some_and(|old| old == IMPORTED) && old("password_changed_at") == item.get("password_changed_at") {
            noted.insert("hash");
            return IMPORTED.to_owned();
        }
        "another".to_owned()
    }
}

/// Networks without the time at which they were seen. That of the login is only noted.
fn networks(value: &str, noted: &mut BTreeSet<&'static str>) -> String {
    let mut networks: Vec<&str> = value.split(',').filter_map(|entry| entry.rsplit_once(':')).map(|(network, _)| network).collect();
    networks.retain(|network| *network != SITE_ELSEWHERE || !noted.insert("network"));
    networks.join(",")
}

/// A file with mara's account, as another site exports it.
fn written() -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let name = format!("doorward-interleavings-{}-{}.jsonl", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, json!({ "username": "mara", "email": "mara@example.com", "password": IMPORTED }).to_string()).expect("a file");
    file
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.file));
    }
}
