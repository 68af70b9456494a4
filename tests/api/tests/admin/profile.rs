//! Declared fields: shown, set by an operator, exported and imported.

use std::fs;

use doorward_kit::{
    App,
    requests::{FIELDS, PASSWORD, change_me, delete_me, me, post},
};
use serde_json::{Value, json};

use crate::{done, import::Temporary, refused, types_with};

/// An app with an account of ann, and a session of it.
async fn with_ann() -> (App, String) {
    let app = App::configured(&[("PROFILE_FIELDS", FIELDS), ("EVENTS", "account")]).await;
    let body = json!({ "username": "ann", "email": "ann@example.com", "password": PASSWORD, "company": "Acme\n\u{1b}[1m", "age": 7 });
    assert_eq!(app.send(post("/api/register/", &body)).await.status, 201);
    app.advance(1);
    let session = app.login("ann", PASSWORD).await;
    app.publish().await;
    (app, session)
}

/// Sets a field; returns what is written, or why not.
async fn sets(app: &App, arguments: &[&str]) -> Result<String, String> {
    let (written, done) = types_with(app, &[("PROFILE_FIELDS", FIELDS)], &[&["set-field"], arguments].concat(), None).await;
    done.map(|()| written).map_err(|failure| failure.to_string())
}

/// What an export writes.
async fn exported(app: &App, arguments: &[&str]) -> String {
    let file = Temporary::none();
    done(app, &[&["export", file.path()], arguments].concat()).await;
    fs::read_to_string(file.path()).unwrap()
}

#[tokio::test]
async fn an_operator_sees_fields_and_sets_those_too_that_their_owner_cannot() {
    let (app, session) = with_ann().await;
    // What somebody typed does not write to an operator's terminal but as letters.
    let shown = done(&app, &["show", "ann"]).await;
    assert!(shown.contains("field         age: 7\nfield         company: Acme\\n\\u{1b}[1m\n"), "{shown}");
    let shown: Value = serde_json::from_str(&done(&app, &["show", "ann", "--json"]).await).unwrap();
    assert_eq!(shown["profile"], json!({ "age": 7, "company": "Acme\n\u{1b}[1m" }));
    assert!(sets(&app, &["ann", "credit", "5"]).await.unwrap().ends_with(": credit set\n"));
    assert_eq!(app.waiting_events().await, ["account.updated"]);
    assert_eq!(app.send(me(&session)).await.json()["credit"], 5);
    sets(&app, &["ann", "credit", "--clear"]).await.unwrap();
    let own = app.send(me(&session)).await.json();
    assert_eq!((&own["credit"], &own["age"]), (&json!(0), &json!(7)), "the default, and nothing else has changed");
    app.assert_sound().await;
}

#[tokio::test]
async fn what_is_no_field_or_no_value_of_it_or_of_no_account_in_use_sets_nothing() {
    let (app, session) = with_ann().await;
    let before = app.everything().await;
    for (arguments, told) in [
        (
            ["ann", "colour", "red"],
            "no such field is declared (ProfileFields); declared are: first_name, company, birthday, age, tier, newsletter, credit",
        ),
        (["ann", "age", "old"], "age: A valid integer is required."),
        (["ann", "tier", "gold"], "tier: \"gold\" is not a valid choice."),
        (["bob", "age", "7"], "no account has this username, e-mail address or id"),
    ] {
        assert_eq!(sets(&app, &arguments).await.unwrap_err(), told);
    }
    let none = refused(&app, &["set-field", "ann", "age", "8"]).await.1;
    assert_eq!(none, "no such field is declared (ProfileFields); declared are: none");
    assert_eq!(app.everything().await, before);
    assert_eq!(app.send(delete_me(&session, PASSWORD)).await.status, 204);
    assert_eq!(sets(&app, &["ann", "age", "8"]).await.unwrap_err(), "no field can be set in an account that is deactivated");
}

#[tokio::test]
async fn fields_leave_with_an_export_and_come_back_as_they_were_whatever_is_declared_there() {
    let (app, session) = with_ann().await;
    for name in ["ben", "cyd", "dan"] {
        let body = json!({ "username": name, "email": format!("{name}@example.com"), "password": PASSWORD, "company": name, "newsletter": name == "cyd" });
        assert_eq!(app.send(post("/api/register/", &body)).await.status, 201);
    }
    sets(&app, &["cyd", "credit", "-5"]).await.unwrap();
    let first = exported(&app, &["--with-hashes"]).await;
    assert_eq!(first.lines().count(), 4);
    assert!(first.contains(r#""profile":{"company":"cyd","credit":-5,"newsletter":true}}"#), "{first}");
    for fields in ["", FIELDS] {
        let other = App::configured(&[("PROFILE_FIELDS", fields)]).await;
        other.advance(7200);
        let file = Temporary::of(&first.lines().map(str::to_owned).collect::<Vec<_>>());
        done(&other, &["import", file.path()]).await;
        assert_eq!(exported(&other, &["--with-hashes"]).await, first);
        assert_eq!(exported(&other, &["--with-hashes", "--who", "cyd"]).await.trim_end(), first.lines().nth(2).unwrap());
        other.assert_sound().await;
    }
    // A change of a field is one that an export since then has.
    app.advance(3600);
    let since = doorward::clock::rfc3339(app.clock.now());
    assert_eq!(exported(&app, &["--since", &since]).await, "");
    app.advance(1);
    assert_eq!(app.send(change_me("PATCH", &session, &json!({ "age": 8 }))).await.status, 200);
    assert!(exported(&app, &["--since", &since]).await.contains(r#""age":8"#));
}

#[tokio::test]
async fn a_file_that_is_no_export_sets_no_field_by_force() {
    let (app, _) = with_ann().await;
    let line = exported(&app, &["--with-hashes"]).await;
    for wrong in [r#""age":7.5"#, r#""age":[]"#, r#""age":null"#, r#""Age":7"#, r#""a b":7"#] {
        let line = line.replace(r#""age":7"#, wrong).replace("ann", "eve");
        let (written, _) = refused(&app, &["import", Temporary::of(&[line]).path()]).await;
        assert!(written.contains("profile: it is not as an export has it"), "{written}");
    }
}

#[tokio::test]
async fn an_import_takes_columns_of_declared_fields() {
    let app = App::configured(&[("PROFILE_FIELDS", FIELDS)]).await;
    let hash = "pbkdf2_sha256$1000$saltsaltsalt$FCUAohngPzY3dX0U8srI5cqtZhj1id1F70mXUq/4kmg=";
    let file = Temporary::of(&[
        "username,email,password,company,age,credit,colour".to_owned(),
        format!("ann,ann@example.com,{hash}, Acme ,36,-7,red"),
        format!("ben,ben@example.com,{hash},,,,"),
        format!("cyd,cyd@example.com,{hash},Acme,old,,"),
    ]);
    let (written, failed) = types_with(&app, &[("PROFILE_FIELDS", FIELDS)], &["import", file.path()], None).await;
    assert!(failed.is_err() && written.contains("age: no value that this field may have") && written.contains("2 imported"), "{written}");
    assert!(written.contains("colour") && !written.contains("company"), "only what is not read is named: {written}");
    let shown = async |name: &str| serde_json::from_str::<Value>(&done(&app, &["show", name, "--json"]).await).unwrap()["profile"].clone();
    assert_eq!(shown("ann").await, json!({ "company": "Acme", "age": 36, "credit": -7 }));
    assert_eq!(shown("ben").await, json!({}));
}
