//! A client that records its own calls.

use std::{fmt, io};

use aws_sdk_dynamodb::{
    config::{
        Builder, ConfigBag, HttpClient, Intercept, RuntimeComponents, SharedHttpClient,
        http::{HttpRequest, HttpResponse},
        interceptors::BeforeTransmitInterceptorContextMut,
    },
    error::{BoxError, ConnectorError},
};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use serde_json::Value;

use super::calls::{Answered, Asked, Calls, Outcome, error_type};

/// The configuration of a client of the store whose calls are recorded in `calls`, or made to fail there, between the SDK and this connection.
///
/// Every call asks for its cost. That is added before the call is signed, because DynamoDB itself checks signatures.
pub fn watched(config: Builder, connection: SharedHttpClient, calls: &Calls) -> Builder {
    config.interceptor(AsksForCost).http_client(Watched { calls: calls.clone(), connection })
}

#[derive(Debug)]
struct AsksForCost;

impl Intercept for AsksForCost {
    fn name(&self) -> &'static str {
        "AsksForCost"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let mut body: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default())?;
        body["ReturnConsumedCapacity"] = Value::from("TOTAL");
        let body = body.to_string();
        request.headers_mut().insert("content-length", body.len().to_string());
        *request.body_mut() = SdkBody::from(body);
        Ok(())
    }
}

/// A connection whose calls are recorded.
struct Watched<C> {
    calls: Calls,
    connection: C,
}

impl<C> fmt::Debug for Watched<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Watched")
    }
}

impl HttpClient for Watched<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Watched { calls: self.calls.clone(), connection: self.connection.http_connector(settings, components) })
    }
}

impl HttpConnector for Watched<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (calls, connection) = (self.calls.clone(), self.connection.clone());
        HttpConnectorFuture::new(async move {
            let asked = asked(&request);
            match calls.pass(asked, answered(connection.call(request))).await {
                Outcome::Passed(answer) => answer,
                Outcome::Says(status, body) => {
                    let mut answer = HttpResponse::new(status.try_into().expect("a status"), SdkBody::from(body.to_string()));
                    answer.headers_mut().insert("content-type", "application/x-amz-json-1.0");
                    answer.headers_mut().insert("x-amzn-errortype", error_type(&body).to_owned());
                    Ok(answer)
                }
                Outcome::Drops => Err(ConnectorError::io(io::Error::from(io::ErrorKind::ConnectionReset).into())),
            }
        })
    }
}

fn asked(request: &HttpRequest) -> Asked {
    let text = |name: &str| request.headers().get(name).unwrap_or_default().to_owned();
    let body = request.body().bytes().unwrap_or_default();
    Asked {
        target: text("x-amz-target"),
        path: String::new(),
        invocation: text("amz-sdk-invocation-id"),
        request: serde_json::from_slice(body).unwrap_or_default(),
    }
}

/// The whole answer, so that nothing is left on the way when it is recorded.
async fn answered(answer: HttpConnectorFuture) -> Answered<Result<HttpResponse, ConnectorError>> {
    let whole = async {
        let answer = answer.await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = ByteStream::new(answer.into_body()).collect().await.map_err(|error| ConnectorError::io(error.into()))?;
        Ok((status, headers, body.into_bytes()))
    };
    match whole.await {
        Ok((status, headers, body)) => {
            let read = serde_json::from_slice(&body).unwrap_or_default();
            let mut answer = HttpResponse::new(status, SdkBody::from(body));
            *answer.headers_mut() = headers;
            Answered { answer: Ok(answer), status: status.as_u16(), body: read }
        }
        Err(error) => Answered { answer: Err(error), status: 0, body: Value::Null },
    }
}
