//! The certification authorities that are trusted to vouch for AWS: Amazon's own.
//!
//! A system's list holds some 150 others that are not needed here, and reading it was nine tenths of a function's start.

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};

/// Amazon Trust Services' five roots. It recommends all of them to those who keep their own list (amazontrust.com, Repository).
const AMAZON_ROOTS: &[u8] = include_bytes!("../../data/amazon-roots.pem");

/// The SDK's own HTTPS client with our choice of trusted roots.
pub(super) fn https_client() -> SharedHttpClient {
    let told = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
    let region = std::env::var("AWS_REGION").unwrap_or_default();
    let context = TlsContext::builder().with_trust_store(roots(&region, told)).build().unwrap_or_default();
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(context).build_https()
}

/// Amazon's roots, with two exceptions that take the system's: a deployment that names roots of its own, as a proxy that opens TLS needs it,
/// and Regions outside the partition `aws` (`GovCloud`, China, the European Sovereign Cloud), which Amazon's page does not cover.
fn roots(region: &str, told: bool) -> TrustStore {
    // `eu-central-1`; the other partitions have `us-gov-west-1`, `eusc-de-east-1`, `cn-north-1`.
    let ordinary = region.split('-').count() == 3 && !region.starts_with("cn-");
    if ordinary && !told { TrustStore::empty().with_pem_certificate(AMAZON_ROOTS) } else { TrustStore::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

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
