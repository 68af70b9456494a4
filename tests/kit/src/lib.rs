//! What the tests stand on: a store in process, a clock to turn, a mail service that remembers, gateway events, recorded scenarios,
//! and what stands between client and service to count and fail the calls.
//!
//! Nothing here is reachable from a function. A test that finds its ground missing has nothing to report but that, so this crate panics freely.

pub mod changes;
pub mod deeds;
pub mod deployment;
pub mod event;
pub mod front;
pub mod leak;
pub mod mailbox;
pub mod openapi;
pub mod operator;
pub mod person;
pub mod proxy;
pub mod scenario;
pub mod start;
pub mod store;
pub mod time;

pub use deployment::Deployment;
pub use event::{Response, request};
