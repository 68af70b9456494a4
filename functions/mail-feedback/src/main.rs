//! Notes which addresses mail does not reach.

use std::sync::Arc;

use doorward::{
    config::Settings,
    entropy::Entropy,
    metric::Metrics,
    store::{Store, Table},
    telemetry,
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use mail_feedback::{Event, MailFeedback};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut settings = Settings::from_environment();
    telemetry::start(&mut settings);
    let store = Store::connect(&mut settings, &[Table::Accounts], Entropy::system());
    let metrics = Metrics::configured(&settings);
    settings.finish()?;
    let feedback = Arc::new(MailFeedback::new(store));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| {
        let (feedback, metrics) = (Arc::clone(&feedback), metrics.clone());
        async move { metrics.counted(feedback.take(&event.payload)).await.map_err(Error::from) }
    }))
    .await
}
