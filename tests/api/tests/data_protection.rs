//! docs/data-protection.md lists every item that is stored, with its attributes and the time for which it is kept.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::{BTreeMap, BTreeSet};

use doorward::{
    account::{Account, AccountId, EmailAddress, Username},
    caller::Caller,
    clock::{Timestamp, rfc3339},
    config::Settings,
    entropy::Entropy,
    event::Exported,
    outbox::ResetRequest,
    personal_data::View,
    session::{CarriedOver, ImportedToken, Sessions},
};
use doorward_functions::batch::Records;
use doorward_kit::{
    App,
    app::Observer,
    bus::BusFault,
    mailbox::Refuse,
    proxy::{Failure, When},
    requests::{
        ACTIVATION, NEW_PASSWORD, NICKNAME, PASSWORD, address_of, change_address, change_me, confirm_reset, delete_me, disavow, export,
        login, open, reset_request, set_username, validate, verification_request, verify,
    },
    store::Facts,
};
use serde_json::json;

const PAGE: &str = include_str!("../../../docs/data-protection.md");

/// An item as it is listed: `account#… session#…`.
type Kind = String;

/// What is stored of a kind of item: its attributes, and the longest time in hours until it expires.
#[derive(Debug, Default, PartialEq, Eq)]
struct Kept {
    attributes: BTreeSet<String>,
    hours: Option<i64>,
}

/// The kind of an item, by its key. What follows a `#`, and a sort key that is an id or a time, differs from item to item.
fn kind((partition, sort): &(String, String)) -> Kind {
    let plain = |text: &str| match text.split_once('#') {
        Some((prefix, _)) => format!("{prefix}#…"),
        None if ["account", "address", "claim", "held", "mail", "mail-rate", "profile", "reset", "token", "verify"].contains(&text) => {
            text.to_owned()
        }
        None => "…".to_owned(),
    };
    let is_outbox = ["reset#", "verify#", "notice#", "event#", "sweep#", "held"].iter().any(|prefix| partition.starts_with(prefix));
    format!("{} {}", plain(partition), if is_outbox { "…".to_owned() } else { plain(sort) })
}

/// The tables of the page: every row whose first cell is a key.
fn listed() -> BTreeMap<Kind, Kept> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `") && line.contains("` `"));
    let listed = rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [item, attributes, kept] = cells[..] else { panic!("three cells: {row}") };
        let hours = kept.split_once(' ').and_then(|(number, rest)| {
            let unit = if rest.starts_with("day") { 24 } else { i64::from(rest.starts_with("hour")) };
            Some(number.parse::<i64>().ok()? * unit)
        });
        let attributes = attributes.split(", ").filter(|name| *name != "none").map(|name| name.trim_matches('`').to_owned()).collect();
        (item.replace('`', ""), Kept { attributes, hours })
    });
    listed.collect()
}

/// What was seen in the store so far, and what exports of accounts lacked.
#[derive(Default)]
struct Seen(BTreeMap<Kind, Kept>, BTreeSet<String>);

impl Seen {
    async fn look(&mut self, app: &App) {
        let facts: Facts = app.everything().await;
        for (key, item) in &facts {
            let kept = self.0.entry(kind(key)).or_default();
            // The name of a declared field follows `f_`.
            let attribute = |name: &String| if name.starts_with("f_") { "f_…".to_owned() } else { name.clone() };
            kept.attributes.extend(item.keys().filter(|name| !["pk", "sk"].contains(&name.as_str())).map(attribute));
            if let Some(expires) = item.get("expires_at") {
                let seconds = expires.parse::<i64>().unwrap() - app.clock.now().as_second();
                let hours = (seconds + 3599).div_euclid(3600);
                kept.hours = Some(kept.hours.unwrap_or_default().max(hours));
            }
        }
        self.1.extend(lacking(app, &facts).await);
    }
}

/// What the exports of all accounts lack: what they say that they do not know, and items about an account that are in none of its parts.
async fn lacking(app: &App, facts: &Facts) -> Vec<String> {
    let (rules, mut lacking) = (Sessions::configured(&mut Settings::from_pairs([]), app.clock.now()), Vec::new());
    for ((partition, _), _) in facts.iter().filter(|((_, sort), _)| sort == "account") {
        let id = partition.replace("account#", "");
        let account = app.store.account(id.parse().unwrap()).await.unwrap().unwrap();
        let view = View { account: &account, sessions: &rules, asking: None, name: &str::to_owned };
        let file = app.store.personal_data(&view, app.clock.now()).await.unwrap().unwrap();
        lacking.extend(file["not_known"].as_array().into_iter().flatten().map(|item| format!("it does not know {item}")));
        let shown = |section: &str| file[section].as_array().map_or(0, Vec::len);
        let own =
            ["profile", "pending_addresses", "sessions", "imported_tokens", "links", "former_addresses", "mails", "mail_rate", "notices"];
        let own = own.map(shown).into_iter().sum::<usize>() + shown("events");
        let mut about = 0;
        for (key, item) in facts {
            let kind = kind(key);
            let is_in_key = key.0.contains(&id) || key.1.contains(&id);
            match kind.split_once('#').map_or(kind.as_str(), |(start, _)| start) {
                "account" | "notice" | "event" if key.0.contains(&id) => about += usize::from(key.1 != "account"),
                // Names that are in the account, and lists of ids by the time that is in the account or in its mail rate.
                "username" | "email" | "sweep" | "held …" | "held" => {}
                // Whose it is; that it was taken is said beside the account.
                "token" => {}
                // Found by the address, which is removed when the mail was sent.
                "reset" | "verify" => {
                    let asked = rfc3339(Timestamp::from_millisecond(item["requested_at"].parse().unwrap()).unwrap());
                    let is_own = item.get("email_folded").is_some_and(|email| email == account.email.folded());
                    let requests = file["requests_for_links"].as_array().unwrap();
                    if is_own && !requests.iter().any(|request| request["requested_at"] == asked) {
                        lacking.push(format!("{kind} of the account's address"));
                    }
                }
                _ if is_in_key || item.values().any(|value| value.contains(&id)) => lacking.push(format!("{kind} names an account")),
                _ => {}
            }
        }
        if own != about {
            lacking.push(format!("{about} items under the account's id, {own} in its export: {file}"));
        }
    }
    lacking
}

/// The mailer takes a lease and dies. Returns the records, which come again.
async fn dies_with_a_lease(app: &App, observer: &Observer, seen: &mut Seen) -> Records {
    observer.store.forget();
    observer.store.fail(|call| (call.number > 0).then(|| (When::Before, Failure::code(400, "AccessDeniedException"))));
    let records = app.stream().await;
    app.mailer.deliver(records.clone()).await;
    observer.store.forget();
    seen.look(app).await;
    app.advance(100);
    records
}

/// Another account like this one.
fn with_username(account: &Account, name: &str) -> Account {
    let id = AccountId::from(Entropy::system().uuid(account.created_at));
    Account { id, username: Username::parse(name).unwrap(), ..account.clone() }
}

/// Everything that can happen to the verification of an address.
async fn verification(app: &App, observer: &Observer, seen: &mut Seen) {
    let address = address_of("vera");
    let register = json!({ "username": "vera", "email": address, "password": PASSWORD });
    let asked = doorward_kit::requests::post("/api/register/", &register).header("Accept-Language", "de");
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    assert_eq!(app.send(asked.header("User-Agent", firefox)).await.status, 201);
    let records = dies_with_a_lease(app, observer, seen).await;
    app.mailer.deliver(records).await;
    app.advance(61);
    app.mailbox.refuse_next(Refuse(429, "TooManyRequestsException"));
    app.send(verification_request(&address)).await;
    let records = app.stream().await;
    app.mailer.deliver(records.clone()).await;
    seen.look(app).await;
    app.mailer.deliver(records).await;
    let link = app.verification_links(&address).pop().unwrap();
    app.send(open(&format!("{ACTIVATION}?token={link}"))).await;
    assert_eq!(app.send(verify(&link)).await.status, 204);
    seen.look(app).await;
    let account = app.store.account_by_login_name("vera").await.unwrap().unwrap();
    app.store.delete_account(&account, app.clock.now()).await.unwrap();
}

/// Everything that can happen to a change of an address.
async fn change_of_address(app: &App, observer: &Observer, seen: &mut Seen) {
    // Such changes are counted by days of UTC, and a counter is kept for another day.
    app.advance(86_400 - u64::try_from(app.clock.now().as_second()).unwrap() % 86_400);
    let session = app.sign_up_verified("mia").await.login().await;
    app.send(change_address(&session, "mia@new.example", PASSWORD)).await;
    let records = dies_with_a_lease(app, observer, seen).await;
    app.mailer.deliver(records).await;
    seen.look(app).await;
    let link = app.verification_links("mia@new.example").pop().unwrap();
    assert_eq!(app.send(verify(&link)).await.status, 204);
    app.advance(1);
    app.change_password(&session, PASSWORD, NEW_PASSWORD).await;
    app.deliver().await;
    seen.look(app).await;
    app.advance(1);
    let undo = app.mailbox.to(&address_of("mia")).pop().unwrap().disavowal_token().unwrap();
    assert_eq!(app.send(disavow(&undo)).await.status, 200);
    seen.look(app).await;
    let account = app.store.account_by_login_name("mia").await.unwrap().unwrap();
    app.store.delete_account(&account, app.clock.now()).await.unwrap();
}

/// Everything that can happen to an account and its mail.
async fn everything(app: &App, observer: &Observer, seen: &mut Seen) {
    verification(app, observer, seen).await;
    change_of_address(app, observer, seen).await;
    let register = json!({ "username": "ann", "email": address_of("ann"), "password": PASSWORD });
    let asked = doorward_kit::requests::post("/api/register/", &register).header("Accept-Language", "de");
    assert_eq!(app.send(asked).await.status, 201);
    app.deliver().await;
    app.advance(1);
    let firefox = login("ann", PASSWORD).header("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
    let session = app.send(firefox).await.text("token");
    app.send(login("ann", "Wrong-Horse-42")).await;
    assert_eq!(app.send(change_me("PATCH", &session, &json!({ "nickname": "Nick" }))).await.status, 200);
    app.change_password(&session, "Wrong-Horse-42", NEW_PASSWORD).await;
    app.change_password(&session, PASSWORD, NEW_PASSWORD).await;
    let records = dies_with_a_lease(app, observer, seen).await;
    app.mailbox.refuse_next(Refuse(429, "TooManyRequestsException"));
    app.mailer.deliver(records.clone()).await;
    seen.look(app).await;
    app.mailer.deliver(records).await;
    let not_me = app.mailbox.to(&address_of("ann")).pop().unwrap().disavowal_token().unwrap();
    // Of more changes within minutes the first is told of at once and the others in one mail, together with a login from a new place. An account tells of
    // those when it is an hour old.
    app.advance(3600);
    for [old, new] in [[NEW_PASSWORD, PASSWORD], [PASSWORD, NEW_PASSWORD], [NEW_PASSWORD, PASSWORD], [PASSWORD, NEW_PASSWORD]] {
        app.change_password(&session, old, new).await;
        app.deliver().await;
        seen.look(app).await;
    }
    app.send(login("ann", NEW_PASSWORD).from("198.51.100.7")).await;
    app.deliver().await;
    seen.look(app).await;
    app.advance(3600);
    app.release_due().await.unwrap();
    seen.look(app).await;
    app.deliver().await;
    // A link, and its successor, which SES cannot take.
    app.send(reset_request(&address_of("ann"))).await;
    let records = dies_with_a_lease(app, observer, seen).await;
    app.mailer.deliver(records).await;
    let link = app.newest_reset_link(&address_of("ann")).unwrap();
    app.send(validate(&link)).await;
    app.advance(70);
    app.send(reset_request(&address_of("ann"))).await;
    app.mailbox.refuse_next(Refuse(429, "TooManyRequestsException"));
    app.deliver().await;
    seen.look(app).await;
    app.send(open(&format!("/api/password_reset/confirm/?token={link}"))).await;
    app.send(disavow(&not_me)).await;
    app.mailbox.refuse_next(Refuse(400, "MessageRejected"));
    app.deliver().await;
    seen.look(app).await;
    app.send(confirm_reset(&link, PASSWORD)).await;
    let event = json!({ "eventType": "Bounce", "mail": { "timestamp": app.clock.now().to_string() },
        "bounce": { "bounceType": "Permanent", "bouncedRecipients": [{ "emailAddress": address_of("ann") }] } });
    app.feed_back(json!({ "detail": event })).await.unwrap();
    let account = app.store.account_by_login_name("ann").await.unwrap().unwrap();
    seen.look(app).await;
    let invitation = ResetRequest { email: account.email.clone(), requested_at: app.clock.now(), caller: Caller::default(), invites: true };
    app.store.request_reset_at_once(account.id, &invitation).await.unwrap();
    seen.look(app).await;
    // Changes of a username are counted by days of UTC, and a counter is kept for another day.
    let eve = app.sign_up("eve").await.login().await;
    app.advance(86_400 - u64::try_from(app.clock.now().as_second()).unwrap() % 86_400);
    app.send(export(&eve)).await;
    app.send(set_username(&eve, "eva", PASSWORD)).await;
    seen.look(app).await;
    let eva = app.store.account_by_login_name("eva").await.unwrap().unwrap();
    app.store.delete_account(&eva, app.clock.now()).await.unwrap();
    // An account that asks to be deleted, and is being deleted while the store fails.
    let leaving = app.sign_up("leo").await;
    app.send(delete_me(&leaving.login().await, PASSWORD)).await;
    seen.look(app).await;
    app.advance(3 * 24 * 3600);
    observer.store.forget();
    observer
        .store
        .fail(|call| (call.operation == "TransactWriteItems").then(|| (When::Before, Failure::code(400, "AccessDeniedException"))));
    app.sweep().await;
    observer.store.forget();
    seen.look(app).await;
    app.sweep().await;
    // An account that was imported with an id from elsewhere.
    let email = EmailAddress::parse("imported@example.com").unwrap();
    let imported = Account { external_id: Some("7".to_owned()), email, epoch: 1, active: true, ..with_username(&account, "imported") };
    app.store.import(&imported, None, app.clock.now()).await.unwrap();
    let sessions = Sessions::configured(&mut Settings::from_pairs([]), app.clock.now());
    let token = ImportedToken::parse("9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b").unwrap();
    assert_eq!(sessions.carry_over(&app.store, imported.id, "7", &token, app.clock.now()).await.unwrap(), CarriedOver::Now);
    seen.look(app).await;
    let exported = Exported { count: 1, format: "jsonl".to_owned(), with_hashes: true, caller: Some("arn:aws:iam::1:user/eve".to_owned()) };
    app.store.tell_export(Some(imported.id), exported, app.clock.now()).await.unwrap();
    seen.look(app).await;
    app.publish().await;
    app.store.delete_account(&imported, app.clock.now()).await.unwrap();
    let email = EmailAddress::parse("ann@new.example").unwrap();
    app.store.set_email(&account, &email, app.clock.now()).await.unwrap();
    seen.look(app).await;
    app.deliver().await;
    seen.look(app).await;
    app.store.end_sessions(account.id, app.clock.now()).await.unwrap();
    seen.look(app).await;
    // An event that the bus refuses, and that an operator lets be published again.
    app.bus.meets([BusFault::Entry("MalformedDetail")]);
    app.publish().await;
    seen.look(app).await;
    let failed = app.store.failed_events(app.clock.now()).await.unwrap();
    app.store.republish(&failed[0].key, app.clock.now()).await.unwrap();
    seen.look(app).await;
    app.publish().await;
}

#[tokio::test]
async fn every_item_is_listed_with_its_attributes_and_how_long_it_is_kept() {
    // An hour is the longest window that a limit has by default.
    let limits = ["LOGIN_CLIENT", "LOGIN_ACCOUNT", "REGISTER_CLIENT", "CHANGE_CLIENT", "CHANGE_ACCOUNT", "RESET_CLIENT", "VALIDATE_CLIENT"];
    let names: Vec<String> = limits.iter().chain(&["CONFIRM_CLIENT"]).map(|limit| format!("{limit}_LIMIT")).collect();
    let limits = names.iter().map(|name| (name.as_str(), "1000/1h"));
    let settings: Vec<(&str, &str)> = limits
        .chain([("SESSION_IDLE", "7d"), ("EVENTS", "all"), ("EVENT_DATA", "full"), ("ADDRESS_VERIFICATION", "optional"), NICKNAME])
        .collect();
    let (app, observer) = App::observed(&settings).await;
    let mut seen = Seen::default();
    everything(&app, &observer, &mut seen).await;
    let listed = listed();
    assert!(listed.len() >= 20, "the page was read");
    let kinds = |map: &BTreeMap<Kind, Kept>| map.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(kinds(&seen.0), kinds(&listed));
    for (kind, kept) in &seen.0 {
        assert_eq!(kept.attributes, listed[kind].attributes, "the attributes of {kind}");
        assert_eq!(kept.hours, listed[kind].hours, "the hours for which {kind} is kept");
    }
}

#[tokio::test]
async fn every_item_about_an_account_is_in_its_export_or_named_as_left_out() {
    let settings = [("SESSION_IDLE", "7d"), ("EVENTS", "all"), ("EVENT_DATA", "full"), ("ADDRESS_VERIFICATION", "optional"), NICKNAME];
    let (app, observer) = App::observed(&settings).await;
    let mut seen = Seen::default();
    everything(&app, &observer, &mut seen).await;
    assert!(seen.0.len() >= 20, "something was stored");
    assert_eq!(seen.1, BTreeSet::new());
}

#[tokio::test]
async fn after_a_deletion_only_digests_are_left_in_the_tables() {
    let (app, observer) = App::observed(&[("EVENTS", "all"), ("ADDRESS_VERIFICATION", "optional"), NICKNAME]).await;
    everything(&app, &observer, &mut Seen::default()).await;
    let account = app.store.account_by_login_name("ann").await.unwrap().unwrap();
    app.store.delete_account(&account, app.clock.now()).await.unwrap();
    // The events of the deletion name the account by its id, and wait for a moment.
    app.publish().await;
    let left: BTreeSet<Kind> = app.everything().await.keys().map(kind).collect();
    let counts = |kind: &String| ["-client#", "-page#", "-account#", "-target#"].iter().any(|counter| kind.contains(counter));
    assert!(left.iter().all(counts), "{left:?}");
    let text = format!("{:?}", app.everything().await);
    assert!(!text.contains("ann") && !text.contains("Nick") && !text.contains(&account.id.to_string()), "{text}");
}
