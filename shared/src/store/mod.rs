//! The store: three DynamoDB tables. It is concrete, in tests too.
//!
//! A conditional write becomes a named outcome here; losing a race is a value, a store that does not answer is a [`Fault`].

mod accounts;
mod batch;
mod disavow;
mod fault;
mod item;
mod limits;
mod operator;
mod outbox;
mod reset;
mod sessions;
mod trust;
mod undeliverable;

use std::time::Duration;

pub use accounts::{Changed, Names, Registered, Taken};
use aws_sdk_dynamodb::{
    Client,
    config::{
        BehaviorVersion, Credentials, IdentityCache, Region, SharedCredentialsProvider, StalledStreamProtectionConfig, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
};
use aws_types::SdkConfig;
pub use disavow::{DISAVOWAL_LIFETIME, Disavowed};
pub use fault::Fault;
pub use limits::{Attempt, Window};
pub use operator::{Deleted, FailedMail, Holders, Invited, Redriven, Switched};
pub use outbox::{Entry, Lease, Notice, Payload, ResetRequest, oldest_worth_sending};
pub use reset::{ResetLink, Spent, StoredLink};
pub use undeliverable::{Marked, Undeliverable};

use crate::{config::Settings, entropy::Entropy};

/// Names of the tables. A function that does not touch a table is not told its name.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Accounts, their sessions, reset links and claims.
    pub accounts: String,
    /// Windows of limits.
    pub limits: String,
    /// Mail to send.
    pub outbox: String,
}

/// The store.
#[derive(Clone)]
pub struct Store {
    client: Client,
    tables: Tables,
    entropy: Entropy,
}

impl Store {
    /// A store over `client`.
    #[must_use]
    pub fn new(client: Client, tables: Tables, entropy: Entropy) -> Self {
        Self { client, tables, entropy }
    }

    /// The store that the environment names. No call is made.
    pub fn connect(settings: &mut Settings, used: &[Table], entropy: Entropy) -> Self {
        let mut tables = Tables::default();
        for table in used {
            match table {
                Table::Accounts => tables.accounts = settings.text("ACCOUNTS_TABLE"),
                Table::Limits => tables.limits = settings.text("LIMITS_TABLE"),
                Table::Outbox => tables.outbox = settings.text("OUTBOX_TABLE"),
            }
        }
        Self::new(Client::new(&sdk_config("DYNAMODB")), tables, entropy)
    }
}

/// One of the three tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Accounts, their sessions, reset links and claims.
    Accounts,
    /// Windows of limits.
    Limits,
    /// Mail to send.
    Outbox,
}

/// How often a call to a service is tried, and how soon again: three times, after at most 50 ms and then 100 ms.
///
/// The SDK's own pace, at most one second and then two, is made for programs that nobody waits for.
#[must_use]
pub fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(50))
}

/// How long a try may take: one that gets no answer is given up early enough for two more and an answer to the client.
#[must_use]
pub fn time_outs() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(Duration::from_secs(1)).operation_attempt_timeout(Duration::from_secs(3)).build()
}

/// The SDK as a function needs it: credentials, Region and endpoint from the environment, where Lambda puts them, and nothing else looked up.
///
/// Built by hand, because `aws_config`'s loader brings every other source of credentials with it, a tenth of a function's code, used or not.
/// `service` is the service's name in `AWS_ENDPOINT_URL_<SERVICE>`, which goes before `AWS_ENDPOINT_URL` (AWS SDKs and Tools Reference Guide,
/// Service-specific endpoints).
pub(crate) fn sdk_config(service: &str) -> SdkConfig {
    sdk_config_of(service, |name| std::env::var(name).ok())
}

fn sdk_config_of(service: &str, variables: impl Fn(&str) -> Option<String>) -> SdkConfig {
    let variable = |name: &str| variables(name).filter(|value| !value.is_empty());
    let is_on = |name| variable(name).map(|value| value.eq_ignore_ascii_case("true"));
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(variable("AWS_REGION").map(Region::new))
        .http_client(trust::https_client())
        .retry_config(retries())
        .timeout_config(time_outs())
        // Every try has a time of its own, and what is sent and read is a few kilobytes.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let (Some(id), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
        let mut credentials = Credentials::builder().access_key_id(id).secret_access_key(secret).provider_name("environment");
        credentials.set_session_token(variable("AWS_SESSION_TOKEN"));
        // Lambda ends the process before they expire.
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
    fn a_service_s_own_endpoint_goes_before_that_of_all() {
        let both = [("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_DYNAMODB", "http://store")];
        assert_eq!(configured("DYNAMODB", &both).endpoint_url(), Some("http://store"));
        assert_eq!(configured("SESV2", &both).endpoint_url(), Some("http://all"));
        assert_eq!(configured("SESV2", &[("AWS_ENDPOINT_URL", "")]).endpoint_url(), None);
    }

    #[test]
    fn the_sdk_is_what_lambda_s_environment_says() {
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
