//! POST `/api/password_reset/validate_token/`: answers whether a reset link works, without using it up.

use doorward::{
    clock::Clock,
    config::span,
    http::{self, Answer, Field, Fields, Form, Refusal, Request},
    limit::{ClientLimit, Limit},
    metric::Metric,
    reset::ResetLinks,
    store::{Store, Table},
    token::{Reset, Token},
};

use crate::{Endpoint, Function, Wiring};

pub struct ValidateToken {
    store: Store,
    links: ResetLinks,
    client_limit: ClientLimit,
    clock: Clock,
}

impl Function for ValidateToken {
    const NAME: &str = "validate-token";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits];

    fn new(wiring: &mut Wiring) -> Self {
        Self {
            links: ResetLinks::configured(&mut wiring.settings, wiring.clock.now()),
            client_limit: ClientLimit::configured(
                &mut wiring.settings,
                "validate-client",
                "VALIDATE_CLIENT_LIMIT",
                Limit::new(60, span::minutes(5)),
                Metric::RESETS_LIMITED,
            ),
            store: wiring.store.clone(),
            clock: wiring.clock.clone(),
        }
    }
}

impl Endpoint for ValidateToken {
    const ROUTES: &[&str] = &["/api/password_reset/validate_token/"];

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        let token = read(request.form()?)?;
        let now = self.clock.now();
        let look_up = self.links.check(&self.store, token.as_ref(), now);
        self.client_limit.admit_while(&self.store, request.client, now, look_up).await??.ok_or(Refusal::Token)?;
        Ok(http::done())
    }
}

fn read(form: Form) -> Result<Option<Token<Reset>>, Refusal> {
    let mut fields = Fields::of(form);
    let token = fields.take_checked("token", Field::Text, None);
    Ok(Token::entered(&fields.finish(token)?))
}
