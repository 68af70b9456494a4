//! What DESIGN.md promises, a test each: SECURITY.md names them.

mod answers;
mod drill;
mod enumeration;
mod guessing;
mod link;
mod mail;
mod names;
mod passwords;
mod sessions;
