//! Serving a function until Lambda ends the process.

use std::{future::Future, sync::Arc};

use doorward::http::time_left;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;

use crate::{Edge, Endpoint, Handler, Wiring};

/// Serves an endpoint. A wrong configuration stops the function here, with every problem reported at once.
pub fn serve<E: Endpoint>() -> Result<(), Error> {
    block_on(async {
        let mut wiring = Wiring::of_environment(E::TABLES);
        let (edge, endpoint) = (Arc::new(Edge::configured(&mut wiring)), Arc::new(E::new(&mut wiring)));
        wiring.finish_and_connect(E::TABLES).await?;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| Arc::clone(&edge).answer(Arc::clone(&endpoint), event)))
            .await
    })
}

/// Serves a handler. A wrong configuration stops the function here, with every problem reported at once.
pub fn listen<H: Handler>() -> Result<(), Error> {
    block_on(async {
        let mut wiring = Wiring::of_environment(H::TABLES);
        let handler = Arc::new(H::new(&mut wiring));
        wiring.finish_and_connect(H::TABLES).await?;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<H::Event>| {
            let (handler, time) = (Arc::clone(&handler), time_left(&event.context));
            async move { handler.handle(event.payload, time).await }
        }))
        .await
    })
}

/// A function serves one event at a time, so one thread is enough.
fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
