//! Calls to a service are counted, their cost is read, and those that a test selects are made to fail.
//!
//! The client of a test records its calls itself ([`watched`]), so it works with every store, also over TLS and where signatures are checked.
//! For clients in other programs, and for the mail service, there is a [`Proxy`] between client and service.

mod calls;
mod reach;
mod watched;

use std::{ops::Deref, panic::resume_unwind, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Method, Request, Response, header, uri::Uri},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

pub(crate) use self::calls::cost_since_last_asked;
use self::calls::{Answered, Asked, Outcome, error_type};
pub use self::{
    calls::{Call, Calls, Failure, Gate, Injected, When},
    watched::watched,
};

/// A service whose calls can be made to fail.
#[derive(Clone)]
pub struct Proxy {
    inner: Arc<Inner>,
}

struct Inner {
    url: String,
    service: String,
    client: Client<HttpConnector, Body>,
    calls: Calls,
}

impl Deref for Proxy {
    type Target = Calls;

    fn deref(&self) -> &Calls {
        &self.inner.calls
    }
}

impl Proxy {
    /// A proxy in front of the service at this URL.
    pub async fn before(service: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let proxy = Self {
            inner: Arc::new(Inner {
                url: format!("http://{}", listener.local_addr().expect("an address")),
                service: service.to_owned(),
                client: Client::builder(TokioExecutor::new()).build_http(),
                calls: Calls::default(),
            }),
        };
        let router = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        proxy
    }

    /// The URL on which it listens.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    async fn forward(&self, mut head: axum::http::request::Parts, body: Bytes) -> Answered<Response<Body>> {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = format!("{}{path}", self.inner.service).parse().expect("a URL");
        head.headers.remove(header::HOST);
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        let answer = self.inner.client.request(Request::from_parts(head, Body::from(body))).await.expect("the service answers");
        let (head, body) = answer.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await.expect("a whole answer");
        let (status, read) = (head.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default());
        Answered { answer: Response::from_parts(head, Body::from(body)), status, body: read }
    }
}

fn asked(headers: &HeaderMap, uri: &Uri, request: Value) -> Asked {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    Asked { target: text("x-amz-target"), path: uri.path().to_owned(), invocation: text("amz-sdk-invocation-id"), request }
}

async fn pass(State(proxy): State<Proxy>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a whole request");
    // A function that connects asks for nothing, and is not counted.
    if head.method == Method::GET {
        return proxy.forward(head, body).await.answer;
    }
    let mut request: Value = serde_json::from_slice(&body).expect("both services speak JSON");
    let asked = asked(&head.headers, &head.uri, request.clone());
    // The mail service has no target, and no such parameter.
    let body = if asked.target.is_empty() {
        body
    } else {
        request["ReturnConsumedCapacity"] = json!("TOTAL");
        Bytes::from(request.to_string())
    };
    match proxy.pass(asked, proxy.forward(head, body)).await {
        Outcome::Passed(answer) => answer,
        Outcome::Says(status, body) => {
            let answer = Response::builder().status(status).header(header::CONTENT_TYPE, "application/x-amz-json-1.0");
            answer.header("x-amzn-errortype", error_type(&body)).body(Body::from(body.to_string())).expect("an answer")
        }
        // Ends the connection's task without an answer. Unlike a panic it prints nothing to standard error.
        Outcome::Drops => resume_unwind(Box::new("dropped on purpose")),
    }
}
