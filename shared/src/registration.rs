//! Registering: whether anybody may, and whether a stranger can learn from it who has an account.
//!
//! Where registration is silent, somebody who registers with an address that has an account gets the same answer, after the same work, as with one that
//! has none. What is made then is an account of its own for nobody: under an address at which no mail arrives and without a password, so nobody can ever
//! log in to it. It takes the username, because otherwise the name would tell whether the first registration was real. The owner of the address is told
//! by mail that there is an account.

use std::time::Duration;

use crate::{
    account::{Account, AccountId, EmailAddress, Registered, Taken, Username},
    caller::Caller,
    clock::{Timestamp, after},
    config::{Settings, span},
    fault::Fault,
    outbox::{self, ChangeKind, Notice, VerificationRequest},
    password::StoredPassword,
    store::Store,
    verification::AddressVerification,
};

/// The domain of the addresses of accounts for nobody. No mail ever arrives under this top label (RFC 2606, 2).
const NOWHERE: &str = "registered.invalid";

/// The owner of an account that is younger knows of it, and has the mail that verifies the address.
const SETTLING: Duration = span::hours(1);

/// Maximum number of tries while others register the same names.
const MAX_TRIES: u32 = 5;

/// Whether anybody may create an account, and what is told about addresses that are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anybody may, and an address that is taken is refused.
    Open,
    /// Nobody may. This is an emergency switch.
    Closed,
    /// Anybody may, and nobody learns whether an address is taken.
    Silent,
}

impl Registration {
    /// `REGISTRATION`: `open` (default), `closed`, or `silent`, which needs mandatory verification: otherwise whoever registers could log in at once, or not,
    /// and would know.
    pub fn configured(settings: &mut Settings, verification: AddressVerification) -> Self {
        let registration = settings.parsed("REGISTRATION", Self::Open, |text| match text {
            "open" => Ok(Self::Open),
            "closed" => Ok(Self::Closed),
            "silent" => Ok(Self::Silent),
            _ => Err("must be open, closed or silent".to_owned()),
        });
        if registration == Self::Silent && verification != AddressVerification::Mandatory {
            settings.complain("REGISTRATION: silent needs ADDRESS_VERIFICATION=mandatory".to_owned());
        }
        registration
    }
}

/// An account for nobody, in place of this one, whose address is taken. A username that is the address would be a second account's name at which its owner
/// logs in, so it is not taken.
fn for_nobody(account: &Account) -> Account {
    let name = format!("{}@{NOWHERE}", account.id);
    let username = if is_by_address(account) { Username::stored(&name, &name) } else { account.username.clone() };
    Account { username, email: EmailAddress::stored(&name, &name), password: Some(StoredPassword::unusable()), ..account.clone() }
}

/// Whether this is an account for nobody. No mail to it arrives, so none must be sent: it would be a bounce.
#[must_use]
pub fn is_for_nobody(account: &Account) -> bool {
    account.email.folded().strip_suffix(NOWHERE).is_some_and(|id| id == format!("{}@", account.id))
}

fn is_by_address(account: &Account) -> bool {
    account.username.folded() == account.email.folded()
}

impl Store {
    /// Registers an account, or one for nobody if its address is taken, and leaves the request for the mail. Both are the same two calls, with writes of the
    /// same kinds and sizes.
    ///
    /// A username is public, so one that is taken is refused, but for one that is the address: it tells what the address would.
    pub async fn register_silently(&self, account: &Account, request: &VerificationRequest) -> Result<Registered, Fault> {
        for _ in 0..MAX_TRIES {
            let holders = self.holders(&account.username, &account.email, account.created_at).await?;
            if holders.username.is_some() && !is_by_address(account) {
                return Ok(Registered::Taken(Taken::Username));
            }
            let made = if holders.taken().is_some() { for_nobody(account) } else { account.clone() };
            if self.register_and_verify(&made, request).await? == Registered::Now {
                return Ok(Registered::Now);
            }
            // Somebody has registered one of the names since they were looked up.
        }
        Err(Fault::OutOfTime)
    }

    /// Whether it was an account for nobody that asked for a mail to the address of `holder`.
    pub async fn was_registered_again(&self, registered: AccountId, holder: &Account) -> Result<bool, Fault> {
        if registered == holder.id {
            return Ok(false);
        }
        Ok(self.account(registered).await?.as_ref().is_some_and(is_for_nobody))
    }

    /// Leaves the notice for the owner of an account that somebody tried to register with its address, unless one was left today, the account is new, or
    /// nobody can log in to it. One call at most.
    pub async fn tell_registered_again(&self, account: &Account, caller: Caller, now: Timestamp) -> Result<(), Fault> {
        if now < after(account.created_at, SETTLING) || account.usable_password().is_none() {
            return Ok(());
        }
        let id = outbox::id_of_day("registered", account.id, now);
        let notice = Notice::to_owner(account, id, ChangeKind::Registered, caller, now);
        self.leave_once("tell of a registration", &notice).await
    }
}
