//! POST `/api/password_reset/validate_token/`: says whether a reset link works. It spends nothing.

use doorward::{
    clock::Clock,
    config::{Settings, span},
    entropy::Entropy,
    http::{self, Answer, Endpoint, Field, Fields, Form, Method, Refusal, Request},
    limit::{ClientLimit, Limit},
    metric::Metric,
    reset::ResetLinks,
    store::Store,
    token::{Reset, Token},
};
use serde::Serialize;

/// The endpoint.
pub struct ValidateToken {
    store: Store,
    links: ResetLinks,
    client_limit: ClientLimit,
    clock: Clock,
}

#[derive(Serialize)]
struct ValidateAnswer {
    status: &'static str,
}

impl ValidateToken {
    /// The endpoint as configured.
    pub fn new(settings: &mut Settings, store: Store, clock: Clock, _: Entropy) -> Self {
        Self {
            store,
            links: ResetLinks::configured(settings),
            client_limit: ClientLimit::configured(
                settings,
                "validate-client",
                "VALIDATE_CLIENT_LIMIT",
                Limit::new(60, span::minutes(5)),
                Metric::RESETS_LIMITED,
            ),
            clock,
        }
    }
}

impl Endpoint for ValidateToken {
    fn allow(&self) -> &'static str {
        "POST, OPTIONS"
    }

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        request.allow(&[Method::POST], self.allow())?;
        let token = read(request.form()?)?;
        let now = self.clock.now();
        self.client_limit.admit(&self.store, request.client, now).await?;
        self.links.check(&self.store, &token.ok_or(Refusal::Token)?, now).await?.ok_or(Refusal::Token)?;
        Ok(http::ok(&ValidateAnswer { status: "OK" }))
    }
}

fn read(form: Form) -> Result<Option<Token<Reset>>, Refusal> {
    let mut fields = Fields::of(form);
    let token = fields.take_checked("token", Field::Text, None);
    Ok(Token::parse(&fields.finish(token)?))
}
