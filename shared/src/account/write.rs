//! The writes that change or end an account. Features put them together into transactions.

use super::{
    Account,
    item::{email_claim, key, username_claim},
};
use crate::{
    clock::Timestamp,
    id::AccountId,
    password::{StoredPassword, UNUSABLE},
    store::{Key, Write, millis, number, text, truth},
};

/// The account can be opened, or its password replaced by mail: what [`Account::usable_password`] says of an account that was read.
const OPENABLE: &str = "active = :true AND attribute_exists(password) AND NOT begins_with(password, :unusable)";

/// The write, on condition that its account can be opened.
fn when_openable(write: Write) -> Write {
    write.when(OPENABLE).with(":true", truth(true)).with(":unusable", text(UNUSABLE))
}

/// Checks that the account can be opened and that its password is older than `instant`.
pub(crate) fn resettable(id: AccountId, instant: Timestamp) -> Write {
    when_openable(Write::check(key(id))).when("password_changed_at < :requested").with(":requested", millis(instant))
}

/// Sets a new password and ends every session, if the account can be opened.
///
/// It also clears the mark that mail does not reach the address: a person who holds a reset link has read a mail.
pub(crate) fn password_reset(id: AccountId, password: &StoredPassword, now: Timestamp) -> Write {
    when_openable(set_password(id, password, now, "disavowed_at, undeliverable, undeliverable_at"))
}

/// Sets a new password and ends every session, if the account is as it was read.
pub(crate) fn password_changed(account: &Account, password: &StoredPassword, now: Timestamp) -> Write {
    let write = set_password(account.id, password, now, "disavowed_at");
    write.when("epoch = :epoch AND active = :true").with(":epoch", number(account.epoch)).with(":true", truth(true))
}

fn set_password(id: AccountId, password: &StoredPassword, now: Timestamp, removed: &str) -> Write {
    Write::update(key(id), format!("SET password = :password, password_changed_at = :now REMOVE {removed} ADD epoch :one"))
        .with(":password", text(password.as_str()))
        .with(":now", millis(now))
        .with(":one", number(1))
}

/// Takes the password out of use and ends every session, if the account can be opened.
pub(crate) fn password_disavowed(id: AccountId, now: Timestamp) -> Write {
    let write = Write::update(key(id), "SET disavowed_at = :now ADD epoch :one").with(":now", millis(now)).with(":one", number(1));
    when_openable(write)
}

/// Ends every session of an account, if there is one.
pub(crate) fn end_sessions(id: AccountId) -> Write {
    Write::update(key(id), "ADD epoch :one").when("attribute_exists(pk)").with(":one", number(1))
}

/// Makes an account active or inactive, if there is one. Inactive also ends its sessions.
pub(crate) fn switched(id: AccountId, active: bool) -> Write {
    let write = if active {
        Write::update(key(id), "SET active = :active")
    } else {
        Write::update(key(id), "SET active = :active ADD epoch :one").with(":one", number(1))
    };
    write.when("attribute_exists(pk)").with(":active", truth(active))
}

/// Deletes an account and its claims, if there is such an account and no other has its names.
pub(crate) fn removed(account: &Account) -> [Write; 3] {
    let release = |claim: Key| {
        let write = Write::delete(claim).when("attribute_not_exists(pk) OR account_id = :account");
        write.with(":account", text(account.id.to_string()))
    };
    [
        Write::delete(key(account.id)).when("attribute_exists(pk)"),
        release(username_claim(account.username.folded())),
        release(email_claim(account.email.folded())),
    ]
}
