//! Everything that can happen to an account: every request, what the mailer and the mail service do, and every command of an operator.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use doorward::{
    config::Settings,
    session::{ImportedToken, Sessions},
};
use doorward_admin::{Arguments, Failure, Terminal};
use doorward_functions::{Handler as _, batch::Records};
use doorward_kit::requests::{
    ACTIVATION, PASSWORD, VALIDATE, change_address, change_me, change_password, confirm_reset, delete_me, disavow, end_sessions, export,
    login, logout, logout_all, me, register, reset_request, sessions, set_username, validate, verification_request, verify,
};
use doorward_kit::store::Items;
use serde_json::json;

use super::world::World;

/// The password that a change sets.
pub const CHANGED: &str = "Changed-Horse-44";
/// The password that a reset link sets.
pub const RESET: &str = "Battery-Staple-43";
/// Where the owner logs in from.
pub const ELSEWHERE: &str = "198.51.100.7";

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Somebody at a browser or a program.
    Client,
    /// The mailer, or the mail service's events.
    Mail,
    /// An operator.
    Operator,
}

/// Something that happens. Everything is about one account, mara's, or about its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Somebody registers nova.
    Register,
    /// The owner logs in, for the first time since the account was imported.
    Login,
    /// The session ends.
    Logout,
    /// All sessions end.
    LogoutAll,
    /// The session looks where the account is logged in.
    SeeSessions,
    /// The session ends another one.
    EndOther,
    /// The session looks at its account.
    SeeMe,
    /// The session exports its account.
    ExportMe,
    /// The session changes a field of its account.
    Edit,
    /// The session changes another field, and that one.
    EditBoth,
    /// The session gives the account the username nova.
    Rename,
    /// The session asks for the deletion of its account.
    Leave,
    /// The session asks for an address of the name nova.
    AskAddress,
    /// The mailbox of that address confirms the change that was asked for.
    ConfirmAddress,
    /// The session changes the password.
    Change,
    /// Somebody requests a link.
    Ask,
    /// Somebody looks whether the link works.
    Validate,
    /// The link sets a password.
    Confirm,
    /// The link of the first notice says "this wasn't me".
    Disavow,
    /// The link of the first verification mail is opened.
    Verify,
    /// Somebody requests another one.
    AskToVerify,
    /// The authorizer is asked about the session.
    Authorize,
    /// The mailer answers the older request.
    Deliver,
    /// The mailer answers the newer request.
    DeliverLater,
    /// The mailer sends the notice of the second change.
    Notify,
    /// The mailer answers a request for another verification link.
    DeliverVerification,
    /// The mail service says that a mail bounced.
    Bounce,
    /// The events that wait are published.
    Publish,
    /// The deletion that the account asked for days ago is carried out.
    Sweep,
    /// `show`
    Show,
    /// `list`
    List,
    /// `count`
    Count,
    /// `export` to a new file
    Export,
    /// `unlock`
    Unlock,
    /// `disavow`
    Revoke,
    /// `set-email` to an address of the name nova
    SetEmail,
    /// `set-username` to nova
    SetUsername,
    /// `restore-address`
    RestoreAddress,
    /// `create` of an account of the name nova with mara's address.
    Create,
    /// `set-field` of the field that the session changes
    SetField,
    /// `activate`
    On,
    /// `deactivate`
    Off,
    /// `delete`
    Delete,
    /// `end-sessions`
    EndSessions,
    /// `reset` of an account with a password
    Reset,
    /// `reset` of an account without one
    Invite,
    /// `mail failed`
    ListFailed,
    /// `mail retry` of the request that failed for good
    Retry,
    /// `events failed`
    ListEvents,
    /// `events retry` of the event that was given up
    RetryEvent,
    /// `import` of an account with both of mara's names
    Import,
    /// `import` of a token of the account, which is as it was imported
    CarryOver,
}
use Operation::{
    Ask, AskAddress, AskToVerify, Authorize, Bounce, CarryOver, Change, Confirm, ConfirmAddress, Count, Create, Delete, Deliver,
    DeliverLater, DeliverVerification, Disavow, Edit, EditBoth, EndOther, EndSessions, Export, ExportMe, Import, Invite, Leave, List,
    ListEvents, ListFailed, Login, Logout, LogoutAll, Notify, Off, On, Publish, Register, Rename, Reset, RestoreAddress, Retry, RetryEvent,
    Revoke, SeeMe, SeeSessions, SetEmail, SetField, SetUsername, Show, Sweep, Unlock, Validate, Verify,
};

/// The one list, with the route, function or command that each operation is of.
pub const OPERATIONS: [(Operation, Actor, &str); 52] = [
    (Register, Actor::Client, "/api/register/"),
    (Login, Actor::Client, "/api/login/"),
    (Logout, Actor::Client, "/api/logout/"),
    (LogoutAll, Actor::Client, "/api/logout_all/"),
    (SeeSessions, Actor::Client, "/api/sessions/"),
    (EndOther, Actor::Client, "/api/sessions/"),
    (SeeMe, Actor::Client, "/api/users/me/"),
    (ExportMe, Actor::Client, "/api/users/me/export/"),
    (Edit, Actor::Client, "/api/users/me/"),
    (EditBoth, Actor::Client, "/api/users/me/"),
    (Rename, Actor::Client, "/api/users/set_username/"),
    (Leave, Actor::Client, "/api/users/me/"),
    (AskAddress, Actor::Client, "/api/users/me/"),
    (ConfirmAddress, Actor::Client, ACTIVATION),
    (Change, Actor::Client, "/api/change_password/"),
    (Ask, Actor::Client, "/api/password_reset/"),
    (Validate, Actor::Client, VALIDATE),
    (Confirm, Actor::Client, "/api/password_reset/confirm/"),
    (Disavow, Actor::Client, "/api/password_reset/disavow/"),
    (Verify, Actor::Client, ACTIVATION),
    (AskToVerify, Actor::Client, "/api/users/resend_activation/"),
    (Authorize, Actor::Client, "authorizer"),
    (Deliver, Actor::Mail, "mailer"),
    (DeliverLater, Actor::Mail, "mailer"),
    (Notify, Actor::Mail, "mailer"),
    (DeliverVerification, Actor::Mail, "mailer"),
    (Bounce, Actor::Mail, "mail-feedback"),
    (Publish, Actor::Mail, "events"),
    (Sweep, Actor::Mail, "sweeper"),
    (Show, Actor::Operator, "show"),
    (List, Actor::Operator, "list"),
    (Count, Actor::Operator, "count"),
    (Export, Actor::Operator, "export"),
    (Unlock, Actor::Operator, "unlock"),
    (Revoke, Actor::Operator, "disavow"),
    (SetEmail, Actor::Operator, "set-email"),
    (SetUsername, Actor::Operator, "set-username"),
    (SetField, Actor::Operator, "set-field"),
    (RestoreAddress, Actor::Operator, "restore-address"),
    (Create, Actor::Operator, "create"),
    (On, Actor::Operator, "activate"),
    (Off, Actor::Operator, "deactivate"),
    (Delete, Actor::Operator, "delete"),
    (EndSessions, Actor::Operator, "end-sessions"),
    (Reset, Actor::Operator, "reset"),
    (Invite, Actor::Operator, "reset"),
    (ListFailed, Actor::Operator, "mail failed"),
    (Retry, Actor::Operator, "mail retry"),
    (ListEvents, Actor::Operator, "events failed"),
    (RetryEvent, Actor::Operator, "events retry"),
    (Import, Actor::Operator, "import"),
    (CarryOver, Actor::Operator, "import"),
];

/// What an operation answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// In words that are the same for every run.
    pub says: String,
    /// Whether it asks to be done again, because something else was under way.
    pub again: bool,
    /// The token of the session that it opened.
    pub session: Option<String>,
}

impl Answer {
    fn saying(says: impl Into<String>) -> Self {
        Self { says: says.into(), again: false, session: None }
    }
}

impl Operation {
    /// Whether it sends mail.
    pub fn sends(self) -> bool {
        [Deliver, DeliverLater, Notify, DeliverVerification].contains(&self)
    }

    /// Makes an account one that it can happen to.
    pub fn prepare(self, start: &mut Items, account: &str) {
        let partition = format!("account#{account}");
        if self == CarryOver {
            // As it was imported: nothing has ended its sessions.
            let first = AttributeValue::N("1".to_owned());
            for ((_, sort), item) in start.iter_mut().filter(|((pk, _), _)| *pk == partition) {
                if ["account", "address"].contains(&sort.as_str()) || sort.starts_with("session#") {
                    item.insert("epoch".to_owned(), first.clone());
                }
                if sort == "account" {
                    item.insert("external_id".to_owned(), AttributeValue::S("7".to_owned()));
                }
            }
        }
    }

    /// Does it.
    pub async fn run(self, world: &World) -> Answer {
        let (app, held) = (&world.app, &world.held);
        let id = format!("id:{}", held.account);
        match self {
            Register => world.ask(register("nova", "nova@example.com")).await,
            Login => world.ask(login("mara", PASSWORD).from(ELSEWHERE)).await,
            Logout => world.ask(logout(&held.session)).await,
            LogoutAll => world.ask(logout_all(&held.session)).await,
            SeeSessions => world.ask(sessions(&held.session)).await,
            EndOther => world.ask(end_sessions(&held.session, &[&held.other], PASSWORD)).await,
            SeeMe => world.ask(me(&held.session)).await,
            ExportMe => world.ask(export(&held.session)).await,
            Edit => world.ask(change_me("PATCH", &held.session, &json!({ "nickname": "a" }))).await,
            EditBoth => world.ask(change_me("PUT", &held.session, &json!({ "nickname": "b", "plan": "pro" }))).await,
            Rename => world.ask(set_username(&held.session, "nova", PASSWORD)).await,
            Leave => world.ask(delete_me(&held.session, PASSWORD)).await,
            AskAddress => world.ask(change_address(&held.session, "nova@example.com", PASSWORD)).await,
            ConfirmAddress => world.ask(verify(&held.change)).await,
            Change => world.ask(change_password(&held.session, PASSWORD, CHANGED)).await,
            Ask => world.ask(reset_request("mara@example.com")).await,
            Validate => world.ask(validate(&held.link)).await,
            Confirm => world.ask(confirm_reset(&held.link, RESET)).await,
            Disavow => world.ask(disavow(&held.disavowal)).await,
            Verify => world.ask(verify(&held.verification)).await,
            AskToVerify => world.ask(verification_request("mara@example.com")).await,
            Authorize => Answer::saying(if app.lets_pass(&held.session).await { "passes" } else { "does not pass" }),
            Deliver => world.deliver(&held.requests[0]).await,
            DeliverLater => world.deliver(&held.requests[1]).await,
            Notify => world.deliver(&held.notice).await,
            DeliverVerification => world.deliver(&held.verification_request).await,
            Bounce => {
                let bounce = json!({ "bounceType": "Permanent", "bouncedRecipients": [{ "emailAddress": "mara@example.com" }] });
                let mail = json!({ "timestamp": world.before().to_string() });
                let event = json!({ "detail": { "eventType": "Bounce", "mail": mail, "bounce": bounce } });
                app.feed_back(event).await.expect("the store answers");
                Answer::saying("taken")
            }
            Publish => {
                let report = app.events.handle(held.events.clone(), Duration::from_secs(60)).await.expect("a report");
                Answer { again: !report.failures.is_empty(), ..Answer::saying("published") }
            }
            Sweep => world.sweeps().await,
            Show => world.types(&["show", &id]).await,
            List => world.types(&["list"]).await,
            Count => world.types(&["count"]).await,
            Export => world.exports().await,
            Unlock => world.types(&["unlock", &id]).await,
            Revoke => world.types(&["disavow", "--yes", &id]).await,
            SetEmail => world.types(&["set-email", "--yes", &id, "nova@example.com"]).await,
            SetUsername => world.types(&["set-username", "--yes", &id, "nova"]).await,
            SetField => world.types(&["set-field", &id, "nickname", "c"]).await,
            RestoreAddress => world.types(&["restore-address", "--yes", &id]).await,
            Create => world.types(&["create", "nova", "mara@example.com"]).await,
            On => world.types(&["activate", &id]).await,
            Off => world.types(&["deactivate", &id]).await,
            Delete => world.types(&["delete", "--yes", &id]).await,
            EndSessions => world.types(&["end-sessions", &id]).await,
            Reset | Invite => world.types(&["reset", &id]).await,
            ListFailed => world.types(&["mail", "failed"]).await,
            Retry => world.types(&["mail", "retry", &held.failed]).await,
            ListEvents => world.types(&["events", "failed"]).await,
            RetryEvent => world.types(&["events", "retry", &held.failed_event]).await,
            Import => world.types(&["import", held.file.to_str().expect("a path")]).await,
            CarryOver => {
                let (sessions, now) = (Sessions::configured(&mut Settings::from_pairs([]), app.clock.now()), app.clock.now());
                let token = ImportedToken::parse("9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b").expect("a token");
                let account = held.account.parse().expect("an id");
                Answer::saying(format!(
                    "{:?}",
                    sessions.carry_over(&app.store, account, "7", &token, now).await.expect("the store answers")
                ))
            }
        }
    }
}

impl World {
    async fn ask(&self, request: doorward_kit::requests::Request) -> Answer {
        let answer = Box::pin(self.app.send_within(request, Duration::from_mins(10))).await;
        assert!([200, 201, 204, 400, 401, 404].contains(&answer.status), "{answer:?}");
        let done = answer.status < 300;
        let says = if done { answer.status.to_string() } else { format!("{} {}", answer.status, answer.body) };
        let session = if answer.body.is_empty() { None } else { answer.json()["token"].as_str().filter(|_| done).map(str::to_owned) };
        Answer { says, again: false, session }
    }

    async fn deliver(&self, records: &Records) -> Answer {
        let report = self.app.mailer.deliver(records.clone()).await;
        Answer { again: !report.failures.is_empty(), ..Answer::saying("delivered") }
    }

    /// Does what an hour does. A deletion that the account changed under is done in the next one.
    async fn sweeps(&self) -> Answer {
        self.app.sweep().await;
        let is_listed = self.app.snapshot("accounts").await.keys().any(|(partition, _)| partition.starts_with("sweep#"));
        Answer { again: is_listed, ..Answer::saying("swept") }
    }

    /// Exports to a file of its own, since no export writes over another.
    async fn exports(&self) -> Answer {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let file = self.held.file.with_extension(format!("{}.export", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let path = file.to_str().expect("a path");
        let answer = self.types(&["export", path]).await;
        drop(std::fs::remove_file(&file));
        Answer { says: answer.says.replace(path, "a file"), ..answer }
    }

    /// Types a command of an operator.
    async fn types(&self, command: &[&str]) -> Answer {
        use clap::Parser as _;
        let arguments = Arguments::try_parse_from([&["doorward-admin"], command].concat()).expect("a command");
        let mut out = Vec::new();
        let mut ask = |_: &str| Err(std::io::Error::other("no terminal"));
        let terminal = Terminal { out: &mut out, ask: &mut ask, json: arguments.json };
        // Each of these futures has room for the largest of all operations, and a test's thread has 2 MiB in all.
        let done = Box::pin(self.admin.run(arguments.command, terminal)).await;
        let mut says = String::from_utf8(out).expect("text");
        let mut again = false;
        match done {
            Ok(()) => {}
            Err(Failure::Refused(reason)) => {
                again = says.contains("run it once more") || reason.contains("the account changed meanwhile");
                says += &reason;
            }
            Err(failure @ Failure::NoAccount) => says += &failure.to_string(),
            Err(failure) => panic!("{command:?}: {failure}"),
        }
        Answer { again, ..Answer::saying(self.held.names.in_words(&says)) }
    }
}
