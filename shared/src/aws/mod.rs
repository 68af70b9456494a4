//! The configuration of the AWS SDK, for every service that a function calls.

mod external;
mod trust;

use std::time::Duration;

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, IdentityCache, Region, SharedCredentialsProvider, StalledStreamProtectionConfig, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_types::SdkConfig;

pub(crate) use self::{
    external::{ExternalCallError, ExternalClient},
    trust::{for_calls_tried_once, https_client},
};

/// A call to a service is tried three times: the second time after at most 50 ms, the third after at most another 100 ms.
///
/// The SDK's default pauses, up to one and two seconds, are too long for a client that waits.
#[must_use]
pub fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(50))
}

/// A try is cut off after three seconds (one to connect), which leaves time for two more and for an answer to the client.
#[must_use]
pub fn time_outs() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(Duration::from_secs(1)).operation_attempt_timeout(Duration::from_secs(3)).build()
}

/// The SDK's configuration: credentials, Region and endpoint come from the environment, where Lambda puts them. Nothing else is looked up.
///
/// It is built by hand because `aws_config`'s loader links every other source of credentials, a tenth of a function's code.
/// `service` is the service's name in `AWS_ENDPOINT_URL_<SERVICE>`, which takes precedence over `AWS_ENDPOINT_URL` (AWS SDKs and Tools
/// Reference Guide, Service-specific endpoints).
pub(crate) fn sdk_config(service: &str) -> SdkConfig {
    sdk_config_of(service, |name| std::env::var(name).ok())
}

fn sdk_config_of(service: &str, variables: impl Fn(&str) -> Option<String>) -> SdkConfig {
    let variable = |name: &str| variables(name).filter(|value| !value.is_empty());
    let is_on = |name| variable(name).map(|value| value.eq_ignore_ascii_case("true"));
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(variable("AWS_REGION").map(Region::new))
        .http_client(https_client())
        .retry_config(retries())
        .timeout_config(time_outs())
        // Every try has its own time-out, and requests and answers are a few kilobytes.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let (Some(id), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
        let mut credentials = Credentials::builder().access_key_id(id).secret_access_key(secret).provider_name("environment");
        credentials.set_session_token(variable("AWS_SESSION_TOKEN"));
        // Lambda ends the process before the credentials expire.
        config = config.credentials_provider(SharedCredentialsProvider::new(credentials.build())).identity_cache(IdentityCache::no_cache());
    }
    config.set_endpoint_url(variable(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| variable("AWS_ENDPOINT_URL")));
    config.set_use_fips(is_on("AWS_USE_FIPS_ENDPOINT"));
    config.set_use_dual_stack(is_on("AWS_USE_DUALSTACK_ENDPOINT"));
    config.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(service: &str, variables: &[(&str, &str)]) -> SdkConfig {
        sdk_config_of(service, |wanted| variables.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn an_endpoint_for_one_service_takes_precedence_over_the_general_one() {
        let both = [("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_DYNAMODB", "http://store")];
        assert_eq!(configured("DYNAMODB", &both).endpoint_url(), Some("http://store"));
        assert_eq!(configured("SESV2", &both).endpoint_url(), Some("http://all"));
        assert_eq!(configured("SESV2", &[("AWS_ENDPOINT_URL", "")]).endpoint_url(), None);
    }

    #[test]
    fn the_sdk_is_configured_from_lambda_s_environment() {
        let config = configured("DYNAMODB", &[("AWS_REGION", "eu-central-1"), ("AWS_USE_FIPS_ENDPOINT", "TRUE")]);
        assert_eq!(
            (config.region().map(AsRef::as_ref), config.use_fips(), config.use_dual_stack()),
            (Some("eu-central-1"), Some(true), None)
        );
        assert!(config.credentials_provider().is_none());
        let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "hidden"), ("AWS_SESSION_TOKEN", "unseen")];
        assert!(configured("DYNAMODB", &keys[..1]).credentials_provider().is_none(), "half a key is none");
        let config = configured("DYNAMODB", &keys);
        let shown = format!("{:?}", config.credentials_provider());
        assert!(config.credentials_provider().is_some() && !shown.contains("hidden") && !shown.contains("unseen"), "{shown}");
    }
}
