//! Admin commands that change a name or take a password out of use.

use doorward::{account::Username, lifecycle::Renamed};
use doorward_kit::{
    App,
    requests::{NEW_PASSWORD, PASSWORD, address_of, change_password, disavow, login, reset_request},
};

use crate::{done, line, refused, types};

#[tokio::test]
async fn another_address_gets_the_mail_and_the_former_one_gets_a_notice_that_names_neither() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let link = app.reset_link("ann@example.com").await;
    app.send(change_password(&session, PASSWORD, NEW_PASSWORD)).await;
    app.deliver().await;
    let not_me = app.mailbox.to("ann@example.com").pop().unwrap().disavowal_token().unwrap();
    app.advance(60);
    let link = [link, app.reset_link("ann@example.com").await];
    app.advance(60);
    let written = done(&app, &["set-email", "ann", "Ann@new.example", "--yes"]).await;
    assert!(written.contains("A notice to the former address is on its way."), "{written}");
    app.deliver().await;
    let notice = app.mailbox.to("ann@example.com").pop().unwrap();
    assert_eq!(notice.subject, "Your Doorward account was changed");
    assert!(notice.text.contains("e-mail address") && notice.disavowal_token().is_none(), "{}", notice.text);
    assert!(![&notice.text, &notice.html].iter().any(|part| part.contains("new.example")), "whoever has the old mailbox learns no address");
    assert!(app.lets_pass(&session).await, "sessions go on");
    for link in link {
        assert_eq!(app.confirm_reset(&link, PASSWORD).await.status, 404, "a link in the former mailbox");
    }
    assert_eq!(app.send(disavow(&not_me)).await.status, 404, "nor does the notice's");
    app.send(reset_request("ann@example.com")).await;
    app.deliver().await;
    assert_eq!(app.mailbox.to("ann@example.com").pop().unwrap(), notice, "no mail goes to the former address");
    app.send(reset_request("ANN@NEW.example")).await;
    app.deliver().await;
    let link = app.newest_reset_link("Ann@new.example").unwrap();
    assert_eq!(app.confirm_reset(&link, PASSWORD).await.status, 200);
    app.login("ann@new.example", PASSWORD).await;
    assert_eq!(app.send(login("ann@example.com", PASSWORD)).await.status, 401);
    assert_eq!(app.register("ben", "ann@example.com").await.status, 201, "the former address is free");
    assert_eq!(app.register("eve", "ann@new.example").await.status, 400, "and the new one is not");
}

#[tokio::test]
async fn a_name_that_is_taken_or_none_changes_nothing() {
    let app = App::start().await;
    app.sign_up("ann").await;
    app.sign_up("ben").await;
    let before = app.everything().await;
    for (command, told) in [
        (["set-email", "ann", "BEN@example.com"], "another account has this e-mail address, in whatever case"),
        (["set-email", "ann", "nonsense"], "email: it is no e-mail address that mail can go to"),
        (["set-username", "ann", "BEN"], "another account has this username, in whatever case"),
        (["set-username", "ann", "eve@example.com"], "username: it reads as an e-mail address that is not this account's own"),
    ] {
        assert_eq!(refused(&app, &[&command[..], &["--yes"]].concat()).await.1, told);
    }
    for command in [["set-email", "ann", "x@example.com"], ["set-username", "ann", "x"]] {
        for answer in [None, Some("ben"), Some("")] {
            assert!(types(&app, &command, answer).await.1.is_err());
        }
    }
    assert!(types(&app, &["disavow", "ann"], Some("ben")).await.1.is_err());
    assert_eq!(app.everything().await, before);
}

#[tokio::test]
async fn another_username_logs_in_with_the_same_password_and_its_owner_is_told() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    types(&app, &["set-username", "ann", "Anna"], Some("ann")).await.1.unwrap();
    app.deliver().await;
    assert!(app.mailbox.to(&address_of("ann")).pop().unwrap().text.contains("The username of your Doorward account was changed."));
    app.login("ANNA", PASSWORD).await;
    assert!(app.lets_pass(&session).await);
    assert_eq!(app.send(login("ann", PASSWORD)).await.status, 401);
    // Another spelling of the same name needs no claim.
    done(&app, &["set-username", "anna", "ANNA", "--yes"]).await;
    done(&app, &["set-email", "anna", "ANN@example.com", "--yes"]).await;
    let shown = done(&app, &["show", "anna"]).await;
    assert_eq!((line(&shown, "username"), line(&shown, "email")), ("ANNA", "ANN@example.com"));
    assert_eq!(app.register("ann", "other@example.com").await.status, 201, "the former name is free");
}

#[tokio::test]
async fn of_two_accounts_that_are_given_one_name_at_once_one_gets_it() {
    let app = App::start().await;
    app.sign_up("ann").await;
    app.sign_up("ben").await;
    for round in 0..5 {
        let [ann, ben] = ["ann@example.com", "ben@example.com"].map(|email| async {
            let account = app.store.account_by_login_name(email).await.unwrap();
            account.unwrap()
        });
        let (ann, ben) = (ann.await, ben.await);
        let name = Username::parse(&format!("cleo{round}")).unwrap();
        let renamed =
            tokio::join!(app.store.set_username(&ann, &name, app.clock.now()), app.store.set_username(&ben, &name, app.clock.now()));
        let renamed = [renamed.0.unwrap(), renamed.1.unwrap()];
        assert!(renamed.contains(&Renamed::Now) && renamed.contains(&Renamed::Taken), "{renamed:?}");
        // What was read before the name was changed changes nothing.
        let stale = if renamed[0] == Renamed::Now { &ann } else { &ben };
        let other = Username::parse(&format!("dora{round}")).unwrap();
        assert_eq!(app.store.set_username(stale, &other, app.clock.now()).await.unwrap(), Renamed::Overtaken);
    }
}

#[tokio::test]
async fn an_account_that_was_given_another_address_is_deleted_with_what_waits_for_the_former_one() {
    let app = App::start().await;
    app.sign_up("ann").await;
    app.send(reset_request(&address_of("ann"))).await;
    done(&app, &["set-email", "ann", "ann@new.example", "--yes"]).await;
    done(&app, &["delete", "ann", "--yes"]).await;
    assert!(app.everything_but_limits().await.is_empty(), "{:#?}", app.everything_but_limits().await);
}

#[tokio::test]
async fn an_operator_disavows_for_an_owner_as_often_as_it_is_needed_and_the_thief_is_out() {
    let app = App::start().await;
    let thief = app.sign_up("ann").await.login().await;
    app.send(change_password(&thief, PASSWORD, NEW_PASSWORD)).await;
    app.deliver().await;
    app.advance(1);
    let asked_by_thief = app.reset_link(&address_of("ann")).await;
    types(&app, &["disavow", "ann"], Some("ann")).await.1.unwrap();
    app.deliver().await;
    assert!(!app.lets_pass(&thief).await);
    app.advance(1000);
    assert_eq!(app.send(login("ann", NEW_PASSWORD)).await.status, 401, "the thief knows it");
    assert_eq!(app.confirm_reset(&asked_by_thief, PASSWORD).await.status, 404);
    assert_eq!(line(&done(&app, &["show", "ann"]).await, "state"), "disavowed, until a reset");
    // At once and again, for example because the first mail was lost.
    done(&app, &["disavow", "ann", "--yes"]).await;
    done(&app, &["disavow", "ann", "--yes"]).await;
    app.advance(1);
    app.deliver().await;
    let link = app.newest_reset_link(&address_of("ann")).unwrap();
    assert_eq!(app.confirm_reset(&link, "Owner-Staple-77").await.status, 200);
    app.login("ann", "Owner-Staple-77").await;
    done(&app, &["deactivate", "ann"]).await;
    let told = refused(&app, &["disavow", "ann", "--yes"]).await.1;
    assert_eq!(told, "the password cannot be disabled in an account that is deactivated");
}
