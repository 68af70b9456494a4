//! Admin commands for one account: show, create, activate, deactivate, delete.

use clap::Parser as _;
use doorward_admin::Arguments;
use doorward_kit::{
    App,
    mailbox::Refuse,
    proxy::{Failure, When},
    requests::{NEW_PASSWORD, PASSWORD, address_of, delete_me, login, reset_request},
    secrets::{Secret, found},
    store::lines,
};

use crate::{done, line, refused, types};

#[tokio::test]
async fn an_account_is_shown_by_each_of_its_names_and_never_its_secrets() {
    let app = App::start().await;
    let sessions = [app.sign_up("ann").await.login().await, app.login("ann", PASSWORD).await];
    let link = app.reset_link(&address_of("ann")).await;
    let shown = done(&app, &["show", "ANN"]).await;
    assert_eq!((line(&shown, "username"), line(&shown, "email"), line(&shown, "state")), ("ann", "ann@example.com", "active"));
    assert_eq!(line(&shown, "sessions"), "2, the newest of 2026-01-01T12:00:01Z");
    assert_eq!(line(&shown, "reset link"), "open until 2026-01-01T13:00:01Z");
    assert!(line(&shown, "networks").starts_with("203.0.113.0/24"), "{shown}");
    let id = line(&shown, "id").to_owned();
    for name in ["Ann@Example.com", &id, &id.to_uppercase()] {
        assert_eq!(done(&app, &["show", name]).await, shown);
    }
    let hash = app.operator.account("ann").await["password"].as_s().unwrap().clone();
    let mut secrets = vec![Secret::text("hash", &hash), Secret::text("tag", hash.rsplit('$').next().unwrap())];
    secrets.extend(sessions.iter().chain([&link]).flat_map(|token| [Secret::token("token", token), Secret::digest("token", token)]));
    assert_eq!(found(&shown, &secrets), []);
    app.advance(3600);
    app.logout_all(&sessions[0]).await;
    let shown = done(&app, &["show", "ann"]).await;
    assert_eq!((line(&shown, "sessions"), line(&shown, "reset link")), ("0", "none"));
    for name in ["nobody", "nobody@example.com", "01941f29-7c00-7000-8000-000000000000"] {
        assert_eq!(refused(&app, &["show", name]).await.1, "no account has this username, e-mail address or id");
    }
}

#[tokio::test]
async fn an_id_that_is_also_somebodys_username_is_refused_until_it_is_said_which() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let id = line(&done(&app, &["show", "ann"]).await, "id").to_owned();
    // Ids reach the APIs behind the authorizer, and are valid usernames, with and without hyphens.
    for (number, username) in [id.clone(), id.replace('-', "")].iter().enumerate() {
        let email = format!("eve{number}@example.com");
        assert_eq!(app.register(username, &email).await.status, 201);
        let eve = line(&done(&app, &["show", &email]).await, "id").to_owned();
        for name in [username.clone(), username.to_uppercase()] {
            for command in ["show", "activate", "deactivate", "end-sessions", "reset", "delete"] {
                let (written, told) = refused(&app, &[command, &name]).await;
                assert_eq!(written, "", "{command}");
                assert!(told.contains(&format!("id:{id} or id:{eve}")), "{command}: {told}");
            }
        }
        assert_eq!(line(&done(&app, &["show", &format!("id:{id}")]).await, "username"), "ann");
        assert_eq!(line(&done(&app, &["show", &format!("id:{eve}")]).await, "email"), email);
    }
    done(&app, &["deactivate", &format!("id:{id}")]).await;
    assert_eq!(line(&done(&app, &["show", "ann"]).await, "state"), "deactivated");
    for unknown in ["id:", "id:ann", "id:01941f29-7c00-7000-8000-000000000000"] {
        assert_eq!(refused(&app, &["show", unknown]).await.1, "no account has this username, e-mail address or id");
    }
}

#[tokio::test]
async fn a_new_accounts_owner_chooses_the_password_and_nobody_logs_in_before() {
    let app = App::start().await;
    let written = done(&app, &["create", "ann", "Ann@example.com"]).await;
    assert!(written.contains("a link to choose a password is on its way"), "{written}");
    assert!(app.operator.account("ann").await["password"].as_s().unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    app.advance(1);
    app.deliver().await;
    let mail = app.mailbox.to("Ann@example.com").pop().unwrap();
    assert_eq!(mail.subject, "Choose a password for Doorward");
    assert!(mail.text.starts_with("An account has been created for you at Doorward."), "nobody has asked: {}", mail.text);
    assert!(!mail.text.contains("From:") && !mail.html.contains("From"), "asked from nowhere: {}", mail.text);
    assert_eq!(app.send(login("ann", PASSWORD)).await.status, 401);
    assert_eq!(app.confirm_reset(&mail.reset_token().unwrap(), PASSWORD).await.status, 200);
    app.login("ANN@example.com", PASSWORD).await;

    let before = app.everything_but_limits().await;
    for (username, email, told) in [
        ("ANN", "other@example.com", "another account has this username, in whatever case"),
        ("other", "ann@EXAMPLE.com", "another account has this e-mail address, in whatever case"),
        ("Ann", "ann@example.com", "another account has this username, and one this e-mail address"),
        (
            "a b",
            "x@example.com",
            "username: Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
        ),
        ("other", "nonsense", "email: it is no e-mail address that mail can go to"),
        ("eve@example.com", "x@example.com", "username: it reads as an e-mail address that is not this account's own"),
    ] {
        assert_eq!(refused(&app, &["create", username, email]).await.1, told);
    }
    assert_eq!(app.everything_but_limits().await, before);
    assert!(Arguments::try_parse_from(["doorward-admin", "create", "eve", "eve@example.com", "--password", "x"]).is_err());
}

#[tokio::test]
async fn switched_off_is_off_at_once_and_switched_on_brings_no_session_and_no_link_back() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let link = app.reset_link(&address_of("ann")).await;
    done(&app, &["deactivate", "ann"]).await;
    assert!(!app.lets_pass(&session).await);
    assert_eq!(app.send(login("ann", PASSWORD)).await.status, 401);
    assert_eq!(line(&done(&app, &["show", "ann"]).await, "state"), "deactivated");
    assert_eq!(refused(&app, &["reset", "ann"]).await.1, "no link is mailed to an account that is deactivated");
    done(&app, &["activate", "ann@example.com"]).await;
    assert!(!app.lets_pass(&session).await, "the session came back");
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 404, "the link came back");
    let session = app.login("ann", PASSWORD).await;
    done(&app, &["end-sessions", "ann"]).await;
    assert!(!app.lets_pass(&session).await);
}

#[tokio::test]
async fn a_reset_that_an_operator_starts_is_the_owners_usual_link() {
    let app = App::start().await;
    app.sign_up("ann").await;
    done(&app, &["reset", "ann"]).await;
    app.deliver().await;
    let link = app.newest_reset_link(&address_of("ann")).unwrap();
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
    // This also holds in the very millisecond in which the password was set.
    done(&app, &["reset", "ann"]).await;
    app.advance(1);
    app.deliver().await;
    assert_eq!(app.reset_mails(&address_of("ann")), 2);
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing_and_only_its_name_typed_deletes_it() {
    let app = App::start().await;
    let empty = lines(&app.everything().await);
    for number in 0..30 {
        if number == 0 {
            app.sign_up("ann").await.login().await
        } else {
            app.login("ann", PASSWORD).await
        };
    }
    let session = app.login("ann", PASSWORD).await;
    app.send(login("ann", "Wrong-Horse-42").from("198.51.100.9")).await;
    app.send(login("ann", "Wrong-Horse-42")).await;
    app.change_password(&session, "Wrong-Horse-42", NEW_PASSWORD).await;
    app.change_password(&session, PASSWORD, NEW_PASSWORD).await;
    app.change_password(&session, PASSWORD, NEW_PASSWORD).await;
    app.send(login("ann", "Wrong-Horse-42").from("198.51.100.9")).await;
    app.deliver().await;
    app.advance(60);
    app.reset_link(&address_of("ann")).await;
    app.mailbox.refuse_next(Refuse(400, "MessageRejected"));
    app.advance(600);
    app.send(reset_request(&address_of("ann"))).await;
    app.deliver().await;
    let before = app.everything().await;
    for answer in [Some("ben"), Some(""), Some("ANN"), None] {
        let (_, done) = types(&app, &["delete", "ann"], answer).await;
        assert!(done.is_err(), "{answer:?}");
        assert_eq!(app.everything().await, before, "{answer:?}");
    }
    types(&app, &["delete", "ann@example.com"], Some("ann")).await.1.unwrap();
    // Counters of clients and of earlier passwords remain. They contain digests and expire by themselves.
    let left: Vec<String> = lines(&app.everything().await).into_iter().filter(|item| !empty.contains(item)).collect();
    assert!(left.iter().all(|item| item.contains("-client#") || item.contains("hits=")), "{left:#?}");
    assert_eq!(left.iter().filter(|item| item.contains("pk=login-account#") || item.contains("pk=change-account#")).count(), 2);
    assert!(app.everything_but_limits().await.is_empty());
    assert_eq!(app.register("Ann", "ANN@example.com").await.status, 201, "the names are free");
}

#[tokio::test]
async fn a_deletion_that_is_cut_off_is_an_account_switched_off_and_is_deleted_again() {
    for number in 0..12 {
        let (app, observer) = App::observed(&[]).await;
        let session = app.sign_up("ann").await.login().await;
        observer.store.forget();
        observer.store.fail(move |call| (call.number >= number).then(|| (When::Before, Failure::code(400, "AccessDeniedException"))));
        types(&app, &["delete", "--yes", "ann"], None).await.1.unwrap_err();
        observer.store.forget();
        // Before any step, or while the account is inactive.
        assert_eq!(app.lets_pass(&session).await, number <= 2, "{number}");
        done(&app, &["delete", "--yes", "ann"]).await;
        assert!(app.everything_but_limits().await.is_empty(), "{number}");
    }
}

#[tokio::test]
async fn an_operator_sees_when_an_account_is_deleted_and_calls_it_off() {
    let app = App::start().await;
    app.sign_up("ben").await;
    let session = app.sign_up("ann").await.login().await;
    assert_eq!(app.send(delete_me(&session, PASSWORD)).await.status, 204);
    let shown = done(&app, &["show", "ann"]).await;
    assert_eq!(line(&shown, "state"), "to be deleted");
    let told = "asked for at 2026-01-01T12:00:02Z, carried out after 2026-01-04T12:00:02Z; activate ID or disavow ID cancels it";
    assert_eq!(line(&shown, "deletion"), told);
    let listed = done(&app, &["list", "--state", "leaving"]).await;
    assert!(listed.contains("to be deleted after 2026-01-04T12:00:02Z") && !listed.contains("ben"), "{listed}");
    assert!(refused(&app, &["reset", "ann"]).await.1.contains("an account that is to be deleted"));
    done(&app, &["activate", "ann"]).await;
    assert_eq!(line(&done(&app, &["show", "ann"]).await, "state"), "active");
    // As the link of the notice does, a disavowal by an operator also takes the password out of use.
    let session = app.login("ann", PASSWORD).await;
    assert_eq!(app.send(delete_me(&session, PASSWORD)).await.status, 204);
    done(&app, &["disavow", "--yes", "ann"]).await;
    assert_eq!(line(&done(&app, &["show", "ann"]).await, "state"), "disavowed, until a reset");
    app.advance(3 * 24 * 60 * 60);
    app.sweep().await;
    app.assert_sound().await;
    assert_eq!(app.send(login("ann", PASSWORD)).await.status, 401);
    assert_eq!(line(&done(&app, &["show", "ann"]).await, "username"), "ann");
}
