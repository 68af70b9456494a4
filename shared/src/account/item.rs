//! The items of an account (the account itself and the claims on its two names): how they are read, and the writes that create, change and delete them.
//! Features combine these writes into transactions.

use super::{
    Account, EmailAddress, KnownNetwork, RequestedDeletion, Undeliverable, Username,
    keys::{email_claim, key, username_claim},
    reserved::{self, GivenBack},
};
use crate::{
    client::Network,
    clock::Timestamp,
    fault::Fault,
    id::AccountId,
    password::{StoredPassword, UNUSABLE},
    profile::Profile,
    store::{Item, Key, Value, Write, millis, number, numbers_by_name, text, truth},
    token::{Digest, Verify},
};

/// The account that holds a claim.
pub(super) fn holder(claim: &Item) -> Result<AccountId, Fault> {
    claim.parsed("account_id")
}

/// The writes that create an account, the claim on its username and the claim on its e-mail address, each on condition that the item does not exist. The
/// address may have been reserved for another account, if the reservation has ended at `now`.
pub(super) fn creation(account: &Account, now: Timestamp) -> [Write; 3] {
    let name = Write::put(username_claim(account.username.folded()), [("account_id", text(account.id.to_string()))]);
    let absent = |write: Write| write.when("attribute_not_exists(pk)");
    [absent(put(account)), absent(name), reserved::claimed(account.id, &account.email, now)]
}

fn put(account: &Account) -> Write {
    let mut attributes = vec![
        ("username", text(account.username.as_str())),
        ("username_folded", text(account.username.folded())),
        ("email", text(account.email.as_str())),
        ("email_folded", text(account.email.folded())),
        ("epoch", number(account.epoch)),
        ("active", truth(account.active)),
        ("created_at", millis(account.created_at)),
        ("password_changed_at", millis(account.password_changed_at)),
        ("networks", networks(&account.networks)),
    ];
    attributes.extend(account.password.as_ref().map(|password| ("password", text(password.as_str()))));
    attributes.extend(account.language.as_ref().map(|language| ("language", text(language))));
    attributes.extend(account.external_id.as_ref().map(|id| ("external_id", text(id))));
    // Only an account from an export of Doorward begins with these.
    if account.disavowed {
        attributes.push(("disavowed_at", millis(account.disavowals_before.unwrap_or(account.password_changed_at))));
    }
    attributes.extend(account.disavowals_before.map(|instant| ("disavowals_before", millis(instant))));
    attributes.extend(
        account.undeliverable.into_iter().flat_map(|(why, at)| [("undeliverable", text(why.as_str())), ("undeliverable_at", millis(at))]),
    );
    attributes.extend(
        account.deletion.iter().flat_map(|deletion| [("deleted_at", millis(deletion.asked_at)), ("delete_after", millis(deletion.due_at))]),
    );
    // Only an imported account begins with this.
    attributes.extend(account.verified_at.map(|instant| ("verified_at", millis(instant))));
    if !account.former.is_empty() {
        attributes.extend([("address_no", number(account.address_no)), ("former", reserved::list(&account.former))]);
    }
    Write::put(key(account.id), attributes)
}

/// The attribute that holds an account's networks.
pub(super) fn networks(networks: &[KnownNetwork]) -> Value {
    numbers_by_name(networks.iter().map(|known| (known.network.to_string(), known.seen_at.as_second())))
}

/// Reads an account from its item.
pub(crate) fn read(item: &Item) -> Result<Account, Fault> {
    let id: Option<AccountId> = item.text("pk")?.strip_prefix("account#").and_then(|id| id.parse().ok());
    let known = |(network, seen)| Some(KnownNetwork { network: Network::stored(network), seen_at: Timestamp::from_second(seen).ok()? });
    let mut networks: Vec<KnownNetwork> = item.numbers_by_name("networks").into_iter().filter_map(known).collect();
    networks.sort_by_key(|known| std::cmp::Reverse(known.seen_at));
    let undeliverable = item.optional_text("undeliverable").and_then(Undeliverable::stored);
    let deletion = match item.optional_instant("deleted_at") {
        Some(asked_at) => Some(RequestedDeletion { asked_at, due_at: item.instant("delete_after")?, has_begun: item.has("deleting") }),
        None => None,
    };
    Ok(Account {
        id: id.ok_or(item.unreadable("pk"))?,
        username: Username::stored(item.text("username")?, item.text("username_folded")?),
        email: EmailAddress::stored(item.text("email")?, item.text("email_folded")?),
        password: item.optional_text("password").map(|password| StoredPassword::stored(password.to_owned())),
        epoch: item.number("epoch")?,
        active: item.truth("active")?,
        created_at: item.instant("created_at")?,
        password_changed_at: item.instant("password_changed_at")?,
        disavowed: item.optional_instant("disavowed_at").is_some(),
        disavowals_before: item.optional_instant("disavowals_before"),
        language: item.optional_text("language").map(str::to_owned),
        networks,
        external_id: item.optional_text("external_id").map(str::to_owned),
        undeliverable: undeliverable.zip(item.optional_instant("undeliverable_at")),
        deletion,
        verified_at: item.optional_instant("verified_at"),
        verified_by: item.optional_text("verified_by").map(str::to_owned),
        profile: Profile::default(),
        address_no: item.optional_number("address_no").unwrap_or_default(),
        former: reserved::listed(item)?,
    })
}

/// The condition that the account can be opened, or its password replaced by mail. [`Account::usable_password`] is the same check for an account that was
/// read.
const OPENABLE: &str = "active = :true AND attribute_exists(password) AND NOT begins_with(password, :unusable)";

/// Adds the condition that the account can be opened.
fn when_openable(write: Write) -> Write {
    write.when(OPENABLE).with(":true", truth(true)).with(":unusable", text(UNUSABLE))
}

/// Checks that the account can be opened, that its password is older than `instant`, and that its address is the one to which the link will be mailed. A
/// link must never go to an address that was changed a moment ago.
pub(crate) fn resettable(id: AccountId, email: &EmailAddress, instant: Timestamp) -> Write {
    when_openable(Write::check(key(id)))
        .when("password_changed_at < :requested")
        .with(":requested", millis(instant))
        .when("email_folded = :email")
        .with(":email", text(email.folded()))
}

/// Checks that the account can be opened, that its address is not verified yet, and that the address is the one to which the link will be mailed.
pub(crate) fn unverified(id: AccountId, email: &EmailAddress) -> Write {
    when_openable(Write::check(key(id)))
        .when("attribute_not_exists(verified_at) AND email_folded = :email")
        .with(":email", text(email.folded()))
}

/// Marks the address as verified by this link, if the account is active, and if the address is verified or not as it was when the account was read,
/// because only the first verification is an event. The link proves that the address is the one to which it was mailed, because the link ends with the
/// address.
///
/// As in [`password_disavowed`], the expression does not name the password, because the function that calls this has no permission to write it.
pub(crate) fn verified(account: &Account, link: &Digest<Verify>, now: Timestamp) -> Write {
    let write = match account.verified_at {
        None => Write::update(key(account.id), "SET verified_at = :now, verified_by = :link")
            .when("active = :true AND attribute_not_exists(verified_at)")
            .with(":now", millis(now)),
        Some(_) => Write::update(key(account.id), "SET verified_by = :link").when("active = :true AND attribute_exists(verified_at)"),
    };
    write.with(":link", text(link.as_str())).with(":true", truth(true))
}

/// A new password, and the network from which it was set.
///
/// It replaces the account's list of networks, because the others may be those of a thief who knew the old password.
pub(crate) struct NewPassword<'a> {
    /// Its hash.
    pub(crate) stored: &'a StoredPassword,
    /// The network from which it was set.
    pub(crate) network: KnownNetwork,
}

/// Sets a new password and ends every session, if the account can be opened.
///
/// It also clears the mark that mail does not reach the address, and verifies the address: a person with a reset link has read a mail, and the link ends
/// with the address to which it was mailed.
pub(crate) fn password_reset(id: AccountId, password: NewPassword<'_>, now: Timestamp) -> Write {
    let verifies = ", verified_at = if_not_exists(verified_at, :now)";
    when_openable(set_password(id, password, now, verifies, "disavowed_at, undeliverable, undeliverable_at"))
}

/// Sets a new password and ends every session, if the account is as it was read.
pub(crate) fn password_changed(account: &Account, password: NewPassword<'_>, now: Timestamp) -> Write {
    let write = set_password(account.id, password, now, "", "disavowed_at");
    write.when("epoch = :epoch AND active = :true").with(":epoch", number(account.epoch)).with(":true", truth(true))
}

fn set_password(id: AccountId, password: NewPassword<'_>, now: Timestamp, also: &str, removed: &str) -> Write {
    let set = "password = :password, password_changed_at = :now, networks = :networks";
    Write::update(key(id), format!("SET {set}{also} REMOVE {removed} ADD epoch :one"))
        .with(":password", text(password.stored.as_str()))
        .with(":networks", networks(&[password.network]))
        .with(":now", millis(now))
        .with(":one", number(1))
}

/// Disables the password and ends every session, if the account is active, its sessions were not ended since it was read, and it was not disavowed since
/// the link was made. It also ends every other disavowal link that was made until now. It activates an account whose deletion was requested, if the
/// deletion has not begun. With `back` it gives a former address back. Then the link works although it is older than the last disavowal, because otherwise
/// the holder of the new mailbox could end it.
///
/// The condition checks the epoch instead of the password, because every change of the password raises it. IAM permissions depend on the names of
/// attributes, including those in conditions, and the function that calls this has no permission to write a password.
pub(crate) fn password_disavowed(account: &Account, made_at: Timestamp, back: Option<&GivenBack>, now: Timestamp) -> Write {
    let (mut set, mut cleared) = back.map(GivenBack::expressions).unwrap_or_default();
    let is_to_be_deleted = account.deletion.is_some();
    if is_to_be_deleted {
        set += ", active = :true";
        cleared = [cleared.as_str(), "deleted_at, delete_after"].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    }
    let removes = if cleared.is_empty() { String::new() } else { format!(" REMOVE {cleared}") };
    let write = Write::update(key(account.id), format!("SET disavowed_at = :now, disavowals_before = :now{set}{removes} ADD epoch :one"));
    let write = if is_to_be_deleted {
        let leaves = "active = :false AND attribute_exists(deleted_at) AND attribute_not_exists(deleting)";
        write.when(leaves).with(":false", truth(false))
    } else {
        write.when("active = :true")
    };
    let write = match back {
        Some(back) => back.values(account, write),
        None => write.when("attribute_not_exists(disavowals_before) OR disavowals_before < :made").with(":made", millis(made_at)),
    };
    reserved::when_address_is_same(write, account)
        .when("epoch = :epoch")
        .with(":epoch", number(account.epoch))
        .with(":now", millis(now))
        .with(":one", number(1))
        .with(":true", truth(true))
}

/// Sets a password that nobody knows, if the account is active and has no usable one.
pub(crate) fn first_password(id: AccountId, unknowable: &StoredPassword) -> Write {
    Write::update(key(id), "SET password = :password")
        .when("active = :true AND (attribute_not_exists(password) OR begins_with(password, :unusable))")
        .with(":password", text(unknowable.as_str()))
        .with(":unusable", text(UNUSABLE))
        .with(":true", truth(true))
}

/// Checks that there is such an account.
pub(crate) fn existing(id: AccountId) -> Write {
    Write::check(key(id)).when("attribute_exists(pk)")
}

/// Checks that an account is active and that its sessions were not ended since it was read. Every change of the password ends them.
pub(crate) fn unchanged(account: &Account) -> Write {
    Write::check(key(account.id)).when("epoch = :epoch AND active = :true").with(":epoch", number(account.epoch)).with(":true", truth(true))
}

/// Checks that an account is active.
pub(super) fn in_use(id: AccountId) -> Write {
    Write::check(key(id)).when("active = :true").with(":true", truth(true))
}

/// Checks the same, and that its address was not changed.
pub(crate) fn unmoved(account: &Account) -> Write {
    reserved::when_address_is_same(unchanged(account), account)
}

/// Ends every session of an account, if there is one.
pub(crate) fn end_sessions(id: AccountId) -> Write {
    Write::update(key(id), "ADD epoch :one").when("attribute_exists(pk)").with(":one", number(1))
}

/// Activates an account, if it exists and is inactive, and cancels this deletion. It is refused if the account's deletion is another one, or has begun.
pub(crate) fn activated(id: AccountId, deletion: Option<&RequestedDeletion>) -> Write {
    let write = Write::update(key(id), "SET active = :active REMOVE deleted_at, delete_after").when("active = :was");
    when_deletion_is(write.with(":active", truth(true)).with(":was", truth(false)), deletion)
}

/// Deactivates an account, if it exists and is active or not as `was_active` says, and ends its sessions and the links of its notices. A link that has
/// ended stays ended: the write is refused if the account was disavowed after `now`, by a clock that is ahead or during this call. It cancels this
/// deletion, if that has not begun.
pub(crate) fn deactivated(id: AccountId, was_active: bool, deletion: Option<&RequestedDeletion>, now: Timestamp) -> Write {
    let write = Write::update(key(id), "SET active = :active, disavowals_before = :now REMOVE deleted_at, delete_after ADD epoch :one")
        .when("active = :was AND (attribute_not_exists(disavowals_before) OR disavowals_before <= :now)")
        .with(":was", truth(was_active))
        .with(":active", truth(false))
        .with(":now", millis(now))
        .with(":one", number(1));
    when_deletion_is(write, deletion)
}

/// Adds the condition that this is the account's deletion and has not begun, or that there is none.
fn when_deletion_is(write: Write, deletion: Option<&RequestedDeletion>) -> Write {
    match deletion {
        Some(deletion) => write.when("delete_after = :due AND attribute_not_exists(deleting)").with(":due", millis(deletion.due_at)),
        None => write.when("attribute_not_exists(deleted_at)"),
    }
}

/// Deactivates an account whose deletion was requested and ends its sessions, if it is active and its sessions were not ended since it was read. The links
/// of its notices still work, because its owner cancels the deletion with them.
pub(crate) fn deletion_requested(account: &Account, deletion: &RequestedDeletion) -> Write {
    Write::update(key(account.id), "SET active = :false, deleted_at = :asked, delete_after = :due ADD epoch :one")
        .when("active = :true AND epoch = :epoch")
        .with(":true", truth(true))
        .with(":false", truth(false))
        .with(":asked", millis(deletion.asked_at))
        .with(":due", millis(deletion.due_at))
        .with(":epoch", number(account.epoch))
        .with(":one", number(1))
}

/// Marks that the deletion which is due at this instant has begun, if it was not cancelled. It may have begun before.
pub(crate) fn deletion_begun(id: AccountId, due_at: Timestamp, now: Timestamp) -> Write {
    Write::update(key(id), "SET deleting = if_not_exists(deleting, :now)")
        .when("active = :false AND attribute_exists(deleted_at) AND delete_after = :due")
        .with(":false", truth(false))
        .with(":due", millis(due_at))
        .with(":now", millis(now))
}

/// Changes the e-mail address of an account and moves its claim, if the account has the address that was read and no account has the new one. It ends the
/// links of notices, which went to the old address, and clears the mark that mail does not reach that. The new address is not verified. Reservations of
/// former addresses end, because the operator decides whose the account is.
pub(crate) fn with_email(account: &Account, email: &EmailAddress, now: Timestamp) -> Vec<Write> {
    let set = "SET email = :email, email_folded = :folded, disavowals_before = :now, address_no = :no \
               REMOVE undeliverable, undeliverable_at, verified_at, verified_by, former";
    let write = reserved::when_address_is_same(Write::update(key(account.id), set), account)
        .with(":no", number(account.address_no.saturating_add(1)))
        .when("email_folded = :former AND username_folded = :username")
        .with(":email", text(email.as_str()))
        .with(":folded", text(email.folded()))
        .with(":former", text(account.email.folded()))
        .with(":username", text(account.username.folded()))
        .with(":now", millis(now));
    let (from, to) = (account.email.folded(), email.folded());
    let mut moved = moved_claim(account.id, from != to, email_claim(from), email_claim(to));
    if let Some(claim) = moved.first_mut() {
        *claim = reserved::claimed(account.id, email, now);
    }
    std::iter::once(write).chain(moved).chain(reserved::freed(account, now, &[email])).collect()
}

/// Changes the username of an account and moves its claim, if the account has the names that were read and no account has the new one.
pub(crate) fn with_username(account: &Account, username: &Username) -> Vec<Write> {
    let write = Write::update(key(account.id), "SET username = :username, username_folded = :folded")
        .when("username_folded = :former AND email_folded = :email")
        .with(":username", text(username.as_str()))
        .with(":folded", text(username.folded()))
        .with(":former", text(account.username.folded()))
        .with(":email", text(account.email.folded()));
    let (from, to) = (account.username.folded(), username.folded());
    std::iter::once(write).chain(moved_claim(account.id, from != to, username_claim(from), username_claim(to))).collect()
}

/// The same for a session, which must still be valid: if the account is active and its sessions were not ended since it was read.
pub(crate) fn with_own_username(account: &Account, username: &Username) -> Vec<Write> {
    let mut writes = with_username(account, username);
    let name = writes.remove(0).when("epoch = :epoch AND active = :true");
    writes.insert(0, name.with(":epoch", number(account.epoch)).with(":true", truth(true)));
    writes
}

/// Moves a claim of an account from one name to another. Another spelling of the same name keeps its claim. The new claim is the first write, so that its
/// position in the outcome shows whether the name is taken.
fn moved_claim(id: AccountId, moves: bool, from: Key, to: Key) -> Vec<Write> {
    if !moves {
        return Vec::new();
    }
    let taken = Write::put(to, [("account_id", text(id.to_string()))]).when("attribute_not_exists(pk)");
    vec![taken, Write::delete(from).when("account_id = :account").with(":account", text(id.to_string()))]
}

/// Deletes an account and its claims, if there is such an account with these names and no other has them. If its requested deletion has begun, the account
/// must still be that one, and not one that was imported again under its id. It also ends the reservations of its former addresses.
pub(crate) fn removed(account: &Account, now: Timestamp) -> Vec<Write> {
    let has_begun = account.deletion.is_some_and(|deletion| deletion.has_begun);
    let release = |claim: Key| {
        let write = Write::delete(claim).when("attribute_not_exists(pk) OR account_id = :account");
        write.with(":account", text(account.id.to_string()))
    };
    let gone = Write::delete(key(account.id))
        .when("username_folded = :username AND email_folded = :email")
        .with(":username", text(account.username.folded()))
        .with(":email", text(account.email.folded()));
    let gone = reserved::when_address_is_same(gone, account);
    let account_and_claims = [
        if has_begun { gone.when("attribute_exists(deleting)") } else { gone },
        release(username_claim(account.username.folded())),
        release(email_claim(account.email.folded())),
    ];
    account_and_claims.into_iter().chain(reserved::freed(account, now, &[])).collect()
}
