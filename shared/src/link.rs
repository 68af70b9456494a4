//! Links in mails. A link contains a token, and the store has its digest until the link is used or expires. All kinds of links work alike; what is
//! particular to one (what using it does, how often it is sent) is in its own module.

use std::{marker::PhantomData, time::Duration};

use crate::{
    account::{self, Account, AccountId},
    clock::{Timestamp, after},
    fault::Fault,
    store::{Item, Key, Store, Table, Value, Write, millis, number, seconds, text},
    token::{Digest, Purpose, Reset, Token, Verify},
};

/// A purpose whose tokens are mailed as links.
pub trait Mailed: Purpose {
    /// The name of such an item in a fault.
    const KIND: &'static str;
    /// How the links of one account are kept.
    const KEPT: Kept;

    /// Whether such a link works for this account: it can be opened, or its password replaced by mail.
    #[must_use]
    fn works_for(account: &Account) -> bool {
        account.usable_password().is_some()
    }
}

/// How the links of one account are kept.
#[derive(Clone, Copy)]
pub enum Kept {
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
    /// How often the account's address had changed when it was mailed, which says to which of its mailboxes.
    pub(crate) address_no: u64,
}

/// A stored link of an account of which the newest works.
#[derive(Clone, Debug)]
pub struct KeptLink<P> {
    /// The digest of its token.
    pub digest: Digest<P>,
    /// The newest request for which a link was stored. Older requests get none.
    pub requested_at: Timestamp,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it expires.
    pub valid_until: Timestamp,
    /// How many mails the mail service has accepted since the account last had no working link. The cool-down grows with it.
    pub sent: u32,
    /// When the last of them was accepted.
    pub sent_at: Option<Timestamp>,
    /// Whether a newer link is stored beside it, whose mail was not accepted yet.
    pub has_pending: bool,
}

impl<P> KeptLink<P> {
    /// Whether the link was mailed and has not expired at `now`, so that the owner may hold it.
    #[must_use]
    pub fn is_in_use(&self, now: Timestamp) -> bool {
        now < self.valid_until && self.sent_at.is_some()
    }

    /// Whether another mail would be too early, because a link that still works was sent less than its cool-down ago.
    #[must_use]
    pub fn cools_down(&self, cool_down: &[Duration], now: Timestamp) -> bool {
        let step = usize::try_from(self.sent).unwrap_or(usize::MAX).saturating_sub(1);
        let Some(wait) = cool_down.get(step).or(cool_down.last()) else { return false };
        now < self.valid_until && self.sent_at.is_some_and(|sent_at| now < after(sent_at, *wait))
    }
}

/// A link that is about to be mailed.
#[derive(Clone, Debug)]
pub struct NewLink<P> {
    /// The digest of its token.
    pub digest: Digest<P>,
    /// The request that it answers.
    pub requested_at: Timestamp,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it expires.
    pub valid_until: Timestamp,
}

/// The outcome of storing a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredLink {
    /// It is stored and works from now on.
    Now,
    /// The account's link is no longer the one that was read. Nothing was written, and the caller may try again.
    Changed,
    /// The password is newer than the request, or the account cannot be opened. Nothing was written.
    Overtaken,
}

/// The writes that end the links with which a reader of an account's mail can set its password or verify its address. They are for an account that gets
/// another address or is put out of use. A new password ends only the reset link.
pub(crate) fn ended(account: AccountId) -> [Write; 2] {
    [Links::<Reset>::forgotten(account), Links::<Verify>::forgotten(account)]
}

impl Store {
    /// Carries out the write that stores a link, behind a check of its account and before what comes with it.
    pub(crate) async fn store_link(
        &self,
        operation: &'static str,
        check: Write,
        link: Write,
        besides: Option<Write>,
    ) -> Result<StoredLink, Fault> {
        let outcome = self.transact(operation, [check, link].into_iter().chain(besides).collect()).await?;
        let changed = outcome.refused_at(1);
        Ok(outcome.or(StoredLink::Now, if changed { StoredLink::Changed } else { StoredLink::Overtaken }))
    }

    /// Stores that the mail service has accepted the mail of a stored link, which is the account's only link from now on. `in_use` is the link that it
    /// replaces.
    pub async fn mark_link_sent<P: Mailed>(
        &self,
        account: AccountId,
        link: &NewLink<P>,
        in_use: Option<&KeptLink<P>>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.write(Links::sent(account, link, in_use, now)).await.map(drop)
    }
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
        Self::live_with(store, token, false, now).await
    }

    /// The same, with the account's profile where that is needed, in the same call.
    pub(crate) async fn live_with(store: &Store, token: &Token<P>, profile: bool, now: Timestamp) -> Result<Option<LiveLink<P>>, Fault> {
        let digest = token.digest();
        let keys = [account::key(token.account()), Self::key(token.account(), &digest)];
        let profile = profile.then(|| account::profile_key(token.account()));
        let ([Some(account), Some(item)], profile) = store.read_all_and(Table::Accounts, keys, profile).await? else { return Ok(None) };
        let mut account = account::read(&account)?;
        account.profile = profile.map(account::read_profile).unwrap_or_default();
        let Some((made_at, valid_until)) = Self::times(&item, &digest)? else { return Ok(None) };
        let works = now < valid_until && P::works_for(&account);
        let address_no = item.optional_number("address_no").unwrap_or_default();
        Ok(works.then_some(LiveLink { account, digest, made_at, valid_until, address_no }))
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

    /// The key of the link of which an account has one.
    pub(crate) fn newest_key(account: AccountId) -> Key {
        let (Kept::Newest(sort) | Kept::Each(sort)) = P::KEPT;
        Key::new(Table::Accounts, P::KIND, account::partition(account), sort)
    }

    /// The write that ends the link of which an account has one, if it has it.
    pub(crate) fn forgotten(account: AccountId) -> Write {
        Write::delete(Self::newest_key(account))
    }

    /// The write that stores a link whose mail is about to be sent: beside `in_use`, the link that the owner may hold, or instead of one that cannot be
    /// used. `current` is the account's link as it was read; the write is refused if it is another by now.
    pub(crate) fn stored(account: AccountId, link: &NewLink<P>, current: Option<&KeptLink<P>>, in_use: Option<&KeptLink<P>>) -> Write {
        let store = match in_use {
            None => Self::put(
                account,
                &link.digest,
                link.issued_at,
                link.valid_until,
                [("requested_at", millis(link.requested_at)), ("sent", number(0))],
            ),
            Some(_) => Write::update(
                Self::newest_key(account),
                "SET pending_digest = :new, pending_issued_at = :issued, pending_valid_until = :until, requested_at = :requested, \
                 expires_at = :expires",
            )
            .with(":new", text(link.digest.as_str()))
            .with(":issued", millis(link.issued_at))
            .with(":until", millis(link.valid_until))
            .with(":requested", millis(link.requested_at))
            .with(":expires", seconds(link.valid_until)),
        };
        match current {
            None => store.when("attribute_not_exists(pk)"),
            Some(current) => store
                .when("digest = :seen AND requested_at = :seen_request")
                .with(":seen", text(current.digest.as_str()))
                .with(":seen_request", millis(current.requested_at)),
        }
    }

    /// The write that says that the mail service has accepted the mail of a stored link, which is the account's only link from now on. `in_use` is the link
    /// that it replaces.
    pub(crate) fn sent(account: AccountId, link: &NewLink<P>, in_use: Option<&KeptLink<P>>, now: Timestamp) -> Write {
        let key = Self::newest_key(account);
        let mark = match in_use {
            None => Write::update(key, "SET sent_at = :now, sent = :sent").when("digest = :digest"),
            Some(_) => Write::update(
                key,
                "SET sent_at = :now, sent = :sent, digest = pending_digest, issued_at = pending_issued_at, valid_until = pending_valid_until \
                 REMOVE pending_digest, pending_issued_at, pending_valid_until",
            )
            .when("pending_digest = :digest"),
        };
        let sent = in_use.map_or(0, |link| link.sent).saturating_add(1);
        mark.with(":now", millis(now)).with(":sent", number(sent)).with(":digest", text(link.digest.as_str()))
    }

    /// The link that an item is, of which an account has one.
    pub(crate) fn read(item: &Item) -> Result<KeptLink<P>, Fault> {
        Ok(KeptLink {
            digest: Digest::stored(item.text("digest")?.to_owned()),
            requested_at: item.instant("requested_at")?,
            issued_at: item.instant("issued_at")?,
            valid_until: item.instant("valid_until")?,
            sent: item.number("sent")?,
            sent_at: item.optional_instant("sent_at"),
            has_pending: item.has("pending_digest"),
        })
    }
}
