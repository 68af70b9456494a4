//! Calls the store as often as the body says and does nothing else: what a call costs, whoever makes it.

use doorward::{
    account::AccountId,
    config::Settings,
    entropy::Entropy,
    store::{Store, Table},
};
use lambda_http::{Body, Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut settings = Settings::from_environment();
    let store = Store::connect(&mut settings, &[Table::Accounts], Entropy::system());
    settings.finish()?;
    let store = &store;
    run(service_fn(async |request: Request| {
        let nobody: AccountId = "00000000-0000-7000-8000-000000000000".parse()?;
        let calls: usize = str::from_utf8(request.body())?.parse()?;
        for _ in 0..calls {
            store.account(nobody).await?;
        }
        Ok::<_, Error>(Response::new(Body::Empty))
    }))
    .await
}
