//! The promises of SECURITY.md, each with its tests.

mod answers;
mod drill;
mod enumeration;
mod guessing;
mod link;
mod mail;
mod names;
mod passwords;
mod session_list;
mod sessions;
