//! Serves all functions over a fresh store in process: `cargo run -p doorward-kit --example serve [ADDRESS] [NAME=VALUE …]`.
//!
//! The settings are those of the tests with the usual cost of hashes, and those given after the address. `GET /mails` returns the mail that was sent.

use doorward_kit::{App, app::USUAL_COST, http};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8088".to_owned());
    let settings: Vec<String> = arguments.collect();
    let given = settings.iter().filter_map(|setting| setting.split_once('='));
    let settings: Vec<(&str, &str)> = std::iter::once(USUAL_COST).chain(given).collect();
    let app = App::configured(&settings).await;
    let address = http::serve(app, address.parse().expect("an address such as 127.0.0.1:8088")).await;
    println!("http://{address}");
    std::future::pending::<()>().await;
}
