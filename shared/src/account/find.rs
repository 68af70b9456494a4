//! Finding accounts by id, by name, or by claims on names.

use std::ops::ControlFlow;

use super::{
    Account, EmailAddress, Username,
    email::{email_key, reads_as_email},
    item::{holder, read},
    keys::{SORT, email_claim, key, partition, username_claim},
    profile,
};
use crate::{
    clock::Timestamp,
    event::{Event, Names},
    fault::Fault,
    id::AccountId,
    store::{Item, Store, Table},
    text::MAX_NORMALIZED_BYTES,
    token::subject_digest,
};

/// The form in which a text that can be the name of an account is looked up.
fn name_key(name: &str) -> Option<String> {
    // Folding 256 KiB can take 0.2 s, and no account has such a name.
    let key = (name.len() <= MAX_NORMALIZED_BYTES).then(|| email_key(name))?;
    let is_name = reads_as_email(name).is_none() || EmailAddress::parse(name).is_ok() || Username::parse(name).is_ok();
    is_name.then_some(key)
}

/// Whether a claim is on a former address whose reservation has ended.
fn is_over(claim: &Item, now: Timestamp) -> bool {
    claim.optional_instant("reserved_until").is_some_and(|until| until <= now)
}

/// The accounts that hold a username and an e-mail address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// The account with this username.
    pub username: Option<AccountId>,
    /// The account with this e-mail address.
    pub email: Option<AccountId>,
}

impl Store {
    /// The account with this id. One read.
    pub async fn account(&self, id: AccountId) -> Result<Option<Account>, Fault> {
        self.read(&key(id)).await?.as_ref().map(read).transpose()
    }

    /// The names of an event's account, for an event that contains them. One read, of these attributes only. `None` if the account no longer exists.
    pub async fn names_for(&self, event: &Event) -> Result<Option<Names>, Fault> {
        let Some(account) = event.account else { return Ok(None) };
        let Some(item) = self.read_attributes(&key(account), "pk, sk, username, email").await? else { return Ok(None) };
        Ok(Some(Names { username: item.text("username")?.to_owned(), email: item.text("email")?.to_owned() }))
    }

    /// The account with this login name, as [`Store::holder_of_login_name`] finds it. Two calls, one after the other, whatever the name.
    pub async fn account_by_login_name(&self, name: &str) -> Result<Option<Account>, Fault> {
        let holder = self.holder_of_login_name(name).await?;
        self.account(holder).await
    }

    /// The id of the account with this login name: its username or its e-mail address, in any case. One call for every name. For an unknown name it is an
    /// id that no account has, so that looking up the account costs the same.
    ///
    /// If different accounts have the name as a username and as an e-mail address, the username wins. A text that only reads as an address, for example with a
    /// full-width `＠`, is not a name, because it could not be used to request a reset link either.
    pub async fn holder_of_login_name(&self, name: &str) -> Result<AccountId, Fault> {
        // A text that is not a name still costs its look-up.
        let folded = name_key(name).unwrap_or_else(|| subject_digest(name));
        let [username, email] = self.read_all(Table::Accounts, [username_claim(&folded), email_claim(&folded)]).await?;
        // A former address that is reserved for an account is not a login name.
        match username.or(email.filter(|claim| !claim.has("reserved_until"))) {
            Some(claim) => holder(&claim),
            None => Ok(AccountId::from(uuid::Uuid::from_bytes(self.entropy().bytes()))),
        }
    }

    /// The account with this e-mail address.
    pub async fn account_by_email(&self, email: &EmailAddress) -> Result<Option<Account>, Fault> {
        let Some(claim) = self.read(&email_claim(email.folded())).await? else { return Ok(None) };
        // The account's address may have changed since its claim was read.
        Ok(self.account(holder(&claim)?).await?.filter(|account| account.email.folded() == email.folded()))
    }

    /// Whether this account can get this address at `now`: no other account has it, and it is reserved for no other account.
    pub async fn is_free(&self, account: &Account, email: &EmailAddress, now: Timestamp) -> Result<bool, Fault> {
        let Some(claim) = self.read(&email_claim(email.folded())).await? else { return Ok(true) };
        Ok(is_over(&claim, now) || holder(&claim)? == account.id)
    }

    /// The account for which this former address is reserved. An owner may write to the operator from it.
    pub async fn account_by_former_address(&self, email: &EmailAddress, now: Timestamp) -> Result<Option<Account>, Fault> {
        let Some(claim) = self.read(&email_claim(email.folded())).await? else { return Ok(None) };
        let keeps = |account: &Account| account.reserved(now).any(|former| former.email.folded() == email.folded());
        Ok(self.account(holder(&claim)?).await?.filter(keeps))
    }

    /// Calls `visit` with every account, in no order, after the one with the id `after`, until it returns that this is enough. It reads the whole table,
    /// and may miss writes of the last second. An account that cannot be read is passed as a fault.
    pub async fn visit_accounts(
        &self,
        after: Option<AccountId>,
        mut visit: impl FnMut(Result<Account, Fault>) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let after = after.map(key);
        self.visit(Table::Accounts, "account", SORT, after.as_ref(), |item| visit(read(&item))).await
    }

    /// The same for every account, each with its profile.
    ///
    /// A scan returns the items of a partition one after the other and in the order of their sort keys, also over several pages, so a profile follows its
    /// account. If it does not, although its account exists, that is a fault, because the profile would be lost.
    pub async fn visit_accounts_with_profiles(
        &self,
        mut visit: impl FnMut(Result<Account, Fault>) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let mut waiting: Option<Result<Account, Fault>> = None;
        let mut goes_on = true;
        let mut apart: Vec<AccountId> = Vec::new();
        let see = |item: Item| {
            if item.is_at(SORT) {
                let before = waiting.replace(read(&item));
                let next = before.map_or(ControlFlow::Continue(()), &mut visit);
                goes_on = next.is_continue();
                return next;
            }
            match &mut waiting {
                Some(Ok(account)) if item.is_under(&partition(account.id)) => account.profile = profile::read(item),
                _ => apart.extend(item.optional_text("pk").and_then(|pk| pk.strip_prefix("account#")?.parse::<AccountId>().ok())),
            }
            ControlFlow::Continue(())
        };
        self.visit_either(Table::Accounts, "account", [SORT, profile::SORT], see).await?;
        if let Some(last) = waiting.filter(|_| goes_on) {
            // It is the last item.
            let _ = visit(last);
        }
        for id in apart {
            if matches!(self.account(id).await, Ok(Some(_))) {
                return Err(Fault::Internal("reading profiles in the order of the table"));
            }
        }
        Ok(())
    }

    /// The size of the table of accounts in bytes, as DynamoDB last counted it, which it does about every six hours.
    pub async fn size_of_accounts(&self) -> Result<u64, Fault> {
        self.size(Table::Accounts).await
    }

    /// The accounts that hold these names at `now`, including an account for which the address is reserved. One call.
    pub async fn holders(&self, username: &Username, email: &EmailAddress, now: Timestamp) -> Result<Holders, Fault> {
        let [username, email] = self.read_all(Table::Accounts, [username_claim(username.folded()), email_claim(email.folded())]).await?;
        let email = email.filter(|claim| !is_over(claim, now));
        Ok(Holders { username: username.as_ref().map(holder).transpose()?, email: email.as_ref().map(holder).transpose()? })
    }
}
