//! POST `/api/logout/` and `/api/logout_all/`: ends one session, or all.

use doorward::{
    clock::Clock,
    config::Settings,
    entropy::Entropy,
    http::{self, Answer, Endpoint, Method, Refusal, Request},
    session::Sessions,
    store::Store,
};
use serde::Serialize;

/// The endpoint.
pub struct Logout {
    store: Store,
    sessions: Sessions,
    clock: Clock,
}

#[derive(Serialize)]
struct LogoutAnswer {
    message: &'static str,
}

impl Logout {
    /// The endpoint as configured.
    pub fn new(settings: &mut Settings, store: Store, clock: Clock, _: Entropy) -> Self {
        Self { store, sessions: Sessions::configured(settings), clock }
    }
}

impl Endpoint for Logout {
    fn allow(&self) -> &'static str {
        "OPTIONS, POST"
    }

    /// The body is ignored, even a malformed one.
    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        let signed_in = self.sessions.authenticate(&self.store, &request, self.clock.now()).await?;
        request.allow(&[Method::POST], self.allow())?;
        if request.path.trim_end_matches('/').ends_with("/logout_all") {
            self.store.end_sessions(signed_in.account.id).await?;
        } else {
            self.store.end_session(signed_in.account.id, &signed_in.token.digest()).await?;
        }
        Ok(http::ok(&LogoutAnswer { message: "Successfully logged out." }))
    }
}
