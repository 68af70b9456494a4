//! Doorward: password accounts on DynamoDB.
//!
//! What the functions share. An endpoint reads a request with [`http`], asks [`limit`], finds an account or checks a [`token`],
//! and makes one conditional write in the [`store`]; mail is left in the Outbox for the mailer.

pub mod account;
#[cfg(any(feature = "mail", feature = "pages"))]
pub mod brand;
pub mod client;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod http;
pub mod language;
pub mod limit;
pub mod mail;
pub mod metric;
#[cfg(feature = "pages")]
pub mod page;
pub mod password;
mod preference;
pub mod reset;
pub mod session;
pub mod store;
pub mod telemetry;
#[cfg(any(feature = "mail", feature = "pages"))]
pub mod template;
pub mod text;
pub mod token;
#[cfg(any(feature = "mail", feature = "pages"))]
pub mod wording;
