//! Passwords as typed, as accepted and as stored; the password policy; and hashes.

mod stored;

mod configured;
mod cost;
mod hasher;
mod imported;
mod policy;
mod typed;
mod workspace;

pub use self::{
    cost::{Cost, InvalidCostError},
    hasher::{Hasher, Verdict},
    imported::UnsupportedHashError,
    policy::{Owner, Policy, Violation},
    typed::{AcceptedPassword, TypedPassword},
    workspace::HashingError,
};
pub use stored::{StoredPassword, UNUSABLE};
