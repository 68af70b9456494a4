//! What the tests stand on: a store in process, a clock to turn, a mail service that remembers, gateway events, recorded scenarios.
//!
//! Nothing here is reachable from a function. A test that finds its ground missing has nothing to report but that, so this crate panics freely.

pub mod deployment;
pub mod event;
pub mod front;
pub mod mailbox;
pub mod openapi;
pub mod operator;
pub mod scenario;
pub mod time;

pub use deployment::Deployment;
pub use event::{Response, request};
