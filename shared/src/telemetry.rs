//! Log lines: JSON, one per event, with ids, codes and durations and without personal data.

use tracing::{
    Span, Subscriber,
    field::{Empty, display},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::{config::Settings, id::AccountId};

/// The prefix of our crates' names. `LOG_LEVEL` applies only to these. Lines of the SDK and the HTTP crates below a warning may contain headers and
/// bodies, so no setting enables them.
const OURS: &str = "doorward";

/// `LOG_LEVEL`: error, warn or info (the default). A release contains no lines below info.
pub fn level(settings: &mut Settings) -> LevelFilter {
    settings.parsed("LOG_LEVEL", LevelFilter::INFO, |text| match text {
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        _ => Err("must be error, warn or info".to_owned()),
    })
}

/// Starts logging at this level.
pub fn start(level: LevelFilter) {
    // A second start, as in tests, keeps the first.
    let _ = lines_to(std::io::stdout, level).try_init();
    // The message of a panic may contain secrets, so only the place is logged.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}

/// The span of a request, whose fields are in each of its log lines: the id of the request and, as soon as they are known, the account and the
/// client.
pub fn request(id: &str) -> Span {
    // The span is enabled at every level, so that a warning has the id of its request.
    tracing::error_span!("request", request_id = id, account = Empty, limited = Empty, client = Empty)
}

/// Adds the account of the present request to its log lines.
pub fn note_account(account: AccountId) {
    Span::current().record("account", display(account));
}

/// Adds the account of a login attempt to its log lines, or that there is none, which takes the same work.
pub fn note_login(account: Option<AccountId>) {
    match account {
        Some(account) => note_account(account),
        None => drop(Span::current().record("account", "unknown")),
    }
}

/// Adds to the log lines that the account of the present request, or the name in it, had too many attempts before this one.
pub fn note_limited() {
    Span::current().record("limited", true);
}

/// Adds the client of the present request to its log lines.
pub fn note_client(client: &str) {
    Span::current().record("client", client);
}

/// Writes log lines to `writer`: those of our crates from `level` up, those of other crates from warnings up.
pub fn lines_to<W>(writer: W, level: LevelFilter) -> impl Subscriber + Send + Sync
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter = Targets::new().with_default(LevelFilter::WARN).with_target(OURS, level);
    // Lambda adds a time to every line.
    let lines = fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false).without_time().with_writer(writer);
    tracing_subscriber::registry().with(filter).with(lines)
}
