//! POST `/api/change_password/`: replaces a password, if the request contains the old one.

use std::sync::Arc;

use doorward::{
    change::Changed,
    clock::Clock,
    entropy::Entropy,
    http::{self, Answer, Field, Fields, Form, Refusal, Request},
    metric::Metric,
    outbox::{ChangeKind, Notice},
    password::{AcceptedPassword, Hasher, Policy, TypedPassword},
    profile::ProfileFields,
    step_up::StepUp,
    store::{Store, Table},
};
use serde::Serialize;

use crate::{Endpoint, Function, Guard, Wiring};

pub struct ChangePassword {
    store: Store,
    hasher: Arc<Hasher>,
    policy: Policy,
    guard: Guard,
    fields: ProfileFields,
    step_up: StepUp,
    clock: Clock,
    entropy: Entropy,
}

struct ChangeBody {
    old_password: TypedPassword,
    new_password: TypedPassword,
}

#[derive(Serialize)]
struct ChangeAnswer {
    message: &'static str,
}

impl Function for ChangePassword {
    const NAME: &str = "change-password";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let hasher = wiring.hasher();
        let fields = ProfileFields::configured(&mut wiring.settings);
        Self {
            step_up: StepUp::configured(&mut wiring.settings, Arc::clone(&hasher)),
            hasher,
            policy: Policy::configured(&mut wiring.settings),
            guard: Guard::configured(wiring).with_profile(fields.has_names()),
            fields,
            store: wiring.store.clone(),
            clock: wiring.clock.clone(),
            entropy: wiring.entropy.clone(),
        }
    }
}

impl Endpoint for ChangePassword {
    const ROUTES: &[&str] = &["/api/change_password/"];
    const GUARD: Option<fn(&Self) -> &Guard> = Some(|endpoint| &endpoint.guard);

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        let signed_in = self.guard.authenticate(&request).await?;
        let body = ChangeBody::read(request.form()?, &self.policy)?;
        let account = &signed_in.account;
        self.step_up.admit(&self.store, account, request.client, body.old_password, Refusal::OldPassword, now).await?;
        let accepted = AcceptedPassword::new(body.new_password, &self.policy, &account.owner(&self.fields))
            .map_err(|violations| Refusal::violations("new_password", &violations))?;
        let password = self.hasher.hash(accepted).await?;
        let notice = Notice::to_owner(account, self.entropy.uuid(now), ChangeKind::Changed, request.caller(), now);
        match self.store.change_password(account, &signed_in.token.digest(), request.client, &password, &notice, now).await? {
            Changed::Now => {
                Metric::PASSWORDS_CHANGED.count();
                Ok(http::ok(&ChangeAnswer { message: "Password changed successfully." }))
            }
            // The request is authenticated again, which refuses it if its session has ended. Otherwise this session has changed the password in the
            // meantime.
            Changed::Overtaken => {
                self.guard.authenticate(&request).await?;
                Metric::CHANGES_REFUSED.count();
                Err(Refusal::OldPassword)
            }
        }
    }
}

impl ChangeBody {
    fn read(form: Form, policy: &Policy) -> Result<Self, Refusal> {
        let mut fields = Fields::of(form);
        let old_password = fields.take_checked("old_password", Field::Verbatim, None);
        let new_password = fields.take_checked("new_password", Field::Verbatim, Some(policy.max_length));
        let (old_password, new_password) = fields.finish(old_password.zip(new_password))?;
        Ok(Self { old_password: TypedPassword::from(old_password), new_password: TypedPassword::from(new_password) })
    }
}
