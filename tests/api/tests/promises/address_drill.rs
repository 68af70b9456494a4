//! The takeover drill of SECURITY.md, as far as it is about the address: what a thief with a session or with the password can do to it.

use doorward::{
    caller::Caller,
    config::Settings,
    deletion_request::{DeletionGrace, DeletionRequested},
    delivery::{Outcome, Suppressed},
    token::{Session, Token},
};
use doorward_kit::{
    App,
    mailbox::Mail,
    place::Place,
    requests::{NEW_PASSWORD, PASSWORD, address_of, change_address, delete_me, disavow, login, me, register, set_username, verify},
};

const THIEF: &str = "198.51.100.66";

/// A thief asks for an address, and confirms it where mail for it arrives.
async fn moves(app: &App, session: &str, email: &str, password: &str) {
    assert_eq!(app.send(change_address(session, email, password).from(THIEF)).await.status, 200);
    app.deliver().await;
    let link = app.verification_links(email).pop().expect("a link");
    assert_eq!(app.send(verify(&link).from(THIEF)).await.status, 204);
    app.deliver().await;
    app.advance(1);
}

fn newest_notice(app: &App, email: &str) -> String {
    app.mailbox.to(email).iter().rev().find_map(Mail::disavowal_token).expect("a notice")
}

#[tokio::test]
async fn whoever_stole_a_session_cannot_change_the_address() {
    let app = App::configured(&[("ADDRESS_VERIFICATION", "optional")]).await;
    let stolen = app.sign_up_verified("ann").await.login().await;
    let before = app.everything_but_limits().await;
    for guess in ["", "Wrong-Horse-42", NEW_PASSWORD] {
        assert_eq!(app.send(change_address(&stolen, "eve@evil.example", guess).from(THIEF)).await.status, 400, "{guess}");
    }
    assert_eq!(app.everything_but_limits().await, before);
    assert!(app.mailbox.to("eve@evil.example").is_empty());
}

#[tokio::test]
async fn whoever_learned_the_password_and_changes_the_address_is_undone_from_the_old_mailbox_twice_in_a_row() {
    let app = App::configured(&[("ADDRESS_VERIFICATION", "optional")]).await;
    app.sign_up_verified("ann").await;
    for round in 0..2 {
        let password = [PASSWORD, NEW_PASSWORD][round];
        let thief = app.login("ann", password).await;
        let owners = address_of("ann");
        // Through two mailboxes, so that the owner's link is not the newest notice, and with a link of its own that takes the second change back.
        let (first, second) = (format!("eve{round}@evil.example"), format!("eva{round}@evil.example"));
        moves(&app, &thief, &first, password).await;
        let undo = newest_notice(&app, &owners);
        moves(&app, &thief, &second, password).await;
        // The thief's own undo ends other links, but not the owner's.
        let thiefs = newest_notice(&app, &first);
        assert_eq!(app.send(disavow(&thiefs).from(THIEF)).await.status, 200);
        app.deliver().await;
        let reset = app.newest_reset_link(&first).expect("the thief's link");
        assert_eq!(app.confirm_reset(&reset, "Thief-Horse-42").await.status, 200);
        app.deliver().await;
        app.advance(1);
        assert_eq!(app.send(disavow(&undo)).await.status, 200, "round {round}");
        for dead in [&thiefs, &newest_notice(&app, &first)] {
            assert_eq!(app.send(disavow(dead).from(THIEF)).await.status, 404, "round {round}");
        }
        app.deliver().await;
        let link = app.newest_reset_link(&owners).expect("the owner's link");
        assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
        app.deliver().await;
        for name in ["ann", &owners] {
            app.login(name, NEW_PASSWORD).await;
        }
        app.assert_sound().await;
        app.advance(24 * 60 * 60);
    }
}

#[tokio::test]
async fn whoever_registers_somebody_elses_address_keeps_nothing_when_its_owner_resets_the_password() {
    let app = App::configured(&[("ADDRESS_VERIFICATION", "optional")]).await;
    let thief = app.sign_up("ann").await.login().await;
    app.deliver().await;
    assert_eq!(app.send(change_address(&thief, "eve@evil.example", PASSWORD).from(THIEF)).await.status, 200);
    app.deliver().await;
    let pending = app.verification_links("eve@evil.example").pop().expect("a link");
    let link = app.reset_link(&address_of("ann")).await;
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
    app.advance(1);
    assert!(!app.lets_pass(&thief).await);
    assert_eq!(app.send(verify(&pending).from(THIEF)).await.status, 400);
    assert_eq!(app.send(login("ann", PASSWORD).from(THIEF)).await.status, 401);
    let session = app.login(&address_of("ann"), NEW_PASSWORD).await;
    assert!(app.send(me(&session)).await.json().get("pending_email").is_none());
}

#[tokio::test]
async fn the_notice_of_a_change_of_the_password_gives_the_address_back_that_was_changed_after_it() {
    let app = App::configured(&[("ADDRESS_VERIFICATION", "optional")]).await;
    let thief = app.sign_up_verified("ann").await.login().await;
    assert_eq!(app.change_password(&thief, PASSWORD, "Thief-Horse-42").await.status, 200);
    app.deliver().await;
    app.advance(1);
    let first = newest_notice(&app, &address_of("ann"));
    moves(&app, &thief, "eve@evil.example", "Thief-Horse-42").await;
    assert_eq!(app.send(disavow(&first)).await.status, 200);
    app.deliver().await;
    assert!(app.newest_reset_link(&address_of("ann")).is_some() && app.newest_reset_link("eve@evil.example").is_none());
    app.assert_sound().await;
}

#[tokio::test]
async fn whoever_changes_the_address_and_deletes_the_account_does_not_outrun_the_undo_of_the_old_mailbox() {
    for grace in ["0", "3d", "30d"] {
        let app = App::configured(&[("ADDRESS_VERIFICATION", "optional"), ("DELETION_GRACE", grace)]).await;
        let thief = app.sign_up_verified("ann").await.login().await;
        moves(&app, &thief, "eve@evil.example", PASSWORD).await;
        let undo = newest_notice(&app, &address_of("ann"));
        moves(&app, &thief, "eva@evil.example", PASSWORD).await;
        app.mailbox.forget();
        assert_eq!(app.send(delete_me(&thief, PASSWORD).from(THIEF)).await.status, 204);
        app.deliver().await;
        // Each mailbox is told once, and is told the day of the deletion.
        let due = if grace == "30d" { "31 January 2026" } else { "8 January 2026" };
        for mailbox in [&address_of("ann"), "eve@evil.example", "eva@evil.example"] {
            let mails = app.mailbox.to(mailbox);
            assert!(mails.len() == 1 && mails[0].text.contains(due), "{grace}: {mails:?}");
        }
        let told = newest_notice(&app, &address_of("ann"));
        app.advance(7 * 24 * 60 * 60 - 60);
        app.sweep().await;
        let link = if grace == "3d" { told } else { undo };
        assert_eq!(app.send(disavow(&link)).await.status, 200, "{grace}");
        app.deliver().await;
        let link = app.newest_reset_link(&address_of("ann")).expect("the owner's link");
        assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
        app.advance(31 * 24 * 60 * 60);
        app.sweep().await;
        app.login(&address_of("ann"), NEW_PASSWORD).await;
        app.assert_sound().await;
    }
}

#[tokio::test]
async fn an_address_that_is_changed_while_the_account_is_deleted_can_be_taken_back_too() {
    let app = App::configured(&[("ADDRESS_VERIFICATION", "optional")]).await;
    let thief = app.sign_up_verified("ann").await.login().await;
    let read = app.store.account_by_login_name("ann").await.expect("the store answers").expect("an account");
    moves(&app, &thief, "eve@evil.example", PASSWORD).await;
    let undo = newest_notice(&app, &address_of("ann"));
    let session = Token::<Session>::parse(&thief).expect("a token").digest();
    let none = DeletionGrace::configured(&mut Settings::from_pairs([("DELETION_GRACE".to_owned(), "0".to_owned())]));
    let left = app.store.request_deletion(&read, &session, none, Caller::default(), app.clock.now()).await.expect("the store answers");
    assert_eq!(left, DeletionRequested::Now);
    app.advance(7 * 24 * 60 * 60 - 60);
    app.sweep().await;
    assert!(app.store.account(read.id).await.expect("the store answers").is_some());
    // When nothing can be taken back any more, it is deleted.
    let (items, before) = (app.items().await, app.clock.now());
    app.advance(60);
    app.sweep().await;
    assert!(app.store.account(read.id).await.expect("the store answers").is_none());
    app.assert_sound().await;
    app.replace(&app.items().await, &items).await;
    app.clock.set(before);
    assert_eq!(app.send(disavow(&undo)).await.status, 200);
}

#[tokio::test]
async fn an_address_comes_back_though_another_since_then_is_somebody_elses_by_now() {
    for is_taken in [true, false] {
        let place = Place::fresh().await;
        let app = App::over(&place, &[("ADDRESS_VERIFICATION", "optional")]).await;
        let thief = app.sign_up_verified("ann").await.login().await;
        moves(&app, &thief, "eve@evil.example", PASSWORD).await;
        let undo = newest_notice(&app, &address_of("ann"));
        // The time is shorter by now.
        let later = App::over(&place, &[("ADDRESS_VERIFICATION", "optional"), ("ADDRESS_UNDO", "1h")]).await;
        later.clock.set(app.clock.now());
        moves(&later, &thief, "eva@evil.example", PASSWORD).await;
        later.advance(2 * 60 * 60);
        if is_taken {
            assert_eq!(later.send(register("ben", "eve@evil.example")).await.status, 201);
        }
        assert_eq!(later.send(disavow(&undo)).await.status, 200);
        later.assert_sound().await;
        assert_eq!(later.send(register("cyd", "eve@evil.example")).await.status, if is_taken { 400 } else { 201 });
        assert_eq!(later.send(register("dan", "eva@evil.example")).await.status, 201);
        later.assert_sound().await;
    }
}

#[tokio::test]
async fn notices_that_wait_for_mailboxes_that_the_account_has_lost_are_not_sent_and_are_no_failures() {
    for undo in ["0", "7d"] {
        let app = App::configured(&[("ADDRESS_VERIFICATION", "optional"), ("ADDRESS_UNDO", undo)]).await;
        let thief = app.sign_up_verified("ann").await.login().await;
        app.deliver().await;
        let id = app.store.account_by_login_name("ann").await.expect("the store answers").expect("an account").id;
        let mut waiting = Vec::new();
        let mut lost = vec![address_of("ann")];
        if undo == "0" {
            // The link is mailed, and the notice of the next change waits while it is confirmed.
            assert_eq!(app.send(change_address(&thief, "eve@evil.example", PASSWORD).from(THIEF)).await.status, 200);
            app.deliver().await;
            assert_eq!(app.send(set_username(&thief, "anna", PASSWORD)).await.status, 204);
            waiting.push(app.stream().await);
            let link = app.verification_links("eve@evil.example").pop().expect("a link");
            assert_eq!(app.send(verify(&link).from(THIEF)).await.status, 204);
        } else {
            moves(&app, &thief, "eve@evil.example", PASSWORD).await;
            let link = newest_notice(&app, &address_of("ann"));
            assert_eq!(app.send(set_username(&thief, "anna", PASSWORD)).await.status, 204);
            waiting.push(app.stream().await);
            moves(&app, &thief, "eva@evil.example", PASSWORD).await;
            assert_eq!(app.send(set_username(&thief, "annb", PASSWORD)).await.status, 204);
            waiting.push(app.stream().await);
            assert_eq!(app.send(disavow(&link)).await.status, 200);
            lost = vec!["eve@evil.example".to_owned(), "eva@evil.example".to_owned()];
        }
        app.advance(1);
        let mails: Vec<usize> = lost.iter().map(|email| app.mailbox.to(email).len()).collect();
        for records in waiting {
            assert_eq!(app.mailer.deliver(records).await.failures, []);
        }
        assert_eq!(lost.iter().map(|email| app.mailbox.to(email).len()).collect::<Vec<_>>(), mails, "{undo}");
        let outcomes: Vec<Outcome> =
            app.store.deliveries(id).await.expect("the store answers").into_iter().map(|mail| mail.outcome).collect();
        assert!(outcomes.contains(&Outcome::Suppressed(Suppressed::Overtaken)), "{undo}: {outcomes:?}");
        assert!(!outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_))), "{undo}: {outcomes:?}");
        app.assert_sound().await;
    }
}

#[tokio::test]
async fn a_notice_that_is_held_goes_to_the_mailbox_that_the_account_had_then_though_the_password_is_changed_again_after_a_move() {
    let app = App::configured(&[("ADDRESS_VERIFICATION", "optional")]).await;
    let thief = app.sign_up_verified("ann").await.login().await;
    let changed = |email: &str| app.mailbox.to(email).iter().filter(|mail| mail.subject.contains("password")).count();
    let passwords = [PASSWORD, "Thief-Horse-42", "Thief-Horse-43", "Thief-Horse-44"];
    for (number, words) in passwords.windows(2).enumerate() {
        if number == 2 {
            assert_eq!(changed(&address_of("ann")), 1, "the second is held");
            moves(&app, &thief, "eve@evil.example", words[0]).await;
        }
        assert_eq!(app.change_password(&thief, words[0], words[1]).await.status, 200);
        app.deliver().await;
        app.advance(1);
    }
    app.deliver().await;
    assert_eq!((changed(&address_of("ann")), changed("eve@evil.example")), (2, 0));
    app.advance(24 * 60 * 60);
    app.release_held().await;
    assert_eq!((changed(&address_of("ann")), changed("eve@evil.example")), (2, 1));
    app.assert_sound().await;
}
