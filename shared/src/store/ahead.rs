//! Connects to DynamoDB before the first request does.

use std::time::Duration;

use aws_sdk_dynamodb::{
    Config,
    config::{http::HttpRequest, retry::RetryConfig},
};
use aws_smithy_types::body::SdkBody;
use tokio::time::timeout;

use super::Store;

/// The longest time for which a start waits for a connection.
const PATIENCE: Duration = Duration::from_secs(1);

impl Store {
    /// Opens the connection that the first call will use. It fails silently and in time: a store that does not answer must not keep a function from
    /// starting, and the first call tries by itself.
    ///
    /// The handshake of TLS is mostly computing. While a function initialises, Lambda gives it more of a core than the share that its memory buys, which is a
    /// seventh at 256 MB. It sends `GET /`, which DynamoDB answers to anybody: it reads no table, needs no permission, costs nothing, and leaves no trace in
    /// `CloudTrail`.
    pub async fn connect_ahead(&self) {
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let asked = self.client.describe_endpoints().customize().config_override(once).mutate_request(to_get_nothing);
        drop(timeout(PATIENCE, asked.send()).await);
    }
}

/// Replaces a request by `GET /` to the same server.
fn to_get_nothing(request: &mut HttpRequest) {
    let mut get = HttpRequest::new(SdkBody::empty());
    if get.set_uri(request.uri().to_owned()).is_ok() {
        *request = get;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::{TcpListener, TcpStream},
        sync::mpsc,
        thread,
    };

    use aws_sdk_dynamodb::{
        Client,
        config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig},
    };

    use super::*;
    use crate::{
        aws::{https_client, retries, time_outs},
        config::Settings,
        entropy::Entropy,
        store::{Key, Table, Tables},
    };

    fn store(at: &TcpListener) -> Store {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("id", "key", None, None, "test"))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config(retries())
            .timeout_config(time_outs())
            .endpoint_url(format!("http://{}", at.local_addr().unwrap()))
            .http_client(https_client())
            .build();
        let mut settings = Settings::from_pairs([("ACCOUNTS_TABLE".to_owned(), "accounts".to_owned())]);
        let tables = Tables::configured(&mut settings, &[Table::Accounts]);
        Store::new(Client::from_conf(config), tables, Entropy::system())
    }

    /// Answers every request of a connection with this, and tells the connection's number with the first line of each.
    fn answer(number: usize, mut stream: TcpStream, answer: &'static str, seen: &mpsc::Sender<(usize, String)>) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok).peekable();
        while let Some(first) = lines.next() {
            let mut length = 0;
            for line in lines.by_ref().take_while(|line| !line.is_empty()) {
                if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = said.parse().unwrap();
                }
            }
            // A body would have no end of line, and stand before the next request's first.
            let first = first.rsplit_once('}').map_or(first.as_str(), |(_, first)| first).to_owned();
            seen.send((number, format!("{first}, {length}"))).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    }

    fn answering(with: &'static str) -> (TcpListener, mpsc::Receiver<(usize, String)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (accepting, (sender, seen)) = (listener.try_clone().unwrap(), mpsc::channel());
        thread::spawn(move || {
            for (number, stream) in accepting.incoming().enumerate() {
                let sender = sender.clone();
                thread::spawn(move || answer(number, stream.unwrap(), with, &sender));
            }
        });
        (listener, seen)
    }

    #[tokio::test]
    async fn the_first_call_uses_the_connection_that_was_opened_before_it() {
        for healthy in [
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhealthy: ",
            // Another server at this address, such as an emulator or a proxy, says something else.
            "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}",
        ] {
            let (listener, seen) = answering(healthy);
            let store = store(&listener);
            store.connect_ahead().await;
            // The connection is free again as soon as the task that has it runs.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert_eq!(seen.try_iter().collect::<Vec<_>>(), [(0, "GET / HTTP/1.1, 0".to_owned())]);
            // The answer is none of DynamoDB's to this call, but its connection counts.
            drop(store.read(&Key::new(Table::Accounts, "item", "partition".to_owned(), "sort")).await);
            let called: Vec<(usize, String)> = seen.try_iter().collect();
            assert!(!called.is_empty() && called.iter().all(|(number, line)| *number == 0 && line.starts_with("POST / ")), "{called:?}");
        }
    }

    #[tokio::test]
    async fn a_store_that_fails_is_tried_once_and_one_that_is_not_there_or_silent_is_given_up() {
        let (listener, seen) = answering("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
        store(&listener).connect_ahead().await;
        assert_eq!(seen.try_iter().count(), 1);
        // It accepts the connection and says nothing.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        store(&silent).connect_ahead().await;
        let gone = store(&silent);
        drop(silent);
        gone.connect_ahead().await;
    }
}
