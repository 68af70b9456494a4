//! Promise 10: nothing secret leaks. Every endpoint is used once with success and once without, and everything that was written is then searched.

use std::{
    io::Write,
    panic::catch_unwind,
    sync::{Arc, Mutex},
};

use doorward::telemetry;
use doorward_kit::{
    App, Response,
    app::Observer,
    mailbox::Refuse,
    proxy::{Failure, When},
    requests::{
        ACTIVATION, NICKNAME, Request, address_of, change_address, change_me, delete_me, end_sessions, export, login, me, post, request,
        reset_request, sessions, set_username, validate, verification_request, verify,
    },
    secrets::{Secret, found},
    store::lines,
};
use serde_json::json;
use tracing::level_filters::LevelFilter;

const FIRST: &str = "Correct \"Horse\" <42> & 'Ünïcode'";
const SECOND: &str = "Battery+Staple%43/=?";
const THIRD: &str = "  Staple\\Of\tThe-Third🐎 ";
const WRONG: &str = "Wrong-Guess-$1-Once";
const TOO_SHORT: &str = "Zq7#x9";
const EMAIL: &str = "ann.o'neil+tag@example.com";
const STRANGER: &str = "stranger@elsewhere.example";
const MOVED: &str = "ann.moved@elsewhere.example";

/// Log lines as a function writes them, at the most verbose level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panicked while writing").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> Self {
        let log = Self::default();
        let writer = log.clone();
        let lines = telemetry::lines_to(move || writer.clone(), LevelFilter::TRACE);
        tracing::subscriber::set_global_default(lines).expect("the first in this process");
        // Installs the panic hook, whose lines also go to this log. A failing test still prints its message.
        let usual = std::panic::take_hook();
        telemetry::start(LevelFilter::INFO);
        let ours = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            ours(panic);
            usual(panic);
        }));
        log
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no test panicked while writing").clone()).expect("text")
    }
}

/// The secrets of a run, and everything that it wrote.
struct Run {
    log: Log,
    app: App,
    observer: Observer,
    passwords: Vec<Secret>,
    tokens: Vec<Secret>,
    /// Addresses and other personal values, which must not be in a log line.
    personal: Vec<Secret>,
    /// Digests and hashes, which may only be in their own attributes in Accounts.
    kept: Vec<Secret>,
    answers: Vec<(Request, Response)>,
    /// The requests to the store, which include what was written and deleted again.
    asked: Vec<String>,
}

impl Run {
    async fn start() -> Self {
        let log = Log::start();
        let (app, observer) =
            App::observed(&[("DEPLOYMENT", "doorward"), ("EVENTS", "all"), ("ADDRESS_VERIFICATION", "mandatory"), NICKNAME]).await;
        let passwords = [FIRST, SECOND, THIRD, WRONG, TOO_SHORT]
            .into_iter()
            .enumerate()
            .map(|(number, text)| Secret::text(&format!("password {number}"), text));
        Self {
            log,
            app,
            observer,
            passwords: passwords.collect(),
            tokens: vec![],
            personal: [EMAIL, STRANGER, MOVED, "ann.o'neil+tag", "192.0.2.44", "Nick-of-ann"].map(|text| Secret::text(text, text)).to_vec(),
            kept: vec![],
            answers: vec![],
            asked: vec![],
        }
    }

    /// Keeps the requests to the store before the proxy discards them.
    fn keep_calls(&mut self) {
        self.asked.extend(self.observer.store.calls().iter().map(|call| call.request.to_string()));
        self.observer.store.forget();
    }

    async fn send(&mut self, asked: Request) -> Response {
        let asked = asked.from("192.0.2.44");
        let answer = self.app.send(asked.clone()).await;
        self.answers.push((asked, answer.clone()));
        answer
    }

    fn knows_token(&mut self, name: &str, token: &str) {
        self.tokens.push(Secret::token(name, token));
        self.kept.push(Secret::digest(name, token));
    }

    async fn sign_in(&mut self, password: &str) -> String {
        let token = self.send(login("ann", password)).await.text("token");
        self.knows_token("session", &token);
        self.knows_hash().await;
        token
    }

    async fn knows_hash(&mut self) {
        let hash = self.app.operator.account("ann").await["password"].as_s().expect("a hash").clone();
        let tag = hash.rsplit('$').next().expect("a tag").to_owned();
        self.kept.extend([Secret::text("hash", &hash), Secret::text("tag of a hash", &tag)]);
    }

    async fn reset_token(&mut self) -> String {
        self.app.advance(16 * 60);
        self.send(reset_request(EMAIL)).await;
        self.app.deliver().await;
        let token = self.app.newest_reset_link(EMAIL).expect("a link");
        self.knows_token("reset link", &token);
        token
    }

    /// The address is verified, after a login without that.
    async fn verification(&mut self) {
        self.send(login("ann", FIRST)).await;
        self.send(verification_request(STRANGER)).await;
        self.send(verification_request(EMAIL)).await;
        self.app.deliver().await;
        for link in &self.app.verification_links(EMAIL) {
            self.knows_token("verification link", link);
            let page = format!("{ACTIVATION}?token={link}");
            let form = verify(link).header("Accept", "text/html");
            self.send_all([request("GET", &page), request("GET", &page).header("Accept", "text/html"), verify(link), verify(link), form])
                .await;
        }
    }

    async fn send_all(&mut self, all: impl IntoIterator<Item = Request>) {
        for asked in all {
            self.send(asked).await;
        }
    }

    /// Uses every endpoint with success and with a refusal.
    async fn everything(&mut self) {
        let register = json!({ "username": "ann", "email": EMAIL, "password": FIRST });
        let wrong = json!({ "username": "ann", "email": EMAIL, "password": TOO_SHORT, "plan": "Nick-of-ann" });
        self.send_all([wrong, register.clone(), register].map(|body| post("/api/register/", &body))).await;
        self.app.advance(1);
        self.verification().await;
        let session = self.sign_in(FIRST).await;
        self.send_all([
            login("ann", WRONG),
            login(STRANGER, WRONG),
            login(EMAIL, TOO_SHORT),
            request("POST", "/api/login/").header("Content-Type", "application/json").body(format!("{{\"password\": \"{WRONG}\"")),
            request("POST", "/api/login/").header("Content-Type", "text/plain").body(WRONG),
            request("GET", "/api/login/").header("Authorization", &format!("Token {session}")),
            login("ann", WRONG).header("Origin", "https://evil.example"),
            request("POST", "/api/logout/").header("Authorization", &format!("Token {session} {session}")),
            request("POST", "/api/logout/").header("Authorization", &format!("Token {session}x")),
        ])
        .await;
        let change =
            |old: &str, new: &str| post("/api/change_password/", &json!({ "old_password": old, "new_password": new })).token(&session);
        self.send_all([change(WRONG, SECOND), change(FIRST, TOO_SHORT), change(FIRST, SECOND)]).await;
        self.knows_hash().await;
        let seen = self.send(sessions(&session)).await.json();
        let id = seen[0]["id"].as_str().expect("an id").to_owned();
        self.send_all([WRONG, SECOND].map(|password| end_sessions(&session, &["another", &id], password))).await;
        let session = self.sign_in(SECOND).await;
        let names = [("anne", WRONG), ("anne", SECOND), ("ann", SECOND)].map(|(name, password)| set_username(&session, name, password));
        let moves = [WRONG, SECOND].map(|password| change_address(&session, MOVED, password));
        let change = change_me("PATCH", &session, &json!({ "nickname": "Nick-of-ann" }));
        self.send_all([sessions(&session), change].into_iter().chain(names).chain(moves).chain([me(&session), export(&session)])).await;
        self.app.deliver().await;
        let link = self.app.verification_links(MOVED).pop().expect("a link");
        self.knows_token("link of a change", &link);
        self.send(request("GET", &format!("{ACTIVATION}?token={link}"))).await;
        self.send(delete_me(&session, WRONG)).await;
        self.send(reset_request(STRANGER)).await;
        let link = self.reset_token().await;
        let page = format!("/api/password_reset/confirm/?token={link}");
        self.send_all([
            request("GET", &page),
            validate(&link),
            validate(&session),
            post("/api/password_reset/confirm/", &json!({ "token": link, "password": TOO_SHORT })),
            post("/api/password_reset/confirm/", &json!({ "token": link, "password": TOO_SHORT })).header("Accept", "text/html"),
            post("/api/password_reset/confirm/", &json!({ "token": link, "password": THIRD })),
            post("/api/password_reset/confirm/", &json!({ "token": link, "password": THIRD })),
            request("GET", &page).header("Accept", "text/html"),
        ])
        .await;
        self.knows_hash().await;
        let last = self.sign_in(THIRD).await;
        for header in [format!("Token {last}"), format!("Bearer {session}")] {
            self.app.authorize(json!({ "version": "2.0", "headers": { "authorization": header } })).await;
        }
        self.send(request("POST", "/api/logout_all/").token(&last)).await;
        // An imported hash that cannot be verified is logged, and one that can be verified is replaced.
        for hash in ["md5$salt$hash-of-somewhere-else", "pbkdf2_sha256$1000$saltsaltsalt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="] {
            self.app.operator.set_password_hash("ann", hash).await;
            self.kept.push(Secret::text("imported hash", hash));
            self.send(login("ann", WRONG)).await;
        }
        self.app.deliver().await;
        self.app.publish().await;
        for (kind, list, recipients) in [("Bounce", "bounce", "bouncedRecipients"), ("Complaint", "complaint", "complainedRecipients")] {
            for email in [EMAIL, STRANGER] {
                let recipient = json!([{ "emailAddress": email, "diagnosticCode": format!("550 no such user {email}") }]);
                let detail = json!({ "eventType": kind, "mail": { "timestamp": "2026-02-01T00:00:00Z", "destination": [email] },
                    list: { "bounceType": "Permanent", recipients: recipient } });
                self.app.feed_back(json!({ "detail": detail })).await.expect("the store answers");
            }
        }
    }

    /// The same, while the store and the mail service fail with error messages that quote the request.
    async fn everything_amid_faults(&mut self) {
        let session = self.app.sign_up_verified("eve").await.login().await;
        let link = self.app.reset_link(&address_of("eve")).await;
        self.knows_token("session", &session);
        self.knows_token("reset link", &link);
        for number in 0..6 {
            // Transient failures are retried, which takes time, so one is enough.
            let codes = ["ValidationException", "AccessDeniedException", "InternalServerError"];
            for code in codes.into_iter().take(if number == 0 { 3 } else { 2 }) {
                // A mail at which the mailer can fail.
                self.app.advance(60);
                self.send(reset_request(EMAIL)).await;
                let records = self.app.stream().await;
                self.keep_calls();
                self.observer.store.fail(move |call| {
                    let told = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": call.request.to_string() });
                    (call.number >= number).then_some((When::Before, Failure::Says(if code.starts_with('I') { 500 } else { 400 }, told)))
                });
                self.send_all([
                    post("/api/register/", &json!({ "username": "bob", "email": STRANGER, "password": FIRST })),
                    login(EMAIL, WRONG),
                    post("/api/change_password/", &json!({ "old_password": doorward_kit::requests::PASSWORD, "new_password": SECOND }))
                        .token(&session),
                    reset_request(EMAIL),
                    post("/api/password_reset/confirm/", &json!({ "token": link, "password": TOO_SHORT })),
                    request("GET", &format!("/api/password_reset/confirm/?token={link}")),
                    request("POST", "/api/logout/").token(&link),
                    end_sessions(&session, &["another"], doorward_kit::requests::PASSWORD),
                ])
                .await;
                let calls_before = self.observer.store.calls().len();
                self.app.mailer.deliver(records).await;
                assert!(self.observer.store.calls().len() > calls_before);
                self.keep_calls();
            }
        }
        for refusal in [Refuse(400, "MessageRejected"), Refuse(500, "InternalFailure"), Refuse(429, "TooManyRequestsException")] {
            self.app.advance(16 * 60);
            self.app.mailbox.refuse_next(refusal);
            self.send(reset_request(&address_of("eve"))).await;
            self.app.deliver().await;
        }
        self.app.advance(16 * 60);
        let link = self.app.reset_link(&address_of("eve")).await;
        self.knows_token("reset link", &link);
        self.keep_calls();
        let quoted = FIRST.to_owned();
        catch_unwind(move || panic!("{quoted}")).expect_err("it panics");
    }

    /// Log lines and metric lines, which share one log on Lambda.
    fn lines(&self) -> String {
        let metrics = self.app.metric_lines.lock().expect("no test panicked while counting").clone();
        self.log.text() + &String::from_utf8(metrics).expect("text")
    }

    /// The places in which something was found that must not be there.
    async fn leaks(&self) -> Vec<String> {
        let mut leaks = Vec::new();
        let mut look = |place: &str, text: &str, secrets: &[&[Secret]]| {
            for secrets in secrets {
                leaks.extend(found(text, secrets).into_iter().map(|(name, form)| format!("{place}: {name} as {form:?}")));
            }
        };
        for line in self.lines().lines() {
            look(&format!("log line {line}"), line, &[&self.passwords, &self.tokens, &self.personal, &self.kept]);
        }
        for table in ["accounts", "limits", "outbox"] {
            for item in lines(&self.app.snapshot(table).await) {
                look(&format!("item {item}"), &item, &[&self.passwords, &self.tokens]);
                for attribute in item.split('\u{1f}') {
                    let begins = |places: &[&str]| places.iter().any(|place| attribute.starts_with(place));
                    let own = table == "accounts" && begins(&["password=", "digest=", "verified_by=", "sk=session#"]);
                    if !own {
                        look(&format!("attribute {attribute} of {table}"), attribute, &[&self.kept]);
                    }
                    // The subject of a counter must not be readable.
                    if table == "limits" || begins(&["pk=reset#", "pk=verify#"]) || item.contains("pk=event#") {
                        look(&format!("attribute {attribute} of {table}"), attribute, &[&self.personal]);
                    }
                }
            }
        }
        for asked in &self.asked {
            look(&format!("call {asked}"), asked, &[&self.passwords, &self.tokens]);
        }
        for event in self.app.bus.entries() {
            let text = event.to_string();
            look(&format!("event {text}"), &text, &[&self.passwords, &self.tokens, &self.personal, &self.kept]);
        }
        for mail in self.app.mailbox.all() {
            let text = format!("{mail:?}");
            look(&format!("mail {text}"), &text, &[&self.passwords, &self.kept]);
            let own = mail.reset_token().or(mail.verification_token());
            let is_other = |token: &&Secret| own.as_ref().is_none_or(|link| !token.forms.contains(link));
            let others: Vec<Secret> = self.tokens.iter().filter(is_other).cloned().collect();
            look(&format!("mail {text}"), &text, &[&others]);
        }
        for (asked, answer) in &self.answers {
            let text = format!("{:?} {}", answer.headers, answer.body);
            let place = format!("answer to {} {}: {text}", asked.method, asked.path);
            look(&place, &text, &[&self.passwords, &self.kept]);
            // A login returns its token and the page of a link contains its token. No other answer contains one.
            let own = answer.json()["token"].is_string() || answer.body.contains("name=\"token\"");
            if !own {
                look(&place, &text, &[&self.tokens]);
            }
        }
        leaks
    }
}

#[tokio::test]
async fn after_a_full_run_no_secret_is_in_an_item_a_log_line_a_mail_or_an_answer() {
    let mut run = Run::start().await;
    run.everything().await;
    run.everything_amid_faults().await;
    assert!(
        run.asked.len() > 200
            && run.answers.len() > 100
            && run.tokens.len() >= 5
            && run.kept.len() >= 10
            && run.app.mailbox.all().len() >= 4
            && run.app.bus.entries().len() >= 7
    );
    let lines = run.lines();
    for said in [
        "\"answered\"",
        "\"stored hash refused\"",
        "\"panicked\"",
        "\"mail failed\"",
        "\"mail feedback\"",
        "\"store failed\"",
        "ValidationException",
        "\"LoginsRefused\":1",
        "\"event published\"",
    ] {
        assert!(lines.contains(said), "the run says {said}");
    }
    assert_eq!(run.leaks().await, [""; 0]);

    // Each secret, planted in each form and place, is found.
    for secret in run.passwords.iter().chain(&run.tokens).chain(&run.kept).chain(&run.personal) {
        for form in &secret.forms {
            assert!(!found(&format!("something before {form} and after"), std::slice::from_ref(secret)).is_empty(), "{form}");
        }
    }
    let secret = &run.tokens[0].forms[0];
    let item = run.app.operator.client.put_item().table_name(&run.app.tables.outbox);
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    item.item("pk", text("x")).item("sk", text("x")).item("note", text(secret)).send().await.expect("the store answers");
    assert_eq!(run.leaks().await.len(), 1, "in an item");
    tracing::trace!(target: "doorward::planted", address = EMAIL, password = WRONG, "x");
    assert!(run.leaks().await.len() >= 3, "in a log line of the lowest level");
}
