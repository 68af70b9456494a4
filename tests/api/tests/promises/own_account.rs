//! The owner's account (`OwnAccount`): what a session sees of its account.

use aws_sdk_dynamodb::types::AttributeValue;
use doorward_kit::{
    App,
    requests::{NEW_PASSWORD, PASSWORD, me, post, request},
};
use serde_json::{Value, json};

/// The account as this session sees it.
async fn seen(app: &App, session: &str) -> Value {
    let answer = app.send(me(session)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn a_session_sees_its_own_account_in_the_words_of_djoser() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let bobs = app.sign_up("bob").await.login().await;
    let id = app.operator.partition("ann").await.replace("account#", "");
    assert_eq!(
        app.send(me(&session)).await.body,
        format!(r#"{{"email":"ann@example.com","id":"{id}","username":"ann","verified":false}}"#)
    );
    assert_eq!(seen(&app, &bobs).await["username"], "bob");
    let update = app.operator.client.update_item().table_name(&app.tables.accounts).update_expression("SET external_id = :id");
    let key = |text: String| AttributeValue::S(text);
    let update = update.key("pk", key(format!("account#{id}"))).key("sk", key("account".to_owned()));
    update.expression_attribute_values(":id", key("7".to_owned())).send().await.expect("the store answers");
    assert_eq!(seen(&app, &session).await["external_id"], "7");
}

#[tokio::test]
async fn nobody_sees_an_account_without_a_session_that_works() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let asked = app.send(request("GET", "/api/users/me/")).await;
    assert_eq!((asked.status, asked.json()), (401, json!({ "detail": "Authentication credentials were not provided." })));
    let other = app.login("ann", PASSWORD).await;
    assert_eq!(app.change_password(&other, PASSWORD, NEW_PASSWORD).await.status, 200);
    let ended = app.send(me(&session)).await;
    assert_eq!((ended.status, ended.json()), (401, json!({ "detail": "Invalid token." })));
    assert_eq!(seen(&app, &other).await["username"], "ann");
    app.operator.set_active("ann", false).await;
    let inactive = app.send(me(&other)).await;
    assert_eq!((inactive.status, inactive.json()), (401, json!({ "detail": "User inactive or deleted." })));
}

#[tokio::test]
async fn a_masked_account_shows_a_letter_and_the_domain_of_its_address_and_no_more_by_its_username() {
    let app = App::configured(&[("OWN_ACCOUNT", "masked")]).await;
    for (username, email, shown) in [
        ("ann", "ann@example.com", ("a•••@example.com", "ann")),
        ("b", "b@example.com", ("•••@example.com", "b")),
        ("Carl@example.com", "carl@example.com", ("c•••@example.com", "C•••@example.com")),
        ("d@home", "dora@example.com", ("d•••@example.com", "d@home")),
    ] {
        assert_eq!(app.register(username, email).await.status, 201);
        app.advance(1);
        let own = seen(&app, &app.login(email, PASSWORD).await).await;
        assert_eq!((own["email"].as_str(), own["username"].as_str()), (Some(shown.0), Some(shown.1)));
        assert!(!own.to_string().to_lowercase().contains(email) && own["id"].is_string());
    }
}

#[tokio::test]
async fn a_route_of_ones_own_takes_no_method_that_it_does_not_have() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    let before = app.everything_but_limits().await;
    let refused = app.send(post("/api/users/me/", &json!({ "username": "bob" })).token(&session)).await;
    assert_eq!((refused.status, refused.json()), (405, json!({ "detail": "Method \"POST\" not allowed." })));
    assert_eq!(app.everything_but_limits().await, before);
}
