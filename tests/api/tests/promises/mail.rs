//! Promises 8 and 10: mail is not lost, and contains nothing that a stranger typed.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use doorward::{account::EmailAddress, caller::Caller, clock::after, entropy::Entropy, outbox::ResetRequest};
use doorward_kit::{
    App,
    mailbox::Refuse,
    requests::{NEW_PASSWORD, PASSWORD, address_of, reset_request},
    store::{Facts, lines},
};
use serde_json::json;

async fn outbox(app: &App) -> Facts {
    app.snapshot("outbox").await
}

#[tokio::test]
async fn a_change_and_a_reset_each_leave_one_notice_with_no_confirm_link_and_a_refused_one_none() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    app.change_password(&session, "Wrong-Horse-42", NEW_PASSWORD).await;
    app.change_password(&session, PASSWORD, "short").await;
    assert!(outbox(&app).await.is_empty());
    app.change_password(&session, PASSWORD, NEW_PASSWORD).await;
    app.advance(1);
    let token = app.reset_link(&address_of("ann")).await;
    app.confirm_reset(&token, "Another-Horse-44").await;
    app.confirm_reset(&token, "Another-Horse-45").await;
    app.deliver().await;
    app.advance(5 * 60);
    app.release_held().await;
    let notices: Vec<_> = app.mailbox.to(&address_of("ann")).into_iter().filter(|mail| mail.subject.contains("was changed")).collect();
    assert_eq!(notices.len(), 2);
    for notice in notices {
        // Its only links are "this wasn't me" links, and none of them sets a password.
        let links = notice.text.matches("https://").count();
        assert_eq!((links, notice.text.matches("/api/password_reset/disavow/?token=dwn_").count()), (1, 1), "{notice:?}");
        assert!(!notice.html.contains("/password_reset/confirm") && notice.reset_token().is_none(), "{notice:?}");
    }
}

#[tokio::test]
async fn requests_in_one_cool_down_window_leave_one_intent() {
    let app = App::start().await;
    for number in 0..5 {
        app.send(reset_request("ANN@example.com").from(&format!("198.51.100.{number}"))).await;
    }
    assert_eq!(outbox(&app).await.len(), 1);
    app.advance(60);
    app.send(reset_request("ann@EXAMPLE.com")).await;
    assert_eq!(outbox(&app).await.len(), 2);
}

#[tokio::test]
async fn what_the_mail_service_refuses_for_good_stays_fourteen_days_and_what_passes_comes_again() {
    let app = App::start().await;
    app.sign_up("ann").await;
    app.mailbox.refuse_next(Refuse(400, "MessageRejected"));
    app.send(reset_request(&address_of("ann"))).await;
    let records = app.stream().await;
    assert_eq!(app.mailer.deliver(records).await.failures, []);
    let [entry] = &lines(&outbox(&app).await)[..] else { panic!("one entry") };
    let now = app.clock.now().as_second();
    for kept in ["attempts=1", "outcome=MessageRejected", &format!("expires_at={}", now + 14 * 24 * 60 * 60), "email=ann@example.com"] {
        assert!(entry.split('\u{1f}').any(|attribute| attribute == kept), "{kept} in {entry}");
    }
    assert!(entry.contains("failed_at="));

    app.advance(60);
    app.mailbox.refuse_next(Refuse(429, "TooManyRequestsException"));
    app.send(reset_request(&address_of("ann"))).await;
    assert_eq!(app.deliver().await.failures.len(), 1, "asked for again");
    assert_eq!(app.reset_mails(&address_of("ann")), 0);
}

#[tokio::test]
async fn what_is_done_keeps_no_address() {
    let app = App::start().await;
    app.sign_up("ann").await;
    for address in [address_of("ann"), address_of("nobody")] {
        app.send(reset_request(&address)).await;
    }
    app.deliver().await;
    for entry in lines(&outbox(&app).await) {
        assert!(entry.contains("done_at=") && !entry.contains('@') && !entry.contains("203.0.113.7"), "{entry}");
    }
}

#[tokio::test]
async fn marks_and_deletions_on_the_stream_send_nothing() {
    let app = App::start().await;
    app.sign_up("ann").await;
    app.send(reset_request(&address_of("ann"))).await;
    let mut records = app.stream().await;
    for record in &mut records.records {
        record.event_name = "MODIFY".to_owned();
    }
    app.mailer.deliver(records).await;
    assert_eq!(app.mailbox.all(), []);
}

#[tokio::test]
async fn nothing_that_a_stranger_typed_is_in_a_mail_and_the_link_is_ours() {
    let app = App::configured(&[("PRODUCT_NAME", "Ann's <Shop> & Co+")]).await;
    app.sign_up("ann").await;
    let evil = "https://evil.example/?x=<b>";
    let mut asked = reset_request("Ann@Example.com");
    for header in [
        "Host",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "Forwarded",
        "Origin",
        "Referer",
        "User-Agent",
        "Accept-Language",
        "X-Forwarded-For",
        "Cookie",
    ] {
        asked = asked.header(header, evil);
    }
    // Fetch Metadata of our own page, so that the request is not refused for its origin.
    app.send(asked.header("Sec-Fetch-Site", "same-origin")).await;
    app.deliver().await;
    let [mail] = &app.mailbox.all()[..] else { panic!("one mail") };
    for part in [&mail.subject, &mail.text, &mail.html, &mail.from, &mail.to] {
        assert!(!part.contains("evil") && !part.contains("<b>"), "{part}");
    }
    assert_eq!(mail.to, "ann@example.com", "as stored, not as asked");
    assert!(mail.html.contains("Ann&#x27;s &lt;Shop&gt; &amp; Co+"), "{}", mail.html);
    assert!(mail.text.contains("Ann's <Shop> & Co+"));
    for (part, links) in [(mail.text.clone(), 1), (mail.html.replace("&#x2f;", "/").replace("<wbr>", ""), 3)] {
        assert_eq!(part.matches("http").count(), links);
        assert_eq!(part.matches("https://accounts.example.com/api/password_reset/confirm/?token=dwr_").count(), links);
    }
    assert_eq!(mail.subject.lines().count(), 1);
}

#[tokio::test]
async fn an_address_with_a_line_break_is_none_and_reaches_no_header() {
    let app = App::start().await;
    for address in [
        "ann@example.com\nBcc: eve@evil.example",
        "ann@example.com\r\n\r\nhello",
        "ann@example.com,eve@evil.example",
        "Ann <ann@example.com>",
    ] {
        assert_eq!(app.send(reset_request(address)).await.json(), json!({ "email": ["Enter a valid email address."] }), "{address:?}");
        let refused = app.register("ann", address).await;
        assert_eq!(refused.json(), json!({ "email": ["Enter a valid email address."] }), "{address:?}");
    }
    assert!(app.everything_but_limits().await.is_empty());
}

#[tokio::test]
async fn an_address_stored_is_no_longer_than_an_address() {
    // Invisible characters count too, so the stored length is bounded whatever is typed.
    let app = App::start().await;
    let padded = format!("ann@exa{}mple.com", "\u{FE0F}".repeat(50_000));
    app.send(reset_request(&padded)).await;
    let longest = lines(&app.everything().await).iter().map(String::len).max();
    assert!(longest.is_none_or(|longest| longest < 4096), "{longest:?}");
}

#[tokio::test]
async fn a_notice_goes_to_its_accounts_own_address_and_to_nobody_else() {
    let app = App::start().await;
    let person = app.sign_up("ann").await;
    app.sign_up("eve").await;
    let account = app.store.account_by_login_name("ann").await.expect("the store answers").expect("an account");
    // An entry that a compromised function could write to the Outbox.
    let item = |email: &str, account: &str, changed_at: i64, change: &str| {
        app.operator
            .client
            .put_item()
            .table_name(&app.tables.outbox)
            .item("pk", AttributeValue::S(format!("notice#{account}")))
            .item("sk", AttributeValue::S(Entropy::system().uuid(app.clock.now()).to_string()))
            .item("email", AttributeValue::S(email.to_owned()))
            .item("change", AttributeValue::S(change.to_owned()))
            .item("changed_at", AttributeValue::N(changed_at.to_string()))
            .item("requested_at", AttributeValue::N(changed_at.to_string()))
            .item("address", AttributeValue::S("visit https://evil.example".to_owned()))
            .item("browser", AttributeValue::S("Your account will be closed today: https://evil.example/login".to_owned()))
            .send()
    };
    let now = app.clock.now().as_millisecond();
    for (email, of, at, change) in [
        ("victim@elsewhere.example", account.id.to_string(), now, "changed"),
        ("eve@example.com", account.id.to_string(), now, "changed"),
        ("victim@elsewhere.example", uuid_of_nobody(), now, "changed"),
        ("ann@example.com", account.id.to_string(), now + 1000 * 60 * 60 * 24 * 365, "changed"),
        // Nobody has changed the address, so it had no other.
        ("victim@elsewhere.example", account.id.to_string(), now, "email"),
        ("ann@example.com", account.id.to_string(), now, "email"),
        ("victim@elsewhere.example", account.id.to_string(), now, "username"),
    ] {
        item(email, &of, at, change).await.expect("the store answers");
    }
    app.deliver().await;
    assert_eq!(app.mailbox.all().len(), 0);
    // Another spelling of the address may be another mailbox, so the mail goes to the spelling that is stored.
    item("ＡNN@example.com", &account.id.to_string(), now, "changed").await.expect("the store answers");
    app.deliver().await;
    assert_eq!(app.mailbox.all().len(), 1);
    let mail = app.mailbox.to(&person.email).pop().expect("a notice");
    assert!(!mail.text.contains("evil.example") && !mail.html.contains("evil.example"), "{}", mail.text);
}

#[tokio::test]
async fn a_request_from_the_future_makes_no_link_and_holds_none_back() {
    let app = App::start().await;
    let person = app.sign_up("ann").await;
    let now = app.clock.now();
    let email = EmailAddress::parse(&person.email).expect("an address");
    // No request could ever be newer than that of a compromised function, which may write any time.
    for days in [1, 365, 3_000 * 365] {
        let requested_at = after(now, Duration::from_secs(days * 24 * 60 * 60));
        app.store
            .request_reset(&ResetRequest { email: email.clone(), requested_at, caller: Caller::default(), invites: false })
            .await
            .expect("the store answers");
    }
    app.deliver().await;
    assert_eq!(app.mailbox.all(), []);
    let link = person.reset_link().await;
    assert_eq!(app.confirm_reset(&link, NEW_PASSWORD).await.status, 200);
}

fn uuid_of_nobody() -> String {
    "01890000-0000-7000-8000-000000000000".to_owned()
}

#[tokio::test]
async fn a_finished_request_does_not_say_whether_anybody_has_the_address() {
    let app = App::start().await;
    app.sign_up("ann").await;
    for address in ["ann@example.com", "nobody@example.com"] {
        app.send(reset_request(address)).await;
    }
    app.deliver().await;
    let entries = lines(&outbox(&app).await).concat();
    let outcomes: Vec<&str> = entries.split('\u{1f}').filter(|word| word.starts_with("outcome=")).collect();
    assert_eq!(outcomes.len(), 2, "{entries}");
    assert_eq!(outcomes[0], outcomes[1]);
}

#[tokio::test]
async fn a_notice_of_no_kind_goes_to_an_address_that_its_account_never_had() {
    // The kinds as they are stored. Whoever may write to the Outbox alone, as some functions may, cannot send mail to others.
    let kinds: Vec<&str> = include_str!("../../../../shared/src/outbox/change_kind.rs").split(" => \"").skip(1).map(before_quote).collect();
    assert!(kinds.len() > 9, "{kinds:?}");
    for kind in kinds {
        let app = App::start().await;
        let session = app.sign_up("ann").await.login().await;
        assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
        let present = app.items().await;
        let mut written = present.clone();
        let notice = written.iter_mut().find(|((partition, _), _)| partition.starts_with("notice#")).expect("a notice").1;
        for (attribute, value) in [("change", kind), ("email", "mallory@evil.example")] {
            notice.insert(attribute.to_owned(), AttributeValue::S(value.to_owned()));
        }
        app.replace(&present, &written).await;
        assert!(app.deliver().await.failures.is_empty(), "{kind}");
        assert_eq!(app.mailbox.all(), [], "{kind}");
        let left = app.snapshot("outbox").await.into_values().next().expect("it stays for the operator");
        assert_eq!(left["outcome"], "not the account's address", "{kind}: {left:?}");
    }
}

fn before_quote(text: &str) -> &str {
    text.split('"').next().unwrap_or_default()
}
