//! The Lambda functions: their names, their configuration, and their answers.
//!
//! Each function is in a file of its own; its binary in `bin/` only serves it. [`FUNCTIONS`] lists all of them for code that needs every function or every
//! route.

#![expect(missing_docs, reason = "a library for its binaries and for tests; the first lines of a file tell what its function is")]

mod asked_link;
mod authorizer;
pub mod batch;
mod change_password;
mod confirm_reset;
mod disavow;
mod edge;
mod events;
mod export;
mod form;
mod function;
mod guard;
mod login;
mod logout;
mod mail_feedback;
mod mailer;
mod me;
mod own_account;
mod password_reset;
mod register;
mod registry;
mod resend_verification;
mod serve;
mod sessions;
mod set_username;
mod sweeper;
mod username;
mod validate_token;
mod verify_address;
mod webhook;
mod wiring;

pub use authorizer::{Authorizer, Question};
pub use change_password::ChangePassword;
pub use confirm_reset::ConfirmReset;
pub use disavow::Disavow;
pub use edge::Edge;
pub use events::Events;
pub use export::Export;
pub use function::{Endpoint, Function, Handler, PageRole};
pub use guard::Guard;
pub use lambda_runtime::Error;
pub use login::Login;
pub use logout::Logout;
pub use mail_feedback::MailFeedback;
pub use mailer::Mailer;
pub use me::Me;
pub use password_reset::PasswordReset;
pub use register::Register;
pub use registry::{Answering, RegisteredFunction, Routes, complaints, function, paths, routes};
pub use resend_verification::ResendVerification;
pub use serve::{listen, serve};
pub use sessions::Sessions;
pub use set_username::SetUsername;
pub use sweeper::{Hour, Sweeper};
pub use validate_token::ValidateToken;
pub use verify_address::VerifyAddress;
pub use webhook::{Messages, Webhook};
pub use wiring::Wiring;

use registry::{endpoint, handler};

/// Every function. A new one is added here and gets a binary. Tests compare the list with `bin/`, the template and `events/`, and
/// `docs/openapi.json` is generated from it.
pub static FUNCTIONS: [RegisteredFunction; 20] = [
    endpoint::<Register>(),
    endpoint::<Login>(),
    endpoint::<Logout>(),
    endpoint::<Sessions>(),
    endpoint::<Me>(),
    endpoint::<SetUsername>(),
    endpoint::<Export>(),
    endpoint::<ChangePassword>(),
    endpoint::<PasswordReset>(),
    endpoint::<ValidateToken>(),
    endpoint::<ConfirmReset>(),
    endpoint::<Disavow>(),
    endpoint::<VerifyAddress>(),
    endpoint::<ResendVerification>(),
    handler::<Authorizer>(),
    handler::<Mailer>(),
    handler::<MailFeedback>(),
    handler::<Events>(),
    handler::<Webhook>(),
    handler::<Sweeper>(),
];
