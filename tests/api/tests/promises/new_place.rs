//! Promise 13: a login from a place that is new to the account is told, once a day, and one press undoes it.

use doorward_kit::{
    App, Response,
    mailbox::Mail,
    proxy::{Failure, When},
    requests::{NEW_PASSWORD, PASSWORD, address_of, disavow, login},
};

const HOME: &str = "203.0.113.7";
const AWAY: &str = "198.51.100.7";
const FURTHER: &str = "192.0.2.7";
const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";
const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// An app with an account that is old enough to tell, whose owner is at home.
async fn settled() -> App {
    let app = App::start().await;
    app.sign_up("ann").await;
    app.advance(HOUR);
    app
}

async fn logs_in(app: &App, client: &str) -> Response {
    let answer = app.send(login("ann", PASSWORD).header("User-Agent", FIREFOX).from(client)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    app.deliver().await;
    answer
}

/// Everything that was mailed, by subject.
fn told(app: &App) -> Vec<String> {
    app.mailbox.to(&address_of("ann")).into_iter().map(|mail| mail.subject).collect()
}

#[tokio::test]
async fn a_login_from_a_network_that_the_account_does_not_know_is_told_with_a_link_that_undoes_it() {
    let app = settled().await;
    let owners = logs_in(&app, HOME).await.text("token");
    assert_eq!(told(&app), [""; 0]);
    let thiefs =
        app.send(login("ann", PASSWORD).header("User-Agent", FIREFOX).header("Accept-Language", "de").from(AWAY)).await.text("token");
    app.deliver().await;
    assert_eq!(told(&app), ["New login to your Doorward account"]);
    let mail = app.mailbox.to(&address_of("ann")).pop().expect("a mail");
    for words in ["198.51.100.7", "Firefox on Windows", "1 January 2026", "it hasn’t been used from before"] {
        assert!(mail.text.contains(words) && mail.html.contains(words), "{words}: {}", mail.text);
    }
    // One press ends every session and the password.
    let link = mail.disavowal_token().expect("a link");
    assert_eq!(app.send(disavow(&link)).await.status, 200);
    assert!(!app.lets_pass(&thiefs).await && !app.lets_pass(&owners).await);
    assert_eq!(app.send(login("ann", PASSWORD).from(AWAY)).await.status, 401);
    app.deliver().await;
    let reset = app.newest_reset_link(&address_of("ann")).expect("a link to choose another password");
    assert_eq!(app.confirm_reset(&reset, NEW_PASSWORD).await.status, 200);
    app.assert_sound().await;
}

#[tokio::test]
async fn of_the_logins_from_new_networks_in_a_day_one_is_told_and_on_the_next_day_one_again() {
    let app = settled().await;
    for client in [AWAY, FURTHER, AWAY, HOME, FURTHER] {
        logs_in(&app, client).await;
        app.advance(2 * HOUR);
    }
    assert_eq!(told(&app).len(), 1);
    app.advance(DAY);
    logs_in(&app, AWAY).await;
    logs_in(&app, FURTHER).await;
    assert_eq!(told(&app).len(), 1, "both are known by now");
    for client in ["192.0.3.7", "192.0.4.7"] {
        logs_in(&app, client).await;
    }
    assert_eq!(told(&app).len(), 2);
}

#[tokio::test]
async fn a_young_account_and_one_that_knows_no_network_tell_nothing() {
    let app = App::start().await;
    app.sign_up("ann").await;
    app.advance(HOUR - 2);
    logs_in(&app, AWAY).await;
    assert_eq!(told(&app), [""; 0]);
    app.advance(HOUR);
    app.operator.remove("ann", "networks").await;
    logs_in(&app, FURTHER).await;
    assert_eq!(told(&app), [""; 0]);
    // From then on it knows one.
    logs_in(&app, AWAY).await;
    assert_eq!(told(&app).len(), 1);
}

#[tokio::test]
async fn a_wrong_password_from_a_new_network_tells_nothing_and_costs_what_it_did() {
    let (app, observer) = App::observed(&[]).await;
    app.sign_up("ann").await;
    app.advance(HOUR);
    let mut costs = Vec::new();
    for (name, client) in [("ann", AWAY), ("ann", HOME), ("nobody", AWAY)] {
        observer.store.forget();
        assert_eq!(app.send(login(name, "Wrong-Horse-42").from(client)).await.status, 401);
        let calls: Vec<String> = observer.store.calls().iter().map(|call| call.operation.clone()).collect();
        costs.push((calls, observer.store.units()));
    }
    assert!(costs.iter().all(|cost| *cost == costs[0]) && costs[0].0.len() == 4, "{costs:?}");
    app.deliver().await;
    assert_eq!(told(&app), [""; 0]);
}

#[tokio::test]
async fn a_login_that_cannot_be_told_of_opens_no_session() {
    let (app, observer) = App::observed(&[]).await;
    app.sign_up("ann").await;
    app.advance(HOUR);
    observer
        .store
        .fail(|call| (call.operation == "TransactWriteItems").then(|| (When::Before, Failure::code(400, "AccessDeniedException"))));
    assert_eq!(app.send(login("ann", PASSWORD).from(AWAY)).await.status, 503);
    assert_eq!(app.send(login("ann", PASSWORD).from(HOME)).await.status, 200, "nothing else depends on it");
    observer.store.forget();
    let sessions =
        app.operator.items_of("ann").await.into_iter().filter(|item| item["sk"].as_s().is_ok_and(|sort| sort.starts_with("session#")));
    assert_eq!(sessions.count(), 1);
    logs_in(&app, AWAY).await;
    assert_eq!(told(&app).len(), 1);
}

/// The texts of the mails, the oldest first.
fn texts(app: &App) -> Vec<Mail> {
    app.mailbox.to(&address_of("ann"))
}

#[tokio::test]
async fn a_login_that_is_held_beside_a_change_is_told_in_the_mail_about_the_change() {
    let app = settled().await;
    let session = logs_in(&app, HOME).await.text("token");
    for [old, new] in [[PASSWORD, NEW_PASSWORD], [NEW_PASSWORD, PASSWORD]] {
        app.change_password(&session, old, new).await;
        app.deliver().await;
        logs_in_as(&app, new, if new == PASSWORD { AWAY } else { HOME }).await;
    }
    app.advance(HOUR);
    app.release_held().await;
    assert_eq!(told(&app), ["Your Doorward password was changed", "Your Doorward password was changed"]);
    let merged = texts(&app).pop().expect("a mail");
    assert!(merged.text.contains("also logged in from a network"), "{}", merged.text);
    assert!(!texts(&app)[0].text.contains("also logged in from a network"));
    app.assert_sound().await;
}

#[tokio::test]
async fn logins_that_were_held_are_told_by_themselves_and_counted() {
    let app = settled().await;
    let session = logs_in(&app, HOME).await.text("token");
    // Shortly before midnight a change is told of at once, and so the logins of two days wait.
    app.clock.set("2026-01-03T23:58:00Z".parse().expect("an instant"));
    app.change_password(&session, PASSWORD, NEW_PASSWORD).await;
    app.deliver().await;
    for client in [AWAY, FURTHER] {
        app.advance(90);
        logs_in_as(&app, NEW_PASSWORD, client).await;
    }
    assert_eq!(told(&app), ["Your Doorward password was changed"]);
    app.advance(HOUR);
    app.release_held().await;
    assert_eq!(told(&app), ["Your Doorward password was changed", "New login to your Doorward account"]);
    let mail = texts(&app).pop().expect("a mail");
    assert!(mail.text.contains("This has happened 2 times") && mail.text.contains("192.0.2.7"), "{}", mail.text);
    let link = mail.disavowal_token().expect("a link");
    assert_eq!(app.send(disavow(&link)).await.status, 200);
    app.assert_sound().await;
}

async fn logs_in_as(app: &App, password: &str, client: &str) {
    assert_eq!(app.send(login("ann", password).from(client)).await.status, 200);
    app.deliver().await;
}
