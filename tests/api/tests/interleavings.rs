//! Pairs of concurrent requests: the first is held before each of its calls to the store in turn, while the second runs completely.

use std::{sync::Arc, time::Duration};

use doorward_functions::mailer::Records;
use doorward_kit::{
    App,
    app::Observer,
    mailbox::Mail,
    person::Person,
    proxy::{Failure, Gate, When},
    requests::{PASSWORD, change_password, confirm_reset, login, logout, logout_all, reset_request, validate},
};

/// A request of a person, or a delivery by the mailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Logs in with the old password.
    Login,
    /// Changes the password with the existing session.
    Change,
    /// Resets the password with the existing link.
    Confirm,
    /// Ends the existing session.
    Logout,
    /// Ends all sessions.
    LogoutAll,
    /// Delivers the request for another link.
    Deliver,
    /// Delivers a request that came later still.
    DeliverLater,
}
use Step::{Change, Confirm, Deliver, DeliverLater, Login, Logout, LogoutAll};

const PAIRS: [(Step, Step); 20] = [
    (Login, Change),
    (Login, Confirm),
    (Login, LogoutAll),
    (Change, Login),
    (Change, Change),
    (Change, Confirm),
    (Change, Logout),
    (Change, LogoutAll),
    (Change, Deliver),
    (Confirm, Login),
    (Confirm, Change),
    (Confirm, Confirm),
    (Confirm, Deliver),
    (Logout, Change),
    (LogoutAll, Change),
    (Deliver, Change),
    (Deliver, Confirm),
    (Deliver, Deliver),
    (Deliver, DeliverLater),
    (DeliverLater, Deliver),
];
const CHANGED: &str = "Changed-Horse-44";
const RESET: &str = "Battery-Staple-43";
/// Django's hash of PASSWORD, which a login replaces.
const IMPORTED: &str = "pbkdf2_sha256$1000$abcdefgh$NV/xnCaTZ36ksDsXc7gM4kB2Eq1TSiwPZMBg1TZej6g=";

/// A person with a session, a link, and two requests for another link that have not been delivered.
struct World {
    app: App,
    person: Person,
    session: String,
    link: String,
    requests: [Records; 2],
}

/// The outcome of a step.
struct Outcome {
    step: Step,
    done: bool,
    session: Option<String>,
}

impl World {
    async fn of(app: &App, name: &str, imported: bool) -> Self {
        let person = app.sign_up(name).await;
        let session = person.login().await;
        let link = person.reset_link().await;
        let mut requests = Vec::new();
        for _ in 0..2 {
            app.clock.advance(Duration::from_secs(61));
            assert_eq!(app.send(reset_request(&person.email)).await.status, 200);
            requests.push(app.stream().await);
        }
        if imported {
            app.operator.set_password_hash(&person.username, IMPORTED).await;
        }
        let requests = requests.try_into().unwrap_or_else(|_| unreachable!());
        Self { app: app.clone(), person, session, link, requests }
    }

    async fn run(&self, step: Step) -> Outcome {
        let request = match step {
            Login => login(&self.person.username, PASSWORD),
            Change => change_password(&self.session, PASSWORD, CHANGED),
            Confirm => confirm_reset(&self.link, RESET),
            Logout => logout(&self.session),
            LogoutAll => logout_all(&self.session),
            Deliver | DeliverLater => {
                let report = self.app.mailer.deliver(self.requests[usize::from(step == DeliverLater)].clone()).await;
                return Outcome { step, done: report.failures.is_empty(), session: None };
            }
        };
        let answer = self.app.send(request).await;
        assert!([200, 400, 401, 404].contains(&answer.status), "{step:?}: {answer:?}");
        let done = answer.status == 200;
        Outcome { step, done, session: (done && step == Login).then(|| answer.text("token")) }
    }

    /// Holds the first step before its call of this number, and runs the second step meanwhile. `None` if the first makes fewer calls.
    async fn run_in_the_middle(self: &Arc<Self>, observer: &Observer, number: usize, steps: (Step, Step)) -> Option<[Outcome; 2]> {
        let gate = Gate::default();
        let held = gate.clone();
        observer.store.forget();
        observer.store.fail(move |call| (call.number == number).then(|| (When::Before, Failure::Waits(held.clone()))));
        let world = Arc::clone(self);
        let mut first = tokio::spawn(async move { world.run(steps.0).await });
        tokio::select! {
            _ = &mut first => {
                observer.store.forget();
                return None;
            }
            () = gate.reached() => {}
        }
        let second = self.run(steps.1).await;
        gate.open();
        let first = first.await.expect("no function panics");
        observer.store.forget();
        Some([first, second])
    }

    /// Asserts what holds after any two steps in any order.
    async fn check(&self, outcomes: &[Outcome; 2], context: &str) {
        let app = &self.app;
        let done = |step| outcomes.iter().filter(|outcome| outcome.step == step && outcome.done).count();
        let set = done(Change) + done(Confirm);
        assert!(set <= 1, "two passwords were set from one state: {context}");
        let account = app.operator.account(&self.person.username).await;
        let epoch: usize = account["epoch"].as_n().expect("a number").parse().expect("a number");
        assert_eq!(epoch, 1 + set + done(LogoutAll), "{context}");
        let notices = app.operator.partition(&self.person.username).await.replace("account#", "notice#");
        let facts = app.snapshot("outbox").await;
        assert_eq!(facts.keys().filter(|(partition, _)| *partition == notices).count(), set, "notices: {context}");

        let over = done(Confirm) + done(Logout) + done(LogoutAll) > 0;
        assert_eq!(app.lets_pass(&self.session).await, !over, "the session: {context}");
        for session in outcomes.iter().filter_map(|outcome| outcome.session.as_ref()) {
            let ended = set + done(LogoutAll) > 0;
            assert!(!ended || !app.lets_pass(session).await, "the session of the login: {context}");
        }
        self.check_links(set == 1, context).await;
        for (password, works) in [(CHANGED, done(Change) == 1), (RESET, done(Confirm) == 1), (PASSWORD, set == 0)] {
            assert_eq!(self.person.logs_in(password).await, works, "{password}: {context}");
        }
    }

    async fn check_links(&self, set: bool, context: &str) {
        let mut working = Vec::new();
        let mails = self.app.mailbox.to(&self.person.email);
        // A mail says for which request it was sent; the newest request is the one that counts, not the newest mail.
        let mut links: Vec<(String, String)> = mails.iter().filter_map(|mail| Some((requested_at(mail), mail.reset_token()?))).collect();
        links.sort();
        for (_, link) in &links {
            working.push(self.app.send(validate(link)).await.status == 200);
        }
        let newest_alone: Vec<bool> = (1..=links.len()).map(|number| number == links.len() && !set).collect();
        assert_eq!(working, newest_alone, "links, oldest first: {context}");
    }
}

/// The time of the request that a mail answers, as the mail states it.
fn requested_at(mail: &Mail) -> String {
    let utc = mail.text.find(" UTC").expect("the mail says when");
    mail.text[utc - 16..utc].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_in_the_middle_of_a_request_the_account_is_as_if_one_came_after_the_other() {
    let (app, observer) = App::observed(&[]).await;
    let mut interleavings = 0;
    for steps in PAIRS {
        for number in 0.. {
            let imported = steps.0 == Login || steps.1 == Login;
            let world = Arc::new(World::of(&app, &format!("{:?}{:?}{number}", steps.0, steps.1), imported).await);
            let context = format!("{:?} before call {number} of {:?}", steps.1, steps.0);
            let Some(outcomes) = world.run_in_the_middle(&observer, number, steps).await else { break };
            let late = steps == (Login, LogoutAll) && number <= 2;
            if !late {
                world.check(&outcomes, &context).await;
            }
            interleavings += 1;
        }
    }
    assert!(interleavings >= 80, "{interleavings} interleavings: calls went missing");
}
