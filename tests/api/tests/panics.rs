//! A panic in an endpoint is answered, and says nothing of its message.

use std::sync::Arc;

use doorward::{
    http::{self, Answer, Refusal, Request},
    store::Table,
};
use doorward_functions::{Edge, Endpoint, Function, Wiring};
use doorward_kit::{Response, requests::post};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

/// An endpoint that panics if a header says so.
struct Panicking;

impl Function for Panicking {
    const NAME: &str = "panicking";
    const TABLES: &[Table] = &[];

    fn new(_: &mut Wiring) -> Self {
        Self
    }
}

impl Endpoint for Panicking {
    const ROUTES: &[&str] = &["/api/panicking/"];

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        assert!(!request.headers.contains_key("x-panic"), "a secret of the request");
        Ok(http::ok(&json!({ "status": "OK" })))
    }
}

async fn asked(header: &str) -> Response {
    let request = post("/api/panicking/", &json!({})).header(header, "1");
    let event = serde_json::value::to_raw_value(&request.event()).expect("an event");
    let answer = Arc::new(Edge::default()).answer(Arc::new(Panicking), LambdaEvent::new(event, Context::default())).await;
    Response::of(&serde_json::from_str::<Value>(answer.expect("an answer").get()).expect("JSON"))
}

#[tokio::test]
async fn a_panic_is_a_500_without_its_message_and_the_next_request_is_answered() {
    assert_eq!(asked("X-Calm").await.status, 200);
    let answer = asked("X-Panic").await;
    assert_eq!(answer.status, 500);
    assert!(!answer.body.contains("secret"), "{}", answer.body);
    assert_eq!(asked("X-Calm").await.status, 200);
}
