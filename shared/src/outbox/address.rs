//! Requests for the link that confirms a change of address. Their key is the account's id, and they contain no address.

use super::entry::{AddressRequest, EntryKey, FAILED_LIFETIME, Kind, caller_attributes};
use crate::{
    account::AccountId,
    clock::after,
    store::{Write, millis, seconds},
};

/// The partition of an account's requests for such links.
pub(crate) fn address_partition(account: AccountId) -> String {
    Kind::Verify.partition(account)
}

/// The write that leaves a request for the link that confirms a change of address.
pub(crate) fn address_request(request: &AddressRequest, id: uuid::Uuid) -> Write {
    let key = EntryKey::new(&address_partition(request.account), &id.to_string());
    let requested_at = request.requested_at;
    let times = [("requested_at", millis(requested_at)), ("expires_at", seconds(after(requested_at, FAILED_LIFETIME)))];
    Write::put(key.key(), times.into_iter().chain(caller_attributes(&request.caller)))
}
