//! Concurrent requests, in many rounds, over the real protocol: in whatever order they run, one wins and no state in between is left.

use std::time::Duration;

use doorward::{account::EmailAddress, lifecycle::Renamed};
use doorward_functions::batch::{Record, Records};
use doorward_kit::{
    App, Response,
    mailbox::Mail,
    person::Person,
    requests::{
        NEW_PASSWORD, PASSWORD, Request, change_password, confirm_reset, end_sessions, login, logout, logout_all, post, register,
        reset_request, validate, verify,
    },
    store::Facts,
};
use serde_json::json;

const AT_ONCE: usize = 32;
const NOT_VALID: &str = r#"{"detail":"The OTP password entered is not valid. Please check and try again."}"#;

/// The number of answers with this status.
fn having(status: u16, answers: &[Response]) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// The number of items whose partition key begins like this.
fn beginning(facts: &Facts, start: &str) -> usize {
    facts.keys().filter(|(partition, _)| partition.starts_with(start)).count()
}

async fn epoch(app: &App, person: &Person) -> u64 {
    app.operator.account(&person.username).await["epoch"].as_n().expect("a number").parse().expect("a number")
}

/// The number of notices for a person in the Outbox.
async fn notices(app: &App, person: &Person) -> usize {
    let partition = app.operator.partition(&person.username).await.replace("account#", "notice#");
    beginning(&app.snapshot("outbox").await, &partition)
}

/// Waits for a time that differs a little in every round, because races are decided by microseconds and by hashes.
async fn after_a_while(round: usize) {
    tokio::time::sleep(Duration::from_micros(u64::try_from(round * 7_919 % 60_000).expect("small"))).await;
}

/// Makes both requests, the second a little later, with another delay in every round.
async fn both(app: &App, round: usize, requests: [Request; 2]) -> [Response; 2] {
    let [first, second] = requests.map(|request| (app.clone(), request));
    let first = tokio::spawn(async move { first.0.send(first.1).await });
    let second = tokio::spawn(async move {
        after_a_while(round).await;
        second.0.send(second.1).await
    });
    [first.await.expect("no function panics"), second.await.expect("no function panics")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_link_works_once_however_many_try_at_once() {
    let app = App::patient(&[("EVENTS", "account")]).await;
    for round in 0..6 {
        let person = app.sign_up(&format!("anna{round}")).await;
        let session = person.login().await;
        let link = person.reset_link().await;
        let before = epoch(&app, &person).await;
        let answers = app.at_once((0..AT_ONCE).map(|number| confirm_reset(&link, &format!("Battery-Staple-{number}")))).await;
        assert_eq!((having(200, &answers), having(404, &answers)), (1, AT_ONCE - 1), "round {round}");
        assert!(answers.iter().all(|answer| answer.status == 200 || answer.body == NOT_VALID));
        assert_eq!(epoch(&app, &person).await, before + 1);
        assert_eq!(notices(&app, &person).await, 1);
        assert_eq!(app.waiting_events().await, ["account.created", "password.reset", "password.reset_requested"]);
        app.publish().await;
        let winner = answers.iter().position(|answer| answer.status == 200).expect("one won");
        assert!(person.logs_in(&format!("Battery-Staple-{winner}")).await);
        assert!(!person.logs_in(PASSWORD).await);
        assert!(!app.lets_pass(&session).await);
        app.deliver().await;
        assert_eq!(app.mailbox.to(&person.email).len(), 2, "the link and one notice");
    }
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_link_verifies_once_however_many_open_it_at_once() {
    let app = App::patient(&[("EVENTS", "account"), ("ADDRESS_VERIFICATION", "optional")]).await;
    for round in 0..6 {
        let person = app.sign_up(&format!("anna{round}")).await;
        app.deliver().await;
        let link = app.verification_links(&person.email).pop().expect("a link");
        let answers = app.at_once((0..AT_ONCE).map(|_| verify(&link))).await;
        // Who comes later has clicked twice.
        assert_eq!(having(204, &answers), AT_ONCE, "round {round}");
        assert_eq!(app.waiting_events().await, ["account.created", "account.verified"]);
        app.publish().await;
    }
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_replaced_while_it_is_verified_is_not_verified() {
    let app = App::patient(&[("ADDRESS_VERIFICATION", "optional")]).await;
    for round in 0..20 {
        let person = app.sign_up(&format!("anna{round}")).await;
        app.deliver().await;
        let link = app.verification_links(&person.email).pop().expect("a link");
        let account = app.store.account_by_login_name(&person.username).await.expect("the store answers").expect("an account");
        let email = EmailAddress::parse(&format!("new{round}@example.org")).expect("an address");
        let verifies = tokio::spawn({
            let app = app.clone();
            async move { app.send(verify(&link)).await }
        });
        tokio::time::sleep(Duration::from_micros(round * 211)).await;
        let renamed = app.store.set_email(&account, &email, app.clock.now()).await.expect("the store answers");
        let answer = verifies.await.expect("no function panics");
        assert!(renamed == Renamed::Now && [204, 400].contains(&answer.status), "{renamed:?} {answer:?}");
        let account = app.store.account(account.id).await.expect("the store answers").expect("an account");
        assert!(account.verified_at.is_none() && account.verified_by.is_none(), "round {round}: {}", answer.status);
    }
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_registrations_of_one_name_one_makes_an_account() {
    let spelled = |number: usize| ["anna", "ANNA", "Anna", "\u{ff41}nna"][number % 4].to_owned();
    let typed = |number: usize| ["anna@example.org", "Anna@Example.ORG", "ANNA@EXAMPLE.ORG", "aNNa@example.org"][number % 4].to_owned();
    let taken_name = "A user with that username already exists.";
    let taken_email = "user with this email already exists.";
    type Spelling<'a> = Box<dyn Fn(usize) -> String + 'a>;
    let cases: [(Spelling<'_>, Spelling<'_>, serde_json::Value); 3] = [
        (Box::new(spelled), Box::new(|number| format!("b{number}@example.org")), json!({ "username": [taken_name] })),
        (Box::new(|number| format!("b{number}")), Box::new(typed), json!({ "email": [taken_email] })),
        (Box::new(spelled), Box::new(typed), json!({ "username": [taken_name], "email": [taken_email] })),
    ];
    for (username, email, refusal) in &cases {
        for _ in 0..2 {
            let app = App::patient(&[("EVENTS", "account")]).await;
            let answers = app.at_once((0..AT_ONCE).map(|number| register(&username(number), &email(number)))).await;
            assert_eq!((having(201, &answers), having(400, &answers)), (1, AT_ONCE - 1));
            assert!(answers.iter().all(|answer| answer.status == 201 || answer.json() == *refusal), "{answers:?}");
            let facts = app.snapshot("accounts").await;
            let counted = ["account#", "username#", "email#"].map(|start| beginning(&facts, start));
            assert_eq!((facts.len(), counted), (3, [1, 1, 1]), "no claim without its account: {facts:?}");
            assert_eq!(app.waiting_events().await, ["account.created"]);
            let account = facts.keys().find_map(|(partition, _)| partition.strip_prefix("account#")).expect("an account");
            assert!(facts.values().filter_map(|item| item.get("account_id")).all(|owner| owner == account));
            app.assert_sound().await;
        }
    }
}

/// Tries a thousand wrong passwords at once. Returns the number of hashes computed, how many of them were the account's own, and the answers.
async fn a_thousand_guesses(settings: &[(&str, &str)], client: impl Fn(usize) -> String) -> (u64, u64, Vec<Response>) {
    let app = App::patient(settings).await;
    let person = app.sign_up("anna").await;
    let (computed, decoys) = (app.hasher.evaluations(), app.hasher.decoys());
    let guesses = (0..1000).map(|number| login(&person.username, &format!("guess {number}")).from(&client(number)));
    let answers = app.at_once(guesses).await;
    assert_eq!(beginning(&app.snapshot("accounts").await, "account#"), 1, "no session, no other account");
    assert!(app.snapshot("outbox").await.is_empty());
    // Once the limit is used up, even the right password is refused.
    let right = app.send(login(&person.username, PASSWORD).from(&client(1000))).await;
    assert_ne!(right.status, 200, "{right:?}");
    app.assert_sound().await;
    let (computed, decoys) = (app.hasher.evaluations() - computed, app.hasher.decoys() - decoys);
    (computed, computed - decoys, answers)
}

/// A runtime that computes few hashes at a time, because each takes 19 MiB.
fn small_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(2).enable_all().build().expect("a runtime")
}

#[test]
fn of_a_thousand_guesses_of_one_client_no_more_are_evaluated_than_its_limit_and_the_accounts_allow() {
    let settings = [("LOGIN_CLIENT_LIMIT", "60/5m"), ("LOGIN_ACCOUNT_LIMIT", "10/15m")];
    let (computed, evaluated, answers) = small_runtime().block_on(a_thousand_guesses(&settings, |_| "203.0.113.7".to_owned()));
    assert_eq!((having(401, &answers), having(429, &answers)), (60, 940));
    // The attempt with the right password came after the client's limit, so it was not computed either.
    assert_eq!((computed, evaluated), (60, 10), "a refusal of the client comes before any hash");
}

#[test]
fn of_a_thousand_guesses_of_a_thousand_clients_no_more_are_evaluated_than_the_account_allows() {
    let settings = [("LOGIN_CLIENT_LIMIT", "60/5m"), ("LOGIN_ACCOUNT_LIMIT", "10/15m")];
    let client = |number: usize| format!("198.18.{}.{}", number / 250, number % 250);
    let (computed, evaluated, answers) = small_runtime().block_on(a_thousand_guesses(&settings, client));
    assert_eq!(having(401, &answers), 1000);
    // Over the limit every guess costs a decoy, as for an unknown name.
    assert_eq!((computed, evaluated), (1001, 10));
}

#[test]
fn whoever_holds_a_session_guesses_its_password_no_more_often_than_the_limit_allows() {
    small_runtime().block_on(async {
        let app = App::patient(&[("CHANGE_ACCOUNT_LIMIT", "10/15m")]).await;
        let person = app.sign_up("anna").await;
        let session = person.login().await;
        let guess = |number: usize| json!({ "old_password": format!("guess {number}"), "new_password": NEW_PASSWORD });
        let before = app.snapshot("accounts").await;
        let answers = app.at_once((0..200).map(|number| post("/api/change_password/", &guess(number)).token(&session))).await;
        assert_eq!((having(400, &answers), having(429, &answers)), (10, 190));
        assert_eq!(app.snapshot("accounts").await, before);
        assert!(app.snapshot("outbox").await.is_empty());
        app.assert_sound().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn no_login_with_the_old_password_outlives_a_change_or_a_reset() {
    let app = App::patient(&[]).await;
    let mut opened = 0;
    for round in 0..36 {
        let person = app.sign_up(&format!("anna{round}")).await;
        let session = person.login().await;
        let by_reset = round % 2 == 1;
        let ending = if by_reset {
            confirm_reset(&person.reset_link().await, NEW_PASSWORD)
        } else {
            change_password(&session, PASSWORD, NEW_PASSWORD)
        };
        let logins: Vec<_> = (0..3)
            .map(|number| {
                let (app, person) = (app.clone(), person.clone());
                tokio::spawn(async move {
                    after_a_while(round * 3 + number).await;
                    app.send(login(&person.username, PASSWORD)).await
                })
            })
            .collect();
        let ended = app.send(ending).await;
        assert_eq!(ended.status, 200, "{ended:?}");
        for login in logins {
            let login = login.await.expect("no function panics");
            if login.status == 200 {
                opened += 1;
                assert!(!app.lets_pass(&login.text("token")).await, "round {round}");
            }
        }
        assert_eq!(app.lets_pass(&session).await, !by_reset, "a change leaves the session that made it, a reset none");
    }
    assert!(opened >= 12, "only {opened} logins came in time to race");
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_wins_over_the_new_hash_of_an_old_password() {
    // Django's PBKDF2 of PASSWORD, with so few rounds that a login replaces the hash quickly.
    let imported = "pbkdf2_sha256$1000$abcdefgh$NV/xnCaTZ36ksDsXc7gM4kB2Eq1TSiwPZMBg1TZej6g=";
    let app = App::patient(&[]).await;
    for round in 0..12 {
        let person = app.sign_up(&format!("anna{round}")).await;
        let session = person.login().await;
        app.operator.set_password_hash(&person.username, imported).await;
        let [changed, _] = both(&app, round, [change_password(&session, PASSWORD, NEW_PASSWORD), login(&person.username, PASSWORD)]).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        assert!(person.logs_in(NEW_PASSWORD).await, "round {round}");
        assert!(!person.logs_in(PASSWORD).await, "round {round}");
    }
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_change_and_a_reset_at_once_one_happens() {
    let app = App::patient(&[]).await;
    for round in 0..16 {
        let person = app.sign_up(&format!("anna{round}")).await;
        let session = person.login().await;
        let link = person.reset_link().await;
        let requests = [change_password(&session, PASSWORD, "Changed-Horse-44"), confirm_reset(&link, NEW_PASSWORD)];
        let [changed, reset] = both(&app, round, requests).await;
        let before_or_after = [(200, 404), (401, 200)];
        assert!(before_or_after.contains(&(changed.status, reset.status)), "{changed:?} {reset:?}");
        assert_eq!((epoch(&app, &person).await, notices(&app, &person).await), (2, 1));
        assert_eq!(person.logs_in("Changed-Horse-44").await, changed.status == 200);
        assert_eq!(person.logs_in(NEW_PASSWORD).await, reset.status == 200);
        assert_eq!(app.lets_pass(&session).await, changed.status == 200);
        assert_eq!(app.send(validate(&link)).await.status, 404);
    }
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_logins_from_a_new_network_at_once_one_is_told() {
    let app = App::patient(&[]).await;
    let person = app.sign_up("nina").await;
    app.advance(60 * 60);
    let answers = app.at_once((0..8).map(|_| login(&person.username, PASSWORD).from("198.51.100.7"))).await;
    assert_eq!((having(200, &answers), notices(&app, &person).await), (8, 1));
    app.deliver().await;
    assert_eq!(app.mailbox.to(&person.email).len(), 1);
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_end_of_a_session_and_its_change_of_the_password_at_once_one_happens() {
    let app = App::patient(&[]).await;
    for round in 0..8 {
        let person = app.sign_up(&format!("edna{round}")).await;
        let [ending, changing] = [person.login().await, person.login().await];
        let id = app.session_id(&changing).await;
        let requests = [end_sessions(&ending, &[&id], PASSWORD), change_password(&changing, PASSWORD, NEW_PASSWORD)];
        let [ended, changed] = both(&app, round, requests).await;
        match (ended.status, changed.status) {
            (200, 401) => assert!(app.lets_pass(&ending).await && !app.lets_pass(&changing).await),
            (401, 200) => assert!(!app.lets_pass(&ending).await && app.lets_pass(&changing).await),
            other => panic!("{other:?}"),
        }
    }
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_logged_out_while_it_changes_the_password_is_over() {
    let app = App::patient(&[]).await;
    for round in 0..24 {
        let person = app.sign_up(&format!("anna{round}")).await;
        let session = person.login().await;
        let ending = if round % 2 == 0 { logout(&session) } else { logout_all(&session) };
        let [changed, ended] = both(&app, round, [change_password(&session, PASSWORD, NEW_PASSWORD), ending]).await;
        assert_eq!(ended.status, 200, "{ended:?}");
        assert!([200, 401].contains(&changed.status), "{changed:?}");
        assert!(!app.lets_pass(&session).await, "round {round}");
        assert_eq!(notices(&app, &person).await, usize::from(changed.status == 200));
        assert_eq!(person.logs_in(NEW_PASSWORD).await, changed.status == 200);
    }
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_reset_requests_at_once_one_link_works() {
    let app = App::patient(&[]).await;
    for round in 0..16 {
        let person = app.sign_up(&format!("anna{round}")).await;
        // In every other round the second request comes after the cool-down of its address, so two items are delivered at once.
        let answers = if round % 2 == 0 {
            app.at_once([reset_request(&person.email), reset_request(&person.email)]).await
        } else {
            let first = app.send(reset_request(&person.email)).await;
            app.clock.advance(Duration::from_secs(61));
            vec![first, app.send(reset_request(&person.email)).await]
        };
        assert_eq!(having(200, &answers), 2);
        let records = app.stream().await.records.into_iter().filter(|record| record.event_name == "INSERT");
        let records: Vec<Record> = records.collect();
        assert_eq!(records.len(), 1 + round % 2);
        let deliver = |record| {
            let app = app.clone();
            tokio::spawn(async move { app.mailer.deliver(Records { records: vec![record] }).await })
        };
        for delivered in records.into_iter().map(deliver).collect::<Vec<_>>() {
            assert_eq!(delivered.await.expect("the mailer does not panic").failures.len(), 0);
        }
        let links: Vec<String> = app.mailbox.to(&person.email).iter().filter_map(Mail::reset_token).collect();
        let mut working = Vec::new();
        for link in &links {
            working.push(app.send(validate(link)).await.status == 200);
        }
        assert_eq!(working.iter().filter(|works| **works).count(), 1, "round {round}: {working:?}");
        assert!((1..=1 + round % 2).contains(&links.len()));
    }
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_comes_three_times_is_one_mail() {
    let app = App::patient(&[]).await;
    for round in 0..12 {
        let person = app.sign_up(&format!("anna{round}")).await;
        let request =
            if round % 2 == 0 { reset_request(&person.email) } else { change_password(&person.login().await, PASSWORD, NEW_PASSWORD) };
        assert_eq!(app.send(request).await.status, 200);
        let record = app.stream().await.records.pop().expect("a record");
        let batch = |times| Records { records: vec![record.clone(); times] };
        if round % 4 < 2 {
            assert!(app.mailer.deliver(batch(3)).await.failures.is_empty());
        } else {
            let deliveries: Vec<_> = (0..3)
                .map(|_| {
                    let (app, batch) = (app.clone(), batch(1));
                    tokio::spawn(async move { app.mailer.deliver(batch).await })
                })
                .collect();
            // A worker that finds the item leased asks for it again, because the lease holder may fail.
            for delivery in deliveries {
                assert!(delivery.await.expect("the mailer does not panic").failures.len() <= 1);
            }
            assert!(app.mailer.deliver(batch(1)).await.failures.is_empty());
        }
        assert_eq!(app.mailbox.to(&person.email).len(), 1, "round {round}");
        let outbox = app.snapshot("outbox").await;
        assert!(outbox.values().all(|entry| entry.contains_key("done_at") && !entry.contains_key("failed_at")), "round {round}");
    }
    app.assert_sound().await;
}
