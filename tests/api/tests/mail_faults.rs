//! Each call of the mailer is made to fail. No mail is lost, none is sent twice unless nobody can know whether it was accepted, and the last link works.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use doorward_functions::batch::{Record, Records, Report};
use doorward_kit::{
    App,
    app::Observer,
    person::Person,
    proxy::{Call, Failure, When},
    requests::{ACTIVATION, NEW_PASSWORD, PASSWORD, change_password, open, reset_request, validate, verification_request},
    store::Facts,
};

/// A kind of mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Reset,
    Notice,
    Verify,
}

/// The calls to the store during a delivery, and before which of them SES gets the mail.
impl Kind {
    fn calls(self) -> &'static [&'static str] {
        match self {
            Self::Reset => &[
                "lease",
                "claim",
                "account",
                "link",
                "store the link",
                "mark the link",
                "count the mail",
                "read the record",
                "write the record",
                "finish",
            ],
            Self::Verify => {
                &["lease", "claim", "account", "link", "store the link", "mark the link", "read the record", "write the record", "finish"]
            }
            Self::Notice => &["lease", "account", "permit and keep the link", "read the record", "write the record", "finish"],
        }
    }

    /// Whether a failure of this call, and of those after it if the function dies, hides that SES has accepted the mail.
    fn forgets_the_mail(self, call: &str, dies: bool) -> bool {
        match self {
            Self::Reset | Self::Verify => call == "mark the link",
            Self::Notice => call == "finish" || dies && is_record(call),
        }
    }
}

/// Whether the call is about the record for the operator, without which the mail is done as well.
fn is_record(call: &str) -> bool {
    call.ends_with("the record")
}

/// A person to whom a mail is due, and the stream record of its item.
async fn somebody(app: &App, name: &str, kind: Kind) -> (Person, Record) {
    let person = app.sign_up(name).await;
    let asked = match kind {
        Kind::Reset => reset_request(&person.email),
        Kind::Notice => change_password(&person.login().await, PASSWORD, NEW_PASSWORD),
        Kind::Verify => verification_request(&person.email),
    };
    assert!(app.send(asked).await.status < 300);
    let mut inserts: Vec<Record> = app.stream().await.records.into_iter().filter(|record| record.event_name == "INSERT").collect();
    assert_eq!(inserts.len(), 1);
    (person, inserts.remove(0))
}

async fn deliver(app: &App, records: &[&Record]) -> Report {
    app.mailer.deliver(Records { records: records.iter().map(|record| (*record).clone()).collect() }).await
}

/// The Outbox item of a record.
async fn entry(app: &App, record: &Record) -> std::collections::BTreeMap<String, String> {
    let keys = &record.dynamodb.keys;
    let facts: Facts = app.snapshot("outbox").await;
    facts.get(&(keys.pk.value.clone(), keys.sk.value.clone())).cloned().unwrap_or_default()
}

/// Delivers the record again, as the stream does, until the item is done: at most three times, each after the previous lease has ended.
async fn bring_again(app: &App, record: &Record, context: &str) {
    for _ in 0..3 {
        app.clock.advance(Duration::from_secs(91));
        if deliver(app, &[record]).await.failures.is_empty() {
            return;
        }
    }
    panic!("never delivered after {context}");
}

/// Asserts that the mail was sent as often as it may have been, that its link works, and that nothing is left to do.
async fn check((app, observer): (&App, &Observer), kind: Kind, person: &Person, record: &Record, twice: bool, context: &str) {
    let mails = app.mailbox.to(&person.email);
    assert_eq!(mails.len(), if twice { 2 } else { 1 }, "mails after {context}");
    assert_eq!(app.mailbox.all().len(), observer.mail.calls().iter().filter(|call| call.status == 200).count());
    if kind == Kind::Reset {
        let links: Vec<String> = mails.iter().filter_map(doorward_kit::mailbox::Mail::reset_token).collect();
        for (number, link) in links.iter().enumerate() {
            let works = app.send(validate(link)).await.status == 200;
            assert_eq!(works, number + 1 == links.len(), "only the last link works after {context}");
        }
    }
    for (number, link) in app.verification_links(&person.email).iter().enumerate() {
        let works = app.send(open(&format!("{ACTIVATION}?token={link}"))).await.status == 200;
        assert_eq!(works, number + 1 == mails.len(), "only the last link works after {context}");
    }
    let entry = entry(app, record).await;
    let left: Vec<&str> = ["done_at", "failed_at", "email", "lease_until"].into_iter().filter(|name| entry.contains_key(*name)).collect();
    assert_eq!(left, ["done_at"], "done, and not on the list of what failed, after {context}");
    let everything = format!("{:?}{:?}", app.snapshot("accounts").await, app.snapshot("outbox").await);
    // A digest may contain the same four characters by chance, but not at its beginning.
    let mut words = everything.split(|char: char| !(char.is_ascii_alphanumeric() || char == '-' || char == '_'));
    assert!(words.all(|word| !["dwr_", "dws_", "dwn_", "dwv_"].iter().any(|prefix| word.starts_with(prefix))), "no token is stored");
}

type Says = fn() -> Failure;

#[tokio::test(flavor = "multi_thread")]
async fn whichever_call_to_the_store_fails_the_mail_comes_once_and_its_link_works() {
    const FAILURES: [(When, Says); 6] = [
        (When::Before, || Failure::Drops),
        (When::After, || Failure::Drops),
        (When::Before, || Failure::code(500, "InternalServerError")),
        (When::After, || Failure::code(500, "InternalServerError")),
        (When::Before, || Failure::code(400, "ThrottlingException")),
        (When::Before, || Failure::code(400, "AccessDeniedException")),
    ];
    for kind in [Kind::Reset, Kind::Notice, Kind::Verify] {
        for (index, (when, failure)) in FAILURES.into_iter().enumerate() {
            for (number, call) in kind.calls().iter().enumerate() {
                // The function either crashes at the failure or is able to return the item for a retry.
                for dies in [false, true] {
                    let context = format!("{kind:?}: {call} {:?} {when:?}, dies: {dies}", failure());
                    let (app, observer) = App::observed(&[]).await;
                    let (person, record) = somebody(&app, &format!("anna{index}"), kind).await;
                    observer.store.forget();
                    let fails = move |asked: &Call| asked.number == number || dies && asked.number > number;
                    observer.store.fail(move |asked| fails(asked).then(|| (when, failure())));
                    let report = deliver(&app, &[&record]).await;
                    let asked = observer.store.calls();
                    assert!(asked.iter().any(|asked| asked.number == number), "no call {number}: {context}");
                    observer.store.forget();
                    if is_record(call) && !dies {
                        assert_eq!(report, Report::default(), "{context}");
                    } else {
                        assert_eq!(report.failures.len(), 1, "{context}");
                        bring_again(&app, &record, &context).await;
                    }
                    let twice = kind.forgets_the_mail(call, dies) && when == When::Before;
                    check((&app, &observer), kind, &person, &record, twice, &context).await;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_answer_of_the_store_is_lost_once_or_late_nobody_notices() {
    for kind in [Kind::Reset, Kind::Notice, Kind::Verify] {
        for number in 0..kind.calls().len() {
            for busy in [None, Some("TransactionConflict"), Some("ThrottlingError")] {
                let context = format!("{kind:?}: {} {busy:?}", kind.calls()[number]);
                let (app, observer) = App::observed(&[]).await;
                let (person, record) = somebody(&app, "anna", kind).await;
                observer.store.forget();
                let times = AtomicUsize::new(0);
                observer.store.fail(move |asked| match busy {
                    None => (asked.number == number && asked.attempt == 1).then_some((When::After, Failure::Drops)),
                    Some(reason) => (asked.number >= number && times.fetch_add(1, Ordering::SeqCst) < 2)
                        .then(|| (When::Before, Failure::busy(asked, reason))),
                });
                assert_eq!(deliver(&app, &[&record]).await, Report::default(), "{context}");
                let account = app.store.account_by_login_name(&person.username).await.expect("the store answers").expect("an account");
                let deliveries = app.store.deliveries(account.id).await.expect("the store answers");
                assert_eq!(deliveries.len(), 1, "recorded once: {context}");
                check((&app, &observer), kind, &person, &record, false, &context).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_mail_service_cannot_take_now_it_takes_later() {
    const FAILURES: [(When, Says); 8] = [
        (When::Before, || Failure::Drops),
        (When::After, || Failure::Drops),
        (When::Before, || Failure::Hangs),
        (When::Before, || Failure::code(500, "InternalServiceErrorException")),
        (When::After, || Failure::code(500, "InternalServiceErrorException")),
        (When::Before, || Failure::code(429, "TooManyRequestsException")),
        (When::Before, || Failure::code(400, "SendingPausedException")),
        (When::Before, || Failure::code(403, "AccessDeniedException")),
    ];
    for kind in [Kind::Reset, Kind::Notice, Kind::Verify] {
        for (when, failure) in FAILURES {
            let context = format!("{kind:?}: {:?} {when:?}", failure());
            let (app, observer) = App::observed(&[]).await;
            let (person, record) = somebody(&app, "anna", kind).await;
            observer.mail.fail(move |_| Some((when, failure())));
            assert_eq!(deliver(&app, &[&record]).await.failures.len(), 1, "{context}");
            let waiting = entry(&app, &record).await;
            assert!(waiting.contains_key("failed_at") && waiting.contains_key("email") && !waiting.contains_key("done_at"), "{context}");
            observer.mail.heal();
            bring_again(&app, &record, &context).await;
            check((&app, &observer), kind, &person, &record, when == When::After, &context).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_put_on_the_list_of_what_failed_and_the_rest_of_the_batch_goes_on() {
    let (app, observer) = App::observed(&[]).await;
    let (before, first) = somebody(&app, "anna", Kind::Reset).await;
    let (refused, refused_record) = somebody(&app, "berta", Kind::Reset).await;
    let (_, broken) = somebody(&app, "carla", Kind::Reset).await;
    let (account_broken, of_broken_account) = somebody(&app, "dora", Kind::Reset).await;
    let (after, last) = somebody(&app, "emma", Kind::Notice).await;
    let client = app.operator.client.clone();
    let spoil = |table: &str, pk: &str, sk: &str, attribute: &str| {
        let key = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
        client.update_item().table_name(table).key("pk", key(pk)).key("sk", key(sk)).update_expression(format!("REMOVE {attribute}")).send()
    };
    spoil(&app.tables.outbox, &broken.dynamodb.keys.pk.value, &broken.dynamodb.keys.sk.value, "email").await.expect("it is spoilt");
    let partition = app.operator.partition(&account_broken.username).await;
    spoil(&app.tables.accounts, &partition, "account", "epoch").await.expect("it is spoilt");
    let keyless = Record { event_name: "INSERT".to_owned(), ..Record::default() };
    let mut gone = first.clone();
    gone.dynamodb.keys.sk.value = "1".to_owned();

    observer.mail.fail(move |call| {
        let to_berta = call.request.pointer("/Destination/ToAddresses/0").is_some_and(|to| *to == refused.email);
        to_berta.then(|| (When::Before, Failure::code(400, "MessageRejected")))
    });
    let report = deliver(&app, &[&first, &keyless, &refused_record, &broken, &gone, &of_broken_account, &last]).await;
    assert_eq!(report, Report::default(), "nothing that comes again would fare better");
    assert_eq!((app.mailbox.to(&before.email).len(), app.mailbox.to(&after.email).len()), (1, 1));
    assert_eq!(app.mailbox.all().len(), 2);
    for record in [&refused_record, &broken, &of_broken_account] {
        let entry = entry(&app, record).await;
        assert!(entry.contains_key("failed_at") && entry.contains_key("done_at"), "{entry:?}");
        assert!(!entry.contains_key("lease_until"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_could_not_be_sent_for_an_hour_is_put_on_the_list_of_what_failed() {
    let (app, observer) = App::observed(&[]).await;
    for kind in [Kind::Reset, Kind::Notice, Kind::Verify] {
        let (person, record) = somebody(&app, &format!("{kind:?}"), kind).await;
        observer.mail.fail(|_| Some((When::Before, Failure::code(429, "TooManyRequestsException"))));
        for _ in 0..12 {
            assert_eq!(deliver(&app, &[&record]).await.failures.len(), 1);
            app.clock.advance(Duration::from_secs(300));
        }
        app.clock.advance(Duration::from_secs(1));
        observer.mail.heal();
        assert_eq!(deliver(&app, &[&record]).await, Report::default());
        let entry = entry(&app, &record).await;
        assert_eq!((entry["outcome"].as_str(), entry["attempts"].as_str()), ("too late", "13"));
        assert!(entry.contains_key("failed_at") && entry.contains_key("done_at"));
        assert!(app.mailbox.to(&person.email).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_time_of_the_mailer_does_not_suffice_for_comes_again() {
    let (app, observer) = App::observed(&[]).await;
    let (_, first) = somebody(&app, "anna", Kind::Notice).await;
    let (_, second) = somebody(&app, "berta", Kind::Notice).await;
    observer.mail.fail(|_| Some((When::Before, Failure::Hangs)));
    let batch = Records { records: vec![first.clone(), second.clone()] };
    let report = app.mailer.deliver_within(batch, Duration::from_millis(700)).await;
    assert_eq!(report.failures.len(), 2);
    assert!(!entry(&app, &second).await.contains_key("attempts"), "what was not begun is not leased");
    observer.mail.heal();
    for record in [&first, &second] {
        bring_again(&app, record, "silence").await;
    }
    assert_eq!(app.mailbox.all().len(), 2);
}
