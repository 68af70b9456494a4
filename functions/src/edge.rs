//! The edge, between the gateway and every endpoint: origins, methods, the deadline, panics and logging.

use std::{panic::AssertUnwindSafe, sync::Arc};

use doorward::{
    client::LoggedClient,
    fault::Fault,
    http::{self, Answer, HeaderValue, Method, Origins, ProxySecrets, Reader, Refusal, Request, header},
    language::Language,
    metric::Metrics,
    telemetry,
};
use futures_util::FutureExt as _;
use lambda_runtime::{Error, LambdaEvent};
use serde_json::value::RawValue;
use tracing::Instrument as _;

use crate::{Endpoint, PageRole, Wiring};

/// The edge: it accepts or refuses a request, gives the endpoint its deadline, and logs the outcome.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// The web pages that may make requests.
    pub origins: Origins,
    /// The number of proxies in front of the gateway.
    pub trusted_hops: usize,
    /// The secret by which the nearest proxy shows that a request came through it.
    pub proxy_secrets: ProxySecrets,
    /// How much of a client is logged with a refusal.
    pub logged_client: LoggedClient,
    /// The language of pages for readers whose own is unknown.
    pub default_language: Language,
    /// Where the metrics of a request are written.
    pub metrics: Metrics,
}

impl Edge {
    /// `ALLOWED_ORIGINS`, `TRUSTED_PROXY_HOPS` (0 to 9, default 0), `PROXY_SECRET`, `LOG_CLIENTS`, `DEFAULT_LANGUAGE` and
    /// `DEPLOYMENT`.
    pub fn configured(wiring: &mut Wiring) -> Self {
        Self {
            origins: Origins::configured(&mut wiring.settings),
            trusted_hops: wiring.settings.number("TRUSTED_PROXY_HOPS", 0, 0, 9),
            proxy_secrets: ProxySecrets::configured(&mut wiring.settings),
            logged_client: LoggedClient::configured(&mut wiring.settings),
            default_language: Language::configured(&mut wiring.settings),
            metrics: wiring.metrics(),
        }
    }

    /// Methods as `Allow` lists them (RFC 9110, 10.2.1), OPTIONS included.
    #[must_use]
    pub fn allow(methods: &[Method]) -> HeaderValue {
        let names: Vec<&str> = methods.iter().chain([&Method::OPTIONS]).map(Method::as_str).collect();
        HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
    }

    /// Answers an event of the gateway, format 1.0 or 2.0, in the same format.
    pub async fn answer<E: Endpoint>(self: Arc<Self>, endpoint: Arc<E>, event: LambdaEvent<Box<RawValue>>) -> Result<Box<RawValue>, Error> {
        let trusted_hops = self.trusted_hops;
        let answer = move |request| {
            let (edge, endpoint) = (Arc::clone(&self), Arc::clone(&endpoint));
            async move { edge.respond(&*endpoint, request).await }
        };
        let span = telemetry::request(&event.context.request_id);
        http::answer_event(event, trusted_hops, answer).instrument(span).await
    }

    async fn respond<E: Endpoint>(&self, endpoint: &E, mut request: Request) -> Answer {
        request.default_language = self.default_language;
        let is_head = request.method == Method::HEAD;
        let origin = request.headers.get(header::ORIGIN).cloned();
        let reader = request.reader();
        let mut answer = match self.metrics.counted(self.decide(endpoint, request)).await {
            Ok(answer) => answer,
            Err(refusal) => refused(endpoint, reader.as_ref(), &refusal),
        };
        self.origins.mark(origin.as_ref(), &mut answer.headers);
        if is_head { answer.without_body() } else { answer }
    }

    /// Returns the answer or the refusal, and logs it.
    async fn decide<E: Endpoint>(&self, endpoint: &E, request: Request) -> Result<Answer, Refusal> {
        let passes = self.proxy_secrets.admit(&request.headers);
        if request.method == Method::OPTIONS && passes.is_ok() {
            return Ok(self.origins.preflight(&request, &Self::allow(E::METHODS)));
        }
        if let Err(refusal) = passes.and_then(|()| self.origins.admit(&request)) {
            tracing::info!(outcome = refusal.code(), "answered");
            return Err(refusal);
        }
        let (time_left, client) = (request.time_left, request.client);
        // A write that the deadline interrupted may or may not have happened, so the client is asked to try again.
        let asked = AssertUnwindSafe(tokio::time::timeout(time_left, ask(endpoint, request)).in_current_span()).catch_unwind().await;
        match asked.map(|in_time| in_time.unwrap_or(Err(Refusal::Fault(Fault::OutOfTime)))) {
            Ok(Ok(answer)) => {
                tracing::info!(outcome = answer.outcome, status = answer.status.as_u16(), "answered");
                Ok(answer)
            }
            Ok(Err(refusal)) => {
                let (outcome, status) = (refusal.code(), refusal.status().as_u16());
                if let Some(client) = self.logged_client.shown(client).filter(|_| refusal.may_be_a_guess()) {
                    telemetry::note_client(&client);
                }
                if let Refusal::Fault(fault) = &refusal {
                    tracing::error!(outcome, status, %fault, "answered");
                } else {
                    tracing::info!(outcome, status, "answered");
                }
                Err(refusal)
            }
            Err(_panic) => {
                // The message of a panic may contain secrets, so it is not logged. The panic hook has logged the place.
                tracing::error!(outcome = "panic", status = 500, "answered");
                Err(Refusal::Fault(Fault::Internal("handler")))
            }
        }
    }
}

/// Calls the endpoint, unless its routes do not have this method.
async fn ask<E: Endpoint>(endpoint: &E, request: Request) -> Result<Answer, Refusal> {
    let opens_form = E::PAGE == PageRole::Form && matches!(request.method, Method::GET | Method::HEAD) && request.wants_page();
    if opens_form || E::METHODS.contains(&request.method) {
        return endpoint.handle(request).await;
    }
    if let Some(guard) = E::GUARD {
        guard(endpoint).authenticate(&request).await?;
    }
    Err(Refusal::Method { method: request.method.to_string(), allow: Edge::allow(E::METHODS) })
}

/// The refusal as a page, if a browser asked and there is a page for it, otherwise as JSON.
fn refused<E: Endpoint>(endpoint: &E, reader: Option<&Reader>, refusal: &Refusal) -> Answer {
    let page = reader.zip(endpoint.pages()).and_then(|(reader, pages)| pages.refused(reader, refusal));
    page.unwrap_or_else(|| Answer::from(refusal))
}
