//! The check that a request has a session, for the endpoints that require one.

use doorward::{
    clock::Clock,
    http::{Refusal, Request},
    session::{Sessions, SignedIn},
    store::Store,
};

use crate::Wiring;

/// Checks that a request has a session.
pub struct Guard {
    pub(crate) sessions: Sessions,
    store: Store,
    clock: Clock,
}

impl Guard {
    /// A guard with the configured rules of sessions.
    pub(crate) fn configured(wiring: &mut Wiring) -> Self {
        Self { sessions: wiring.sessions(), store: wiring.store.clone(), clock: wiring.clock.clone() }
    }

    /// The same, and if `is_needed` a check also reads the account's profile.
    pub(crate) fn with_profile(self, is_needed: bool) -> Self {
        Self { sessions: self.sessions.with_profile(is_needed), ..self }
    }

    /// The account and the session of a request. A request without a valid session is refused.
    pub(crate) async fn authenticate(&self, request: &Request) -> Result<SignedIn, Refusal> {
        self.sessions.authenticate(&self.store, request, self.clock.now()).await
    }
}
