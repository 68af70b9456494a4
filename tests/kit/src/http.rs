//! HTTP in front of the functions in process, in place of the gateway, for clients that only speak HTTP.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, Request as Asked, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response as Answered,
};
use doorward_functions::paths;
use serde_json::json;
use tokio::net::TcpListener;

use crate::{App, Response, requests::request};

/// Maximum size of a body that the gateway accepts, in bytes.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Serves the app at this address until the returned task is dropped with its runtime. Mail is delivered at once, and time advances.
pub async fn serve(app: App, address: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(address).await.expect("the port is free");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().fallback(pass).with_state(app.clone());
    tokio::spawn(async move { axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await });
    tokio::spawn(async move {
        loop {
            const TICK: Duration = Duration::from_millis(100);
            tokio::time::sleep(TICK).await;
            app.clock.advance(TICK);
            app.deliver().await;
        }
    });
    address
}

/// Turns a request into an event, calls the function, and returns its answer.
async fn pass(State(app): State<App>, ConnectInfo(peer): ConnectInfo<SocketAddr>, asked: Asked) -> Answered {
    let (parts, body) = asked.into_parts();
    let path = parts.uri.path();
    if path == "/mails" {
        return answered(mails(&app));
    }
    let route = path.strip_suffix('/').unwrap_or(path);
    if !paths().any(|path| path.trim_end_matches('/') == route) {
        return answered(with_json(404, &json!({ "detail": "Not found." })));
    }
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY_BYTES).await else {
        return answered(with_json(413, &json!({ "message": "Request Too Long" })));
    };
    let mut event = request(parts.method.as_str(), parts.uri.path_and_query().map_or(path, |whole| whole.as_str()));
    for (name, value) in &parts.headers {
        event = event.header(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
    }
    event.body = (!body.is_empty()).then(|| body.to_vec());
    answered(app.send(event.from(&peer.ip().to_string())).await)
}

/// The mails, oldest first, for tests that follow a mailed link.
fn mails(app: &App) -> Response {
    let mails = app.mailbox.all().into_iter();
    let mails = mails.map(|mail| json!({ "to": mail.to, "subject": mail.subject, "text": mail.text, "html": mail.html }));
    with_json(200, &mails.collect())
}

fn with_json(status: u16, body: &serde_json::Value) -> Response {
    Response { status, headers: [("content-type".to_owned(), "application/json".to_owned())].into(), body: body.to_string() }
}

fn answered(response: Response) -> Answered {
    let mut answered = Answered::new(Body::from(Bytes::from(response.body)));
    *answered.status_mut() = StatusCode::from_u16(response.status).expect("a status");
    for (name, value) in response.headers {
        if name != header::CONTENT_LENGTH.as_str() {
            let name = HeaderName::try_from(name).expect("a header's name");
            answered.headers_mut().insert(name, HeaderValue::try_from(value).expect("a header's value"));
        }
    }
    answered
}
