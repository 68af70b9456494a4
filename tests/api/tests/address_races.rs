//! Concurrent changes of addresses, in many rounds, over the real protocol: in whatever order they run, one wins and the claims say what the accounts say.

use doorward_kit::{
    App, Response,
    mailbox::Mail,
    person::Person,
    requests::{NEW_PASSWORD, PASSWORD, change_address, confirm_reset, disavow, register, verify},
};

/// An app whose mailer confirms addresses, and in which nobody is too many.
async fn patient() -> App {
    App::patient(&[("ADDRESS_VERIFICATION", "optional"), ("EVENTS", "account")]).await
}

fn having(status: u16, answers: &[Response]) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// Asks for an address of this person's account, and takes the link that is mailed there.
async fn asked(person: &Person, email: &str) -> String {
    let app = &person.app;
    let session = person.login().await;
    assert_eq!(app.send(change_address(&session, email, PASSWORD)).await.status, 200);
    app.deliver().await;
    app.advance(1);
    app.verification_links(email).pop().expect("a link")
}

async fn email_of(person: &Person) -> String {
    let item = person.app.operator.account(&person.username).await;
    item["email"].as_s().expect("text").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_of_a_change_changes_the_address_once_however_many_open_it_at_once() {
    let app = patient().await;
    for round in 0..4 {
        let person = app.sign_up_verified(&format!("anna{round}")).await;
        let link = asked(&person, &format!("new{round}@example.org")).await;
        app.publish().await;
        let answers = app.at_once((0..32).map(|_| verify(&link))).await;
        // Who comes later has clicked twice.
        assert_eq!(having(204, &answers), 32, "round {round}");
        assert_eq!(app.waiting_events().await, ["address.changed"]);
        app.deliver().await;
        let told = app.mailbox.to(&person.email).iter().filter(|mail| mail.subject.contains("was changed")).count();
        assert_eq!((told, email_of(&person).await), (1, format!("new{round}@example.org")));
    }
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_accounts_that_confirm_one_address_at_once_one_gets_it() {
    let app = patient().await;
    for round in 0..12 {
        let email = format!("both{round}@example.org");
        let (anna, bert) = (app.sign_up_verified(&format!("anna{round}")).await, app.sign_up_verified(&format!("bert{round}")).await);
        let links = [asked(&anna, &email).await, asked(&bert, &email).await];
        let answers = app.at_once(links.iter().map(|link| verify(link))).await;
        assert_eq!((having(204, &answers), having(400, &answers)), (1, 1), "round {round}: {answers:?}");
        let has = [email_of(&anna).await == email, email_of(&bert).await == email];
        assert_eq!(has, [answers[0].status == 204, answers[1].status == 204], "round {round}");
    }
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_change_to_an_address_and_its_registration_at_once_one_wins() {
    let app = patient().await;
    for round in 0..12 {
        let email = format!("both{round}@example.org");
        let person = app.sign_up_verified(&format!("anna{round}")).await;
        let link = asked(&person, &email).await;
        let answers = app.at_once([verify(&link), register(&format!("bert{round}"), &email)]).await;
        let statuses = [answers[0].status, answers[1].status];
        assert!([[204, 400], [400, 201]].contains(&statuses), "round {round}: {answers:?}");
        assert_eq!(email_of(&person).await == email, statuses[0] == 204);
    }
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_change_of_the_address_and_a_reset_at_once_one_comes_first_and_no_link_outlives_its_mailbox() {
    let app = patient().await;
    for round in 0..12 {
        let email = format!("new{round}@example.org");
        let person = app.sign_up_verified(&format!("anna{round}")).await;
        let reset = person.reset_link().await;
        let link = asked(&person, &email).await;
        let answers = app.at_once([verify(&link), confirm_reset(&reset, NEW_PASSWORD)]).await;
        // The reset ends the change, and the change ends the reset link.
        let statuses = [answers[0].status, answers[1].status];
        assert!([[204, 404], [400, 200]].contains(&statuses), "round {round}: {answers:?}");
        assert_eq!(email_of(&person).await == email, statuses[0] == 204);
        assert!(app.operator.item(&app.operator.partition(&person.username).await, "reset").await.is_none());
    }
    app.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_wins_against_the_confirmation_of_a_second_change_whichever_comes_first() {
    let app = patient().await;
    for round in 0..12 {
        let (second, third) = (format!("second{round}@example.org"), format!("third{round}@example.org"));
        let person = app.sign_up_verified(&format!("anna{round}")).await;
        let link = asked(&person, &second).await;
        assert_eq!(app.send(verify(&link)).await.status, 204);
        app.deliver().await;
        app.advance(1);
        let undo = app.mailbox.to(&person.email).iter().rev().find_map(Mail::disavowal_token).expect("a notice");
        let link = asked(&person, &third).await;
        let answers = app.at_once([verify(&link), disavow(&undo)]).await;
        assert!(answers[1].status == 200 && [204, 400].contains(&answers[0].status), "round {round}: {answers:?}");
        assert_eq!(email_of(&person).await, person.email, "round {round}");
        app.assert_sound().await;
        app.deliver().await;
        assert!(app.newest_reset_link(&person.email).is_some() && app.newest_reset_link(&third).is_none());
    }
}
