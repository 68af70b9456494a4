//! POST `/api/register/`: makes an account.

use doorward::{
    clock::Clock,
    config::Settings,
    entropy::Entropy,
    http::{self, Edge},
    store::{Store, Table},
    telemetry,
};
use lambda_runtime::Error;
use register::Register;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut settings = Settings::from_environment();
    telemetry::start(&mut settings);
    let store = Store::connect(&mut settings, &[Table::Accounts, Table::Limits], Entropy::system());
    let edge = Edge::configured(&mut settings);
    let endpoint = Register::new(&mut settings, store, Clock::system(), Entropy::system());
    settings.finish()?;
    http::run(edge, endpoint).await
}
