//! The registry: the facts about each function in `FUNCTIONS`, and how tests and programs look them up.

use std::{pin::Pin, sync::Arc};

use doorward::{
    config::{ConfigError, Settings},
    entropy::Entropy,
    http::{HeaderValue, Method},
    store::Table,
    telemetry,
};
use lambda_runtime::{Error, LambdaEvent};
use serde_json::value::RawValue;

use crate::{Edge, Endpoint, FUNCTIONS, Function, PageRole, Wiring};

/// The function of this name.
#[must_use]
pub fn function(name: &str) -> Option<&'static RegisteredFunction> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// Checks an environment for each function that is named, and returns every complaint as `function: complaint`. No service is called.
pub fn complaints<V>(environments: impl IntoIterator<Item = (String, V)>) -> Vec<String>
where
    V: IntoIterator<Item = (String, String)>,
{
    let mut complaints = Vec::new();
    for (name, variables) in environments {
        match function(&name).map(|function| function.check(Settings::from_pairs(variables), Entropy::system())) {
            Some(Ok(())) => {}
            Some(Err(error)) => complaints.extend(error.complaints().iter().map(|complaint| format!("{name}: {complaint}"))),
            None => complaints.push(format!("{name}: there is no such function")),
        }
    }
    complaints
}

/// The routes of every endpoint.
pub fn routes() -> impl Iterator<Item = &'static Routes> {
    FUNCTIONS.iter().filter_map(|function| function.routes.as_ref())
}

/// The path of every route, with its trailing slash.
pub fn paths() -> impl Iterator<Item = &'static str> {
    routes().flat_map(|routes| routes.paths.iter().copied())
}

/// A function, as the registry lists it.
pub struct RegisteredFunction {
    /// [`Function::NAME`].
    pub name: &'static str,
    /// [`Function::TABLES`].
    pub tables: &'static [Table],
    /// Its routes, if it is an endpoint.
    pub routes: Option<Routes>,
    build: fn(&mut Wiring),
}

/// The routes of an endpoint.
pub struct Routes {
    /// [`Endpoint::ROUTES`].
    pub paths: &'static [&'static str],
    /// [`Endpoint::METHODS`].
    pub methods: &'static [Method],
    /// Whether they require a session ([`Endpoint::GUARD`]).
    pub protected: bool,
    /// [`Endpoint::PAGE`].
    pub page: PageRole,
    start: fn(&mut Wiring) -> Answering,
}

/// A started endpoint behind an edge, which turns an event into an answer.
pub type Answering = Arc<dyn Fn(Arc<Edge>, LambdaEvent<Box<RawValue>>) -> Answered + Send + Sync>;
type Answered = Pin<Box<dyn Future<Output = Result<Box<RawValue>, Error>> + Send>>;

pub(crate) const fn endpoint<E: Endpoint>() -> RegisteredFunction {
    let routes = Routes { paths: E::ROUTES, methods: E::METHODS, protected: E::GUARD.is_some(), page: E::PAGE, start: start::<E> };
    RegisteredFunction { name: E::NAME, tables: E::TABLES, routes: Some(routes), build: build_endpoint::<E> }
}

pub(crate) const fn handler<F: Function>() -> RegisteredFunction {
    RegisteredFunction { name: F::NAME, tables: F::TABLES, routes: None, build: build::<F> }
}

fn start<E: Endpoint>(wiring: &mut Wiring) -> Answering {
    let endpoint = Arc::new(E::new(wiring));
    Arc::new(move |edge, event| Box::pin(edge.answer(Arc::clone(&endpoint), event)))
}

fn build_endpoint<E: Endpoint>(wiring: &mut Wiring) {
    Edge::configured(wiring);
    build::<E>(wiring);
}

fn build<F: Function>(wiring: &mut Wiring) {
    F::new(wiring);
}

impl RegisteredFunction {
    /// Starts the function with these settings as its binary does, up to the first event and without logging.
    ///
    /// No service is called. The error lists every complaint about the settings.
    pub fn check(&self, mut settings: Settings, entropy: Entropy) -> Result<(), ConfigError> {
        telemetry::level(&mut settings);
        let mut wiring = Wiring::connected(settings, self.tables, entropy);
        (self.build)(&mut wiring);
        wiring.finish()
    }
}

impl Routes {
    /// Starts the endpoint.
    #[must_use]
    pub fn start(&self, wiring: &mut Wiring) -> Answering {
        (self.start)(wiring)
    }

    /// The methods as `Allow` lists them.
    #[must_use]
    pub fn allow(&self) -> HeaderValue {
        Edge::allow(self.methods)
    }
}
