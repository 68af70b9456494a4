//! Each call of the mailer is made to fail while it sends the link of a change of the address: the mail comes, once unless nobody can know whether it was
//! accepted, and the newest link works.

use std::time::Duration;

use doorward::{
    brand::Product,
    caller::Caller,
    clock::Timestamp,
    language::Language,
    mail::{AddressMail, AddressStep},
};
use doorward_functions::batch::Records;
use doorward_kit::{
    App,
    proxy::{Failure, When},
    requests::{ACTIVATION, NEW_PASSWORD, PASSWORD, address_of, change_address, open},
};

const NEW: &str = "anna@new.example";
/// The calls of a delivery that ask the store.
const CALLS: [&str; 7] = ["lease", "account", "change", "claim", "store the link", "mark the link", "finish"];

/// An account that has asked for an address, and the record of the request for its link.
async fn asked(app: &App) -> Records {
    let session = app.sign_up_verified("anna").await.login().await;
    assert_eq!(app.send(change_address(&session, NEW, PASSWORD)).await.status, 200);
    let mut records = app.stream().await;
    records.records.retain(|record| record.event_name == "INSERT" && record.dynamodb.keys.pk.value.starts_with("verify#"));
    assert_eq!(records.records.len(), 1);
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_call_fails_while_the_link_of_a_change_is_mailed_it_comes_and_the_newest_works() {
    for when in [When::Before, When::After] {
        for (number, call) in CALLS.into_iter().enumerate() {
            for dies in [false, true] {
                let context = format!("{call} {when:?}, dies: {dies}");
                let (app, observer) = App::observed(&[("ADDRESS_VERIFICATION", "optional")]).await;
                let records = asked(&app).await;
                observer.store.forget();
                observer.store.fail(move |asked| {
                    (asked.number == number || dies && asked.number > number).then(|| (when, Failure::code(500, "InternalServerError")))
                });
                let report = app.mailer.deliver(records.clone()).await;
                assert!(observer.store.calls().iter().any(|asked| asked.number == number), "no such call: {context}");
                observer.store.forget();
                assert_eq!(report.failures.len(), 1, "{context}");
                for _ in 0..2 {
                    app.advance(91);
                    assert!(app.mailer.deliver(records.clone()).await.failures.is_empty(), "{context}");
                }
                let links = app.verification_links(NEW);
                let unknown = call == "mark the link" && when == When::Before;
                assert_eq!(links.len(), if unknown { 2 } else { 1 }, "{context}");
                for (number, link) in links.iter().enumerate() {
                    let works = app.send(open(&format!("{ACTIVATION}?token={link}"))).await.status == 200;
                    assert_eq!(works, number + 1 == links.len(), "{context}");
                }
                app.assert_sound().await;
            }
        }
    }
}

#[tokio::test]
async fn of_two_addresses_that_were_requested_the_newer_one_gets_a_link_and_for_its_own_request() {
    for older_first in [true, false] {
        let app = App::configured(&[("ADDRESS_VERIFICATION", "optional")]).await;
        let session = app.sign_up_verified("anna").await.login().await;
        assert_eq!(app.send(change_address(&session, "older@new.example", PASSWORD)).await.status, 200);
        let older = app.stream().await;
        app.advance(1);
        assert_eq!(app.send(change_address(&session, NEW, PASSWORD)).await.status, 200);
        let newer = app.stream().await;
        let (first, second) = if older_first { (older, newer) } else { (newer, older) };
        assert!(app.mailer.deliver(first).await.failures.is_empty());
        assert_eq!(app.verification_links(NEW).len(), usize::from(!older_first));
        assert!(app.mailer.deliver(second).await.failures.is_empty());
        assert_eq!(app.verification_links(NEW).len(), 1);
        assert_eq!(app.mailbox.to("older@new.example"), []);
    }
}

#[tokio::test]
async fn an_address_that_was_requested_with_a_password_that_is_reset_meanwhile_gets_no_link() {
    let app = App::configured(&[("ADDRESS_VERIFICATION", "optional")]).await;
    let records = asked(&app).await;
    let link = app.reset_link(&address_of("anna")).await;
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
    assert!(app.mailer.deliver(records).await.failures.is_empty());
    assert_eq!(app.mailbox.to(NEW), []);
}

#[test]
fn the_notice_of_a_change_never_says_that_its_link_works_longer_than_it_does() {
    const HOUR: u64 = 60 * 60;
    for (seconds, words) in [
        (HOUR, "for 1 hour,"),
        (23 * HOUR + 59, "for 23 hours,"),
        (24 * HOUR, "for 1 day,"),
        (36 * HOUR, "for 36 hours,"),
        (7 * 24 * HOUR, "for 7 days,"),
        (8 * 24 * HOUR - 1, "for 7 days,"),
    ] {
        let mail = AddressMail {
            product: Product::default(),
            language: Language::of_tag("en").expect("English"),
            step: AddressStep::Changed,
            at: Timestamp::UNIX_EPOCH,
            caller: Caller::default(),
            undo: Some(("https://accounts.example.com/".to_owned(), Duration::from_secs(seconds))),
        };
        let text = mail.render().expect("a mail").text;
        assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(words), "{words} {text}");
    }
}
