//! HTTP: from a gateway's event to an answer.
//!
//! Requests are read here, with their origin and deadline. The headers of every answer are in `answer`.

mod accept;
mod answer;
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

pub use answer::{Answer, done, file, no_content, ok, with_status};
pub(crate) use answer::{html, see_other};
pub use bearer::{credentials, credentials_of};
pub use body::Form;
pub use complaint::{Complaint, FieldErrors, Typed};
pub use event::answer_event;
pub use field::{Entered, Field, Fields};
pub use lambda_http::http::{HeaderValue, Method, StatusCode, header};
pub use origin::Origins;
pub use proxy::ProxySecrets;
pub use refusal::Refusal;
pub use request::{Reader, Request, time_left};
