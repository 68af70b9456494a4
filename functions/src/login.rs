//! POST `/api/login/`: opens a session.

use std::sync::Arc;

use doorward::{
    account::{Account, KnownNetwork},
    client::Client,
    clock::{Clock, Timestamp},
    config::span,
    entropy::Entropy,
    http::{self, Answer, Field, Fields, Form, Refusal, Request},
    limit::{Attempt, ClientLimit, LOGIN_ACCOUNT, Limit, login_subject, remembered_networks},
    metric::Metric,
    password::{Hasher, StoredPassword, TypedPassword, Verdict},
    registration::Registration,
    session::Sessions,
    sign_in::is_from_new_place,
    store::{Store, Table},
    telemetry,
    verification::AddressVerification,
};
use serde::Serialize;

use crate::{Endpoint, Function, Wiring};

pub struct Login {
    store: Store,
    hasher: Arc<Hasher>,
    sessions: Sessions,
    verification: AddressVerification,
    registration: Registration,
    client_limit: ClientLimit,
    account_limit: Limit,
    clock: Clock,
    entropy: Entropy,
}

struct LoginBody {
    username: String,
    password: TypedPassword,
}

#[derive(Serialize)]
struct LoginAnswer<'a> {
    token: &'a str,
    expires_at: String,
}

impl Login {
    /// Stores what a successful login has shown: the client's network (at most once a day), and the password's hash if it was computed anew. The session
    /// is open already, so a failure is only logged.
    async fn remember(&self, account: &Account, client: Client, rehashed: Option<StoredPassword>, now: Timestamp) {
        let networks: Option<Vec<KnownNetwork>> = remembered_networks(account, client, now);
        if networks.is_none() && rehashed.is_none() {
            return;
        }
        let networks = networks.as_deref().unwrap_or(&account.networks);
        if let Err(fault) = self.store.note_login(account, networks, rehashed.as_ref()).await {
            tracing::warn!(%fault, "network and hash of a login not stored");
        }
    }
}

impl Function for Login {
    const NAME: &str = "login";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let verification = AddressVerification::configured(&mut wiring.settings);
        Self {
            hasher: wiring.hasher(),
            sessions: wiring.sessions(),
            verification,
            registration: Registration::configured(&mut wiring.settings, verification),
            client_limit: ClientLimit::configured(
                &mut wiring.settings,
                "login-client",
                "LOGIN_CLIENT_LIMIT",
                Limit::new(60, span::minutes(5)),
                Metric::LOGINS_LIMITED,
            ),
            account_limit: Limit::of_logins(&mut wiring.settings),
            store: wiring.store.clone(),
            clock: wiring.clock.clone(),
            entropy: wiring.entropy.clone(),
        }
    }
}

impl Endpoint for Login {
    const ROUTES: &[&str] = &["/api/login/"];

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        let body = LoginBody::read(request.form()?)?;
        let now = self.clock.now();
        let look_up = self.store.holder_of_login_name(&body.username);
        let holder = self.client_limit.admit_while(&self.store, request.client, now, look_up).await??;

        let account = self.store.account(holder).await?;
        let window = self.account_limit.window(LOGIN_ACCOUNT, &login_subject(&body.username, account.as_ref(), request.client, now), now);
        let attempt = self.store.count(&window).await?;
        telemetry::note_login(account.as_ref().map(|account| account.id));

        // For an unknown, inactive or over-limit account there is no stored hash to verify against. The hasher then computes a decoy, so that each costs
        // the same as a wrong password.
        let account = account.filter(|_| attempt == Attempt::Granted);
        let stored = account.as_ref().and_then(Account::login_password).cloned();
        let (account, rehashed) = match (self.hasher.verify(body.password, stored).await?, account) {
            (Verdict::Right { rehash }, Some(account)) => (account, rehash),
            (verdict, account) => {
                if let (Verdict::Refused(reason), Some(account)) = (verdict, account) {
                    tracing::warn!(account = %account.id, reason = reason.name(), "stored hash refused");
                }
                if attempt == Attempt::Granted {
                    Metric::LOGINS_REFUSED.count();
                } else {
                    telemetry::note_limited();
                    Metric::LOGINS_LIMITED.count();
                }
                return Err(Refusal::Credentials);
            }
        };

        // Only a client that knows the password gets this answer, and until here every login has cost the same. If registration is silent, nobody gets it:
        // a person who has just registered knows the password, and would learn whether the address had an account before.
        if self.verification.keeps_out(&account) {
            Metric::LOGINS_REFUSED.count();
            return Err(if self.registration == Registration::Silent { Refusal::Credentials } else { Refusal::Unverified });
        }

        if is_from_new_place(&account, request.client, now) {
            self.store.tell_sign_in(&account, request.caller(), now).await?;
        }
        let (token, session) = self.sessions.open(&self.store, &account, &request.caller(), &window, &self.entropy, now).await?;
        self.remember(&account, request.client, rehashed, now).await;
        Metric::LOGINS_ACCEPTED.count();
        Ok(http::ok(&LoginAnswer { token: &token.reveal(), expires_at: doorward::clock::rfc3339(session.valid_until) }))
    }
}

impl LoginBody {
    fn read(form: Form) -> Result<Self, Refusal> {
        let mut fields = Fields::of(form);
        let username = fields.take_checked("username", Field::KnownName, None);
        let password = fields.take_checked("password", Field::Verbatim, None);
        let (username, password) = fields.finish(username.zip(password))?;
        Ok(Self { username: username.to_string(), password: TypedPassword::from(password) })
    }
}
