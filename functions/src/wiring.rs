//! What a function is built of.

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

/// What a function is built of: its configuration, its store, time and randomness, and what is made of these.
pub struct Wiring {
    /// The configuration, and what is wrong with it so far.
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

    /// The parts of a function with these settings, over the tables that they name. No call is made.
    pub(crate) fn connected(mut settings: Settings, tables: &[Table], entropy: Entropy) -> Self {
        let store = Store::connect(&mut settings, tables, entropy.clone());
        Self::new(settings, store, Clock::system(), entropy)
    }

    /// The same, with metrics that are written elsewhere than to the log.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// The hasher: one, however often it is asked for, as its memory is most of what a function holds.
    pub fn hasher(&mut self) -> Arc<Hasher> {
        let (settings, entropy) = (&mut self.settings, &self.entropy);
        Arc::clone(self.hasher.get_or_insert_with(|| Arc::new(Hasher::configured(settings, entropy.clone()))))
    }

    /// The rules of sessions.
    pub fn sessions(&mut self) -> Sessions {
        Sessions::configured(&mut self.settings)
    }

    /// Where what was counted is written.
    pub fn metrics(&mut self) -> Metrics {
        self.metrics.get_or_insert_with(|| Metrics::configured(&self.settings)).clone()
    }

    /// Everything that is wrong with the configuration.
    pub fn finish(self) -> Result<(), ConfigError> {
        self.settings.finish()
    }
}
