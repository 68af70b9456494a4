//! The pages: forms, messages, and links that do not work.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use doorward::telemetry;
use doorward_kit::{
    App, Response,
    requests::{open, post, request, submit},
};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

const ASK: &str = "/api/password_reset/";
const RESEND: &str = "/api/users/resend_activation/";
const CONFIRM: &str = "/api/password_reset/confirm/";
const DISAVOW: &str = "/api/password_reset/disavow/";
const PASSWORD: &str = "seven quiet lighthouses";

async fn with_account(language: &str) -> App {
    let app = App::start().await;
    let body = json!({ "username": "mara", "email": "mara@example.com", "password": "an older password" });
    let made = app.send(post("/api/register/", &body).header("Accept-Language", language)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    app.clock.advance(std::time::Duration::from_secs(1));
    app
}

/// Log lines in the form in which a function writes them.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panicked").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A fresh reset link's token.
async fn token(app: &App) -> String {
    app.clock.advance(std::time::Duration::from_secs(3600));
    assert_eq!(app.send(post(ASK, &json!({ "email": "mara@example.com" }))).await.status, 200);
    app.deliver().await;
    app.mailbox.to("mara@example.com").last().and_then(doorward_kit::mailbox::Mail::reset_token).expect("a link")
}

async fn login(app: &App, password: &str) -> u16 {
    app.send(post("/api/login/", &json!({ "username": "mara", "password": password }))).await.status
}

fn is_page(answer: &Response) -> bool {
    answer.headers["content-type"] == "text/html; charset=utf-8"
        && answer.headers["cache-control"] == "no-store"
        && answer.headers["referrer-policy"] == "strict-origin"
        && answer.headers["x-frame-options"] == "DENY"
        && answer.headers["content-security-policy"].starts_with("default-src 'none'; ")
}

/// The page that a browser is sent on to after a form was accepted, and where that is.
async fn follow(app: &App, path: &str, sent: &Response) -> (String, Response) {
    assert_eq!((sent.status, sent.body.as_str()), (303, ""), "{sent:?}");
    let there = format!("{}{}", path.split('?').next().unwrap_or_default(), sent.headers["location"]);
    let page = app.send(open(&there)).await;
    assert!(page.status == 200 && is_page(&page), "{there}: {page:?}");
    (there, page)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_opened_by_twenty_scanners_still_works_for_its_reader() {
    let app = with_account("en").await;
    let token = token(&app).await;
    for _ in 0..20 {
        let page = app.send(open(&format!("{CONFIRM}?token={token}"))).await;
        assert!(page.status == 200 && is_page(&page) && page.body.contains("autocomplete=\"new-password\""));
        assert!(page.body.contains("name=\"username\" value=\"mara\""));
        let head = app.send(request("HEAD", &format!("{CONFIRM}?token={token}"))).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
    }
    let done = app.send(submit(CONFIRM, &[("token", &token), ("password", PASSWORD), ("again", PASSWORD)])).await;
    let (there, page) = follow(&app, CONFIRM, &done).await;
    assert!(page.body.contains("Log in with your new password"), "{}", page.body);
    // Loading it again sends nothing again.
    assert_eq!(app.send(open(&there)).await, page);
    assert_eq!(login(&app, PASSWORD).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn used_expired_and_unknown_links_end_alike_and_friendly() {
    let app = with_account("en").await;
    let used = token(&app).await;
    assert_eq!(app.send(submit(CONFIRM, &[("token", &used), ("password", PASSWORD), ("again", PASSWORD)])).await.status, 303);
    let expired = token(&app).await;
    app.clock.advance(std::time::Duration::from_secs(3601));
    let unknown = format!("{}{}", &expired[..expired.len() - 4], "AAAA");
    let mut ends = Vec::new();
    for dead in [&used, &expired, &unknown, &"nonsense".to_owned(), &String::new()] {
        for answer in [
            app.send(open(&format!("{CONFIRM}?token={dead}"))).await,
            app.send(submit(
                CONFIRM,
                &[("token", if dead.is_empty() { "x" } else { dead }), ("password", "another good one"), ("again", "another good one")],
            ))
            .await,
        ] {
            assert!(is_page(&answer));
            ends.push((answer.status, answer.body));
        }
    }
    assert!(ends.iter().all(|end| *end == ends[0]) && ends[0].0 == 404);
    assert!(ends[0].1.contains("href=\"../?language=en\""));
    assert!(app.send(open(&format!("/api/password_reset/confirm?token={used}"))).await.body.contains("href=\"./?language=en\""));
    // A program gets the messages of the API.
    let answer = app.send(request("GET", &format!("{CONFIRM}?token={used}"))).await;
    assert_eq!(answer.text("detail"), "The OTP password entered is not valid. Please check and try again.");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_stands_in_the_form_in_the_reader_s_language_and_the_link_lives_on() {
    let app = with_account("de").await;
    let token = token(&app).await;
    // The account's language is German, which beats the browser's.
    let form = app.send(open(&format!("{CONFIRM}?token={token}")).header("Accept-Language", "es")).await;
    assert!(form.body.contains("<html lang=\"de\" dir=\"ltr\">") && form.body.contains("Neues Passwort wählen"));
    let refused = [
        ("12345", "12345"),
        (PASSWORD, "seven quiet lighthouse"),
        ("", ""),
        ("mara@example.com", "mara@example.com"),
        ("12345678", "else"),
    ];
    let mut said = Vec::new();
    for (password, again) in refused {
        let fields = [("token", token.as_str()), ("username", "mara"), ("password", password), ("again", again)];
        let answer = app.send(submit(&format!("{CONFIRM}?language=de"), &fields)).await;
        assert!(answer.status == 400 && is_page(&answer) && answer.body.contains(&token), "{}", answer.body);
        assert!(password.is_empty() || !answer.body.contains(&format!("value=\"{password}\"")));
        assert!(answer.body.contains("value=\"mara\"") && answer.body.contains("aria-invalid=\"true\""));
        let items = answer.body.lines().filter_map(|line| line.strip_prefix("<li>")?.strip_suffix("</li>"));
        said.push(items.filter(|item| !item.starts_with('<')).collect::<Vec<_>>().join(" "));
    }
    insta::assert_debug_snapshot!(said, @r#"
    [
        "Dieses Passwort ist zu kurz: mindestens 8 Zeichen. Dieses Passwort ist zu häufig. Dieses Passwort besteht nur aus Ziffern.",
        "Die Passwörter stimmen nicht überein.",
        "Bitte füllen Sie dieses Feld aus. Die Passwörter stimmen nicht überein.",
        "Das Passwort ist Ihrer E-Mail-Adresse zu ähnlich.",
        "Dieses Passwort ist zu häufig. Dieses Passwort besteht nur aus Ziffern. Die Passwörter stimmen nicht überein.",
    ]
    "#);
    // The API ignores the second field, as it does unknown names, and its messages are English.
    let body = json!({ "token": token, "password": "12345678", "again": "else" });
    assert_eq!(
        app.send(post(CONFIRM, &body)).await.json(),
        json!({ "password": ["This password is too common.", "This password is entirely numeric."] })
    );
    assert_eq!(login(&app, "an older password").await, 200);
    let body = json!({ "token": token, "password": PASSWORD, "again": "else" });
    assert_eq!(app.send(post(CONFIRM, &body)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_language_that_is_chosen_on_a_page_beats_that_of_the_account_and_its_link_goes_on() {
    let app = with_account("de").await;
    let token = token(&app).await;
    let form = app.send(open(&format!("{CONFIRM}?token={token}"))).await;
    let address = format!("?token={token}&amp;language=fr");
    assert!(form.body.contains(&format!("<a href=\"{address}\" lang=\"fr\" hreflang=\"fr\" dir=\"ltr\">Français</a>")), "{}", form.body);
    let french = app.send(open(&format!("{CONFIRM}{}", address.replace("&amp;", "&")))).await;
    assert!(french.body.contains("<html lang=\"fr\" dir=\"ltr\">") && french.body.contains("action=\"?language=fr\""), "{}", french.body);
    assert!(french.body.contains(&format!("name=\"token\" value=\"{token}\"")));
    let sent = app.send(submit(&format!("{CONFIRM}?language=fr"), &[("token", &token), ("password", PASSWORD), ("again", PASSWORD)])).await;
    let (_, done) = follow(&app, CONFIRM, &sent).await;
    assert!(done.status == 200 && done.body.contains("Connectez-vous avec votre nouveau mot de passe"), "{}", done.body);
    // A notice never speaks the language of whoever chose it.
    app.deliver().await;
    let subjects: Vec<String> = app.mailbox.to("mara@example.com").into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects.last().map(String::as_str), Some("Ihr Passwort für Doorward wurde geändert"), "{subjects:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_language_of_ours_gets_that_of_the_deployment() {
    let app = App::configured(&[("DEFAULT_LANGUAGE", "ja"), ("LOGIN_LINK", "https://app.example.com/login")]).await;
    for (asks, gets) in [("tlh", "ja"), ("", "ja"), ("tlh, es;q=0.5", "es")] {
        let page = app.send(open(ASK).header("Accept-Language", asks)).await;
        assert!(page.body.contains(&format!("<html lang=\"{gets}\" dir=\"ltr\">")), "{asks}: {}", page.body);
    }
    let done = app.send(open(&format!("{CONFIRM}?done=1"))).await;
    assert!(done.body.contains("<a class=\"button\" href=\"https://app.example.com/login\">ログイン</a>"), "{}", done.body);
    let body = json!({ "username": "mara", "email": "mara@example.com", "password": "an older password" });
    assert_eq!(app.send(post("/api/register/", &body).header("Accept-Language", "tlh")).await.status, 201);
    app.clock.advance(std::time::Duration::from_secs(1));
    token(&app).await;
    assert_eq!(app.mailbox.to("mara@example.com")[0].subject, "Doorwardのパスワードの再設定");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_follows_a_form_speaks_its_language() {
    let app = with_account("es").await;
    let token = token(&app).await;
    let form = app.send(open(&format!("{CONFIRM}?token={token}")).header("Accept-Language", "de")).await;
    let action = form.body.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a form");
    let sent = || submit(&format!("{CONFIRM}{action}"), &[("token", &token), ("password", PASSWORD), ("again", PASSWORD)]);
    let (_, done) = follow(&app, CONFIRM, &app.send(sent().header("Accept-Language", "de")).await).await;
    let dead = app.send(sent().header("Accept-Language", "de")).await;
    for (answer, status) in [(done, 200), (dead, 404)] {
        assert!(answer.status == status && answer.body.contains("<html lang=\"es\" dir=\"ltr\">"), "{}", answer.body);
    }
    let again = app.send(open(&format!("{ASK}?language=es")).header("Accept-Language", "de")).await;
    assert!(again.body.contains("<html lang=\"es\" dir=\"ltr\">"));
    // An unknown language is ignored, and programs cannot choose one.
    let page = app.send(open(&format!("{ASK}?language=tlh")).header("Accept-Language", "de")).await;
    assert!(page.body.contains("<html lang=\"de\" dir=\"ltr\">"));
    let body = json!({ "username": "ann", "email": "ann@example.com", "password": PASSWORD });
    app.send(post("/api/register/?language=es", &body).header("Accept-Language", "de")).await;
    app.clock.advance(std::time::Duration::from_secs(1));
    app.send(post(ASK, &json!({ "email": "ann@example.com" }))).await;
    app.deliver().await;
    assert_eq!(app.mailbox.to("ann@example.com")[0].subject, "Ihr Passwort für Doorward zurücksetzen");
}

#[tokio::test]
async fn a_refusal_that_is_said_on_a_form_is_logged_as_a_refusal() {
    let log = Log::default();
    let writer = log.clone();
    // With one subscriber alone `tracing` switches an event off for all threads that a thread without one comes to first (see log_lines.rs).
    let _second = tracing::Dispatch::new(telemetry::lines_to(std::io::sink, LevelFilter::INFO));
    let _lines = tracing::subscriber::set_default(telemetry::lines_to(move || writer.clone(), LevelFilter::INFO));
    let app = App::start().await;
    for form in [submit(CONFIRM, &[("token", "dwr_x"), ("password", PASSWORD), ("again", "else")]), submit(ASK, &[("email", "mara")])] {
        assert_eq!(app.send(form).await.status, 400);
    }
    let log = String::from_utf8(log.0.lock().expect("nobody panicked").clone()).expect("text");
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")).filter(|line| line["message"] == "answered");
    let said: Vec<Value> = lines.map(|line| json!([line["outcome"], line["status"]])).collect();
    assert_eq!(json!(said), json!([["fields", 400], ["fields", 400]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_asks_for_a_link_and_every_address_reads_the_same() {
    let app = with_account("en").await;
    let page = app.send(open(ASK).header("Accept-Language", "ar-EG, en;q=0.5")).await;
    assert!(page.status == 200 && is_page(&page) && page.body.contains("<html lang=\"ar\" dir=\"rtl\">"));
    let head = request("HEAD", ASK).header("Accept", "text/html");
    assert_eq!(app.send(head).await.status, 200);
    let known = app.send(submit(ASK, &[("email", "mara@example.com")])).await;
    let unknown = app.send(submit(ASK, &[("email", "nobody@example.com")])).await;
    assert_eq!(known, unknown);
    follow(&app, ASK, &known).await;
    app.deliver().await;
    assert_eq!(app.mailbox.all().len(), 1);
    let wrong = app.send(submit(ASK, &[("email", "mara'<b>@")])).await;
    assert!(
        wrong.status == 400
            && wrong.body.contains("Enter a valid e-mail address.")
            && wrong.body.contains("value=\"mara&#x27;&lt;b&gt;@\"")
    );
    // A program gets the usual answer.
    for method in ["GET", "HEAD", "PUT"] {
        let answer = app.send(request(method, ASK).header("Accept", "application/json")).await;
        assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, "POST, OPTIONS"));
    }
    assert_eq!(app.send(request("PUT", ASK).header("Accept", "text/html")).await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_asks_for_a_verification_link_and_every_address_reads_the_same() {
    let app = App::configured(&[("ADDRESS_VERIFICATION", "optional")]).await;
    app.sign_up("mara").await;
    app.deliver().await;
    app.advance(3600);
    let page = app.send(open(RESEND)).await;
    assert!(page.status == 200 && is_page(&page) && page.body.contains("<form"), "{}", page.body);
    let known = app.send(submit(RESEND, &[("email", "mara@example.com")])).await;
    assert_eq!(known, app.send(submit(RESEND, &[("email", "nobody@example.com")])).await);
    follow(&app, RESEND, &known).await;
    app.deliver().await;
    assert_eq!(app.verification_links("mara@example.com").len(), 2, "one at registration");
    let wrong = app.send(submit(RESEND, &[("email", "mara'<b>@")])).await;
    assert!(wrong.status == 400 && wrong.body.contains("Enter a valid e-mail address.") && wrong.body.contains("mara&#x27;&lt;b&gt;@"));
}

#[tokio::test(flavor = "multi_thread")]
async fn excess_is_told_on_a_page_too() {
    let app = App::configured(&[("RESET_CLIENT_LIMIT", "1/1h")]).await;
    assert_eq!(app.send(submit(ASK, &[("email", "mara@example.com")])).await.status, 303);
    let answer = app.send(submit(ASK, &[("email", "mara@example.com")])).await;
    assert!(answer.status == 429 && is_page(&answer) && answer.headers["retry-after"] == "3600", "{answer:?}");
    assert!(answer.body.contains("Please wait 60 minutes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_s_form_is_refused_with_a_page() {
    let app = with_account("en").await;
    let mut forged = submit(ASK, &[("email", "mara@example.com")]);
    forged.headers.retain(|(name, _)| name != "Sec-Fetch-Site");
    let answer = app.send(forged).await;
    assert!(answer.status == 403 && is_page(&answer));
    app.deliver().await;
    assert!(app.mailbox.all().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_form_can_be_opened_by_anybody_and_says_nothing_that_is_not_so() {
    let app = with_account("en").await;
    let before = app.everything().await;
    for (path, says) in
        [(ASK, "If you asked for a link"), (CONFIRM, "If you have just chosen a new password"), (DISAVOW, "If you have just confirmed")]
    {
        let page = app.send(open(&format!("{path}?done=1&language=en"))).await;
        assert!(page.status == 200 && is_page(&page) && page.body.contains(says), "{}", page.body);
        assert!(!page.body.contains("<form") && !page.body.contains("mara") && !page.body.contains("dw"), "{}", page.body);
        let head = app.send(request("HEAD", &format!("{path}?done=1")).header("Accept", "text/html")).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
    }
    assert_eq!(app.everything().await, before, "nothing was asked of the store");
    // To a program the query says nothing.
    for (path, status) in [(ASK, 405), (CONFIRM, 404), (DISAVOW, 404)] {
        assert_eq!(app.send(request("GET", &format!("{path}?done=1"))).await.status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_never_speaks_the_language_of_whoever_changed_the_password() {
    for (account, subject) in [("de", "Ihr Passwort für Doorward wurde geändert"), ("tlh", "Your Doorward password was changed")] {
        let app = with_account(account).await;
        let session = app.send(post("/api/login/", &json!({ "username": "mara", "password": "an older password" }))).await.text("token");
        let change = json!({ "old_password": "an older password", "new_password": PASSWORD });
        assert_eq!(app.send(post("/api/change_password/", &change).token(&session).header("Accept-Language", "es")).await.status, 200);
        let token = token(&app).await;
        let confirm = json!({ "token": token, "password": "nine brisk umbrellas" });
        assert_eq!(app.send(post(CONFIRM, &confirm).header("Accept-Language", "es")).await.status, 200);
        app.deliver().await;
        app.advance(5 * 60);
        app.release_held().await;
        let notices: Vec<String> =
            app.mailbox.all().into_iter().filter(|mail| mail.disavowal_token().is_some()).map(|mail| mail.subject).collect();
        assert_eq!(notices, [subject, subject], "{account}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_speaks_the_account_s_language_or_else_the_request_s() {
    let app = with_account("es").await;
    app.send(post(ASK, &json!({ "email": "mara@example.com" })).header("Accept-Language", "de")).await;
    app.deliver().await;
    assert_eq!(app.mailbox.all()[0].subject, "Restablece tu contraseña de Doorward");

    let app = with_account("tlh").await;
    app.send(post(ASK, &json!({ "email": "mara@example.com" })).header("Accept-Language", "de")).await;
    app.deliver().await;
    let mail = app.mailbox.all().remove(0);
    assert_eq!(mail.subject, "Ihr Passwort für Doorward zurücksetzen");
    assert!(mail.html.contains(&format!("href=\"https://accounts.example.com{CONFIRM}?token={}\"", mail.reset_token().expect("a link"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn links_lead_to_another_front_end_where_one_is_configured() {
    let settings = [("RESET_LINK", "https://app.example.com/#/reset/{token}"), ("RESET_LINK_HOSTS", "app.example.com")];
    let app = App::configured(&settings).await;
    let body = json!({ "username": "mara", "email": "mara@example.com", "password": "an older password" });
    assert_eq!(app.send(post("/api/register/", &body)).await.status, 201);
    app.clock.advance(std::time::Duration::from_secs(1));
    app.send(post(ASK, &json!({ "email": "mara@example.com" }))).await;
    app.deliver().await;
    let mail = app.mailbox.all().remove(0);
    let token = mail.text.split("https://app.example.com/#/reset/").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a link");
    let body = json!({ "token": token, "password": PASSWORD });
    assert_eq!(app.send(post(CONFIRM, &body)).await.status, 200);
}
