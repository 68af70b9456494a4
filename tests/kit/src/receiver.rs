//! A receiver of webhooks that keeps what is posted to it and answers as it is told.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};

use crate::service::serve;

/// What was posted: the headers, in lower case, and the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// `webhook-id`
    pub id: String,
    /// `webhook-timestamp`
    pub timestamp: String,
    /// `webhook-signature`
    pub signature: String,
    /// The body.
    pub body: String,
}

/// A receiver. A clone is the same.
#[derive(Clone)]
pub struct Receiver {
    status: Arc<Mutex<u16>>,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Receiver {
    /// Starts a receiver on a port of its own; returns its URL.
    pub async fn open() -> (Self, String) {
        let receiver = Self { status: Arc::new(Mutex::new(200)), posted: Arc::default() };
        let router = Router::new().route("/events", post(accept)).with_state(receiver.clone());
        let url = serve(router).await;
        (receiver, format!("{url}/events"))
    }

    /// Answers with this status from now on.
    pub fn answers(&self, status: u16) {
        *self.status.lock().expect("no test panicked meanwhile") = status;
    }

    /// What was posted since the last time.
    pub fn posted(&self) -> Vec<Posted> {
        std::mem::take(&mut *self.posted.lock().expect("no test panicked meanwhile"))
    }
}

async fn accept(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    receiver.posted.lock().expect("no test panicked meanwhile").push(Posted {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body: String::from_utf8(body.to_vec()).expect("text"),
    });
    StatusCode::from_u16(*receiver.status.lock().expect("no test panicked meanwhile")).expect("a status")
}
