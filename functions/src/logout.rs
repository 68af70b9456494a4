//! POST `/api/logout/` and `/api/logout_all/`: ends one session, or all.

use doorward::{
    clock::Clock,
    http::{self, Answer, Refusal, Request},
    route::is_at,
    store::{Store, Table},
};
use serde::Serialize;

use crate::{Endpoint, Function, Guard, Wiring};

/// The route that ends all sessions.
const ALL: &str = "/api/logout_all/";

pub struct Logout {
    store: Store,
    guard: Guard,
    clock: Clock,
}

#[derive(Serialize)]
struct LogoutAnswer {
    message: &'static str,
}

impl Function for Logout {
    const NAME: &str = "logout";
    const TABLES: &[Table] = &[Table::Accounts, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        Self { guard: Guard::configured(wiring), store: wiring.store.clone(), clock: wiring.clock.clone() }
    }
}

impl Endpoint for Logout {
    const ROUTES: &[&str] = &["/api/logout/", ALL];
    const GUARD: Option<fn(&Self) -> &Guard> = Some(|endpoint| &endpoint.guard);

    /// The body is ignored, even a malformed one.
    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        let signed_in = self.guard.authenticate(&request).await?;
        if is_at(&request.path, ALL) {
            self.store.end_sessions(signed_in.account.id, now).await?;
        } else {
            self.store.end_session(signed_in.account.id, &signed_in.token.digest(), now).await?;
        }
        Ok(http::ok(&LogoutAnswer { message: "Successfully logged out." }))
    }
}
