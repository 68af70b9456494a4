//! Each call of each endpoint is made to fail, before and after it took effect. The state is the old or the new one, and the answer is true or a 503.

mod cases;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use doorward_kit::{
    App, Response,
    app::Observer,
    changes::changes,
    person::Person,
    proxy::{Call, Failure, Injected, When},
    requests::{NICKNAME, PASSWORD, change_address},
    store::Facts,
    time::Stopwatch,
};
use serde_json::json;

use self::cases::{CASES, Case};

/// A person with a session and a link, and everything in the store at that moment.
struct World {
    person: Person,
    session: String,
    /// The id of another session.
    other: String,
    link: String,
    verification: String,
    change: String,
    before: Facts,
}

impl World {
    async fn of(app: &App, name: &str) -> Self {
        let person = app.sign_up(name).await;
        let session = person.login().await;
        let other = app.session_id(&person.login().await).await;
        let link = person.reset_link().await;
        let verification = app.verification_links(&person.email).pop().expect("a link");
        let new = format!("n{}", person.email);
        assert_eq!(app.send(change_address(&session, &new, PASSWORD)).await.status, 200);
        app.deliver().await;
        let change = app.verification_links(&new).pop().expect("a link");
        app.clock.advance(Duration::from_secs(61));
        let before = app.everything_but_limits().await;
        Self { person, session, other, link, verification, change, before }
    }

    async fn changes(&self, app: &App) -> String {
        changes(&self.before, &app.everything_but_limits().await).join(",")
    }
}

impl Case {
    /// Whether these are all changes of the request, or all except those that may be left undone.
    fn is_done(&self, changes: &str) -> bool {
        let (needed, more) = self.changes.split_once('|').unwrap_or((self.changes, ""));
        changes == needed || (!more.is_empty() && changes == format!("{needed},{more}"))
    }

    /// Makes the request in a new fixture while the calls that `rule` selects fail. The state must then be the old or the new one, and a repeated
    /// request must get the answer that is true for it.
    async fn ask_failing(
        &self,
        (app, observer): (&App, &Observer),
        context: &str,
        time: Duration,
        rule: impl Fn(&Call) -> Injected + Send + Sync + 'static,
    ) -> (Response, Vec<Call>, bool, Duration) {
        let world = World::of(app, &context.replace([' ', '/'], "-")).await;
        let mails = app.mailbox.all().len();
        observer.store.forget();
        observer.store.fail(rule);
        let watch = Stopwatch::start();
        let answer = app.send_within((self.ask)(&world), time).await;
        let took = watch.elapsed();
        let calls = observer.store.calls();
        // The rule stays until the state has been read, because a call that was cut off by the deadline may still be under way.
        let changes = world.changes(app).await;
        observer.store.forget();
        let done = self.is_done(&changes);
        assert!(done || changes.is_empty(), "neither old nor new after {context}: {changes}");
        assert_eq!(app.mailbox.all().len(), mails, "no endpoint sends");
        assert!(answer.status == self.done || answer.status == 503, "{context}: {answer:?}");
        assert!(answer.status == 503 || done, "{context}: said done, and was not");
        if answer.status == 503 {
            assert!(
                self.name.ends_with("page") || answer.body == r#"{"detail":"Service temporarily unavailable, try again later."}"#,
                "{answer:?}"
            );
        }
        let again = app.send((self.ask)(&world)).await;
        let truth = if done && !self.changes.is_empty() { self.again } else { self.done };
        assert_eq!(again.status, truth, "again after {context}: {again:?}");
        (answer, calls, done, took)
    }
}

/// Runs this for all cases concurrently, each with a store of its own.
async fn for_every_case<F: Future<Output = usize> + Send + 'static>(test: fn(&'static Case, App, Observer) -> F) -> usize {
    let ask = |case: &'static Case| {
        tokio::spawn(async move {
            let (app, observer) = App::observed(&[("EVENTS", case.events), ("ADDRESS_VERIFICATION", "optional"), NICKNAME]).await;
            let asked = test(case, app.clone(), observer).await;
            app.assert_sound().await;
            asked
        })
    };
    let mut total = 0;
    for asked in CASES.iter().map(ask).collect::<Vec<_>>() {
        total += asked.await.expect("every case holds");
    }
    total
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn whichever_call_fails_the_state_is_old_or_new_and_the_answer_true_or_a_503() {
    type Says = fn() -> Failure;
    const FAILURES: [(&str, When, Says); 7] = [
        ("drop", When::Before, || Failure::Drops),
        ("drop", When::After, || Failure::Drops),
        ("500", When::Before, || Failure::code(500, "InternalServerError")),
        ("500", When::After, || Failure::code(500, "InternalServerError")),
        ("throttled", When::Before, || Failure::code(400, "ThrottlingException")),
        ("exceeded", When::Before, || Failure::code(400, "ProvisionedThroughputExceededException")),
        ("denied", When::Before, || Failure::code(400, "AccessDeniedException")),
    ];
    let failed = for_every_case(|case, app, observer| async move {
        let mut failed = 0;
        for (what, when, failure) in FAILURES {
            for number in 0.. {
                let context = format!("{} call {number} {what} {when:?}", case.name);
                let rule = move |call: &Call| (call.number == number).then(|| (when, failure()));
                let (answer, calls, done, _) = case.ask_failing((&app, &observer), &context, LONG, rule).await;
                let Some(last) = calls.iter().rfind(|call| call.number == number) else { break };
                assert_eq!(last.attempt, if what == "denied" { 1 } else { 3 }, "{context}");
                // Only a failure to store the network of a login does not change the answer.
                let optional =
                    case.name.starts_with("login") && calls.iter().any(|call| call.number < number && call.operation == "BatchWriteItem");
                assert_eq!(answer.status, if optional { 200 } else { 503 }, "{context}");
                assert!(!done || optional || case.changes.is_empty() || when == When::After, "{context}");
                failed += 1;
            }
        }
        failed
    })
    .await;
    assert!(failed >= 150, "{failed} calls failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_once_or_whose_answer_is_lost_is_asked_again_and_nobody_notices() {
    type Rule = fn(&Call) -> Injected;
    const ONCE: [(&str, Rule); 5] = [
        ("drop before", |call| (call.attempt == 1).then_some((When::Before, Failure::Drops))),
        ("drop after", |call| (call.attempt == 1).then_some((When::After, Failure::Drops))),
        ("500 before", |call| (call.attempt == 1).then(|| (When::Before, Failure::code(500, "InternalServerError")))),
        ("500 after", |call| (call.attempt == 1).then(|| (When::After, Failure::code(500, "InternalServerError")))),
        // The second attempt meets a conflict. A further attempt must still recognise the first as its own.
        ("lost and then in conflict", |call| match call.attempt {
            1 => Some((When::After, Failure::Drops)),
            2 => Some((When::Before, Failure::busy(call, "TransactionConflict"))),
            _ => None,
        }),
    ];
    let failed = for_every_case(|case, app, observer| async move {
        let mut failed = 0;
        for (what, once) in ONCE {
            for number in 0.. {
                let context = format!("{} call {number} {what}", case.name);
                let rule = move |call: &Call| if call.number == number { once(call) } else { None };
                let (answer, calls, done, _) = case.ask_failing((&app, &observer), &context, LONG, rule).await;
                if !calls.iter().any(|call| call.number == number) {
                    break;
                }
                assert_eq!((answer.status, done), (case.done, true), "{context}: {answer:?}");
                failed += 1;
            }
        }
        failed
    })
    .await;
    assert!(failed >= 110, "{failed} calls failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_failed_condition_is_a_lost_race() {
    // Other reasons for cancelling a transaction say nothing about links, names or sessions.
    for (reasons, times, status) in [
        (["ValidationError", "None"], usize::MAX, 503),
        (["ItemCollectionSizeLimitExceeded", "None"], usize::MAX, 503),
        // A condition that failed because of another, unfinished transaction may hold when that is done.
        (["ConditionalCheckFailed", "TransactionConflict"], 2, 200),
    ] {
        let (app, observer) = App::observed(&[("EVENTS", "account"), ("ADDRESS_VERIFICATION", "optional")]).await;
        for case in CASES.iter().filter(|case| ["register", "change", "confirm"].contains(&case.name)) {
            let left = AtomicUsize::new(times);
            let rule = move |call: &Call| {
                let fails = call.operation == "TransactWriteItems"
                    && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
                fails.then(|| (When::Before, Failure::cancelled(call, &reasons)))
            };
            let (answer, _, done, _) = case.ask_failing((&app, &observer), case.name, LONG, rule).await;
            let expected = if status == 200 { case.done } else { status };
            assert_eq!((answer.status, done), (expected, status == 200), "{} {reasons:?}: {answer:?}", case.name);
        }
        app.assert_sound().await;
    }
}

const BUSY: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_busy_for_a_while_is_asked_until_it_is_not() {
    let busy = for_every_case(|case, app, observer| async move {
        let mut busy = 0;
        for reason in BUSY {
            for number in 0.. {
                let context = format!("{} call {number} twice {reason}", case.name);
                let times = AtomicUsize::new(0);
                let rule = move |call: &Call| {
                    let early = call.number >= number && times.fetch_add(1, Ordering::SeqCst) < 2;
                    early.then(|| (When::Before, Failure::busy(call, reason)))
                };
                let (answer, calls, done, _) = case.ask_failing((&app, &observer), &context, LONG, rule).await;
                if !calls.iter().any(|call| call.number == number) {
                    break;
                }
                assert_eq!((answer.status, done), (case.done, true), "{context}: {answer:?}");
                busy += 1;
            }
        }
        busy
    })
    .await;
    assert!(busy >= 60, "{busy} calls were busy");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stays_busy_or_silent_is_a_503_before_the_function_ends() {
    const TIME: Duration = Duration::from_millis(1500);
    let busy = for_every_case(|case, app, observer| async move {
        let mut busy = 0;
        for reason in ["TransactionConflict", "ThrottlingError", "silence"] {
            let (mut number, mut late) = (0, 0);
            loop {
                let context = format!("{} call {number} always {reason} late {late}", case.name);
                let rule = move |call: &Call| {
                    let failure = || if reason == "silence" { Failure::Hangs } else { Failure::busy(call, reason) };
                    (call.number >= number).then(|| (When::Before, failure()))
                };
                let (answer, calls, done, took) = case.ask_failing((&app, &observer), &context, TIME, rule).await;
                // A busy machine may be late itself, so an answer that is late once is asked for again.
                if took >= TIME {
                    late += 1;
                    assert!(late < 4, "Lambda would have ended the function: {context}");
                    continue;
                }
                let tries = calls.iter().filter(|call| call.number >= number).count();
                if tries == 0 {
                    break;
                }
                let noted = case.name.starts_with("login") && done;
                assert!(answer.status == 503 || noted, "{context}: {answer:?}");
                assert!(!done || noted || case.changes.is_empty(), "{context}");
                // An export reads twelve partitions at once.
                assert!(tries <= 40, "{tries} tries without a pause: {context}");
                busy += 1;
                (number, late) = (number + 1, 0);
            }
        }
        busy
    })
    .await;
    assert!(busy >= 60, "{busy} calls were busy");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_that_gets_no_answer_is_given_up_in_time_for_another() {
    let (app, observer) = App::observed(&[("EVENTS", "account"), ("ADDRESS_VERIFICATION", "optional")]).await;
    let case = CASES.iter().find(|case| case.name == "confirm").expect("a case");
    let rule = |call: &Call| (call.operation == "TransactWriteItems" && call.attempt == 1).then_some((When::After, Failure::Hangs));
    let (answer, calls, done, _) = case.ask_failing((&app, &observer), "silence", LONG, rule).await;
    assert_eq!((answer.status, done), (200, true));
    assert_eq!(calls.last().map(|call| call.attempt), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_passes_the_authorizer_while_the_store_fails() {
    let (app, observer) = App::observed(&[("ADDRESS_VERIFICATION", "optional")]).await;
    let world = World::of(&app, "anna").await;
    let question = json!({ "version": "2.0", "headers": { "authorization": format!("Token {}", world.session) } });
    for failure in [Failure::Drops, Failure::code(500, "InternalServerError"), Failure::code(400, "AccessDeniedException")] {
        observer.store.fail(move |_| Some((When::After, failure.clone())));
        assert!(app.decide(question.clone()).await.is_err());
    }
    observer.store.forget();
    assert_eq!(app.authorize(question).await["isAuthorized"], true);
}
