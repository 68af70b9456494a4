//! Sessions: an item each, found by digest, valid under one epoch.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};

use super::{
    Fault, Store, Window,
    accounts::{ACCOUNT, read_account, session_key},
    item::{Item, account_partition, key, millis, number, seconds},
};
use crate::{
    account::{Account, AccountId},
    session::SessionRecord,
    token::{Digest, Session},
};

impl Store {
    /// Opens a session and clears the window that let its login through. One call, two writes; neither needs the other.
    pub async fn open_session(
        &self,
        account: AccountId,
        digest: &Digest<Session>,
        session: &SessionRecord,
        clear: &Window,
    ) -> Result<(), Fault> {
        let mut item = key(account_partition(account), session_key(digest));
        item.extend([
            ("epoch".to_owned(), number(session.epoch)),
            ("created_at".to_owned(), millis(session.created_at)),
            ("valid_until".to_owned(), millis(session.valid_until)),
            ("expires_at".to_owned(), seconds(session.valid_until)),
        ]);
        let put = PutRequest::builder().set_item(Some(item)).build().ok().map(|put| WriteRequest::builder().put_request(put).build());
        let writes = HashMap::from([
            (self.tables.accounts.clone(), put.into_iter().collect()),
            (self.tables.limits.clone(), Self::cleared(clear).into_iter().collect()),
        ]);
        self.write_batch(writes).await
    }

    /// A session and its account, each if it exists, in one consistent read.
    pub async fn session(&self, account: AccountId, digest: &Digest<Session>) -> Result<(Option<Account>, Option<SessionRecord>), Fault> {
        let keys = vec![key(account_partition(account), ACCOUNT), key(account_partition(account), session_key(digest))];
        let (mut account, mut session) = (None, None);
        for attributes in self.read_batch(&self.tables.accounts, keys).await? {
            let item = Item::new("session", attributes.clone());
            if item.text("sk")? == ACCOUNT {
                account = Some(read_account(attributes)?);
            } else {
                session = Some(read_session(&item)?);
            }
        }
        Ok((account, session))
    }

    /// Ends one session.
    pub async fn end_session(&self, account: AccountId, digest: &Digest<Session>) -> Result<(), Fault> {
        let answer = super::fault::through_conflicts(&self.entropy, || {
            self.client
                .delete_item()
                .table_name(&self.tables.accounts)
                .set_key(Some(key(account_partition(account), session_key(digest))))
                .send()
        });
        answer.await.map(drop).map_err(|error| Fault::of("DeleteItem", &error))
    }
}

/// A session from its item.
pub(super) fn read_session(item: &Item) -> Result<SessionRecord, Fault> {
    Ok(SessionRecord { epoch: item.number("epoch")?, created_at: item.instant("created_at")?, valid_until: item.instant("valid_until")? })
}
