//! A panic in an endpoint is answered and logged, and neither says anything of its message.

use std::{env, process::Command, sync::Arc};

use doorward::{
    http::{self, Answer, Refusal, Request},
    store::Table,
    telemetry,
};
use doorward_functions::{Edge, Endpoint, Function, Wiring};
use doorward_kit::{Response, requests::post};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

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

#[test]
fn a_panic_is_logged_with_its_place_and_without_its_message() {
    // In a process of its own, because logging decides for the whole process what a panic prints.
    let run = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "panics::a_function_that_logs_panics", "--ignored", "--nocapture"])
        .output()
        .expect("it runs");
    let printed = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
    assert!(run.status.success() && printed.contains("1 passed"), "{printed}");
    assert!(printed.contains("\"panicked\"") && printed.contains("panics.rs:"), "{printed}");
    assert!(!printed.contains("secret"), "{printed}");
}

#[tokio::test]
#[ignore = "the test above runs it"]
async fn a_function_that_logs_panics() {
    telemetry::start(LevelFilter::INFO);
    assert_eq!(asked("X-Panic").await.status, 500);
}
