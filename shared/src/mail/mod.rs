//! Mail: a mail is data, is rendered, and is sent by SES.

mod address;
mod changed;
mod deletion;
mod links;
mod registered;
mod renamed;
mod rendered;
mod reset;
#[cfg(any(test, feature = "samples"))]
mod sample;
mod send;
mod sign_in;
mod verify;

pub use self::{
    address::{AddressMail, AddressStep},
    changed::ChangedMail,
    deletion::DeletionMail,
    links::LinkUrls,
    registered::RegisteredMail,
    renamed::{ByOwner, RenamedMail},
    rendered::Rendered,
    reset::ResetMail,
    send::{SendError, Sender},
    sign_in::SignInMail,
    verify::VerifyMail,
};
