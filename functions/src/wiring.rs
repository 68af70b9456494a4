//! The parts of which a function is built.

use std::sync::Arc;

use doorward::{
    clock::Clock,
    config::{ConfigError, Settings},
    entropy::Entropy,
    metric::Metrics,
    password::Hasher,
    session::Sessions,
    store::{Store, Table},
    telemetry,
};

/// The parts of which a function is built: configuration, store, time, randomness, and objects made from these.
pub struct Wiring {
    /// The configuration, and the problems with it so far.
    pub settings: Settings,
    /// The store.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    hasher: Option<Arc<Hasher>>,
    metrics: Option<Metrics>,
}

impl Wiring {
    /// These parts.
    #[must_use]
    pub fn new(settings: Settings, store: Store, clock: Clock, entropy: Entropy) -> Self {
        Self { settings, store, clock, entropy, hasher: None, metrics: None }
    }

    /// The parts of a function in Lambda, over these tables. Logging starts here.
    pub(crate) fn of_environment(tables: &[Table]) -> Self {
        let mut settings = Settings::from_environment();
        telemetry::start(telemetry::level(&mut settings));
        Self::connected(settings, tables, Entropy::system())
    }

    /// The parts of a function with these settings, over the tables that they name. No service is called.
    pub(crate) fn connected(mut settings: Settings, tables: &[Table], entropy: Entropy) -> Self {
        let store = Store::connect(&mut settings, tables, entropy.clone());
        Self::new(settings, store, Clock::system(), entropy)
    }

    /// The same, with metrics that are not written to the log.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// The same, with this hasher instead of the configured one: for tests, which compute thousands of hashes.
    #[must_use]
    pub fn with_hasher(self, hasher: Arc<Hasher>) -> Self {
        Self { hasher: Some(hasher), ..self }
    }

    /// The hasher. There is only one, because its memory is most of a function's memory.
    pub fn hasher(&mut self) -> Arc<Hasher> {
        let (settings, entropy) = (&mut self.settings, &self.entropy);
        Arc::clone(self.hasher.get_or_insert_with(|| Arc::new(Hasher::configured(settings, entropy.clone()))))
    }

    /// The rules of sessions.
    pub fn sessions(&mut self) -> Sessions {
        Sessions::configured(&mut self.settings, self.clock.now())
    }

    /// The metrics. All parts of a function share them.
    pub fn metrics(&mut self) -> Metrics {
        let settings = &mut self.settings;
        self.metrics.get_or_insert_with(|| Metrics::configured(settings)).clone()
    }

    /// Returns an error with all problems with the configuration, if there are any.
    pub fn finish(self) -> Result<(), ConfigError> {
        self.settings.finish()
    }

    /// The same, and connects to the store, so that the first request does not have to.
    pub(crate) async fn finish_and_connect(self, tables: &[Table]) -> Result<(), ConfigError> {
        let store = self.store.clone();
        self.finish()?;
        if !tables.is_empty() {
            store.connect_ahead().await;
        }
        Ok(())
    }
}
