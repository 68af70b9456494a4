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
    cost::{Cost, CostRefused},
    hasher::{Hasher, Verdict},
    imported::RefusedHash,
    policy::{Owner, Policy, Violation},
    typed::{AcceptedPassword, TypedPassword},
    workspace::HashingFault,
};
pub use stored::{StoredPassword, UNUSABLE};
