//! Links that are mailed. A link holds a token; the store holds its digest until the link is spent or expires. All kinds of links work alike:
//! what is particular to one (what spending it does, how often it is sent) stands in its own module.

use std::marker::PhantomData;

use crate::{
    account::{self, Account, AccountId},
    clock::Timestamp,
    fault::Fault,
    store::{Item, Key, Store, Table, Value, Write, millis, seconds, text},
    token::{Digest, Purpose, Token},
};

/// A purpose whose tokens are mailed as links.
pub(crate) trait Mailed: Purpose {
    /// What a fault calls the item of such a link.
    const KIND: &'static str;
    /// How the links of one account are kept.
    const KEPT: Kept;
}

/// How the links of one account are kept.
#[derive(Clone, Copy)]
pub(crate) enum Kept {
    /// One, under this sort key. A new link takes its place, so only the newest works.
    Newest(&'static str),
    /// Each by itself: this begins its sort key, its digest follows. A new link leaves the others as they are.
    Each(&'static str),
}

/// A link that works: it has not expired, and its account can be opened.
pub struct LiveLink<P> {
    /// Its account.
    pub account: Account,
    /// The digest of its token.
    pub digest: Digest<P>,
    /// Its item, for what its kind of link knows besides.
    pub(crate) item: Item,
}

/// The links of one purpose.
pub(crate) struct Links<P>(PhantomData<P>);

impl<P: Mailed> Links<P> {
    fn key(account: AccountId, digest: &Digest<P>) -> Key {
        let sort = match P::KEPT {
            Kept::Newest(sort) => sort.to_owned(),
            Kept::Each(prefix) => format!("{prefix}{}", digest.as_str()),
        };
        Key::new(Table::Accounts, P::KIND, account::partition(account), sort)
    }

    /// The write that stores a link, with what its kind knows besides.
    pub(crate) fn put(
        account: AccountId,
        digest: &Digest<P>,
        valid_until: Timestamp,
        besides: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Write {
        let in_item = match P::KEPT {
            Kept::Newest(_) => Some(("digest", text(digest.as_str()))),
            Kept::Each(_) => None,
        };
        let times = [("valid_until", millis(valid_until)), ("expires_at", seconds(valid_until))];
        Write::put(Self::key(account, digest), times.into_iter().chain(in_item).chain(besides))
    }

    /// The link with this token, if it works. One consistent read; nothing is spent.
    pub(crate) async fn live(store: &Store, token: &Token<P>, now: Timestamp) -> Result<Option<LiveLink<P>>, Fault> {
        let digest = token.digest();
        let keys = [account::key(token.account()), Self::key(token.account(), &digest)];
        let [Some(account), Some(item)] = store.read_all(Table::Accounts, keys).await? else { return Ok(None) };
        let account = account::read(&account)?;
        let is_this_one = match P::KEPT {
            Kept::Newest(_) => Digest::stored(item.text("digest")?.to_owned()) == digest,
            Kept::Each(_) => true,
        };
        let works = is_this_one && now < item.instant("valid_until")? && account.usable_password().is_some();
        Ok(works.then_some(LiveLink { account, digest, item }))
    }

    /// The write that spends a link, on condition that it is there and has not expired: of several at once, one succeeds.
    pub(crate) fn spend(account: AccountId, digest: &Digest<P>, now: Timestamp) -> Write {
        // TTL deletes up to days late, so the condition decides.
        let spend = Write::delete(Self::key(account, digest)).when("valid_until > :now").with(":now", millis(now));
        match P::KEPT {
            Kept::Newest(_) => spend.when("digest = :digest").with(":digest", text(digest.as_str())),
            Kept::Each(_) => spend,
        }
    }
}
