//! A baseline for the bench: calls the store as often as the body's first number says, and hashes before the last call as often as its second number says.

use std::sync::Arc;

use doorward::{
    account::AccountId,
    config::Settings,
    entropy::Entropy,
    password::{Hasher, TypedPassword},
    store::{Store, Table},
};
use lambda_http::{Body, Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut settings = Settings::from_environment();
    let store = Store::connect(&mut settings, &[Table::Accounts], Entropy::system());
    let hasher = Arc::new(Hasher::configured(&mut settings, Entropy::system()));
    settings.finish()?;
    let (store, hasher) = (&store, &hasher);
    run(service_fn(async |request: Request| {
        let nobody: AccountId = "00000000-0000-7000-8000-000000000000".parse()?;
        let (calls, decoys) = str::from_utf8(request.body())?.split_once(' ').ok_or("two numbers")?;
        let (calls, decoys): (usize, usize) = (calls.parse()?, decoys.parse()?);
        for nth in 1..=calls {
            for _ in 0..if nth == calls { decoys } else { 0 } {
                hasher.verify(TypedPassword::new("Correct-Horse-42".to_owned()), None).await?;
            }
            store.account(nobody).await?;
        }
        Ok::<_, Error>(Response::new(Body::Empty))
    }))
    .await
}
