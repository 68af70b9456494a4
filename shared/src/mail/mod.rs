//! Mail: a mail is data, is rendered, and is sent by SES.

mod changed;
mod links;
mod renamed;
mod rendered;
mod reset;
#[cfg(any(test, feature = "samples"))]
mod sample;
mod send;
mod sign_in;
mod verify;

pub use self::{
    changed::ChangedMail,
    links::LinkUrls,
    renamed::RenamedMail,
    rendered::Rendered,
    reset::ResetMail,
    send::{SendError, Sender},
    sign_in::SignInMail,
    verify::VerifyMail,
};
