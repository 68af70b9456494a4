//! Changing the address of an account by its owner: asked for with the password, and done when the new mailbox has confirmed it.
//!
//! Until then the old address stays, so that a typing error locks nobody out. The request makes the same writes whether or not another account has the new
//! address. Only the mailer looks it up, and sends nothing to it if one does. The change can be taken back from the old mailbox (`disavow`) for
//! [`AddressUndo`].

use std::time::Duration;

use crate::{
    account::{self, Account, AccountId, Confirmed, EmailAddress},
    caller::Caller,
    clock::{Timestamp, after},
    config::{Settings, span},
    event::EventKind,
    fault::Fault,
    link::{self, Kept, Links, Mailed},
    outbox::{self, AddressRequest, ChangeKind},
    store::{Item, Key, MAX_TRIES, Store, Table, Transacted, Write, Written, millis, number, seconds, text},
    token::{Digest, NewAddress, Token},
    verification::Verified,
};

/// How long the link of a change works, and how long it is shown that one was asked for.
pub const LIFETIME: Duration = span::days(1);
/// The most former addresses that are kept for an account at a time.
pub const MAX_RESERVED: usize = 5;
/// The longest time for which a change can be taken back.
pub const MAX_UNDO: Duration = span::days(30);

/// The item is the change that was asked for, which has its link as soon as that is mailed, and ends with it. Asking replaces it whether or not there is a
/// link, so it is stored and marked here.
impl Mailed for NewAddress {
    const KIND: &'static str = "change of an address";
    const KEPT: Kept = Kept::Newest("address");
}

/// For how long a change can be taken back. Nobody else can have the old address meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressUndo(Duration);

impl AddressUndo {
    /// `ADDRESS_UNDO`: 0, or 1h to 30d, default 7d. A shorter time could end before the mail arrives.
    pub fn configured(settings: &mut Settings) -> Self {
        Self(settings.span_or_zero("ADDRESS_UNDO", span::days(7), span::hours(1), MAX_UNDO))
    }

    fn until(self, now: Timestamp) -> Option<Timestamp> {
        (!self.0.is_zero()).then(|| after(now, self.0))
    }
}

/// A change of an address that was asked for. An account has at most one; a newer request replaces it.
#[derive(Clone)]
pub struct AskedAddress {
    /// The new address.
    pub email: EmailAddress,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Until when it can be confirmed.
    pub valid_until: Timestamp,
    /// Whether its link was mailed.
    pub is_sent: bool,
    epoch: u64,
    digest: Option<Digest<NewAddress>>,
}

impl AskedAddress {
    /// Whether the account can still be given this address at `now`: its sessions were not ended since it was asked for, and so its password is the same.
    #[must_use]
    pub fn is_open(&self, account: &Account, now: Timestamp) -> bool {
        now < self.valid_until && self.epoch == account.epoch && self.email.folded() != account.email.folded()
    }
}

/// The outcome of asking for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeRequested {
    /// It is stored, and two mails are on their way: one only if nobody has the address.
    Now,
    /// The account changed since it was read. Nothing was written.
    Overtaken,
}

/// The state of a token that confirms a change of address.
pub enum AddressChange {
    /// It can give the account its new address.
    Live(Box<Account>, Box<AskedAddress>),
    /// It has made the latest change of the address. People open a link twice and see the success again.
    Used(Box<Account>),
    /// Nothing.
    Dead,
}

fn key(account: AccountId) -> Key {
    Links::<NewAddress>::newest_key(account)
}

fn read(item: &Item) -> Result<AskedAddress, Fault> {
    Ok(AskedAddress {
        email: EmailAddress::stored(item.text("email")?, item.text("email_folded")?),
        requested_at: item.instant("requested_at")?,
        valid_until: item.instant("valid_until")?,
        is_sent: item.has("sent_at"),
        epoch: item.number("epoch")?,
        digest: item.optional_text("digest").map(|digest| Digest::stored(digest.to_owned())),
    })
}

impl Store {
    /// Stores that an account is to get this address, and leaves the request for its link and a notice to the present address, all or nothing. It is the
    /// same whoever has the new address.
    pub async fn ask_for_address(
        &self,
        account: &Account,
        email: &EmailAddress,
        caller: Caller,
        now: Timestamp,
    ) -> Result<ChangeRequested, Fault> {
        let valid_until = after(now, LIFETIME);
        let asked = Write::put(
            key(account.id),
            [
                ("email", text(email.as_str())),
                ("email_folded", text(email.folded())),
                ("epoch", number(account.epoch)),
                ("requested_at", millis(now)),
                ("valid_until", millis(valid_until)),
                ("expires_at", seconds(valid_until)),
            ],
        );
        let request = AddressRequest { account: account.id, requested_at: now, caller };
        let writes = vec![
            account::unmoved(account),
            asked,
            outbox::address_request(&request, self.entropy().uuid(now)),
            self.notice_to_owner(account, ChangeKind::AddressAsked, caller, now),
        ];
        Ok(self.transact("ask for address", writes).await?.or(ChangeRequested::Now, ChangeRequested::Overtaken))
    }

    /// The change that was asked for, if it is kept still.
    pub async fn asked_address(&self, account: AccountId) -> Result<Option<AskedAddress>, Fault> {
        self.read(&key(account)).await?.as_ref().map(read).transpose()
    }

    /// The address that the account will have when its mailbox confirms it. It says nothing of whether that is somebody else's.
    pub async fn pending_address(&self, account: &Account, now: Timestamp) -> Result<Option<EmailAddress>, Fault> {
        let asked = self.asked_address(account.id).await?;
        Ok(asked.filter(|asked| asked.is_open(account, now)).map(|asked| asked.email))
    }

    /// Stores the link of a change whose mail is about to be sent. `false` if a newer one was asked for, or its mail was sent.
    pub async fn store_address_link(
        &self,
        account: AccountId,
        asked: &AskedAddress,
        link: &Digest<NewAddress>,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let store = Write::update(key(account), "SET digest = :digest, issued_at = :now")
            .when("requested_at = :requested AND attribute_not_exists(sent_at)")
            .with(":digest", text(link.as_str()))
            .with(":requested", millis(asked.requested_at))
            .with(":now", millis(now));
        Ok(matches!(self.write(store).await?, Written::Done(_)))
    }

    /// Stores that the mail service has accepted the mail of a stored link.
    pub async fn mark_address_link_sent(&self, account: AccountId, link: &Digest<NewAddress>, now: Timestamp) -> Result<(), Fault> {
        let sent = Write::update(key(account), "SET sent_at = :now").when("digest = :digest");
        self.write(sent.with(":now", millis(now)).with(":digest", text(link.as_str()))).await.map(drop)
    }

    /// The state of this token. One consistent read, which does not use it up. None if what was entered is no token.
    pub async fn address_change(&self, token: Option<&Token<NewAddress>>, now: Timestamp) -> Result<AddressChange, Fault> {
        let Some(token) = token else { return Ok(AddressChange::Dead) };
        let [account, asked] = self.read_all(Table::Accounts, [account::key(token.account()), key(token.account())]).await?;
        let Some(account) = account.as_ref().map(account::read).transpose()? else { return Ok(AddressChange::Dead) };
        let (digest, asked) = (token.digest(), asked.as_ref().map(read).transpose()?);
        let works = |asked: &AskedAddress| asked.digest.as_ref() == Some(&digest) && asked.is_open(&account, now);
        Ok(match asked.filter(works) {
            Some(asked) if account.usable_password().is_some() => AddressChange::Live(Box::new(account), Box::new(asked)),
            _ if account.was_verified_by(&digest) => AddressChange::Used(Box::new(account)),
            _ => AddressChange::Dead,
        })
    }

    /// Uses up a link, which gives the account its new address, all or nothing, once. The old address is kept for a while and gets a notice, and the links
    /// that were mailed to it end. Sessions stay valid, because the change was asked for with the password. `known` is the state of the token as it was
    /// read.
    pub async fn confirm_address(
        &self,
        token: &Token<NewAddress>,
        mut known: AddressChange,
        undo: AddressUndo,
        caller: Caller,
        now: Timestamp,
    ) -> Result<Verified, Fault> {
        for _ in 0..MAX_TRIES {
            let (account, asked) = match known {
                AddressChange::Live(account, asked) => (account, asked),
                AddressChange::Used(_) => return Ok(Verified::Before),
                AddressChange::Dead => return Ok(Verified::NotValid),
            };
            self.free_expired(&account, now).await?;
            let Some(username) = account.username_with(&asked.email) else { return Ok(Verified::NotValid) };
            let (email, link, kept_until) = (&asked.email, &token.digest(), undo.until(now));
            let mut writes = account::confirmed(&account, &Confirmed { email, username: &username, link, kept_until, now });
            writes.push(Links::<NewAddress>::spend(account.id, link, now).when("epoch = :epoch").with(":epoch", number(account.epoch)));
            writes.extend(link::ended(account.id));
            writes.extend([
                account::former(account.id, &account.email, now),
                self.notice_to_owner(&account, ChangeKind::AddressChanged, caller, now),
            ]);
            writes.extend(self.event(EventKind::AddressChanged, account.id, now));
            let outcome = self.transact("confirm address", writes).await?;
            if outcome == Transacted::Done {
                return Ok(Verified::Now);
            }
            known = self.address_change(Some(token), now).await?;
            // If it is not the account that has changed meanwhile, one of its new names is somebody else's.
            if !outcome.refused_at(0) && matches!(known, AddressChange::Live(..)) {
                return Ok(Verified::NotValid);
            }
        }
        Err(Fault::OutOfTime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undo(text: &str) -> Result<AddressUndo, String> {
        let mut settings = Settings::from_pairs([("ADDRESS_UNDO".to_owned(), text.to_owned())]);
        let undo = AddressUndo::configured(&mut settings);
        settings.finish().map(|()| undo).map_err(|complaint| complaint.to_string())
    }

    #[test]
    fn a_change_can_be_taken_back_for_none_or_an_hour_to_thirty_days() {
        assert_eq!(undo(""), Ok(AddressUndo(span::days(7))));
        for (text, kept) in [("0", false), ("0d", false), ("1h", true), ("30d", true)] {
            assert_eq!(undo(text).map(|undo| undo.until(Timestamp::UNIX_EPOCH).is_some()), Ok(kept), "{text}");
        }
        for wrong in ["59m", "31d", "-1d", "3", "soon"] {
            assert_eq!(undo(wrong).unwrap_err(), "ADDRESS_UNDO: must be 0, or 1h to 30d", "{wrong}");
        }
    }
}
