//! POST `/api/password_reset/`: asks for a reset link.

use doorward::{
    clock::Clock,
    config::Settings,
    entropy::Entropy,
    http::{self, Edge},
    store::{Store, Table},
    telemetry,
};
use lambda_runtime::Error;
use password_reset::PasswordReset;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut settings = Settings::from_environment();
    telemetry::start(&mut settings);
    let store = Store::connect(&mut settings, &[Table::Limits, Table::Outbox], Entropy::system());
    let edge = Edge::configured(&mut settings);
    let endpoint = PasswordReset::new(&mut settings, store, Clock::system(), Entropy::system());
    settings.finish()?;
    http::run(edge, endpoint).await
}
