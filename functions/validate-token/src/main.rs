//! POST `/api/password_reset/validate_token/`: says whether a reset link works.

use doorward::{
    clock::Clock,
    config::Settings,
    entropy::Entropy,
    http::{self, Edge},
    store::{Store, Table},
    telemetry,
};
use lambda_runtime::Error;
use validate_token::ValidateToken;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut settings = Settings::from_environment();
    telemetry::start(&mut settings);
    let store = Store::connect(&mut settings, &[Table::Accounts, Table::Limits], Entropy::system());
    let edge = Edge::configured(&mut settings);
    let endpoint = ValidateToken::new(&mut settings, store, Clock::system(), Entropy::system());
    settings.finish()?;
    http::run(edge, endpoint).await
}
