//! Reset tokens outside links: mails that show them, and what people enter into a front-end.

use doorward_kit::{
    App,
    mailbox::Mail,
    requests::{NEW_PASSWORD, PASSWORD, address_of, login, post, submit},
};
use serde_json::json;

const LANGUAGES: [&str; 4] = ["en", "de", "es", "ar"];
const CONFIRM: &str = "/api/password_reset/confirm/";

/// The reset mail of an account whose owner speaks this language.
async fn mail_in(app: &App, language: &str) -> Mail {
    let body = json!({ "username": language, "email": address_of(language), "password": PASSWORD });
    assert_eq!(app.send(post("/api/register/", &body).header("Accept-Language", language)).await.status, 201);
    app.advance(1);
    app.reset_link(&address_of(language)).await;
    app.mailbox.to(&address_of(language)).pop().expect("a mail")
}

/// How often the text part has this text on a line of its own.
fn lines(mail: &Mail, text: &str) -> usize {
    mail.text.lines().filter(|line| *line == text).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_shows_its_token_on_a_line_of_its_own_where_that_is_configured() {
    let app = App::configured(&[("RESET_TOKEN", "shown")]).await;
    for language in LANGUAGES {
        let mail = mail_in(&app, language).await;
        let token = mail.reset_token().expect("a link as well");
        assert_eq!(lines(&mail, &token), 1, "{}", mail.text);
        assert_eq!(mail.html.matches(&format!(">{token}</div>")).count(), 1, "{}", mail.html);
        assert_eq!(app.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_has_its_token_in_the_link_only_unless_another_is_configured() {
    for settings in [&[][..], &[("RESET_TOKEN", "link")]] {
        let app = App::configured(settings).await;
        for language in LANGUAGES {
            let mail = mail_in(&app, language).await;
            let token = mail.reset_token().expect("a link");
            assert_eq!((lines(&mail, &token), mail.text.matches(&token).count()), (0, 1), "{}", mail.text);
            assert_eq!(mail.html.matches(&token).count(), mail.html.matches(&format!("?token={token}")).count(), "{}", mail.html);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_taken_as_people_paste_or_type_it() {
    let app = App::start().await;
    app.sign_up("ann").await;
    for entered in ["T", " T\r\n", "\u{FEFF}T\u{200B}", "\tT\u{A0}"] {
        app.advance(3600);
        let token = app.reset_link(&address_of("ann")).await;
        let (start, end) = token.split_at(40);
        let typed = format!("D{}", &token[1..]);
        for token in [&token, &typed, &format!("{start}\n{end}"), &format!("{start} {end}")] {
            assert_eq!(app.validate(&entered.replace('T', token)).await.status, 200, "{entered}");
        }
        assert_eq!(app.confirm_reset(&entered.replace('T', &typed), NEW_PASSWORD).await.status, 200, "{entered}");
        assert_eq!(app.send(login("ann", NEW_PASSWORD)).await.status, 200);
        assert_eq!(app.validate(&token).await.status, 404, "it works once, however it was entered");
    }

    app.advance(3600);
    // A form of a page of ours takes it alike.
    let token = app.reset_link(&address_of("ann")).await;
    let sent = app.send(submit(CONFIRM, &[("token", &format!(" {token}\n")), ("password", PASSWORD), ("again", PASSWORD)])).await;
    assert_eq!(sent.status, 303, "{}", sent.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_other_letters_or_anything_around_it_is_not_taken() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let token = app.reset_link(&address_of("ann")).await;
    let around = ["T.", "<T>", "\"T\"", "Code: T", "https://app.example.com/#/reset/T"].map(|around| around.replace('T', &token));
    let others = [token.to_uppercase(), token.to_lowercase(), token[..67].to_owned(), token[4..].to_owned(), token.replace("dwr_", "dwn_")];
    for wrong in around.iter().chain(&others) {
        assert_eq!(app.validate(wrong).await.status, 404, "the DRF API takes a token only");
    }
    assert_eq!(app.validate(&token).await.status, 200);
}
