//! Doorward: password accounts on DynamoDB.
//!
//! The code that the functions share. An endpoint reads a request with [`http`], counts it with [`limit`], finds an [`account`] or checks a [`session`],
//! and makes one conditional write, which the [`store`] carries out. Mail is left in the [`outbox`] for the mailer. Modules use each other in one
//! direction only (ARCHITECTURE.md).

pub mod account;
pub mod address;
mod agent;
pub mod aws;
pub mod brand;
pub mod caller;
pub mod change;
pub mod client;
pub mod clock;
pub mod config;
pub mod deletion_list;
pub mod deletion_request;
pub mod delivery;
pub mod disavow;
pub mod entropy;
pub mod event;
pub mod fault;
pub mod http;
mod id;
pub mod language;
pub mod lifecycle;
pub mod limit;
pub mod link;
pub mod mail;
pub mod mail_rate;
pub mod metric;
pub mod outbox;
pub mod page;
pub mod password;
pub mod personal_data;
mod preference;
pub mod profile;
pub mod recording;
pub mod registration;
pub mod reset;
pub mod route;
#[cfg(feature = "samples")]
pub mod samples;
pub mod session;
pub mod sign_in;
pub mod step_up;
pub mod store;
pub mod telemetry;
mod template;
pub mod text;
pub mod token;
mod url;
pub mod verification;
pub mod webhook;
mod wording;
