//! GET `/api/users/me/export/`: everything that is stored about an account, as a file for its owner (GDPR, articles 15 and 20).
//!
//! It is separate from the function `me` because of its permissions. It reads whole partitions, including those of the Outbox and of the limits, which no
//! other function that a session can call may do. It writes nothing but two counters.
//!
//! It does not ask for the password. It shows more than the other routes of an account (when things happened), but nothing that gives access to an
//! account. Besides, the right of access must not depend on a password that the owner may have forgotten.

use doorward::{
    account::EmailAddress,
    clock::Clock,
    fault::Fault,
    http::{self, Answer, Method, Refusal, Request},
    limit::{ClientLimit, EXPORT_ACCOUNT, EXPORTS},
    metric::Metric,
    personal_data::View,
    store::{MAX_TRIES, Store, Table},
};

use crate::{Endpoint, Function, Guard, Wiring, own_account::OwnAccount};

pub struct Export {
    store: Store,
    guard: Guard,
    client_limit: ClientLimit,
    shows: OwnAccount,
    clock: Clock,
}

impl Export {
    /// A name as the session may see it: masked with `OWN_ACCOUNT=masked`.
    fn shown(&self, name: &str) -> String {
        if EmailAddress::parse(name).is_ok() { self.shows.shown(name) } else { name.to_owned() }
    }
}

impl Function for Export {
    const NAME: &str = "export";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        Self {
            client_limit: ClientLimit::of_requested_links_and_exports(&mut wiring.settings, "export-client", Metric::CHANGES_LIMITED),
            shows: OwnAccount::configured(&mut wiring.settings),
            guard: Guard::configured(wiring),
            store: wiring.store.clone(),
            clock: wiring.clock.clone(),
        }
    }
}

impl Endpoint for Export {
    const ROUTES: &[&str] = &["/api/users/me/export/"];
    const METHODS: &[Method] = &[Method::GET, Method::HEAD];
    const GUARD: Option<fn(&Self) -> &Guard> = Some(|endpoint| &endpoint.guard);

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        let mut signed_in = self.guard.authenticate(&request).await?;
        self.client_limit.admit(&self.store, request.client, now).await?;
        EXPORTS.admit(&self.store, EXPORT_ACCOUNT, &signed_in.account.id.to_string(), now).await?;
        for _ in 0..MAX_TRIES {
            let view = View {
                account: &signed_in.account,
                sessions: &self.guard.sessions,
                asking: Some(&signed_in.token.digest()),
                name: &|name| self.shown(name),
            };
            if let Some(file) = self.store.personal_data(&view, now).await? {
                tracing::info!("account exported");
                return Ok(http::file("account.json", &file));
            }
            // The request is authenticated again, which refuses it if its session has ended. Otherwise this session has changed the password in the
            // meantime.
            signed_in = self.guard.authenticate(&request).await?;
        }
        Err(Refusal::Fault(Fault::OutOfTime))
    }
}
