//! The test kit: the functions as an app over a store in process, a clock that tests advance, a mail service that keeps its mail, requests, recorded
//! scenarios, and a proxy that counts calls and makes them fail.
//!
//! No function depends on this crate. It panics freely, because a test whose set-up fails has nothing else to report.

pub mod app;
pub mod bus;
pub mod changes;
pub mod http;
pub mod invariants;
mod item_form;
pub mod mailbox;
pub mod openapi;
pub mod operator;
pub mod person;
pub mod place;
pub mod proxy;
pub mod receiver;
pub mod requests;
pub mod response;
pub mod scenario;
pub mod secrets;
mod service;
mod snapshots;
pub mod store;
mod stream;
pub mod template;
pub mod time;

pub use app::App;
pub use requests::request;
pub use response::Response;
