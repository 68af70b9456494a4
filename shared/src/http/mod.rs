//! HTTP: from a gateway's event to an answer.
//!
//! A request is read here, its origin and its time are seen to, and an endpoint answers it or refuses it; what an endpoint decides is its own
//! story, what every answer carries is told once, in [`answer`].

pub mod answer;
mod bearer;
mod body;
mod complaint;
mod field;
mod multipart;
mod origin;
mod refusal;
mod request;
mod serve;

pub use answer::{Answer, html, ok, with_status};
pub use bearer::{credentials, credentials_of};
pub use body::Form;
pub use complaint::{Complaint, FieldErrors};
pub use field::{Field, Fields};
pub use lambda_http::http::{Method, StatusCode};
pub use origin::Origins;
pub use refusal::Refusal;
pub use request::{Reader, Request, time_left};
pub use serve::{Edge, Endpoint, run};
