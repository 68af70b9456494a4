//! Services that stand in for those of AWS, each on a port of its own, and the credentials with which they are called.

use aws_sdk_dynamodb::config::Credentials;
use axum::Router;

/// Serves these routes until the process ends; returns their URL.
pub(crate) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// The credentials with which calls are signed; nothing here checks signatures.
pub(crate) fn credentials() -> Credentials {
    Credentials::builder().access_key_id("test").secret_access_key("test").provider_name("tests").build()
}
