//! One account: shown, made, switched, deleted.

use clap::Parser as _;
use doorward_admin::Arguments;
use doorward_kit::{
    Deployment,
    deeds::{NEW_PASSWORD, PASSWORD, address_of, login, reset},
    leak::{Secret, found},
    mailbox::Refuse,
    proxy::{Failure, When},
};

use crate::{done, line, refused, types};

#[tokio::test]
async fn an_account_is_shown_by_each_of_its_names_and_never_its_secrets() {
    let door = Deployment::start().await;
    let sessions = [door.newcomer("ann").await, door.sign_in("ann", PASSWORD).await];
    let link = door.reset_token(&address_of("ann")).await;
    let shown = done(&door, &["show", "ANN"]).await;
    assert_eq!((line(&shown, "username"), line(&shown, "email"), line(&shown, "state")), ("ann", "ann@example.com", "active"));
    assert_eq!(line(&shown, "sessions"), "2, the newest of 2026-01-01T12:00:01Z");
    assert_eq!(line(&shown, "reset link"), "open until 2026-01-01T13:00:01Z");
    assert!(line(&shown, "networks").starts_with("203.0.113.0/24"), "{shown}");
    let id = line(&shown, "id").to_owned();
    for name in ["Ann@Example.com", &id, &id.to_uppercase()] {
        assert_eq!(done(&door, &["show", name]).await, shown);
    }
    let hash = door.operator.account("ann").await["password"].as_s().unwrap().clone();
    let mut secrets = vec![Secret::text("hash", &hash), Secret::text("tag", hash.rsplit('$').next().unwrap())];
    secrets.extend(sessions.iter().chain([&link]).flat_map(|token| [Secret::token("token", token), Secret::digest("token", token)]));
    assert_eq!(found(&shown, &secrets), []);
    door.pass(3600);
    door.log_out_everywhere(&sessions[0]).await;
    let shown = done(&door, &["show", "ann"]).await;
    assert_eq!((line(&shown, "sessions"), line(&shown, "reset link")), ("0", "none"));
    for name in ["nobody", "nobody@example.com", "01941f29-7c00-7000-8000-000000000000"] {
        assert_eq!(refused(&door, &["show", name]).await.1, "no account has this username, e-mail address or id");
    }
}

#[tokio::test]
async fn an_id_that_is_also_somebodys_username_is_refused_until_it_is_said_which() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    let id = line(&done(&door, &["show", "ann"]).await, "id").to_owned();
    // Ids reach the APIs behind the authorizer, and are valid usernames, with and without hyphens.
    for (number, username) in [id.clone(), id.replace('-', "")].iter().enumerate() {
        let email = format!("eve{number}@example.com");
        assert_eq!(door.register_as(username, &email).await.status, 201);
        let eve = line(&done(&door, &["show", &email]).await, "id").to_owned();
        for name in [username.clone(), username.to_uppercase()] {
            for command in ["show", "activate", "deactivate", "end-sessions", "reset", "delete"] {
                let (written, told) = refused(&door, &[command, &name]).await;
                assert_eq!(written, "", "{command}");
                assert!(told.contains(&format!("id:{id} or id:{eve}")), "{command}: {told}");
            }
        }
        assert_eq!(line(&done(&door, &["show", &format!("id:{id}")]).await, "username"), "ann");
        assert_eq!(line(&done(&door, &["show", &format!("id:{eve}")]).await, "email"), email);
    }
    done(&door, &["deactivate", &format!("id:{id}")]).await;
    assert_eq!(line(&done(&door, &["show", "ann"]).await, "state"), "switched off");
    for nobody in ["id:", "id:ann", "id:01941f29-7c00-7000-8000-000000000000"] {
        assert_eq!(refused(&door, &["show", nobody]).await.1, "no account has this username, e-mail address or id");
    }
}

#[tokio::test]
async fn a_new_accounts_owner_chooses_the_password_and_nobody_logs_in_before() {
    let door = Deployment::start().await;
    let written = done(&door, &["create", "ann", "Ann@example.com"]).await;
    assert!(written.contains("a link to choose a password is on its way"), "{written}");
    assert!(door.operator.account("ann").await["password"].as_s().unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    door.pass(1);
    door.deliver().await;
    let mail = door.mailbox.to("Ann@example.com").pop().unwrap();
    assert!(!mail.text.contains("From:") && !mail.html.contains("From"), "asked from nowhere: {}", mail.text);
    assert_eq!(door.send(login("ann", PASSWORD)).await.status, 401);
    assert_eq!(door.confirm(&mail.reset_token().unwrap(), PASSWORD).await.status, 200);
    door.sign_in("ANN@example.com", PASSWORD).await;

    let before = door.everything_but_limits().await;
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
        assert_eq!(refused(&door, &["create", username, email]).await.1, told);
    }
    assert_eq!(door.everything_but_limits().await, before);
    assert!(Arguments::try_parse_from(["doorward-admin", "create", "eve", "eve@example.com", "--password", "x"]).is_err());
}

#[tokio::test]
async fn switched_off_is_off_at_once_and_switched_on_brings_no_session_and_no_link_back() {
    let door = Deployment::start().await;
    let session = door.newcomer("ann").await;
    let link = door.reset_token(&address_of("ann")).await;
    done(&door, &["deactivate", "ann"]).await;
    assert!(!door.lets_pass(&session).await);
    assert_eq!(door.send(login("ann", PASSWORD)).await.status, 401);
    assert_eq!(line(&done(&door, &["show", "ann"]).await, "state"), "switched off");
    assert_eq!(refused(&door, &["reset", "ann"]).await.1, "no link is mailed to an account that is switched off");
    done(&door, &["activate", "ann@example.com"]).await;
    assert!(!door.lets_pass(&session).await, "the session came back");
    assert_eq!(door.confirm(&link, NEW_PASSWORD).await.status, 404, "the link came back");
    let session = door.sign_in("ann", PASSWORD).await;
    done(&door, &["end-sessions", "ann"]).await;
    assert!(!door.lets_pass(&session).await);
}

#[tokio::test]
async fn a_reset_that_an_operator_starts_is_the_owners_usual_link() {
    let door = Deployment::start().await;
    door.sign_up("ann").await;
    done(&door, &["reset", "ann"]).await;
    door.deliver().await;
    let link = door.newest_reset_token(&address_of("ann")).unwrap();
    assert_eq!(door.confirm(&link, NEW_PASSWORD).await.status, 200);
    // Also in the very instant in which the password was set.
    done(&door, &["reset", "ann"]).await;
    door.pass(1);
    door.deliver().await;
    assert_eq!(door.reset_mails(&address_of("ann")), 2);
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing_and_only_its_name_typed_deletes_it() {
    let door = Deployment::start().await;
    let empty = door.everything().await;
    for number in 0..30 {
        if number == 0 {
            door.newcomer("ann").await
        } else {
            door.sign_in("ann", PASSWORD).await
        };
    }
    let session = door.sign_in("ann", PASSWORD).await;
    door.send(login("ann", "Wrong-Horse-42").from("198.51.100.9")).await;
    door.send(login("ann", "Wrong-Horse-42")).await;
    door.change(&session, "Wrong-Horse-42", NEW_PASSWORD).await;
    door.change(&session, PASSWORD, NEW_PASSWORD).await;
    door.change(&session, PASSWORD, NEW_PASSWORD).await;
    door.send(login("ann", "Wrong-Horse-42").from("198.51.100.9")).await;
    door.deliver().await;
    door.pass(60);
    door.reset_token(&address_of("ann")).await;
    door.mailbox.refuse_next(Refuse(400, "MessageRejected"));
    door.pass(600);
    door.send(reset(&address_of("ann"))).await;
    door.deliver().await;
    let before = door.everything().await;
    for answer in [Some("ben"), Some(""), Some("ANN"), None] {
        let (_, done) = types(&door, &["delete", "ann"], answer).await;
        assert!(done.is_err(), "{answer:?}");
        assert_eq!(door.everything().await, before, "{answer:?}");
    }
    types(&door, &["delete", "ann@example.com"], Some("ann")).await.1.unwrap();
    // What is left counts clients, or attempts at an earlier epoch: digests that go by themselves.
    let left: Vec<String> = door.everything().await.into_iter().filter(|item| !empty.contains(item)).collect();
    assert!(left.iter().all(|item| item.contains("-client#") || item.contains("hits=")), "{left:#?}");
    assert_eq!(left.iter().filter(|item| item.contains("pk=login-account#") || item.contains("pk=change-account#")).count(), 3);
    assert_eq!(door.everything_but_limits().await, [""; 0]);
    assert_eq!(door.register_as("Ann", "ANN@example.com").await.status, 201, "the names are free");
}

#[tokio::test]
async fn a_deletion_that_is_cut_off_is_an_account_switched_off_and_is_deleted_again() {
    for number in 0..12 {
        let (door, observer) = Deployment::observed(&[]).await;
        let session = door.newcomer("ann").await;
        observer.store.forget();
        observer.store.fail(move |call| (call.number >= number).then(|| (When::Before, Failure::code(400, "AccessDeniedException"))));
        types(&door, &["delete", "--yes", "ann"], None).await.1.unwrap_err();
        observer.store.forget();
        // Before anything was done, or off.
        assert_eq!(door.lets_pass(&session).await, number <= 2, "{number}");
        done(&door, &["delete", "--yes", "ann"]).await;
        assert_eq!(door.everything_but_limits().await, [""; 0], "{number}");
    }
}
