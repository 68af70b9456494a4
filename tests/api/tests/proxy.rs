//! The proxy between client and store does what the other tests rely on.

use doorward_kit::{
    App,
    proxy::{Failure, When},
    requests::post,
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_with_what_they_cost_and_a_lost_answer_is_asked_for_again() {
    let (app, observer) = App::observed(&[]).await;
    let registered =
        app.send(post("/api/register/", &json!({ "username": "anna", "email": "anna@example.org", "password": "Correct-Horse-42" }))).await;
    assert_eq!(registered.status, 201, "{registered:?}");
    assert_eq!(format!("{:?}", observer.store.count()), r#"{"TransactWriteItems": 1, "UpdateItem": 1}"#);
    // Each item of a transaction costs two units: three items, and the limit's window.
    assert_eq!(observer.store.units(), (7.0, 0.0));

    for failure in [Failure::Drops, Failure::code(500, "InternalServerError")] {
        observer.store.forget();
        observer.store.fail(move |call| (call.number == 0 && call.attempt == 1).then(|| (When::After, failure.clone())));
        let login = app.send(post("/api/login/", &json!({ "username": "anna", "password": "Correct-Horse-42" }))).await;
        assert_eq!(login.status, 200, "{login:?}");
        let calls = observer.store.calls();
        let tries = |number| calls.iter().filter(|call| call.number == number).map(|call| call.attempt).collect::<Vec<_>>();
        assert_eq!([tries(0), tries(1), tries(2)], [vec![1, 2], vec![1], vec![1]]);
    }
    assert!(observer.mail.calls().is_empty());
}
