//! A bus that keeps its events: EventBridge's PutEvents over HTTP, for the real client. There is no real one for this machine.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use aws_sdk_eventbridge::config::{BehaviorVersion, Region, retry::RetryConfig};
use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use serde_json::{Value, json};

use crate::service::{credentials, serve};

/// What the bus does with the next call instead of taking its events.
#[derive(Clone, Debug)]
pub enum BusFault {
    /// Refuses the call with this HTTP status and error code.
    Call(u16, &'static str),
    /// Takes all events but the first, which it refuses with this code.
    Entry(&'static str),
    /// Takes the events, and its answer is lost.
    Answer,
}

/// The events that were taken.
#[derive(Clone, Default)]
pub struct EventBus {
    entries: Arc<Mutex<Vec<Value>>>,
    faults: Arc<Mutex<VecDeque<BusFault>>>,
}

/// A client of a bus at this URL, which does not retry.
pub fn client_of(url: &str) -> aws_sdk_eventbridge::Client {
    let config = aws_sdk_eventbridge::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(credentials())
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .timeout_config(doorward::aws::time_outs())
        .build();
    aws_sdk_eventbridge::Client::from_conf(config)
}

impl EventBus {
    /// Starts a service on a port of its own; returns its URL.
    pub async fn open() -> (Self, String) {
        let bus = Self::default();
        let router = Router::new().route("/", post(accept)).with_state(bus.clone());
        let url = serve(router).await;
        (bus, url)
    }

    /// Every entry that was taken: bus, source, type and detail.
    pub fn entries(&self) -> Vec<Value> {
        self.entries.lock().expect("no test panicked while events came").clone()
    }

    /// The details of the events that were taken.
    pub fn details(&self) -> Vec<Value> {
        let detail = |entry: &Value| serde_json::from_str(entry["Detail"].as_str().expect("a detail")).expect("JSON");
        self.entries().iter().map(detail).collect()
    }

    /// Lets the next calls meet these faults.
    pub fn meets(&self, faults: impl IntoIterator<Item = BusFault>) {
        self.faults.lock().expect("no test panicked while events came").extend(faults);
    }

    /// Forgets the events so far.
    pub fn forget(&self) {
        self.entries.lock().expect("no test panicked while events came").clear();
    }
}

async fn accept(State(bus): State<EventBus>, body: Bytes) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    let json_of = |status: u16, body: Value| {
        (StatusCode::from_u16(status).expect("a status"), [("content-type", "application/x-amz-json-1.1")], body.to_string())
    };
    let fault = bus.faults.lock().expect("no test panicked while events came").pop_front();
    if let Some(BusFault::Call(status, code)) = fault {
        return json_of(status, json!({ "__type": code, "message": "refused" }));
    }
    let body: Value = serde_json::from_slice(&body).expect("EventBridge speaks JSON");
    let entries = body["Entries"].as_array().expect("entries").clone();
    assert!(entries.len() <= 10, "PutEvents takes ten");
    let refused = if let Some(BusFault::Entry(code)) = fault { Some(code) } else { None };
    let results: Vec<Value> = (0..entries.len())
        .map(|number| match refused {
            Some(code) if number == 0 => json!({ "ErrorCode": code, "ErrorMessage": "refused" }),
            _ => json!({ "EventId": number.to_string() }),
        })
        .collect();
    let taken = entries.into_iter().skip(usize::from(refused.is_some()));
    bus.entries.lock().expect("no test panicked while events came").extend(taken);
    if let Some(BusFault::Answer) = fault {
        return json_of(500, json!({ "__type": "InternalException" }));
    }
    json_of(200, json!({ "FailedEntryCount": u8::from(refused.is_some()), "Entries": results }))
}
