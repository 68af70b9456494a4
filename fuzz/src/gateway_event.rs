//! Any JSON as a gateway's event gets an answer in the form that a gateway takes, with the headers of every answer and never a fault.

use std::sync::{Arc, LazyLock};

use doorward::{
    http::{Answer, Field, Fields, Method, Refusal, Request, credentials, ok},
    store::Table,
};
use doorward_functions::{Edge, Endpoint, Function, Wiring};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, value::RawValue};

use crate::{RUNTIME, wiring};

/// Reads every part of a request that some endpoint reads.
struct Reads;

impl Function for Reads {
    const NAME: &str = "reads";
    const TABLES: &[Table] = &[];

    fn new(_: &mut Wiring) -> Self {
        Self
    }
}

impl Endpoint for Reads {
    const ROUTES: &[&str] = &[];
    const METHODS: &[Method] = &[Method::GET, Method::POST];

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        let _ = (request.reader(), request.caller(), request.query("token").map(str::len), request.client.counted());
        credentials(&request.headers)?;
        let mut fields = Fields::of(request.form()?);
        let name = fields.take_checked("username", Field::Text, Some(150));
        let email = fields.take_checked("email", Field::Email, Some(254));
        let password = fields.take_checked("password", Field::Verbatim, Some(128));
        let (name, email, password) =
            fields.finish(name.zip(email).zip(password).map(|((name, email), password)| (name, email, password)))?;
        Ok(ok(&(name.len(), email.len(), password.len())))
    }
}

static EDGE: LazyLock<Arc<Edge>> = LazyLock::new(|| {
    let mut wiring = wiring(&[("ALLOWED_ORIGINS", "https://app.example.com"), ("TRUSTED_PROXY_HOPS", "1")]);
    let edge = Edge::configured(&mut wiring);
    wiring.finish().expect("a configuration");
    Arc::new(edge)
});

/// Holds what the module says.
pub fn check(data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Box<RawValue>>(data) else { return };
    let answer = RUNTIME.block_on(Arc::clone(&EDGE).answer(Arc::new(Reads), LambdaEvent::new(event, Context::default())));
    let answer: Value = serde_json::from_str(answer.expect("an answer").get()).expect("JSON");
    let status = answer["statusCode"].as_u64().expect("a status");
    assert!((200..500).contains(&status), "{status}");
    let headers = answer["multiValueHeaders"].as_object().into_iter().chain(answer["headers"].as_object()).flatten();
    assert!(headers.into_iter().any(|(name, _)| name.eq_ignore_ascii_case("cache-control")), "{answer}");
}
