//! Passwords: as typed, as accepted, as stored; their policy and their hashes.

mod stored;

#[cfg(feature = "passwords")]
mod configured;
#[cfg(feature = "passwords")]
mod cost;
#[cfg(feature = "passwords")]
mod hasher;
#[cfg(feature = "passwords")]
mod imported;
#[cfg(feature = "passwords")]
mod policy;
#[cfg(feature = "passwords")]
mod typed;
#[cfg(feature = "passwords")]
mod workspace;

#[cfg(feature = "passwords")]
pub use self::{
    cost::{Cost, CostRefused},
    hasher::{Hasher, Verdict},
    imported::RefusedHash,
    policy::{Policy, Violation},
    typed::{AcceptedPassword, TypedPassword},
    workspace::HashingFault,
};
pub use stored::{StoredPassword, UNUSABLE};
