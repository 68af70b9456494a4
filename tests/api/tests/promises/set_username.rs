//! Promise 16, the username: only somebody who knows the password changes it, and the owner is told.

use doorward_kit::{
    App, Response,
    proxy::{Failure, Gate, When},
    requests::{NEW_PASSWORD, PASSWORD, address_of, disavow, login, post, request, set_username},
};
use serde_json::json;

/// Asks for another username, after so much time that no limit of the password interferes.
async fn renamed(app: &App, session: &str, username: &str, password: &str) -> Response {
    app.advance(20 * 60);
    app.send(set_username(session, username, password)).await
}

/// The status of a login with this name.
async fn login_status(app: &App, name: &str) -> u16 {
    app.send(login(name, PASSWORD)).await.status
}

#[tokio::test]
async fn an_owner_changes_the_username_and_keeps_the_session_and_the_former_name_opens_nothing() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let answer = renamed(&app, &session, " Anna.Lee ", PASSWORD).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(app.send(doorward_kit::requests::me(&session)).await.json()["username"], "Anna.Lee");
    assert_eq!(
        [login_status(&app, "anna.lee").await, login_status(&app, &address_of("ann")).await, login_status(&app, "ann").await],
        [200, 200, 401]
    );
    // Another spelling is another username, and one's own address may be one.
    assert_eq!(renamed(&app, &session, "ANNA.LEE", PASSWORD).await.status, 204);
    assert_eq!(renamed(&app, &session, "ann@example.com", PASSWORD).await.status, 204);
    assert_eq!(app.register("ann", "another@example.com").await.status, 201);
    app.assert_sound().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_change_of_the_username_is_told_in_the_words_of_djoser_and_changes_nothing() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    app.sign_up("bob").await;
    let before = app.everything_but_limits().await;
    let charset = "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.";
    let cases = [
        (
            json!({ "new_username": "ann", "current_password": PASSWORD }),
            json!({ "new_username": ["A user with that username already exists."] }),
        ),
        (json!({}), json!({ "current_password": ["This field is required."], "new_username": ["This field is required."] })),
        (
            json!({ "new_username": "", "current_password": "" }),
            json!({ "current_password": ["This field may not be blank."], "new_username": ["This field may not be blank."] }),
        ),
        (
            json!({ "new_username": null, "current_password": 7 }),
            json!({ "current_password": ["Not a valid string."], "new_username": ["This field may not be null."] }),
        ),
        (json!({ "new_username": "a b", "current_password": PASSWORD }), json!({ "new_username": [charset] })),
        (
            json!({ "new_username": "a".repeat(151), "current_password": PASSWORD }),
            json!({ "new_username": ["Ensure this field has no more than 150 characters."] }),
        ),
        (
            json!({ "new_username": "BOB", "current_password": PASSWORD }),
            json!({ "new_username": ["A user with that username already exists."] }),
        ),
        (
            json!({ "new_username": "bob@example.com", "current_password": PASSWORD }),
            json!({ "new_username": ["A username that is an e-mail address must be this account's own."] }),
        ),
        (
            json!({ "new_username": "nobody@example.com", "current_password": PASSWORD }),
            json!({ "new_username": ["A username that is an e-mail address must be this account's own."] }),
        ),
        // Somebody who does not know the password does not learn which names are taken.
        (json!({ "new_username": "bob", "current_password": NEW_PASSWORD }), json!({ "current_password": ["Invalid password."] })),
        (json!({ "new_username": "free", "current_password": NEW_PASSWORD }), json!({ "current_password": ["Invalid password."] })),
    ];
    for (body, says) in cases {
        app.advance(20 * 60);
        let answer = app.send(post("/api/users/set_username/", &body).token(&session)).await;
        assert_eq!((answer.status, answer.json()), (400, says), "{body}");
    }
    assert_eq!(app.send(post("/api/users/set_username/", &json!({}))).await.status, 401);
    assert_eq!(app.send(request("GET", "/api/users/set_username/").token(&session)).await.status, 405);
    assert_eq!(app.everything_but_limits().await, before);
}

#[tokio::test]
async fn a_change_of_the_username_is_told_by_mail_with_a_link_that_undoes_what_a_thief_has() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    assert_eq!(renamed(&app, &session, "anna", PASSWORD).await.status, 204);
    app.deliver().await;
    let mail = app.mailbox.to(&address_of("ann")).pop().expect("a notice");
    assert!(mail.subject.contains("was changed") && !mail.text.contains("anna") && !mail.text.contains("team"), "{}", mail.text);
    // To ask for the name that one has is no change, and is told to nobody.
    assert_eq!(renamed(&app, &session, "anna", PASSWORD).await.status, 400);
    app.deliver().await;
    assert_eq!(app.mailbox.to(&address_of("ann")).len(), 1);
    app.advance(20 * 60);
    assert_eq!(app.send(disavow(&mail.disavowal_token().expect("a link"))).await.status, 200);
    assert!(!app.lets_pass(&session).await);
    assert_eq!(login_status(&app, "anna").await, 401);
    app.assert_sound().await;
}

#[tokio::test]
async fn a_username_is_changed_five_times_a_day_at_most_and_guesses_count_with_those_at_a_change_of_the_password() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    // A window begins at midnight.
    app.advance(12 * 60 * 60);
    for number in 0..5 {
        assert_eq!(renamed(&app, &session, &format!("ann{number}"), PASSWORD).await.status, 204);
    }
    assert_eq!(renamed(&app, &session, "ann5", PASSWORD).await.status, 429);
    app.advance(24 * 60 * 60);
    assert_eq!(renamed(&app, &session, "ann5", PASSWORD).await.status, 204);
    app.advance(20 * 60);
    for _ in 0..5 {
        assert_eq!(app.change_password(&session, "Wrong-Horse-42", NEW_PASSWORD).await.status, 400);
        assert_eq!(app.send(set_username(&session, "ann6", "Wrong-Horse-42")).await.status, 400);
    }
    let hashes = app.hasher.evaluations();
    assert_eq!(app.send(set_username(&session, "ann6", PASSWORD)).await.status, 429);
    assert_eq!(app.hasher.evaluations(), hashes);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_accounts_that_ask_for_one_username_at_once_one_gets_it() {
    let app = App::start().await;
    let mut asked = Vec::new();
    for number in 0..8 {
        let session = app.sign_up(&format!("person{number}")).await.login().await;
        let app = app.clone();
        asked.push(async move { app.send(set_username(&session, "nova", PASSWORD)).await });
    }
    let tasks: Vec<_> = asked.into_iter().map(tokio::spawn).collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.expect("no function panics").status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 400, 400, 400, 400, 400, 400, 400]);
    app.assert_sound().await;
}

#[tokio::test]
async fn a_change_of_the_username_that_a_change_of_the_password_overtakes_changes_nothing_and_says_so() {
    for (owns, says) in [(true, 400), (false, 401)] {
        let (app, observer) = App::patiently_observed(&[]).await;
        let mine = app.sign_up("ann").await.login().await;
        let other = app.login("ann", PASSWORD).await;
        let gate = Gate::default();
        let held = gate.clone();
        observer
            .store
            .fail(move |call| call.request.to_string().contains("username#nova").then(|| (When::Before, Failure::Waits(held.clone()))));
        let (asking, session) = (app.clone(), mine.clone());
        let asking = tokio::spawn(async move { asking.send(set_username(&session, "nova", PASSWORD)).await });
        gate.reached().await;
        let by = if owns { &mine } else { &other };
        assert_eq!(app.change_password(by, PASSWORD, NEW_PASSWORD).await.status, 200);
        observer.store.heal();
        gate.open();
        let answer = asking.await.expect("no function panics");
        assert_eq!(answer.status, says, "{answer:?}");
        assert_eq!(app.operator.account("ann").await["username"].as_s().expect("text"), "ann");
        assert_eq!(app.register("nova", "nova@example.com").await.status, 201);
    }
}
