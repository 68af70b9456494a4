//! The gateway's events in formats 1.0 and 2.0, and what is removed from them before `lambda_http` reads them.
//!
//! `lambda_http` builds a URL from an event's host, protocol and query string, and panics if that is not a URL. Our code does not use that URL.

use std::future::Future;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lambda_http::{
    Adapter, Error, LambdaEvent,
    aws_lambda_events::query_map::QueryMap,
    http::{HeaderMap, header, uri::PathAndQuery},
    lambda_runtime::{service_fn, tower::ServiceExt as _},
    request::LambdaRequest,
};
use serde_json::{json, value::RawValue};

use super::{Answer, Request, StatusCode, with_status};

/// Answers an event in its own format. `trusted_hops` is the number of proxies in front of the gateway.
pub async fn answer_event<A, F>(event: LambdaEvent<Box<RawValue>>, trusted_hops: usize, answer: A) -> Result<Box<RawValue>, Error>
where
    A: Fn(Request) -> F + Send,
    F: Future<Output = Answer> + Send,
{
    let Some(Tamed { event: request, query, domain }) = serde_json::from_str(event.payload.get()).ok().and_then(tamed) else {
        // No gateway sends such an event, but a function can be invoked directly.
        let answer = with_status(StatusCode::BAD_REQUEST, &json!({ "detail": "Malformed request." }));
        return Ok(serde_json::value::to_raw_value(&answer.into_event())?);
    };
    let handler = service_fn(move |event: lambda_http::Request| {
        let mut request = Request::new(event, query.clone(), trusted_hops);
        request.domain.clone_from(&domain);
        let answered = answer(request);
        async move { Ok::<_, Error>(answered.await) }
    });
    let response = Adapter::from(handler).oneshot(LambdaEvent::new(request, event.context)).await?;
    Ok(serde_json::value::to_raw_value(&response)?)
}

/// An event without the values from which `lambda_http` would build a URL, and these values.
struct Tamed {
    event: LambdaRequest,
    /// The parameters of the query string.
    query: Vec<(String, String)>,
    /// The host name under which the gateway was reached.
    domain: Option<String>,
}

/// Removes the values from which `lambda_http` would build a URL: host, protocol, query string. `None` if the body is not base64 although the event says
/// so.
fn tamed(mut event: LambdaRequest) -> Option<Tamed> {
    let (query, domain) = match &mut event {
        LambdaRequest::ApiGatewayV1(proxy) => {
            readable(proxy.is_base64_encoded, proxy.body.as_deref())?;
            remove_host(&mut proxy.headers);
            remove_host(&mut proxy.multi_value_headers);
            root(&mut proxy.path);
            let single = std::mem::take(&mut proxy.query_string_parameters);
            let multiple = std::mem::take(&mut proxy.multi_value_query_string_parameters);
            let query = if multiple.is_empty() { single } else { multiple };
            let query = query.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            (query, proxy.request_context.domain_name.take())
        }
        LambdaRequest::ApiGatewayV2(proxy) => {
            readable(proxy.is_base64_encoded, proxy.body.as_deref())?;
            remove_host(&mut proxy.headers);
            root(&mut proxy.raw_path);
            proxy.query_string_parameters = QueryMap::default();
            let query = proxy.raw_query_string.take().unwrap_or_default();
            (form_urlencoded::parse(query.as_bytes()).into_owned().collect(), proxy.request_context.domain_name.take())
        }
        _ => (Vec::new(), None),
    };
    Some(Tamed { event, query, domain })
}

/// `lambda_http` panics if a body is not base64 although the event says so.
fn readable(encoded: bool, body: Option<&str>) -> Option<()> {
    (!encoded || STANDARD.decode(body.unwrap_or_default()).is_ok()).then_some(())
}

fn remove_host(headers: &mut HeaderMap) {
    headers.remove(header::HOST);
    headers.remove("x-forwarded-proto");
}

fn root(path: &mut Option<String>) {
    let rooted = path.take().filter(|path| path.len() <= 8192 && path.starts_with('/') && path.parse::<PathAndQuery>().is_ok());
    *path = Some(rooted.unwrap_or_else(|| "/".to_owned()));
}
