//! Files of other services, as their documentation has them: everybody logs in with the password of before. `sources/` has one for each, whose hashes are
//! of [`PASSWORD`] and were made with Python's hashlib, bcrypt, argon2-cffi, passlib and cryptography; one user of Firebase is the example of its
//! documentation.

use std::fs;

use doorward_kit::{
    App,
    requests::{NEW_PASSWORD, PASSWORD, login},
};
use serde_json::{Value, json};

use crate::{done, import::Temporary, line, refused, show::shown};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sources/");

fn file(name: &str) -> String {
    format!("{FOLDER}{name}")
}

/// Whether the password logs in to the account of a name.
async fn opens(app: &App, name: &str, password: &str) -> bool {
    app.send(login(name, password)).await.status == 200
}

/// Imports a file and logs everybody in with these passwords; who has none cannot. Returns what the import printed.
async fn everybody_logs_in(arguments: &[&str], people: &[(&str, Option<&str>)]) -> (App, String) {
    let app = App::start().await;
    let written = done(&app, &[&["import"], arguments].concat()).await;
    let count = format!("{} accounts: {} imported, 0 already there, 0 refused.\n", people.len(), people.len());
    assert!(written.ends_with(&count), "{written}");
    for (name, password) in people {
        assert_eq!(opens(&app, name, password.unwrap_or(PASSWORD)).await, password.is_some(), "{name}");
        assert!(!opens(&app, name, "another password").await, "{name}");
        if password.is_some() {
            assert!(opens(&app, name, password.unwrap()).await, "{name}, the second time");
        }
    }
    let again = done(&app, &[&["import"], arguments].concat()).await;
    assert!(again.contains(&format!("0 imported, {} already there, 0 refused.\n", people.len())), "{again}");
    (app, written)
}

/// The facts of an account that a file has besides names and hashes.
async fn facts(app: &App, name: &str) -> [Value; 4] {
    let shown = shown(app, name).await;
    ["username", "external_id", "state", "created_at"].map(|fact| shown[fact].clone())
}

/// Whether the address of this account counts as verified.
async fn is_verified(app: &App, name: &str) -> bool {
    shown(app, name).await["verified_at"].is_string()
}

const RIGHT: Option<&str> = Some(PASSWORD);

#[tokio::test]
async fn users_of_auth0_log_in() {
    let path = file("auth0.jsonl");
    let people = [("user1@auth0.example", RIGHT), ("named", RIGHT), ("user3@auth0.example", RIGHT)];
    let (app, written) = everybody_logs_in(&["--format", "auth0", &path], &people).await;
    assert!(written.contains("no place for them: _tmp_is_unique, connection, password_set_date, tenant.\n"), "{written}");
    assert_eq!(facts(&app, "named").await[..3], [json!("named"), json!("auth0|60425dc43519d90068f82972"), json!("active")]);
    assert_eq!([is_verified(&app, "user1@auth0.example").await, is_verified(&app, "named").await], [true, false], "as Auth0 says");
}

#[tokio::test]
async fn users_of_better_auth_log_in_with_the_text_that_they_typed_there() {
    let path = file("better-auth.csv");
    let compatible = Some("Größe-ﬁ-42");
    let people = [
        ("user1@better.example", RIGHT),
        ("named", compatible),
        ("user3@better.example", RIGHT),
        ("user4@better.example", None),
        ("user5@better.example", None),
    ];
    let (app, written) = everybody_logs_in(&["--format", "better-auth", &path], &people).await;
    assert!(written.contains("no place for them: name.\n"), "{written}");
    assert!(opens(&app, "named", "Größe-fi-42").await, "both are one password there");
    let kept = app.operator.account("named").await["password"].as_s().unwrap().clone();
    assert!(kept.starts_with("$argon2id$"), "who typed the compatible form decides: {kept}");
    assert_eq!(facts(&app, "named").await, [json!("named"), json!("Xy2"), json!("active"), json!("2025-02-03T04:05:06Z")]);
    assert_eq!(facts(&app, "user4@better.example").await[2], json!("deactivated"));
    assert_eq!(facts(&app, "user5@better.example").await[2], json!("no-password"));
}

#[tokio::test]
async fn users_of_cognito_are_invited_once_at_a_rate_because_nobody_gives_their_hashes_away() {
    let app = App::start().await;
    let (json, table) = (file("cognito.json"), file("cognito.csv"));
    let written = done(&app, &["import", "--format", "cognito", "--invite", "1000", &json]).await;
    assert!(written.ends_with("3 accounts: 3 imported, 0 already there, 0 refused.\n"), "{written}");
    assert!(written.contains("no place for them: Attributes.phone_number, UserLastModifiedDate, UserStatus.\n"), "{written}");
    done(&app, &["import", "--format", "cognito", "--invite", "1000", &table]).await;
    // A second run invites nobody again.
    let again = done(&app, &["import", "--format", "cognito", "--invite", "1000", &json]).await;
    assert!(again.contains("0 imported, 3 already there"), "{again}");
    app.advance(1);
    app.deliver().await;
    let mut invited: Vec<String> = app.mailbox.all().into_iter().map(|mail| mail.to).collect();
    invited.sort();
    assert_eq!(
        invited,
        ["user1", "user2", "user4", "user5"].map(|name| format!("{name}@cognito.example")),
        "but nobody who is switched off"
    );
    let link = app.newest_reset_link("user1@cognito.example").unwrap();
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
    assert!(opens(&app, "user1@cognito.example", NEW_PASSWORD).await);
    let id = json!("7d5e3a0c-1111-4222-8333-000000000001");
    assert_eq!(
        facts(&app, "user1@cognito.example").await,
        [json!("user1@cognito.example"), id, json!("active"), json!("2023-05-06T07:08:09Z")]
    );
    assert_eq!(facts(&app, "user4@cognito.example").await[..2], [json!("four"), json!("four")]);
    assert_eq!(facts(&app, "user3@cognito.example").await[2], json!("deactivated"));
    // Without --invite nobody gets mail, and `reset` invites one by one.
    let app = App::start().await;
    done(&app, &["import", "--format", "cognito", &json]).await;
    app.deliver().await;
    assert_eq!((app.mailbox.all().len(), facts(&app, "named").await[2].clone()), (0, json!("no-password")));
}

#[tokio::test]
async fn users_of_devise_log_in() {
    let path = file("devise.csv");
    let people = [("user1@devise.example", RIGHT), ("named", RIGHT), ("user3@devise.example", None)];
    let (app, written) = everybody_logs_in(&["--format", "devise", &path], &people).await;
    assert!(written.contains("no place for them: sign_in_count.\n"), "{written}");
    assert_eq!(facts(&app, "named").await, [json!("named"), json!("2"), json!("active"), json!("2022-02-03T04:05:06Z")]);
    assert!(line(&done(&app, &["show", "named"]).await, "id elsewhere").ends_with('2'));
}

#[tokio::test]
async fn an_id_elsewhere_reaches_the_apis_behind_the_authorizer() {
    let app = App::start().await;
    done(&app, &["import", "--format", "devise", &file("devise.csv")]).await;
    app.sign_up("ann").await;
    for (name, expected) in [("named", Some("2")), ("ann", None)] {
        let token = app.login(name, PASSWORD).await;
        let headers = json!({ "authorization": format!("Token {token}") });
        for question in [json!({ "version": "2.0", "headers": headers }), json!({ "headers": headers, "methodArn": "arn:a:b/stage/GET/" })]
        {
            let answer = app.authorize(question).await;
            assert_eq!(answer["context"].get("external_id").and_then(Value::as_str), expected, "{answer}");
            assert_eq!(answer["context"]["username"], name);
        }
    }
}

#[tokio::test]
async fn users_of_firebase_log_in_and_none_is_imported_without_the_parameters_of_the_project() {
    let (path, config) = (file("firebase.json"), file("firebase.hash-config"));
    let people = [
        ("user1@firebase.example", RIGHT),
        ("user2@firebase.example", RIGHT),
        ("user3@firebase.example", None),
        ("vector@firebase.example", Some("user1password")),
        ("user4@firebase.example", None),
    ];
    let (app, written) = everybody_logs_in(&["--format", "firebase", "--hash-config", &config, &path], &people).await;
    assert!(written.contains("no place for them: displayName, lastSignedInAt, providerUserInfo.\n"), "{written}");
    let joined = json!("2017-02-05T19:51:06Z");
    assert_eq!(facts(&app, "vector@firebase.example").await, [json!("vector@firebase.example"), json!("vector"), json!("active"), joined]);

    let app = App::start().await;
    let (written, _) = refused(&app, &["import", "--format", "firebase", &path]).await;
    assert!(written.starts_with("4 refused: passwordHash: --hash-config FILE is needed"), "{written}");
    for (wrong, told) in [("SCRYPT", "only SCRYPT"), ("rounds", "there is no rounds")] {
        let file = Temporary::with(fs::read_to_string(&config).unwrap().replace(wrong, "other"));
        let told_then = refused(&app, &["import", "--format", "firebase", "--hash-config", file.path(), &path]).await.1;
        assert!(told_then.contains(told), "{told_then}");
    }
    // Parameters beyond the bounds are no work for anybody.
    let dear = Temporary::with(fs::read_to_string(&config).unwrap().replace("mem_cost: 14", "mem_cost: 24"));
    let (written, _) = refused(&app, &["import", "--format", "firebase", "--hash-config", dear.path(), &path]).await;
    assert!(written.starts_with("4 refused: password: parameters out of bounds\n"), "{written}");
}

#[tokio::test]
async fn users_of_keycloak_log_in() {
    let path = file("keycloak.json");
    let people = ["argon2", "sha512", "sha256", "sha1", "old", "otp"].map(|name| (name, RIGHT));
    let people = [&people[..], &[("social", None), ("off", None)]].concat();
    let (app, written) = everybody_logs_in(&["--format", "keycloak", &path], &people).await;
    let dropped = "firstName, lastName, notBefore, realmRoles, totp";
    assert!(written.contains(&format!("no place for them: {dropped}.\n")), "{written}");
    let id = json!("8f3d0f00-0000-4000-8000-000000000000");
    assert_eq!(facts(&app, "argon2").await, [json!("argon2"), id, json!("active"), json!("2023-11-14T22:13:20Z")]);
    let unknown =
        json!({ "users": [{ "username": "x", "email": "x@example.com", "credentials": [{ "type": "password", "algorithm": "md5" }] }] });
    let file = Temporary::with(unknown.to_string());
    let (written, _) = refused(&App::start().await, &["import", "--format", "keycloak", file.path()]).await;
    assert!(written.starts_with("1 refused: password: unknown algorithm\n  entry 1: x, x@example.com\n"), "{written}");
}

#[tokio::test]
async fn users_of_kratos_log_in() {
    let path = file("kratos.json");
    let mut people: Vec<(String, Option<&str>)> = (1..8).map(|number| (format!("user{number}@kratos.example"), RIGHT)).collect();
    people.push(("named".to_owned(), None));
    let people: Vec<(&str, Option<&str>)> = people.iter().map(|(name, password)| (name.as_str(), *password)).collect();
    let (app, written) = everybody_logs_in(&["--format", "kratos", &path], &people).await;
    assert!(written.contains("no place for them: schema_id, traits.name, verifiable_addresses.\n"), "{written}");
    let id = json!("9019af7d-0000-4000-8000-000000000008");
    assert_eq!(facts(&app, "user8@kratos.example").await, [json!("named"), id, json!("deactivated"), json!("2024-01-02T03:04:05Z")]);
}

#[tokio::test]
async fn users_of_supabase_log_in() {
    let path = file("supabase.csv");
    let name = |number: u8| format!("user{number}@supabase.example");
    let names = [1, 2, 3, 4, 5, 6].map(name);
    let people: Vec<(&str, Option<&str>)> =
        names.iter().enumerate().map(|(number, name)| (name.as_str(), RIGHT.filter(|_| ![3, 4].contains(&number)))).collect();
    let (app, written) = everybody_logs_in(&["--format", "supabase", &path], &people).await;
    assert!(
        written.contains("no place for them: aud, email_confirmed_at, instance_id, raw_app_meta_data, raw_user_meta_data, role.\n"),
        "{written}"
    );
    assert_eq!(facts(&app, &names[3]).await[2], json!("no-password"));
    assert_eq!(facts(&app, &names[4]).await[2], json!("deactivated"));
    let deleted = Temporary::with(fs::read_to_string(&path).unwrap().replace(",2020-01-01 00:00:00+00,", ",,2020-01-01"));
    let (written, _) = refused(&App::start().await, &["import", "--format", "supabase", deleted.path()]).await;
    assert!(written.contains("1 refused: deleted_at: it was deleted there\n  line 7\n"), "{written}");
}

#[tokio::test]
async fn users_of_wordpress_log_in_and_weak_hashes_are_imported_on_request_only() {
    let path = file("wordpress.csv");
    let people = [("user1", RIGHT), ("user2", RIGHT), ("user3", RIGHT), ("user4", RIGHT)];
    let (app, written) = everybody_logs_in(&["--format", "wordpress", "--weak-hashes", &path], &people).await;
    assert!(written.contains("no place for them: display_name, user_activation_key, user_nicename.\n"), "{written}");
    for (name, _) in people {
        assert!(app.operator.account(name).await["password"].as_s().unwrap().starts_with("$argon2id$"), "{name}: replaced at the login");
    }
    assert_eq!(facts(&app, "user1").await, [json!("user1"), json!("1"), json!("active"), json!("2020-01-02T03:04:05Z")]);

    let app = App::start().await;
    let (written, _) = refused(&app, &["import", "--format", "wordpress", &path]).await;
    let told = "2 refused: password: a weak hash (MD5), which only --layered or --weak-hashes imports\n  line 4: user3, user3@wp.example\n";
    assert!(written.starts_with(told), "{written}");
    assert!(opens(&app, "user1", PASSWORD).await && !opens(&app, "user3", PASSWORD).await);
}

#[tokio::test]
async fn a_table_of_any_other_site_is_read_by_the_names_of_its_columns() {
    let app = App::start().await;
    let hash = crate::import::DJANGO;
    let file =
        Temporary::with(format!("user_id;Login;username;mail;pw_hash;since;note\n77;ann;Ann A.;ann@example.com;{hash};2019-03-04;x\n"));
    let columns = "username=login,email=mail,password=pw_hash,external_id=user_id,date_joined=since";
    let (_, told) = refused(&app, &["import", file.path()]).await;
    assert!(told.contains("there is no email, password; --columns reads others"), "{told}");
    let written = done(&app, &["import", "--columns", columns, file.path()]).await;
    assert!(written.contains("no place for them: note, username (another).\n"), "{written}");
    assert!(opens(&app, "ann", PASSWORD).await);
    assert_eq!(facts(&app, "ann").await, [json!("ann"), json!("77"), json!("active"), json!("2019-03-04T00:00:00Z")]);
    let (_, told) = refused(&app, &["import", "--columns", "email=e_mail", file.path()]).await;
    assert!(told.ends_with("has no column e_mail"), "{told}");
}

#[tokio::test]
async fn a_file_of_another_service_is_refused_as_a_whole() {
    let app = App::start().await;
    for (format, content, told) in [
        ("firebase", "{\"accounts\":[]}", "is no object in JSON with a list of users"),
        (
            "wordpress",
            "username,email,password\n",
            "names the columns user_login, user_email, user_pass: there is no user_login, user_email, user_pass",
        ),
        ("auth0", "email,password\n", "(no table)"),
    ] {
        let file = Temporary::with(content);
        let (written, refused) = refused(&app, &["import", "--format", format, file.path()]).await;
        assert!(written.is_empty() && refused.contains(told), "{format}: {refused}");
    }
    assert!(app.everything().await.is_empty());
}
