//! POST `/api/change_password/`: replaces a password that is known.

use change_password::ChangePassword;
use doorward::{
    clock::Clock,
    config::Settings,
    entropy::Entropy,
    http::{self, Edge},
    store::{Store, Table},
    telemetry,
};
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut settings = Settings::from_environment();
    telemetry::start(&mut settings);
    let store = Store::connect(&mut settings, &[Table::Accounts, Table::Limits, Table::Outbox], Entropy::system());
    let edge = Edge::configured(&mut settings);
    let endpoint = ChangePassword::new(&mut settings, store, Clock::system(), Entropy::system());
    settings.finish()?;
    http::run(edge, endpoint).await
}
