//! Requests for the link of a change of the address. They lie under the account's id, and name no address.

use super::entry::{EntryKey, FAILED_LIFETIME, Kind, caller_attributes};
use crate::{
    account::AccountId,
    caller::Caller,
    clock::{Timestamp, after},
    store::{Write, millis, seconds},
};

/// Somebody who knew the password asked for another address of an account. The account has it, and the entry does not: mail goes nowhere else.
#[derive(Clone)]
pub struct AddressRequest {
    /// The account.
    pub account: AccountId,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// Who asked.
    pub caller: Caller,
}

/// Where requests for the links of an account's changes of its address are left.
pub(crate) fn address_partition(account: AccountId) -> String {
    Kind::Verify.partition(account)
}

/// The write that leaves a request for the link of a change of the address.
pub(crate) fn address_request(request: &AddressRequest, id: uuid::Uuid) -> Write {
    let key = EntryKey::new(&address_partition(request.account), &id.to_string());
    let requested_at = request.requested_at;
    let times = [("requested_at", millis(requested_at)), ("expires_at", seconds(after(requested_at, FAILED_LIFETIME)))];
    Write::put(key.key(), times.into_iter().chain(caller_attributes(&request.caller)))
}
