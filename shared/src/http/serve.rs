//! Serving: one event in, one answer out, whatever the event holds.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::FutureExt as _;
use lambda_http::{
    Adapter, Error, LambdaEvent,
    aws_lambda_events::query_map::QueryMap,
    http::{HeaderMap, Method, header, uri::PathAndQuery},
    lambda_runtime::{self, service_fn, tower::ServiceExt as _},
    request::LambdaRequest,
};
use serde_json::{json, value::RawValue};
use tracing::Instrument as _;

use super::{Answer, Origins, Reader, Refusal, Request, StatusCode, with_status};
use crate::{config::Settings, fault::Fault, metric::Metrics};

/// What a function does with a request.
pub trait Endpoint: Send + Sync + 'static {
    /// The methods of its routes, as `Allow` lists them, OPTIONS included.
    fn allow(&self) -> &'static str;

    /// Answers or refuses.
    fn handle(&self, request: Request) -> impl Future<Output = Result<Answer, Refusal>> + Send;

    /// What a person sees of a refusal, where the function has a page for it.
    fn page(&self, _reader: &Reader, _refusal: &Refusal) -> Option<Answer> {
        None
    }
}

/// What stands between the gateway and every endpoint.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Whose pages may ask.
    pub origins: Origins,
    /// How many proxies stand in front of the gateway.
    pub trusted_hops: usize,
    /// Where what a request counts is written.
    pub metrics: Metrics,
}

impl Edge {
    /// `ALLOWED_ORIGINS`, `TRUSTED_PROXY_HOPS` (0 to 9, default 0) and `DEPLOYMENT`.
    pub fn configured(settings: &mut Settings) -> Self {
        Self {
            origins: Origins::configured(settings),
            trusted_hops: settings.number("TRUSTED_PROXY_HOPS", 0, 0, 9),
            metrics: Metrics::configured(settings),
        }
    }

    /// Answers an event of the gateway, format 1.0 or 2.0, in the same format.
    pub async fn answer<E: Endpoint>(self: Arc<Self>, endpoint: Arc<E>, event: LambdaEvent<Box<RawValue>>) -> Result<Box<RawValue>, Error> {
        let Some((request, query)) = serde_json::from_str(event.payload.get()).ok().and_then(tamed) else {
            // No gateway sends such an event; whoever invokes the function by hand gets an answer all the same.
            let answer = with_status(StatusCode::BAD_REQUEST, &json!({ "detail": "Malformed request." }));
            return Ok(serde_json::value::to_raw_value(&answer.into_event())?);
        };
        let handler = service_fn(move |event: lambda_http::Request| {
            let request = Request::new(event, query.clone(), self.trusted_hops);
            Arc::clone(&self).respond(Arc::clone(&endpoint), request)
        });
        let response = Adapter::from(handler).oneshot(LambdaEvent::new(request, event.context)).await?;
        Ok(serde_json::value::to_raw_value(&response)?)
    }

    async fn respond<E: Endpoint>(self: Arc<Self>, endpoint: Arc<E>, request: Request) -> Result<Answer, Error> {
        let method = request.method.clone();
        let origin = request.headers.get(header::ORIGIN).cloned();
        let reader = request.reader();
        let mut answer =
            self.metrics.counted(self.decide(&*endpoint, request)).await.unwrap_or_else(|refusal| {
                reader.and_then(|reader| endpoint.page(&reader, &refusal)).unwrap_or_else(|| Answer::from(&refusal))
            });
        self.origins.mark(origin.as_ref(), &mut answer.headers);
        Ok(if method == Method::HEAD { answer.without_body() } else { answer })
    }

    /// The answer or the refusal, logged either way.
    async fn decide(&self, endpoint: &impl Endpoint, request: Request) -> Result<Answer, Refusal> {
        if request.method == Method::OPTIONS {
            return Ok(self.origins.preflight(&request, endpoint.allow()));
        }
        if let Err(refusal) = self.origins.admit(&request) {
            tracing::info!(outcome = refusal.code(), "answered");
            return Err(refusal);
        }
        let time_left = request.time_left;
        // What the time cuts off may have happened or not; the client is told that nobody knows, and asks again.
        let handled = AssertUnwindSafe(tokio::time::timeout(time_left, endpoint.handle(request)).in_current_span()).catch_unwind().await;
        match handled.map(|in_time| in_time.unwrap_or(Err(Refusal::Fault(Fault::OutOfTime)))) {
            Ok(Ok(answer)) => {
                tracing::info!(outcome = "ok", status = answer.status.as_u16(), "answered");
                Ok(answer)
            }
            Ok(Err(refusal)) => {
                let (outcome, status) = (refusal.code(), refusal.status().as_u16());
                if let Refusal::Fault(fault) = &refusal {
                    tracing::error!(outcome, status, %fault, "answered");
                } else {
                    tracing::info!(outcome, status, "answered");
                }
                Err(refusal)
            }
            Err(_panic) => {
                // What the panic said may quote anything, so it is not repeated; its place is on standard error.
                tracing::error!(outcome = "panic", status = 500, "answered");
                Err(Refusal::Fault(Fault::Internal("handler")))
            }
        }
    }
}

/// Serves an endpoint until Lambda ends the process.
pub async fn run<E: Endpoint>(edge: Edge, endpoint: E) -> Result<(), Error> {
    let (edge, endpoint) = (Arc::new(edge), Arc::new(endpoint));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let span = tracing::info_span!("request", request_id = %event.context.request_id);
        Arc::clone(&edge).answer(Arc::clone(&endpoint), event).instrument(span)
    }))
    .await
}

/// Takes out of the event what `lambda_http` would build a URL of, and panic where that is none: the host, the protocol, the query string.
///
/// Nothing here reads that URL; the query string's parameters are returned. None where the body is not the base64 that the event calls it.
fn tamed(mut request: LambdaRequest) -> Option<(LambdaRequest, Vec<(String, String)>)> {
    let query = match &mut request {
        LambdaRequest::ApiGatewayV1(proxy) => {
            readable(proxy.is_base64_encoded, proxy.body.as_deref())?;
            remove_host(&mut proxy.headers);
            remove_host(&mut proxy.multi_value_headers);
            keep_host(&mut proxy.request_context.domain_name);
            root(&mut proxy.path);
            let single = std::mem::take(&mut proxy.query_string_parameters);
            let multiple = std::mem::take(&mut proxy.multi_value_query_string_parameters);
            let query = if multiple.is_empty() { single } else { multiple };
            query.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        }
        LambdaRequest::ApiGatewayV2(proxy) => {
            readable(proxy.is_base64_encoded, proxy.body.as_deref())?;
            remove_host(&mut proxy.headers);
            keep_host(&mut proxy.request_context.domain_name);
            root(&mut proxy.raw_path);
            proxy.query_string_parameters = QueryMap::default();
            let query = proxy.raw_query_string.take().unwrap_or_default();
            form_urlencoded::parse(query.as_bytes()).into_owned().collect()
        }
        _ => Vec::new(),
    };
    Some((request, query))
}

/// `lambda_http` panics where a body is not the base64 that it is said to be.
fn readable(encoded: bool, body: Option<&str>) -> Option<()> {
    (!encoded || STANDARD.decode(body.unwrap_or_default()).is_ok()).then_some(())
}

fn remove_host(headers: &mut HeaderMap) {
    headers.remove(header::HOST);
    headers.remove("x-forwarded-proto");
}

fn keep_host(domain: &mut Option<String>) {
    // A last label of digits makes a URL's host an IPv4 address, and most such names are none.
    let is_label = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        // Punycode may be malformed, and a label of digits and letters such as 0x1f a number.
        plain
            && !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && !label.to_ascii_lowercase().starts_with("xn--")
    };
    let last_is_name = |name: &String| name.rsplit('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let is_host = |name: &String| name.len() <= 253 && last_is_name(name) && name.split('.').all(is_label);
    *domain = domain.take().filter(is_host);
}

fn root(path: &mut Option<String>) {
    let rooted = path.take().filter(|path| path.len() <= 8192 && path.starts_with('/') && path.parse::<PathAndQuery>().is_ok());
    *path = Some(rooted.unwrap_or_else(|| "/".to_owned()));
}
