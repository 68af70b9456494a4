//! Requests to servers that are not AWS's, with the SDK's HTTPS client, so that no second client is linked.

use std::{
    net::{IpAddr, ToSocketAddrs as _},
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    dns::{DnsFuture, ResolveDns, ResolveDnsError},
    http::HttpConnector as _,
    orchestrator::HttpRequest,
};
use aws_smithy_types::body::SdkBody;

/// Which addresses may be connected to.
type Admits = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// A client for servers that are not AWS's. It trusts the system's certification authorities and follows no redirect.
pub(crate) struct ExternalClient {
    admits: Admits,
    connector: OnceLock<Connector>,
}

/// Why there is no answer. The error's text is dropped, because it can quote the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExternalCallError {
    /// The request could not be built.
    NotBuilt,
    /// The server was not reached, is at an address that is not admitted, or did not speak HTTP.
    Unreachable,
    /// The time was over.
    TimedOut,
}

impl ExternalClient {
    /// A client that connects to these addresses only. The certification authorities are read with the first connection.
    pub(crate) fn at(admits: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self { admits: Arc::new(admits), connector: OnceLock::new() }
    }

    fn connector(&self) -> Connector {
        let context = TlsContext::builder().with_trust_store(TrustStore::default()).build().unwrap_or_default();
        let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(context);
        // A connection that was idle may be gone, as a function is frozen between its calls.
        let connector = connector.pool_idle_timeout(Duration::from_secs(5));
        connector.build_with_resolver(Admitting(Arc::clone(&self.admits)))
    }

    /// Posts a body, and returns the status of the answer. The rest of the answer is not read.
    pub(crate) async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: String,
        time: Duration,
    ) -> Result<u16, ExternalCallError> {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("POST").and_then(|()| request.set_uri(url)).map_err(|_| ExternalCallError::NotBuilt)?;
        for (name, value) in headers {
            request.headers_mut().try_insert(*name, value.clone()).map_err(|_| ExternalCallError::NotBuilt)?;
        }
        let answer = tokio::time::timeout(time, self.connector.get_or_init(|| self.connector()).call(request))
            .await
            .map_err(|_| ExternalCallError::TimedOut)?;
        answer.map(|answer| answer.status().as_u16()).map_err(|_| ExternalCallError::Unreachable)
    }
}

/// The system's resolver, which refuses a name if one of its addresses is not admitted. What it returns is connected to, so that a name cannot have another
/// address between the check and the connection.
#[derive(Clone)]
struct Admitting(Admits);

impl std::fmt::Debug for Admitting {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Admitting(…)")
    }
}

impl ResolveDns for Admitting {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        let (name, admits) = (name.to_owned(), Arc::clone(&self.0));
        DnsFuture::new(async move {
            let found =
                tokio::task::spawn_blocking(move || (name.as_str(), 0).to_socket_addrs().map(|found| found.map(|at| at.ip()).collect()));
            let found: Vec<IpAddr> = found.await.map_err(ResolveDnsError::new)?.map_err(ResolveDnsError::new)?;
            if found.iter().all(|address| admits(*address)) { Ok(found) } else { Err(ResolveDnsError::new("a private address")) }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{ErrorKind, Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// A server that answers every connection with this text, or never if it is empty. Returns its port.
    fn serving(answer: &'static str) -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepting = listener.try_clone().unwrap();
        thread::spawn(move || {
            for stream in accepting.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    let mut seen = Vec::new();
                    let mut bytes = [0; 1024];
                    while !seen.ends_with(b"the body") {
                        let read = stream.read(&mut bytes).unwrap();
                        assert!(read > 0, "a request");
                        seen.extend_from_slice(&bytes[..read]);
                    }
                    stream.write_all(answer.as_bytes()).unwrap();
                    // Until the client goes.
                    let _ = stream.read(&mut bytes);
                });
            }
        });
        (listener, port)
    }

    async fn post(client: &ExternalClient, port: u16, time: Duration) -> Result<u16, ExternalCallError> {
        client.post(&format!("http://localhost:{port}/x"), &[("a", "b".to_owned())], "the body".to_owned(), time).await
    }

    #[tokio::test]
    async fn an_answer_is_its_status_and_a_redirect_is_not_followed() {
        let (_other, target) = serving("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(post(&ExternalClient::at(|_| true), target, LONG).await, Ok(200));
        for (answer, status) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", 204),
            ("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://localhost:1/\r\nContent-Length: 0\r\n\r\n", 307),
            // An answer without an end is not waited for.
            ("HTTP/1.1 500 Oh\r\nContent-Length: 1000000000\r\n\r\nbegins", 500),
        ] {
            let (_listener, port) = serving(answer);
            assert_eq!(post(&ExternalClient::at(|_| true), port, LONG).await, Ok(status));
        }
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_given_up_in_time_and_one_that_does_not_listen_at_once() {
        let (_listener, port) = serving("");
        assert_eq!(post(&ExternalClient::at(|_| true), port, Duration::from_millis(200)).await, Err(ExternalCallError::TimedOut));
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert_eq!(post(&ExternalClient::at(|_| true), closed, LONG).await, Err(ExternalCallError::Unreachable));
    }

    #[tokio::test]
    async fn a_name_whose_address_is_not_admitted_is_not_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(post(&ExternalClient::at(|address| !address.is_loopback()), port, LONG).await, Err(ExternalCallError::Unreachable));
        assert_eq!(listener.accept().map_err(|error| error.kind()).err(), Some(ErrorKind::WouldBlock), "nobody connected");
    }
}
