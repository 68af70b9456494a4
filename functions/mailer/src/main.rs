//! Sends what the Outbox holds.

use std::sync::Arc;

use doorward::{
    clock::Clock,
    config::Settings,
    entropy::Entropy,
    http::time_left,
    mail::Sender,
    metric::Metrics,
    store::{Store, Table},
    telemetry,
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use mailer::{Mailer, Records};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut settings = Settings::from_environment();
    telemetry::start(&mut settings);
    let store = Store::connect(&mut settings, &[Table::Accounts, Table::Outbox], Entropy::system());
    let sender = Sender::connect(&mut settings);
    let metrics = Metrics::configured(&settings);
    let mailer = Arc::new(Mailer::new(&mut settings, store, sender, Clock::system(), Entropy::system()));
    settings.finish()?;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Records>| {
        let (mailer, metrics) = (Arc::clone(&mailer), metrics.clone());
        let time = time_left(&event.context);
        async move { Ok::<_, Error>(metrics.counted(mailer.deliver_within(event.payload, time)).await) }
    }))
    .await
}
