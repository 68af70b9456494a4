//! "This wasn't me": the link in a notice, by which an owner takes a password out of use that somebody else has set.

use std::time::Duration;

use crate::{
    account::{self, AccountId},
    clock::{Timestamp, after},
    config::span,
    fault::Fault,
    link::{Kept, Links, LiveLink, Mailed},
    outbox::{self, ResetRequest},
    reset,
    store::Store,
    token::{Digest, Disavow, Token},
};

/// How long such a link works. A person who is on holiday for a week still has it.
pub const DISAVOWAL_LIFETIME: Duration = span::days(7);

/// How the sort key of such a link begins, and the sort key of the reset request that it causes; its digest follows.
const SORT_PREFIX: &str = "disavow#";

impl Mailed for Disavow {
    const KIND: &'static str = "disavowal";
    // A thief who changes the password twice more does not outrun the notice of the first time.
    const KEPT: Kept = Kept::Each(SORT_PREFIX);
}

/// The outcome of saying "this wasn't me".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disavowed {
    /// The link was spent by this call.
    Now,
    /// There is no such link: unknown, expired, used, or its account cannot be opened. Nothing was written.
    NotValid,
}

impl Store {
    /// Stores a link.
    pub async fn store_disavowal(&self, account: AccountId, link: &Digest<Disavow>, now: Timestamp) -> Result<(), Fault> {
        self.write(Links::put(account, link, after(now, DISAVOWAL_LIFETIME), [])).await.map(drop)
    }

    /// The link with this token, if it works. One consistent read; nothing is spent.
    pub async fn disavowal(&self, token: &Token<Disavow>, now: Timestamp) -> Result<Option<LiveLink<Disavow>>, Fault> {
        Links::live(self, token, now).await
    }

    /// Spends a link, all or nothing, once: ends every session, takes the password out of use, ends the reset link, and leaves a request
    /// for a new one, which is the only way back in.
    ///
    /// The old reset link goes because a thief who changed the password may hold it. Its cool-down goes with it, so the new one is sent.
    pub async fn disavow(&self, account: AccountId, link: &Digest<Disavow>, request: &ResetRequest) -> Result<Disavowed, Fault> {
        let now = request.requested_at;
        let writes = vec![
            account::password_disavowed(account, now),
            Links::spend(account, link, now),
            reset::forgotten(account),
            outbox::reset_request(request, &format!("{SORT_PREFIX}{}", link.as_str())),
        ];
        Ok(self.transact("disavow", writes).await?.or(Disavowed::Now, Disavowed::NotValid))
    }
}
