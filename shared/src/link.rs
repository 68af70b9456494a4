//! Links in mails. A link contains a token, and the store has its digest until the link is used or expires. All kinds of links work alike; what is
//! particular to one (what using it does, how often it is sent) is in its own module.

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
    /// The name of such an item in a fault.
    const KIND: &'static str;
    /// How the links of one account are kept.
    const KEPT: Kept;

    /// Whether such a link works for this account: it can be opened, or its password replaced by mail.
    fn works_for(account: &Account) -> bool {
        account.usable_password().is_some()
    }
}

/// How the links of one account are kept.
#[derive(Clone, Copy)]
pub(crate) enum Kept {
    /// One, under this sort key. A new link replaces it, so only the newest works. Until the mail service has accepted the new link's mail it is stored beside
    /// the previous one (`pending_digest`), which still works if the mail is refused.
    Newest(&'static str),
    /// Any number. The sort key is this prefix and the digest. A new link leaves the others as they are.
    Each(&'static str),
}

/// A link that works: it has not expired, and its account can be opened, or is one that such a link opens again.
pub struct LiveLink<P> {
    /// Its account.
    pub account: Account,
    /// The digest of its token.
    pub digest: Digest<P>,
    /// When it was made. Links of earlier versions do not have it.
    pub(crate) made_at: Option<Timestamp>,
    /// When it expires.
    pub(crate) valid_until: Timestamp,
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

    /// The write that stores a link, with the further attributes of its kind.
    pub(crate) fn put(
        account: AccountId,
        digest: &Digest<P>,
        issued_at: Timestamp,
        valid_until: Timestamp,
        besides: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Write {
        let in_item = match P::KEPT {
            Kept::Newest(_) => Some(("digest", text(digest.as_str()))),
            Kept::Each(_) => None,
        };
        let times = [("issued_at", millis(issued_at)), ("valid_until", millis(valid_until)), ("expires_at", seconds(valid_until))];
        Write::put(Self::key(account, digest), times.into_iter().chain(in_item).chain(besides))
    }

    /// The link with this token, if it works. One consistent read, which does not use it up.
    pub(crate) async fn live(store: &Store, token: &Token<P>, now: Timestamp) -> Result<Option<LiveLink<P>>, Fault> {
        let digest = token.digest();
        let keys = [account::key(token.account()), Self::key(token.account(), &digest)];
        let [Some(account), Some(item)] = store.read_all(Table::Accounts, keys).await? else { return Ok(None) };
        let account = account::read(&account)?;
        let Some((made_at, valid_until)) = Self::times(&item, &digest)? else { return Ok(None) };
        let works = now < valid_until && P::works_for(&account);
        Ok(works.then_some(LiveLink { account, digest, made_at, valid_until }))
    }

    /// When the link with this digest was made and when it expires, if the item contains it.
    fn times(item: &Item, digest: &Digest<P>) -> Result<Option<(Option<Timestamp>, Timestamp)>, Fault> {
        let is = |name: &str| item.optional_text(name).map(|stored| Digest::<P>::stored(stored.to_owned())).as_ref() == Some(digest);
        Ok(match P::KEPT {
            Kept::Newest(_) if is("digest") => Some((item.optional_instant("issued_at"), item.instant("valid_until")?)),
            Kept::Newest(_) if is("pending_digest") => {
                Some((item.optional_instant("pending_issued_at"), item.instant("pending_valid_until")?))
            }
            Kept::Newest(_) => None,
            Kept::Each(_) => Some((item.optional_instant("issued_at"), item.instant("valid_until")?)),
        })
    }

    /// The write that uses up a link, on condition that it exists and has not expired. Of several at once, one succeeds.
    pub(crate) fn spend(account: AccountId, digest: &Digest<P>, now: Timestamp) -> Write {
        // TTL deletes up to days late, so the condition decides.
        let spend = Write::delete(Self::key(account, digest)).with(":now", millis(now));
        match P::KEPT {
            Kept::Newest(_) => spend
                .when("(digest = :digest AND valid_until > :now) OR (pending_digest = :digest AND pending_valid_until > :now)")
                .with(":digest", text(digest.as_str())),
            Kept::Each(_) => spend.when("valid_until > :now"),
        }
    }
}
