//! Registration: whether it is open, and whether it reveals who has an account.
//!
//! With silent registration, an address that has an account gets the same answer, after the same work, as one that has none. Doorward then creates a
//! placeholder account, with a generated address at which no mail arrives and without a password, so nobody can ever log in to it. It takes the username,
//! because otherwise a second registration would show whether the first created a real account. The owner of the address is told by mail that there is an
//! account.

use std::time::Duration;

use crate::{
    account::{Account, AccountId, EmailAddress, Registered, Taken, Username},
    caller::Caller,
    clock::{Timestamp, after},
    config::{Settings, span},
    fault::Fault,
    outbox::{self, ChangeKind, Notice, VerificationRequest},
    password::StoredPassword,
    store::{MAX_TRIES, Store},
    verification::AddressVerification,
};

/// The domain of the addresses of placeholder accounts. No mail ever arrives under this top-level domain (RFC 2606, 2).
const NOWHERE: &str = "registered.invalid";

/// The owner of a younger account has just registered, and has the mail that verifies the address, so no notice is sent.
const SETTLING: Duration = span::hours(1);

/// Whether anybody may create an account, and whether taken addresses are revealed.
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
    /// `REGISTRATION`: `open` (default), `closed`, or `silent`, which needs mandatory verification. Otherwise a login right after registration would
    /// reveal whether the address was taken.
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

/// The placeholder account in place of this one, whose address is taken. A username that is the address is replaced, because the address's owner logs in
/// with it to another account.
fn placeholder_of(account: &Account) -> Account {
    let name = format!("{}@{NOWHERE}", account.id);
    let username = if is_by_address(account) { Username::stored(&name, &name) } else { account.username.clone() };
    Account { username, email: EmailAddress::stored(&name, &name), password: Some(StoredPassword::unusable()), ..account.clone() }
}

/// Whether this is a placeholder account. No mail must be sent to it, because it would bounce.
#[must_use]
pub fn is_placeholder(account: &Account) -> bool {
    account.email.folded().strip_suffix(NOWHERE).is_some_and(|id| id == format!("{}@", account.id))
}

fn is_by_address(account: &Account) -> bool {
    account.username.folded() == account.email.folded()
}

impl Store {
    /// Registers an account, or a placeholder account if its address is taken, and leaves the request for the mail. Both make the same two calls, with
    /// writes of the same kinds and sizes.
    ///
    /// Usernames are public, so a taken one is refused, unless it is the address, because that would reveal the address.
    pub async fn register_silently(&self, account: &Account, request: &VerificationRequest) -> Result<Registered, Fault> {
        for _ in 0..MAX_TRIES {
            let holders = self.holders(&account.username, &account.email, account.created_at).await?;
            if holders.username.is_some() && !is_by_address(account) {
                return Ok(Registered::Taken(Taken::Username));
            }
            let made = if holders.taken().is_some() { placeholder_of(account) } else { account.clone() };
            if self.register_and_verify(&made, request).await? == Registered::Now {
                return Ok(Registered::Now);
            }
            // Somebody has registered one of the names since they were looked up.
        }
        Err(Fault::OutOfTime)
    }

    /// Whether the registration of a placeholder account requested the mail to the address of `holder`.
    pub async fn was_registered_again(&self, registered: AccountId, holder: &Account) -> Result<bool, Fault> {
        if registered == holder.id {
            return Ok(false);
        }
        Ok(self.account(registered).await?.as_ref().is_some_and(is_placeholder))
    }

    /// Leaves the notice for the owner of an account that somebody tried to register with its address, unless one was left today, the account is new, or
    /// nobody can log in to it. At most one call.
    pub async fn tell_registered_again(&self, account: &Account, caller: Caller, now: Timestamp) -> Result<(), Fault> {
        if now < after(account.created_at, SETTLING) || account.usable_password().is_none() {
            return Ok(());
        }
        let id = outbox::id_of_day("registered", account.id, now);
        let notice = Notice::to_owner(account, id, ChangeKind::Registered, caller, now);
        self.leave_once("tell of a registration", &notice).await
    }
}
