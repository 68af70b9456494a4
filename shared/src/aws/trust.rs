//! The certification authorities that are trusted for AWS: Amazon's own.
//!
//! The system's list has about 150 others that are not needed here, and reading it took nine tenths of a function's start.

use std::time::Duration;

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};

/// Amazon Trust Services' five roots. It recommends all of them to those who keep their own list (amazontrust.com, Repository).
const AMAZON_ROOTS: &[u8] = include_bytes!("../../data/amazon-roots.pem");

/// How long a connection may have been idle and still be used.
///
/// AWS closes one after about a minute (aws-sdk-rust, issues 738 and 844), and hyper would keep it for 90 seconds. A function that was frozen meanwhile
/// learns that it is gone only from a call that fails, and waits before it tries again.
const IDLE: Duration = Duration::from_secs(50);

/// A shorter time for calls that are not retried. Mails of one batch still share a connection.
const IDLE_OF_ONE_TRY: Duration = Duration::from_secs(5);

/// The SDK's own HTTPS client with our choice of trusted roots.
pub(crate) fn https_client() -> SharedHttpClient {
    https(Builder::new().pool_idle_timeout(IDLE))
}

/// Like `sdk_config`, for a service whose calls are not retried.
pub(crate) fn for_calls_tried_once() -> SharedHttpClient {
    https(Builder::new().pool_idle_timeout(IDLE_OF_ONE_TRY))
}

fn https(client: Builder) -> SharedHttpClient {
    let told = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
    let region = std::env::var("AWS_REGION").unwrap_or_default();
    let context = TlsContext::builder().with_trust_store(roots(&region, told)).build().unwrap_or_default();
    client.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(context).build_https()
}

/// Amazon's roots. The system's are used instead if the environment names roots, as it must behind a proxy that inspects TLS, and in Regions
/// outside the partition `aws` (`GovCloud`, China, the European Sovereign Cloud), which Amazon's page does not cover.
fn roots(region: &str, told: bool) -> TrustStore {
    // `eu-central-1`; the other partitions have `us-gov-west-1`, `eusc-de-east-1`, `cn-north-1`.
    let ordinary = region.split('-').count() == 3 && !region.starts_with("cn-");
    if ordinary && !told { TrustStore::empty().with_pem_certificate(AMAZON_ROOTS) } else { TrustStore::default() }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::TcpListener,
        thread,
    };

    use aws_sdk_dynamodb::{
        Client, Config,
        config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig},
    };

    use super::*;

    const CALLS: usize = 10;

    /// How many connections so many calls take, one after the other.
    async fn connections(client: SharedHttpClient) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (accepted, counted) = std::sync::mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                accepted.send(()).unwrap();
                thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                    // The body, `{}`, has no end of line: it stands before the next request's first.
                    while lines.by_ref().map_while(Result::ok).any(|line| line.is_empty()) {
                        stream
                            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}")
                            .unwrap();
                    }
                });
            }
        });
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("id", "key", None, None, "test"))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .endpoint_url(endpoint)
            .http_client(client)
            .build();
        let client = Client::from_conf(config);
        for _ in 0..CALLS {
            client.list_tables().send().await.unwrap();
        }
        counted.try_iter().count()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_connection_is_used_again_only_while_it_was_idle_for_a_short_time() {
        // A call may begin before the connection of the one before is free again, and then takes another. That does not happen to all of them.
        assert!(connections(https(Builder::new().pool_idle_timeout(Duration::from_hours(1)))).await < CALLS);
        assert_eq!(connections(https(Builder::new().pool_idle_timeout(Duration::ZERO))).await, CALLS);
        assert!(IDLE_OF_ONE_TRY < IDLE && IDLE < Duration::from_mins(1), "AWS closes one after about a minute");
    }

    #[test]
    fn amazon_alone_vouches_for_aws_unless_others_are_named() {
        let system = |region, told| format!("{:?}", roots(region, told)).contains("enable_native_roots: true");
        assert!(["us-east-1", "eu-central-1", "ap-southeast-7"].iter().all(|region| !system(region, false)));
        assert!(["us-gov-west-1", "eusc-de-east-1", "cn-north-1", ""].iter().all(|region| system(region, false)));
        assert!(system("eu-central-1", true));
    }

    #[test]
    fn there_are_five_roots() {
        let pem = str::from_utf8(AMAZON_ROOTS).unwrap();
        assert_eq!(pem.matches("-----BEGIN CERTIFICATE-----").count(), 5);
    }
}
