//! Promise 16: what one asks to change changes, and nothing else does.

use doorward_kit::{
    App,
    app::Observer,
    requests::{FIELDS, NEW_PASSWORD, PASSWORD, change_me, change_password, confirm_reset, me, post, request, submit},
    store::Facts,
};
use serde_json::{Value, json};

/// An app with the recorded fields.
async fn declaring(fields: &str) -> App {
    App::configured(&[("PROFILE_FIELDS", fields), ("EVENTS", "account")]).await
}

/// Registers ann with these fields in addition to her names; returns a session of hers.
async fn ann(app: &App, fields: Value) -> String {
    let mut body = json!({ "username": "ann", "email": "ann@example.com", "password": PASSWORD });
    body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    let made = app.send(post("/api/register/", &body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    app.advance(1);
    app.login("ann", PASSWORD).await
}

/// The profile of ann, if it is stored.
async fn profile(app: &App) -> Option<std::collections::BTreeMap<String, String>> {
    let partition = app.operator.partition("ann").await;
    app.snapshot("accounts").await.remove(&(partition, "profile".to_owned()))
}

/// Everything but the profile and its event.
fn others(facts: Facts) -> Facts {
    facts.into_iter().filter(|((partition, sort), _)| sort != "profile" && !partition.starts_with("event#")).collect()
}

#[tokio::test]
async fn what_one_asks_to_change_changes_and_nothing_else_does() {
    let app = declaring(FIELDS).await;
    let session = ann(&app, json!({ "company": "Acme", "age": 7 })).await;
    let before = app.everything_but_limits().await;
    app.publish().await;
    let changed = app.send(change_me("PATCH", &session, &json!({ "birthday": "1990-02-28", "newsletter": "yes" }))).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(app.send(me(&session)).await.json(), changed.json());
    let stored = profile(&app).await.expect("a profile");
    assert_eq!(stored["f_birthday"], "1990-02-28");
    assert_eq!((stored["f_company"].as_str(), stored["f_age"].as_str(), stored["f_newsletter"].as_str()), ("Acme", "7", "true"));
    assert_eq!(stored.len(), 2 + 4 + 1, "its key, its values and when it was changed: {stored:?}");
    assert_eq!(app.waiting_events().await, ["account.updated"]);
    // Null takes a value away.
    assert_eq!(app.send(change_me("PATCH", &session, &json!({ "age": null }))).await.json()["age"], Value::Null);
    assert!(!profile(&app).await.expect("a profile").contains_key("f_age"));
    assert_eq!(others(app.everything_but_limits().await), others(before));
    app.assert_sound().await;
}

#[tokio::test]
async fn what_does_not_change_anything_writes_nothing_and_is_no_event() {
    let app = declaring(FIELDS).await;
    let session = ann(&app, json!({ "company": "Acme", "credit": 99 })).await;
    let before = app.everything_but_limits().await;
    for (method, body, status) in [
        ("PATCH", json!({}), 200),
        ("PATCH", json!({ "company": " Acme " }), 200),
        ("PUT", json!({ "company": "Acme" }), 200),
        // Names, the address and what an operator writes are read-only, as are fields that are not declared.
        ("PATCH", json!({ "id": "x", "username": "bob", "email": "thief@example.com", "verified": true, "external_id": "7" }), 200),
        ("PATCH", json!({ "credit": 99, "colour": "red", "f_company": "x", "epoch": 9, "active": false, "password": NEW_PASSWORD }), 200),
        ("PATCH", json!({ "age": 8, "company": "" }), 400),
        ("PUT", json!({ "age": 8 }), 400),
    ] {
        let answer = app.send(change_me(method, &session, &body)).await;
        assert_eq!(answer.status, status, "{method} {body}: {answer:?}");
        if status == 200 {
            assert_eq!(
                (&answer.json()["credit"], &answer.json()["username"], &answer.json()["company"]),
                (&json!(0), &json!("ann"), &json!("Acme"))
            );
        }
        assert_eq!(app.everything_but_limits().await, before, "{method} {body}");
    }
}

#[tokio::test]
async fn without_declared_fields_an_account_is_answered_as_it_is_and_nothing_is_written() {
    let app = App::start().await;
    let session = ann(&app, json!({ "first_name": "Ann" })).await;
    let before = app.everything_but_limits().await;
    let seen = app.send(me(&session)).await;
    for method in ["PUT", "PATCH"] {
        for body in [json!({}), json!({ "first_name": "Ann", "email": "thief@example.com", "username": "thief" })] {
            assert_eq!(app.send(change_me(method, &session, &body)).await, seen, "{method}");
        }
        assert_eq!(app.send(request(method, "/api/users/me/").token(&session)).await, seen, "{method} without a body");
        let list = request(method, "/api/users/me/").token(&session).header("Content-Type", "application/json").body("[]");
        assert_eq!(app.send(list).await.status, 400);
    }
    assert_eq!(app.everything_but_limits().await, before);
    assert!(profile(&app).await.is_none());
}

#[tokio::test]
async fn nothing_changes_without_a_session_that_works() {
    let app = declaring(FIELDS).await;
    let session = ann(&app, json!({ "company": "Acme" })).await;
    let owners = app.login("ann", PASSWORD).await;
    assert_eq!(app.change_password(&owners, PASSWORD, NEW_PASSWORD).await.status, 200);
    let before = app.everything_but_limits().await;
    for method in ["PUT", "PATCH"] {
        for session in [&session, "dws_nonsense"] {
            assert_eq!(app.send(change_me(method, session, &json!({ "company": "Thief" }))).await.status, 401);
        }
    }
    app.operator.set_active("ann", false).await;
    assert_eq!(app.send(change_me("PATCH", &owners, &json!({ "company": "Thief" }))).await.status, 401);
    app.operator.set_active("ann", true).await;
    assert_eq!(app.everything_but_limits().await, before);
}

#[tokio::test]
async fn a_field_that_is_not_declared_any_more_is_hidden_and_kept() {
    let (one, two) = (r#"{"one": {"type": "text"}, "two": {"type": "integer"}}"#, r#"{"two": {"type": "text"}}"#);
    let place = doorward_kit::place::Place::fresh().await;
    let app = App::over(&place, &[("PROFILE_FIELDS", one)]).await;
    let session = ann(&app, json!({ "one": "kept", "two": 2 })).await;
    let later = App::over(&place, &[("PROFILE_FIELDS", two)]).await;
    later.clock.set(app.clock.now());
    let seen = later.send(change_me("PATCH", &session, &json!({ "one": "x" }))).await.json();
    // A value of another type is not the field's.
    assert_eq!((seen.get("one"), &seen["two"]), (None, &json!("")));
    assert_eq!(later.send(change_me("PATCH", &session, &json!({ "two": "second" }))).await.json()["two"], "second");
    let again = app.send(me(&session)).await.json();
    assert_eq!((&again["one"], &again["two"]), (&json!("kept"), &Value::Null));
}

#[tokio::test]
async fn a_password_must_not_resemble_the_name_of_its_owner() {
    let names = r#"{"first_name": {"type": "text"}, "last_name": {"type": "text", "max": 30}}"#;
    let app = declaring(names).await;
    let refused = |field: &str, which: &str| (400, json!({ field: [format!("The password is too similar to the {which} name.")] }));
    let body = json!({ "username": "ann", "email": "ann@example.com", "first_name": "Wilhelmina", "last_name": "Oppenheimer", "password": "Wilhelmina7" });
    let answer = app.send(post("/api/register/", &body)).await;
    assert_eq!((answer.status, answer.json()), refused("password", "first"));
    let session = ann(&app, json!({ "first_name": "Wilhelmina", "last_name": "Oppenheimer" })).await;
    for (password, which) in [("wilhelmina-1", "first"), ("xOppenheimer", "last")] {
        let answer = app.send(change_password(&session, PASSWORD, password)).await;
        assert_eq!((answer.status, answer.json()), refused("new_password", which));
    }
    let link = app.reset_link("ann@example.com").await;
    let answer = app.send(confirm_reset(&link, "Oppenheimer8")).await;
    assert_eq!((answer.status, answer.json()), refused("password", "last"));
    let fields = [("token", link.as_str()), ("password", "Oppenheimer8"), ("again", "Oppenheimer8")];
    let page = app.send(submit("/api/password_reset/confirm/", &fields).header("Accept-Language", "de")).await;
    assert!(page.body.contains("Das Passwort ist Ihrem Namen zu ähnlich."), "{page:?}");
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
    // Where no name is declared, a field of a body is none.
    let app = App::start().await;
    let body = json!({ "username": "ann", "email": "ann@example.com", "first_name": "Wilhelmina", "password": "Wilhelmina7" });
    assert_eq!(app.send(post("/api/register/", &body)).await.status, 201);
}

#[tokio::test]
async fn an_api_is_told_the_fields_that_are_for_it_as_they_are_now() {
    let fields = r#"{"plan": {"type": "choice", "of": ["free", "pro"], "default": "free", "token": true}, "seats": {"type": "integer", "token": true},
        "beta": {"type": "bool", "token": true}, "nickname": {"type": "text"}}"#;
    let app = declaring(fields).await;
    let session = ann(&app, json!({ "nickname": "Annie" })).await;
    let told = async || {
        let answer = app.authorize(json!({ "version": "2.0", "headers": { "authorization": format!("Token {session}") } })).await;
        let mut context = answer["context"].clone();
        for name in ["account_id", "username", "verified"] {
            context.as_object_mut().expect("a context").remove(name);
        }
        context
    };
    // No gateway takes null in a context.
    assert_eq!(told().await, json!({ "plan": "free", "beta": false }));
    assert_eq!(app.send(change_me("PATCH", &session, &json!({ "plan": "pro", "seats": 5, "beta": true }))).await.status, 200);
    assert_eq!(told().await, json!({ "plan": "pro", "seats": 5, "beta": true }));
}

/// The calls and units of what is done meanwhile: operations, written, read.
async fn spent(observer: &Observer, done: impl Future<Output = ()>) -> (Vec<String>, f64, f64) {
    observer.store.forget();
    done.await;
    let (written, read) = observer.store.units();
    (observer.store.calls().iter().map(|call| call.operation.clone()).collect(), written.abs(), read.abs())
}

#[tokio::test]
async fn fields_cost_a_read_only_where_somebody_needs_them() {
    let plain = r#"{"nickname": {"type": "text"}}"#;
    let told = r#"{"nickname": {"type": "text", "token": true}}"#;
    let named = r#"{"last_name": {"type": "text"}}"#;
    let (accepts, batch) = (200, ["BatchGetItem".to_owned()]);
    // What a check, a look, a change of the password, the page of a link and its use read, in units.
    for (fields, expected) in
        [("", [2.0; 5]), (plain, [2.0, 3.0, 2.0, 2.0, 2.0]), (told, [3.0, 3.0, 2.0, 2.0, 2.0]), (named, [2.0, 3.0, 3.0, 2.0, 3.0])]
    {
        let (app, observer) = App::observed(&[("PROFILE_FIELDS", fields)]).await;
        let session = ann(&app, json!({ "nickname": "Annie", "last_name": "Oppenheimer" })).await;
        let checked = spent(&observer, async { assert!(app.lets_pass(&session).await) }).await;
        assert_eq!(checked, (batch.to_vec(), 0.0, expected[0]), "{fields}");
        let looked = spent(&observer, async { assert_eq!(app.send(me(&session)).await.status, accepts) }).await;
        assert_eq!(looked, (batch.to_vec(), 0.0, expected[1]), "{fields}");
        let changed =
            spent(&observer, async { assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, accepts) }).await;
        assert_eq!((changed.0.len(), changed.2.to_bits()), (4, expected[2].to_bits()), "{fields} {changed:?}");
        app.advance(61);
        let link = app.reset_link("ann@example.com").await;
        let page = request("GET", &format!("/api/password_reset/confirm/?token={link}"));
        let opened = spent(&observer, async { assert_eq!(app.send(page).await.status, accepts) }).await;
        assert_eq!(opened.2.to_bits(), expected[3].to_bits(), "{fields} {opened:?}");
        let used = spent(&observer, async { assert_eq!(app.confirm_reset(&link, PASSWORD).await.status, accepts) }).await;
        assert_eq!((used.0.len(), used.2.to_bits()), (3, expected[4].to_bits()), "{fields} {used:?}");
    }
    let (app, observer) = App::observed(&[("PROFILE_FIELDS", plain)]).await;
    let session = ann(&app, json!({})).await;
    let patched = spent(&observer, async {
        assert_eq!(app.send(change_me("PATCH", &session, &json!({ "nickname": "Annie" }))).await.status, accepts);
    });
    assert_eq!(patched.await, (["BatchGetItem", "TransactWriteItems"].map(str::to_owned).to_vec(), 4.0, 3.0), "a change of fields");
}

#[tokio::test]
async fn a_registration_with_fields_is_one_transaction_and_looks_the_same_for_names_that_are_taken() {
    let (app, observer) = App::observed(&[("PROFILE_FIELDS", FIELDS)]).await;
    let mut seen = Vec::new();
    for username in ["ann", "ann", "bob"] {
        let body = json!({ "username": username, "email": format!("{username}@example.com"), "password": PASSWORD, "company": "Acme" });
        observer.store.forget();
        let answer = app.send(post("/api/register/", &body)).await;
        seen.push((answer.status, observer.store.calls().iter().map(|call| call.operation.clone()).collect::<Vec<_>>()));
    }
    assert_eq!(seen.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [201, 400, 201]);
    assert!(seen.iter().all(|(_, calls)| *calls == ["UpdateItem", "TransactWriteItems"]), "{seen:?}");
    // A registration that is refused leaves nothing, also of its fields.
    assert_eq!(app.snapshot("accounts").await.keys().filter(|(_, sort)| sort == "profile").count(), 2);
    app.assert_sound().await;
}
