//! What the tests stand on: the functions as an app over a store in process, a clock to advance, a mail service that remembers, requests, recorded
//! scenarios, and what stands between client and service to count and fail the calls.
//!
//! Nothing here is reachable from a function. A test that finds its ground missing has nothing to report but that, so this crate panics freely.

pub mod app;
pub mod changes;
pub mod front;
pub mod leak;
pub mod mailbox;
pub mod openapi;
pub mod operator;
pub mod person;
pub mod proxy;
pub mod requests;
pub mod response;
pub mod scenario;
pub mod store;
pub mod time;

pub use app::App;
pub use requests::request;
pub use response::Response;
