//! POST `/api/login/`: opens a session.

use std::sync::Arc;

use doorward::{
    account::{Account, KnownNetwork},
    client::Client,
    clock::{Clock, Timestamp},
    config::{Settings, span},
    entropy::Entropy,
    http::{self, Answer, Endpoint, Field, Fields, Form, Method, Refusal, Request},
    limit::{Attempt, ClientLimit, LOGIN_ACCOUNT, Limit, login_subject, remembered_networks},
    metric::Metric,
    password::{Hasher, TypedPassword, Verdict},
    session::Sessions,
    store::Store,
};
use serde::Serialize;

/// The endpoint.
pub struct Login {
    store: Store,
    hasher: Arc<Hasher>,
    sessions: Sessions,
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
    /// The endpoint as configured.
    pub fn new(settings: &mut Settings, store: Store, clock: Clock, entropy: Entropy) -> Self {
        Self {
            store,
            hasher: Arc::new(Hasher::configured(settings, entropy.clone())),
            sessions: Sessions::configured(settings),
            client_limit: ClientLimit::configured(
                settings,
                "login-client",
                "LOGIN_CLIENT_LIMIT",
                Limit::new(60, span::minutes(5)),
                Metric::LOGINS_LIMITED,
            ),
            account_limit: Limit::configured(settings, "LOGIN_ACCOUNT_LIMIT", Limit::new(10, span::minutes(15))),
            clock,
            entropy,
        }
    }

    /// What computes the hashes, and counts them.
    #[must_use]
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Stores what a successful login taught us: the client's network, at most once a day, and a rehashed password. The session is open already, so
    /// a failure is only logged.
    async fn remember(&self, account: &Account, client: Client, rehashed: Option<doorward::password::StoredPassword>, now: Timestamp) {
        let networks: Option<Vec<KnownNetwork>> = remembered_networks(account, client, now);
        if networks.is_none() && rehashed.is_none() {
            return;
        }
        let networks = networks.as_deref().unwrap_or(&account.networks);
        if let Err(fault) = self.store.note_login(account, networks, rehashed.as_ref()).await {
            tracing::warn!(%fault, "login not noted");
        }
    }
}

impl Endpoint for Login {
    fn allow(&self) -> &'static str {
        "OPTIONS, POST"
    }

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        request.allow(&[Method::POST], self.allow())?;
        let body = LoginBody::read(request.form()?)?;
        let now = self.clock.now();
        self.client_limit.admit(&self.store, request.client, now).await?;

        let account = self.store.account_by_login_name(&body.username).await?;
        let window = self.account_limit.window(LOGIN_ACCOUNT, &login_subject(&body.username, account.as_ref(), request.client, now), now);
        let attempt = self.store.count(&window).await?;

        // Whoever cannot log in has nothing to verify, and that costs what a wrong password costs.
        let account = account.filter(|_| attempt == Attempt::Granted);
        let stored = account.as_ref().and_then(Account::login_password).cloned();
        let (account, rehashed) = match (self.hasher.verify(body.password, stored).await?, account) {
            (Verdict::Right { rehash }, Some(account)) => (account, rehash),
            (verdict, account) => {
                if let (Verdict::Refused(reason), Some(account)) = (verdict, account) {
                    tracing::warn!(account = %account.id, reason = reason.name(), "stored hash refused");
                }
                let refusals = if attempt == Attempt::Granted { Metric::LOGINS_REFUSED } else { Metric::LOGINS_LIMITED };
                refusals.count();
                return Err(Refusal::Credentials);
            }
        };

        let (token, session) = self.sessions.open(&self.store, &account, &window, &self.entropy, now).await?;
        self.remember(&account, request.client, rehashed, now).await;
        Metric::LOGINS_ACCEPTED.count();
        Ok(http::ok(&LoginAnswer { token: &token.reveal(), expires_at: doorward::clock::rfc3339(session.valid_until) }))
    }
}

impl LoginBody {
    fn read(form: Form) -> Result<Self, Refusal> {
        let mut fields = Fields::of(form);
        let username = fields.take_checked("username", Field::Text, None);
        let password = fields.take_checked("password", Field::Verbatim, None);
        let (username, password) = fields.finish(username.zip(password))?;
        Ok(Self { username: username.to_string(), password: TypedPassword::from(password) })
    }
}
