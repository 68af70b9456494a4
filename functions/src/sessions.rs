//! GET and DELETE `/api/sessions/`: lists the sessions of an account, and ends them one by one.
//!
//! The list has the field names of django-allauth's headless API. The holder of a session may see the others, and needs the password to end them (ASVS
//! 5.0, 7.5.2). This function has no permission to write an account.

use std::collections::BTreeSet;

use doorward::{
    clock::{Clock, Timestamp, rfc3339},
    fault::Fault,
    http::{self, Answer, Field, Fields, Form, Method, Refusal, Request},
    password::TypedPassword,
    session::{Ended, ListedSession, SignedIn},
    step_up::StepUp,
    store::{MAX_TRIES, Store, Table},
};
use serde::Serialize;

use crate::{Endpoint, Function, Guard, Wiring};

/// The maximum number of sessions that one request ends.
const MAX_ENDED_SESSIONS: usize = 25;

pub struct Sessions {
    store: Store,
    guard: Guard,
    step_up: StepUp,
    clock: Clock,
}

/// The sessions to end. Without a password it is only the session that makes the request.
struct EndBody {
    ids: BTreeSet<String>,
    password: Option<TypedPassword>,
}

/// A session, as its owner sees it.
#[derive(Serialize)]
struct Seen {
    id: String,
    user_agent: Option<String>,
    ip: Option<String>,
    created_at: i64,
    last_seen_at: Option<i64>,
    is_current: bool,
    expires_at: String,
}

impl Sessions {
    /// Ends the sessions that the body names, and answers with those that are left. Ending a session that has already ended is no error.
    async fn end(&self, request: &Request, signed_in: &SignedIn, now: Timestamp) -> Result<Answer, Refusal> {
        let account = &signed_in.account;
        let EndBody { ids, password } = EndBody::read(request.form()?, &signed_in.session_id())?;
        let ends_others = password.is_some();
        if let Some(password) = password {
            self.step_up.admit(&self.store, account, request.client, password, Refusal::CurrentPassword, now).await?;
        }
        let Some(listed) = self.guard.sessions.list(&self.store, account, now).await? else { return self.overtaken(request).await };
        let (ended, left): (Vec<&ListedSession>, Vec<&ListedSession>) = listed.iter().partition(|session| ids.contains(&session.id()));
        if !ends_others {
            self.store.end_session(account.id, &signed_in.token.digest(), now).await?;
        } else if self.store.end_listed(account, &ended, now).await? == Ended::Overtaken {
            return self.overtaken(request).await;
        }
        Ok(self.answer(&left, signed_in))
    }

    /// Refuses a request that was overtaken. It is authenticated again, which refuses it if its session has ended. Otherwise this session has changed the
    /// password in the meantime.
    async fn overtaken(&self, request: &Request) -> Result<Answer, Refusal> {
        self.guard.authenticate(request).await?;
        Err(Refusal::CurrentPassword)
    }

    /// The sessions of the authenticated account. If its own session changes the password in the meantime, they are looked up again.
    async fn see(&self, request: &Request, mut signed_in: SignedIn, now: Timestamp) -> Result<Answer, Refusal> {
        for _ in 0..MAX_TRIES {
            if let Some(listed) = self.guard.sessions.list(&self.store, &signed_in.account, now).await? {
                return Ok(self.answer(&listed.iter().collect::<Vec<_>>(), &signed_in));
            }
            signed_in = self.guard.authenticate(request).await?;
        }
        Err(Refusal::Fault(Fault::OutOfTime))
    }

    fn answer(&self, sessions: &[&ListedSession], signed_in: &SignedIn) -> Answer {
        let seen = |session: &&ListedSession| Seen {
            id: session.id(),
            user_agent: session.record.agent.map(|agent| agent.to_string()),
            ip: session.record.network.as_ref().map(ToString::to_string),
            created_at: session.record.created_at.as_second(),
            last_seen_at: self.guard.sessions.last_seen(&session.record),
            is_current: session.is_of(&signed_in.token),
            expires_at: rfc3339(session.record.valid_until),
        };
        http::ok(&sessions.iter().map(seen).collect::<Vec<_>>())
    }
}

impl Function for Sessions {
    const NAME: &str = "sessions";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let hasher = wiring.hasher();
        Self {
            step_up: StepUp::configured(&mut wiring.settings, hasher),
            guard: Guard::configured(wiring),
            store: wiring.store.clone(),
            clock: wiring.clock.clone(),
        }
    }
}

impl Endpoint for Sessions {
    const ROUTES: &[&str] = &["/api/sessions/"];
    const METHODS: &[Method] = &[Method::GET, Method::HEAD, Method::DELETE];
    const GUARD: Option<fn(&Self) -> &Guard> = Some(|endpoint| &endpoint.guard);

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        let signed_in = self.guard.authenticate(&request).await?;
        if request.method == Method::DELETE {
            return self.end(&request, &signed_in, now).await;
        }
        self.see(&request, signed_in, now).await
    }
}

impl EndBody {
    /// `own` is the id of the session that makes the request, which needs no password to end itself.
    fn read(form: Form, own: &str) -> Result<Self, Refusal> {
        let mut fields = Fields::of(form);
        let ids = fields.take_texts("sessions", MAX_ENDED_SESSIONS);
        let ids: Option<BTreeSet<String>> = ids.map(|ids| ids.iter().map(|id| id.to_string()).collect());
        if ids.as_ref().is_some_and(|ids| ids.iter().all(|id| id == own)) {
            return Ok(Self { ids: fields.finish(ids)?, password: None });
        }
        let password = fields.take_checked("current_password", Field::Verbatim, None);
        let (ids, password) = fields.finish(ids.zip(password))?;
        Ok(Self { ids, password: Some(TypedPassword::from(password)) })
    }
}
