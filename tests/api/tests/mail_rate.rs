//! An account gets few mails whatever causes them, and none that matters is lost: notices are merged, and reset mails have a bound of their own.

mod days;

use std::{collections::BTreeSet, time::Duration};

use doorward::{
    account::AccountId,
    caller::Caller,
    client::Client,
    clock::Timestamp,
    entropy::Entropy,
    outbox::{ChangeKind, Notice},
    password::StoredPassword,
    token::{Session, Token},
};
use doorward_functions::batch::Records;
use doorward_kit::{
    App,
    mailbox::{Mail, Refuse},
    proxy::{Failure, When},
    requests::{NEW_PASSWORD, PASSWORD, address_of, post, reset_request},
    store::lines,
};
use serde_json::json;

/// Somebody who is logged in, and changes the password whenever told to. No hash is computed for that.
struct Changer {
    app: App,
    account: AccountId,
    session: Token<Session>,
    email: String,
}

impl Changer {
    async fn of(app: &App, name: &str) -> Self {
        let person = app.sign_up(name).await;
        let session = Token::parse(&person.login().await).expect("a token");
        Self { app: app.clone(), account: session.account(), session, email: person.email }
    }

    async fn change(&self) {
        let now = self.app.clock.now();
        let account = self.app.store.account(self.account).await.expect("the store answers").expect("an account");
        let notice = Notice {
            id: Entropy::system().uuid(now),
            account: account.id,
            email: account.email.clone(),
            kind: ChangeKind::Changed,
            changed_at: now,
            caller: Caller::default(),
        };
        let client = Client::seen("192.0.2.1".parse().expect("an address"), &[], 0);
        let password = StoredPassword::stored("$argon2id$another".to_owned());
        let changed = self.app.store.change_password(&account, &self.session.digest(), client, &password, &notice, now).await;
        assert_eq!(changed.expect("the store answers"), doorward::change::Changed::Now);
    }

    /// The notices so far.
    fn notices(&self) -> Vec<Mail> {
        self.app.mailbox.to(&self.email).into_iter().filter(|mail| mail.disavowal_token().is_some()).collect()
    }

    /// The number of changes that the notices so far tell of.
    fn told(&self) -> usize {
        self.notices().iter().map(changes).sum()
    }
}

/// The number of changes that a notice tells of, as its subject says.
fn changes(mail: &Mail) -> usize {
    let words: Vec<&str> = mail.subject.split(' ').collect();
    match words.iter().position(|word| *word == "times") {
        Some(position) => words[position - 1].parse().expect("a number"),
        None => 1,
    }
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// The largest number of these instants that lie in one span of this length.
fn most_within(instants: &[Timestamp], length: Duration) -> usize {
    let within = |start: &Timestamp| instants.iter().filter(|instant| *instant >= start && **instant < *start + length).count();
    instants.iter().map(within).max().unwrap_or_default()
}

#[tokio::test]
async fn whoever_changes_the_password_just_when_notices_are_due_does_not_keep_them_waiting_even_without_the_timer() {
    let app = App::start().await;
    let thief = Changer::of(&app, "victim").await;
    let mut made = 0;
    // Exactly at the end of each wait, and one more a second later.
    for wait in [5, 15, 30, 60, 60, 60] {
        for seconds in [1, 60 * wait - 1] {
            thief.change().await;
            made += 1;
            app.deliver().await;
            app.deliver().await;
            app.advance(seconds);
        }
    }
    // The two changes of the last wait may still be held; all others were told of.
    assert!(thief.told() >= made - 2, "{} of {made}: {:?}", thief.told(), thief.notices().iter().map(changes).collect::<Vec<_>>());
    app.release_held().await;
    assert_eq!(thief.told(), made);
}

#[tokio::test]
async fn an_owner_who_is_flooded_with_notices_still_gets_a_reset_link() {
    let app = App::start().await;
    let thief = Changer::of(&app, "victim").await;
    for _ in 0..50 {
        thief.change().await;
        app.advance(1);
    }
    app.deliver().await;
    let link = app.reset_link(&thief.email).await;
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
    assert_eq!(thief.notices().len(), 1);
}

#[tokio::test]
async fn the_link_of_a_merged_notice_undoes_the_newest_change() {
    let app = App::start().await;
    let thief = Changer::of(&app, "victim").await;
    for _ in 0..3 {
        thief.change().await;
        app.deliver().await;
        app.advance(60);
    }
    app.advance(180);
    app.release_held().await;
    let merged = thief.notices().pop().expect("a notice");
    assert_eq!(changes(&merged), 2);
    // The thief goes on after that mail, too.
    thief.change().await;
    assert!(app.lets_pass(&thief.session.reveal()).await);
    let pressed = app.send(post("/api/password_reset/disavow/", &json!({ "token": merged.disavowal_token() }))).await;
    assert_eq!(pressed.status, 200);
    assert!(!app.lets_pass(&thief.session.reveal()).await);
    app.deliver().await;
    let link = app.newest_reset_link(&thief.email).expect("the way back in");
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_notices_that_many_mailers_have_at_once_one_is_sent_and_the_others_are_merged() {
    for round in 0..5 {
        let app = App::start().await;
        let thief = Changer::of(&app, &format!("victim{round}")).await;
        for _ in 0..8 {
            thief.change().await;
            app.clock.advance(Duration::from_millis(5));
        }
        let records: Vec<Records> = app
            .stream()
            .await
            .records
            .into_iter()
            .filter(|r| r.event_name == "INSERT")
            .map(|record| Records { records: vec![record] })
            .collect();
        let deliver = |records: Records| {
            let app = app.clone();
            tokio::spawn(async move { app.mailer.deliver(records).await })
        };
        for delivered in records.iter().cloned().map(deliver).collect::<Vec<_>>() {
            delivered.await.expect("the mailer does not panic");
        }
        // What was in the way of others comes again.
        app.advance(91);
        for records in records {
            assert!(app.mailer.deliver(records).await.failures.is_empty());
        }
        assert_eq!(thief.notices().len(), 1);
        // Two timers at once let one mail go.
        app.advance(300);
        let timers: Vec<_> = (0..4)
            .map(|_| {
                let app = app.clone();
                tokio::spawn(async move { app.release_held().await })
            })
            .collect();
        for timer in timers {
            timer.await.expect("the mailer does not panic");
        }
        app.deliver().await;
        assert_eq!((thief.notices().len(), thief.told()), (2, 8));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_call_fails_while_notices_are_held_and_let_go_each_change_is_told_of_once() {
    const FAILURES: [(When, fn() -> Failure); 4] = [
        (When::Before, || Failure::code(500, "InternalServerError")),
        (When::After, || Failure::Drops),
        (When::After, || Failure::code(500, "InternalServerError")),
        (When::Before, || Failure::code(400, "AccessDeniedException")),
    ];
    // Held: lease, account, hold. Let go: the list, the mail rate, the release.
    for (releasing, calls) in [(false, 3), (true, 3)] {
        for (index, (when, failure)) in FAILURES.into_iter().enumerate() {
            for number in 0..calls {
                let context = format!("releasing: {releasing}, call {number}, {:?} {when:?}", failure());
                let (app, observer) = App::observed(&[]).await;
                let thief = Changer::of(&app, &format!("victim{index}")).await;
                for _ in 0..2 {
                    thief.change().await;
                    app.deliver().await;
                    app.advance(1);
                }
                thief.change().await;
                let records = app.stream().await;
                if releasing {
                    assert!(app.mailer.deliver(records.clone()).await.failures.is_empty());
                    app.advance(300);
                }
                observer.store.forget();
                observer.store.fail(move |call| (call.number >= number).then(|| (when, failure())));
                if releasing {
                    assert!(app.release_due().await.is_err(), "{context}");
                } else {
                    assert_eq!(app.mailer.deliver(records.clone()).await.failures.len(), 1, "{context}");
                }
                assert!(observer.store.calls().iter().any(|call| call.number == number), "no call {number}: {context}");
                observer.store.forget();
                app.advance(91);
                assert!(app.mailer.deliver(records).await.failures.is_empty(), "{context}");
                app.advance(300);
                app.release_held().await;
                app.release_held().await;
                assert_eq!((thief.notices().len(), thief.told()), (2, 3), "{context}");
                let left = app.snapshot("outbox").await;
                assert!(left.keys().all(|(partition, _)| partition != "held"), "{context}");
                assert!(lines(&left).iter().all(|entry| entry.contains("done_at=") && !entry.contains('@')), "{context}");
            }
        }
    }
}

#[tokio::test]
async fn a_merged_notice_that_the_mail_service_cannot_take_comes_later() {
    let app = App::start().await;
    let thief = Changer::of(&app, "victim").await;
    for _ in 0..4 {
        thief.change().await;
        app.deliver().await;
        app.advance(1);
    }
    app.advance(300);
    app.release_due().await.expect("the store answers");
    let merged = app.stream().await;
    app.mailbox.refuse_next(Refuse(429, "TooManyRequestsException"));
    assert_eq!(app.mailer.deliver(merged.clone()).await.failures.len(), 1);
    // A change that is made meanwhile waits for its turn, and the merged notice keeps its own.
    thief.change().await;
    app.deliver().await;
    assert_eq!(thief.told(), 1);
    assert!(app.mailer.deliver(merged).await.failures.is_empty());
    assert_eq!(thief.told(), 4);
    app.advance(15 * 60);
    app.release_held().await;
    assert_eq!(thief.told(), 5);
}

#[tokio::test]
async fn nothing_is_left_of_the_held_notices_of_an_account_that_is_deleted() {
    let app = App::start().await;
    let thief = Changer::of(&app, "victim").await;
    for _ in 0..3 {
        thief.change().await;
    }
    app.deliver().await;
    assert!(app.snapshot("outbox").await.keys().any(|(partition, _)| partition == "held"));
    let account = app.store.account(thief.account).await.expect("the store answers").expect("an account");
    app.store.delete_account(&account, app.clock.now()).await.expect("the store answers");
    assert_eq!(lines(&app.everything_but_limits().await), Vec::<String>::new());
}

#[tokio::test]
async fn many_reset_mails_hold_none_back_whose_links_the_emergency_switch_has_ended() {
    let place = doorward_kit::place::Place::fresh().await;
    let before = App::over(&place, &[]).await;
    let thief = Changer::of(&before, "ann").await;
    for _ in 0..8 {
        before.reset_link(&thief.email).await;
        before.advance(1);
        thief.change().await;
        before.clock.advance(Duration::from_millis(2));
    }
    before.send(reset_request(&thief.email)).await;
    before.deliver().await;
    assert_eq!(before.reset_mails(&thief.email), 8);
    let pulled = App::over(&place, &[("SESSIONS_NOT_BEFORE", "2026-01-01T12:00:20Z")]).await;
    pulled.advance(40);
    pulled.stream().await;
    let link = pulled.reset_link(&address_of("ann")).await;
    assert_eq!(pulled.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
}
