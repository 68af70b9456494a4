//! `import --tokens`: who was logged in to the site before still is, and whatever ends a session ends that one too.

use doorward::account::Account;
use doorward_kit::{
    App,
    proxy::{Failure, When},
    requests::{NEW_PASSWORD, PASSWORD, address_of, delete_me, login, me, set_username},
};
use serde_json::{Value, json};

use crate::{
    done,
    import::{DJANGO, Temporary},
    refused, types_with,
};

/// The keys of the users 1 to 4, as Django REST Framework makes them.
const KEYS: [&str; 4] = [
    "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b",
    "0123456789abcdef0123456789abcdef01234567",
    "fedcba9876543210fedcba9876543210fedcba98",
    "00000000000000000000000000000000000000ff",
];
const NAMES: [&str; 4] = ["ann", "ben", "cyd", "dan"];
const ON: [(&str, &str); 1] = [("IMPORTED_TOKENS", "on")];
const DAY: u64 = 24 * 60 * 60;

/// The users of a site, as `dumpdata auth.user` writes them. The fourth one is switched off.
fn users() -> Temporary {
    let user = |(number, name): (usize, &&str)| {
        let fields = json!({ "username": name, "email": address_of(name), "password": DJANGO, "is_active": number != 3, "date_joined": "2019-03-04T05:06:07Z" });
        json!({ "model": "auth.user", "pk": number + 1, "fields": fields })
    };
    Temporary::with(NAMES.iter().enumerate().map(user).collect::<Value>().to_string())
}

/// Their tokens, as `dumpdata authtoken` writes them.
fn tokens(of: &[(&str, Value)]) -> Temporary {
    let token = |(key, user): &(&str, Value)| json!({ "model": "authtoken.token", "pk": key, "fields": { "user": user, "created": "2024-01-31T12:00:00Z" } });
    Temporary::with(of.iter().map(token).collect::<Value>().to_string())
}

fn first_three() -> Temporary {
    tokens(&[(KEYS[0], json!(1)), (KEYS[1], json!(2)), (KEYS[2], json!(3))])
}

/// Runs an import with tokens where the parameter is on; returns what it printed, and why it was refused.
async fn import(app: &App, arguments: &[&str]) -> (String, Option<String>) {
    let (written, done) = types_with(app, &ON, &[&["import"], arguments].concat(), None).await;
    for key in KEYS {
        assert!(!written.contains(key) && !written.contains(&key[..12]), "a key is printed: {written}");
    }
    (written, done.err().map(|failure| failure.to_string()))
}

/// An app into which the first three users were imported with their tokens.
async fn moved(settings: &[(&str, &str)]) -> (App, Temporary, Temporary) {
    let app = App::configured(&[&ON, settings].concat()).await;
    let (users, tokens) = (users(), first_three());
    let (written, failure) = import(&app, &[users.path(), "--tokens", tokens.path()]).await;
    assert_eq!(failure, None, "{written}");
    assert!(written.ends_with("3 tokens: 3 imported, 0 imported before, 0 refused.\n"), "{written}");
    (app, users, tokens)
}

async fn account(app: &App, name: &str) -> Account {
    app.store.account_by_login_name(name).await.unwrap().unwrap()
}

#[tokio::test]
async fn who_was_logged_in_before_the_move_still_is_and_has_a_session_like_any_other() {
    let (app, ..) = moved(&[]).await;
    for (key, name) in KEYS.iter().zip(NAMES).take(3) {
        assert_eq!(app.send(me(key)).await.text("username"), name);
        assert!(app.lets_pass(key).await, "{name}");
    }
    let [session] = &app.sessions(KEYS[0]).await[..] else { panic!("one session") };
    assert_eq!([&session["user_agent"], &session["ip"], &session["is_current"]], [&json!(null), &json!(null), &json!(true)]);
    assert_eq!(session["expires_at"], "2026-01-31T12:00:00Z", "thirty days after the import, not for ever");
    // The owner sees it from another session, and the name of the account can be changed with it.
    app.advance(1);
    let other = app.login("ann", PASSWORD).await;
    assert_eq!(app.sessions(&other).await.len(), 2);
    assert_eq!(app.send(set_username(KEYS[0], "anna", PASSWORD)).await.status, 204);
    // Only digests are stored.
    let stored = format!("{:?}", app.everything().await);
    assert!(KEYS.iter().all(|key| !stored.contains(key)));
    for wrong in [KEYS[3], &KEYS[0].to_uppercase(), &KEYS[0][..39], &format!("{}0", KEYS[0]), &KEYS[0].replacen('9', "8", 1)] {
        assert!(!app.lets_pass(wrong).await, "{wrong}");
    }
}

#[tokio::test]
async fn whatever_ends_a_session_ends_an_imported_one_and_no_further_import_brings_it_back() {
    type End = fn(&App) -> std::pin::Pin<Box<dyn Future<Output = ()> + '_>>;
    let ends: [(&str, End); 10] = [
        ("logout", |app| Box::pin(async { assert_eq!(app.logout(KEYS[0]).await.status, 200) })),
        ("logout_all", |app| Box::pin(async { assert_eq!(app.logout_all(KEYS[0]).await.status, 200) })),
        ("a change of the password in another session", |app| {
            Box::pin(async {
                let session = app.login("ann", PASSWORD).await;
                assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
            })
        }),
        ("a reset", |app| {
            Box::pin(async {
                let link = app.reset_link(&address_of("ann")).await;
                assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
            })
        }),
        ("the end of this session in the list", |app| {
            Box::pin(async {
                let id = app.session_id(KEYS[0]).await;
                let session = app.login("ann", PASSWORD).await;
                assert_eq!(app.end_sessions(&session, &[&id], PASSWORD).await.status, 200);
            })
        }),
        ("disavowal", |app| {
            Box::pin(async {
                done(app, &["disavow", "ann", "--yes"]).await;
            })
        }),
        ("end-sessions", |app| {
            Box::pin(async {
                done(app, &["end-sessions", "ann"]).await;
            })
        }),
        ("off and on again", |app| {
            Box::pin(async {
                done(app, &["deactivate", "ann"]).await;
                done(app, &["activate", "ann"]).await;
            })
        }),
        ("the request for a deletion", |app| Box::pin(async { assert_eq!(app.send(delete_me(KEYS[0], PASSWORD)).await.status, 204) })),
        ("thirty days", |app| Box::pin(async { app.advance(30 * DAY) })),
    ];
    for (what, end) in ends {
        let (app, users, tokens) = moved(&[]).await;
        app.advance(1);
        end(&app).await;
        assert!(!app.lets_pass(KEYS[0]).await, "{what}");
        let (written, _) = import(&app, &[users.path(), "--tokens", tokens.path()]).await;
        assert!(written.contains("3 tokens: 0 imported, 3 imported before, 0 refused.\n"), "{what}: {written}");
        assert!(!app.lets_pass(KEYS[0]).await, "{what}, after another import");
        assert_eq!(app.lets_pass(KEYS[1]).await, what != "thirty days", "{what} is of nobody else");
    }
}

#[tokio::test]
async fn a_session_that_changes_the_password_stays_and_the_emergency_switch_and_idleness_end_imported_ones_too() {
    let (app, ..) = moved(&[]).await;
    app.advance(1);
    assert_eq!(app.change_password(KEYS[0], PASSWORD, NEW_PASSWORD).await.status, 200);
    assert!(app.lets_pass(KEYS[0]).await, "its holder has just proved the password");
    let place = doorward_kit::place::Place::fresh().await;
    let before = App::over(&place, &ON).await;
    let (users, tokens) = (users(), first_three());
    import(&before, &[users.path(), "--tokens", tokens.path()]).await;
    assert!(before.lets_pass(KEYS[0]).await);
    for setting in [("SESSIONS_NOT_BEFORE", "2026-01-01T12:00:01Z"), ("IMPORTED_TOKENS", "off")] {
        assert!(!App::over(&place, &[ON[0], setting]).await.lets_pass(KEYS[0]).await, "{setting:?}");
    }
    let idle = App::over(&place, &[ON[0], ("SESSION_IDLE", "2d")]).await;
    idle.advance(DAY);
    assert!(idle.lets_pass(KEYS[1]).await);
    idle.advance(2 * DAY);
    assert_eq!([idle.lets_pass(KEYS[0]).await, idle.lets_pass(KEYS[1]).await], [false, true], "one was used two days ago");
}

#[tokio::test]
async fn only_a_token_of_that_form_costs_a_further_read_and_only_where_the_parameter_is_on() {
    for (on, reads) in [(true, 2), (false, 0)] {
        let (app, observer) = App::observed(if on { &ON } else { &[] }).await;
        let (users, tokens) = (users(), first_three());
        import(&app, &[users.path(), "--tokens", tokens.path()]).await;
        let own = app.login("ann", PASSWORD).await;
        let calls = async |token: &str| {
            observer.store.forget();
            let passes = app.lets_pass(token).await;
            (passes, observer.store.calls().len())
        };
        assert_eq!(calls(KEYS[0]).await, (on, reads), "imported");
        assert_eq!(calls(KEYS[3]).await, (false, reads / 2), "of nobody");
        assert_eq!(calls(&own).await, (true, 1), "our own");
        assert_eq!(calls("9944b09199c62bcf9418ad846dd0e4bbdfc6ee4").await, (false, 0), "of no form");
    }
}

#[tokio::test]
async fn a_token_that_is_no_session_of_anybody_is_refused_by_its_users_id_and_never_by_its_key() {
    let app = App::configured(&ON).await;
    let users = users();
    let cases = [
        (KEYS[0], json!(1)),
        (KEYS[0], json!(2)),
        ("9944B09199C62BCF9418AD846DD0E4BBDFC6EE4B", json!(2)),
        ("short", json!(3)),
        (KEYS[1], json!(99)),
        (KEYS[2], json!(["ann"])),
        (KEYS[3], json!(4)),
    ];
    let tokens = tokens(&cases);
    let expected = "1 refused: key: an earlier entry has the same\n  entry 2: user 2\n\
                    2 refused: key: must be 40 hexadecimal digits, as Django REST Framework makes them\n  entry 3: user 2\n  entry 4: user 3\n\
                    1 refused: user: must be the primary key of a user, as dumpdata writes it without natural keys\n  entry 6\n\
                    1 refused: user: the account is inactive, has another external_id, or its sessions were ended since it was imported\n  entry 7: user 4\n\
                    1 refused: user: no account of the file that is there now has this id\n  entry 5: user 99\n";
    let (written, failure) = import(&app, &["--dry-run", users.path(), "--tokens", tokens.path()]).await;
    assert!(written.contains(expected) && written.ends_with("7 tokens: 1 would be imported, 0 imported before, 6 refused.\n"), "{written}");
    assert_eq!(failure.as_deref(), Some("6 tokens were refused"));
    assert!(app.everything().await.is_empty(), "a dry run writes nothing");
    let (written, failure) = import(&app, &[users.path(), "--tokens", tokens.path()]).await;
    assert!(written.contains(expected) && written.ends_with("7 tokens: 1 imported, 0 imported before, 6 refused.\n"), "{written}");
    assert_eq!(failure.as_deref(), Some("6 tokens were refused"));
    for (key, passes) in KEYS.iter().zip([true, false, false, false]) {
        assert_eq!(app.lets_pass(key).await, passes);
    }
    // A key in the column of users is not printed either, which `import` checks.
    let swapped = Temporary::with(format!("key,user_id,created\n1,{},2024-01-31\n", KEYS[0]));
    let (written, _) = import(&app, &[users.path(), "--tokens", swapped.path()]).await;
    assert!(written.contains("  line 2: user (not shown)\n"), "{written}");
    // A table of the database, as psql writes it.
    let table = Temporary::with(format!("key,created,user_id\n{},2024-01-31 12:00:00+00,2\n", KEYS[1]));
    let (written, failure) = import(&app, &[users.path(), "--tokens", table.path()]).await;
    assert_eq!((failure, app.lets_pass(KEYS[1]).await), (None, true), "{written}");
}

#[tokio::test]
async fn a_token_becomes_no_session_of_an_account_whose_sessions_were_ended_since_or_that_is_another_one() {
    let app = App::configured(&ON).await;
    let (users, tokens) = (users(), first_three());
    done(&app, &["import", users.path()]).await;
    // Ann has another password since the import, and Ben is somebody who registered here under the same names.
    let session = app.login("ann", PASSWORD).await;
    assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
    app.store.delete_account(&account(&app, "ben").await, app.clock.now()).await.unwrap();
    app.sign_up("ben").await;
    for dry in [true, false] {
        let arguments = [users.path(), "--tokens", tokens.path(), "--dry-run"];
        let (written, failure) = import(&app, &arguments[..if dry { 4 } else { 3 }]).await;
        let told = "2 refused: user: the account is inactive, has another external_id, or its sessions were ended since it was imported\n  \
                    entry 1: user 1\n  entry 2: user 2\n";
        assert!(written.contains(told), "{written}");
        assert_eq!(failure.as_deref(), Some("2 tokens were refused"));
    }
    for (key, passes) in KEYS.iter().zip([false, false, true]) {
        assert_eq!(app.lets_pass(key).await, passes);
    }
    assert!(app.lets_pass(&session).await);
}

#[tokio::test]
async fn a_deletion_leaves_nothing_of_an_imported_token_by_an_operator_or_by_the_owner() {
    let (app, ..) = moved(&[("DELETION_GRACE", "0")]).await;
    let of_tokens = async || app.everything().await.keys().filter(|(pk, sk)| pk.starts_with("token#") || sk.starts_with("token#")).count();
    assert_eq!(of_tokens().await, 6);
    app.store.delete_account(&account(&app, "ann").await, app.clock.now()).await.unwrap();
    assert_eq!(of_tokens().await, 4);
    // A session that has ended leaves its token known as taken, and that goes with the account too.
    assert_eq!(app.logout(KEYS[1]).await.status, 200);
    let session = app.login("ben", PASSWORD).await;
    assert_eq!(app.send(delete_me(&session, PASSWORD)).await.status, 204);
    app.advance(1);
    app.sweep().await;
    assert_eq!(of_tokens().await, 2);
    let left = format!("{:?}", app.everything_but_limits().await);
    assert!(!left.contains("ben@") && !left.contains("ann@") && left.contains("cyd@"), "{left}");
}

#[tokio::test]
async fn an_import_of_tokens_that_is_cut_off_goes_on_and_counts_what_was_written_without_an_answer() {
    let (app, observer) = App::observed(&ON).await;
    let (users, tokens) = (users(), first_three());
    observer.store.fail(|call| (call.number >= 4).then_some((When::After, Failure::Drops)));
    let (_, failure) = import(&app, &[users.path(), "--tokens", tokens.path(), "--patience", "0s"]).await;
    assert!(failure.is_some_and(|told| told.contains("Run it again to go on")));
    observer.store.forget();
    // Of the calls some take effect without an answer; the SDK tries each three times.
    observer.store.fail(|call| (call.number % 4 == 1).then_some((When::After, Failure::Drops)));
    let (written, failure) = import(&app, &[users.path(), "--tokens", tokens.path()]).await;
    assert_eq!(failure, None, "{written}");
    assert!(written.contains("3 tokens: "), "{written}");
    observer.store.heal();
    for key in &KEYS[..3] {
        assert!(app.lets_pass(key).await);
    }
    assert_eq!(app.everything().await.keys().filter(|(_, sort)| sort.starts_with("session#")).count(), 3, "each once");
}

#[tokio::test]
async fn tokens_are_not_imported_where_they_would_open_nothing() {
    let app = App::start().await;
    let (users, tokens) = (users(), first_three());
    let (_, told) = refused(&app, &["import", users.path(), "--tokens", tokens.path()]).await;
    assert!(told.contains("ImportedTokens is off"), "{told}");
    assert!(app.everything().await.is_empty());
    // A dry run is for before.
    let written = done(&app, &["import", "--dry-run", users.path(), "--tokens", tokens.path()]).await;
    assert!(written.ends_with("3 tokens: 3 would be imported, 0 imported before, 0 refused.\n"), "{written}");
    assert_eq!(app.send(login("ann", PASSWORD)).await.status, 401);
}
