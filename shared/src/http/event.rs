//! The gateway's events, format 1.0 and 2.0: what is taken out of one before `lambda_http` reads it, and why.
//!
//! `lambda_http` builds a URL of an event's host, protocol and query string, and panics where that is none. Nothing here reads that URL.

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

/// Answers an event in its own format; `trusted_hops` proxies stand in front of the gateway.
pub async fn answer_event<A, F>(event: LambdaEvent<Box<RawValue>>, trusted_hops: usize, answer: A) -> Result<Box<RawValue>, Error>
where
    A: Fn(Request) -> F + Send,
    F: Future<Output = Answer> + Send,
{
    let Some((request, query)) = serde_json::from_str(event.payload.get()).ok().and_then(tamed) else {
        // No gateway sends such an event, but a function can be invoked by hand.
        let answer = with_status(StatusCode::BAD_REQUEST, &json!({ "detail": "Malformed request." }));
        return Ok(serde_json::value::to_raw_value(&answer.into_event())?);
    };
    let handler = service_fn(move |event: lambda_http::Request| {
        let answered = answer(Request::new(event, query.clone(), trusted_hops));
        async move { Ok::<_, Error>(answered.await) }
    });
    let response = Adapter::from(handler).oneshot(LambdaEvent::new(request, event.context)).await?;
    Ok(serde_json::value::to_raw_value(&response)?)
}

/// Takes out of the event what `lambda_http` would build a URL of: the host, the protocol, the query string.
///
/// The query string's parameters are returned. None where the body is not the base64 that the event calls it.
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
