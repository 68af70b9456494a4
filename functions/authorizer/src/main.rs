//! A Lambda authorizer for the user's own APIs.

use std::sync::Arc;

use authorizer::{Authorizer, Question};
use doorward::{
    clock::Clock,
    config::Settings,
    entropy::Entropy,
    store::{Store, Table},
    telemetry,
};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut settings = Settings::from_environment();
    telemetry::start(&mut settings);
    let store = Store::connect(&mut settings, &[Table::Accounts], Entropy::system());
    let authorizer = Arc::new(Authorizer::new(&mut settings, store, Clock::system()));
    settings.finish()?;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Question>| {
        let authorizer = Arc::clone(&authorizer);
        async move { authorizer.decide(&event.payload).await.map_err(Error::from) }
    }))
    .await
}
