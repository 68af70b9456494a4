//! The promises of SECURITY.md, each with its tests.

mod address;
mod address_drill;
mod answers;
mod budgets;
mod change_of_address;
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
