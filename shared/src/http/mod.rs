//! HTTP: from a gateway's event to an answer.
//!
//! A request is read here, with its origin and its time. What an endpoint decides is its own story; what every answer carries is in [`answer`].

mod accept;
pub mod answer;
mod bearer;
mod body;
mod complaint;
mod event;
mod field;
mod multipart;
mod origin;
mod proxy;
mod refusal;
mod request;

pub use answer::{Answer, html, ok, see_other, with_status};
pub use bearer::{credentials, credentials_of};
pub use body::Form;
pub use complaint::{Complaint, FieldErrors};
pub use event::answer_event;
pub use field::{Field, Fields};
pub use lambda_http::http::{HeaderValue, Method, StatusCode, header};
pub use origin::Origins;
pub use proxy::ProxySecrets;
pub use refusal::Refusal;
pub use request::{Reader, Request, time_left};
