//! POST `/api/users/set_username/`: changes the username of an account. The route and its texts are djoser's.
//!
//! It is separate from the function `me`, because a function has the same methods on all its routes, and because no other function that a session can call
//! may move a claim on a name.

use doorward::{
    account::{Account, Username},
    clock::{Clock, Timestamp},
    entropy::Entropy,
    fault::Fault,
    http::{self, Answer, Field, FieldErrors, Fields, Form, Refusal, Request},
    lifecycle::Renamed,
    limit::{RENAME_ACCOUNT, RENAMES},
    outbox::{ChangeKind, Notice},
    password::TypedPassword,
    step_up::StepUp,
    store::{MAX_TRIES, Store, Table},
};

use crate::{
    Endpoint, Function, Guard, Wiring,
    username::{NOT_OWN_ADDRESS, USERNAME_TAKEN, parsed_username},
};

pub struct SetUsername {
    store: Store,
    guard: Guard,
    step_up: StepUp,
    clock: Clock,
    entropy: Entropy,
}

struct RenameBody {
    current_password: TypedPassword,
    new_username: Username,
}

impl SetUsername {
    /// Renames the account, if its epoch is still the one under which its password was verified.
    async fn rename(&self, request: &Request, mut account: Account, username: &Username, now: Timestamp) -> Result<Answer, Refusal> {
        let epoch = account.epoch;
        for _ in 0..MAX_TRIES {
            if username.is_another_address_than(&account.email) {
                return Err(Refusal::Fields(FieldErrors::one("new_username", NOT_OWN_ADDRESS)));
            }
            let notice = Notice::to_owner(&account, self.entropy.uuid(now), ChangeKind::Renamed, request.caller(), now);
            match self.store.change_username(&account, username, &notice, now).await? {
                Renamed::Now => return Ok(http::no_content()),
                Renamed::Taken => return Err(Refusal::Fields(FieldErrors::one("new_username", USERNAME_TAKEN))),
                Renamed::Overtaken => {}
            }
            // The request is authenticated again, which refuses it if its session has ended. With another epoch, the password that was verified is no
            // longer the account's.
            account = self.guard.authenticate(request).await?.account;
            if account.epoch != epoch {
                return Err(Refusal::CurrentPassword);
            }
            // The same request was sent twice, and the other one was first.
            if is_named(&account, username) {
                return Err(Refusal::Fields(FieldErrors::one("new_username", USERNAME_TAKEN)));
            }
        }
        Err(Refusal::Fault(Fault::OutOfTime))
    }
}

/// Whether this is the account's username already, letter by letter.
fn is_named(account: &Account, username: &Username) -> bool {
    account.username.as_str() == username.as_str()
}

impl Function for SetUsername {
    const NAME: &str = "set-username";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let hasher = wiring.hasher();
        Self {
            step_up: StepUp::configured(&mut wiring.settings, hasher),
            guard: Guard::configured(wiring),
            store: wiring.store.clone(),
            clock: wiring.clock.clone(),
            entropy: wiring.entropy.clone(),
        }
    }
}

impl Endpoint for SetUsername {
    const ROUTES: &[&str] = &["/api/users/set_username/"];
    const GUARD: Option<fn(&Self) -> &Guard> = Some(|endpoint| &endpoint.guard);

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        let account = self.guard.authenticate(&request).await?.account;
        let RenameBody { current_password, new_username } = RenameBody::read(request.form()?)?;
        self.step_up.admit(&self.store, &account, request.client, current_password, Refusal::CurrentPassword, now).await?;
        // As in djoser, which does not check whether the name that is taken is the account's own.
        if is_named(&account, &new_username) {
            return Err(Refusal::Fields(FieldErrors::one("new_username", USERNAME_TAKEN)));
        }
        RENAMES.admit(&self.store, RENAME_ACCOUNT, &account.id.to_string(), now).await?;
        self.rename(&request, account, &new_username, now).await
    }
}

impl RenameBody {
    fn read(form: Form) -> Result<Self, Refusal> {
        let mut fields = Fields::of(form);
        let current_password = fields.take_checked("current_password", Field::Verbatim, None);
        let new_username = fields.take("new_username", Field::Text);
        let new_username = new_username.and_then(|text| parsed_username(&mut fields, "new_username", &text));
        let (current_password, new_username) = fields.finish(current_password.zip(new_username))?;
        Ok(Self { current_password: TypedPassword::from(current_password), new_username })
    }
}
