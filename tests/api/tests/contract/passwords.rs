//! Passwords: used exactly as typed, and checked against the rules wherever one is set.

use doorward_kit::App;
use serde_json::{Value, json};

use crate::{CHANGE, CONFIRM, LOGIN, PASSWORD, REGISTER, generous, link};

/// Every route that sets a password, with the name of its field.
async fn set_everywhere(app: &App, password: &str, number: usize) -> [(u16, Value); 3] {
    let name = format!("user{number}");
    let registered = format!("fresh{number}");
    app.sign_up(&name).await;
    let token = app.login(&name, PASSWORD).await;
    let link = link(app, &name).await;
    let said = |answer: doorward_kit::Response, field: &str| (answer.status, answer.json()[field].clone());
    let body = json!({ "username": registered, "email": format!("{registered}@example.org"), "password": password });
    let register = said(app.post(REGISTER, &body, "").await, "password");
    let confirm = said(app.post(CONFIRM, &json!({ "token": link, "password": password }), "").await, "password");
    // The reset has either ended the session and set the password, or done neither.
    let (token, old) = if confirm.0 == 200 { (app.login(&name, password).await, password) } else { (token, PASSWORD) };
    let change = said(app.post(CHANGE, &json!({ "old_password": old, "new_password": password }), &token).await, "new_password");
    [register, confirm, change]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_judged_alike_wherever_it_is_set() {
    let app = generous().await;
    let short = "This password is too short. It must contain at least 8 characters.";
    let (common, numeric) = ("This password is too common.", "This password is entirely numeric.");
    let cases: [(&str, Vec<&str>); 10] = [
        ("1", vec![short, common, numeric]),
        ("PassWord", vec![common]),
        (" password ", vec![common]),
        ("       ", vec![short]),
        ("x", vec![short, common]),
        ("Xq", vec![short]),
        ("98417203", vec![numeric]),
        ("²³¹⁴⁵⁶⁷⁸", vec![numeric]),
        ("\u{a0}\u{3000}", vec![short]),
        ("😀😀😀😀😀😀😀", vec![short]),
    ];
    for (number, (password, messages)) in cases.into_iter().enumerate() {
        for (status, said) in set_everywhere(&app, password, number).await {
            assert_eq!((status, said), (400, json!(messages)), "{password:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_has_128_code_points_at_most_where_one_is_set() {
    let app = generous().await;
    let longest = "é😀".repeat(64);
    for (status, _) in set_everywhere(&app, &longest, 0).await {
        assert!([200, 201].contains(&status));
    }
    let long = format!("{longest}x");
    for (status, said) in set_everywhere(&app, &long, 1).await {
        assert_eq!((status, said), (400, json!(["Ensure this field has no more than 128 characters."])));
    }
    assert_eq!(
        app.post(LOGIN, &json!({ "username": "user0", "password": long }), "").await.json(),
        json!({ "error": "Invalid credentials" })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_never_trimmed() {
    let app = generous().await;
    let padded = format!(" {PASSWORD}\t");
    for (number, password) in [padded.as_str(), "\u{3000}        \u{a0}", "zero\u{200b}width\n"].into_iter().enumerate() {
        for (status, said) in set_everywhere(&app, password, number).await {
            assert!([200, 201].contains(&status), "{password:?}: {said}");
        }
        let login =
            async |password: &str| app.post(LOGIN, &json!({ "username": format!("user{number}"), "password": password }), "").await.status;
        assert_eq!(login(password).await, 200);
        let trimmed = password.trim();
        assert_eq!(login(if trimmed.is_empty() || trimmed == password { "something else" } else { trimmed }).await, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_sets_nothing() {
    let app = generous().await;
    app.sign_up("ann").await;
    let before = app.operator.account("ann").await;
    let token = app.login("ann", PASSWORD).await;
    let noted = app.operator.account("ann").await;
    app.post(CHANGE, &json!({ "old_password": PASSWORD, "new_password": "password" }), &token).await;
    app.post(CHANGE, &json!({ "old_password": "wrong", "new_password": "Another-Word-99" }), &token).await;
    assert_eq!(app.operator.account("ann").await, noted);
    assert_eq!(before["password"], noted["password"]);
    app.deliver().await;
    assert!(app.mailbox.to("ann@example.com").is_empty());
}

/// Comparing takes time for every word, and it comes before the client is counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_compared_with_every_word_of_a_name_but_with_no_name_as_long_as_a_body() {
    let app = generous().await;
    let word = "lighthousekeeper7";
    let register = async |others: usize| {
        let username = format!("{} {word}", "x ".repeat(others));
        app.post(REGISTER, &json!({ "username": username, "email": "ann@example.com", "password": word }), "").await.json()
    };
    for others in [1, 500] {
        assert_eq!(register(others).await["password"], json!(["The password is too similar to the username."]));
    }
    let long = register(100_000).await;
    assert!(long["password"].is_null() && long["username"].is_array(), "{long}");
}
