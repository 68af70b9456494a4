//! The promises of SECURITY.md, each with its tests.

mod address;
mod answers;
mod drill;
mod enumeration;
mod export;
mod guessing;
mod link;
mod mail;
mod names;
mod new_place;
mod own_account;
mod passwords;
mod profile;
mod session_list;
mod sessions;
mod set_username;
mod silent;
