//! Promise 11: a wrong configuration stops a function at start, with every problem reported at once.

use doorward::{
    clock::Clock,
    config::Settings,
    entropy::Entropy,
    mail::Sender,
    store::{Store, Table},
};
use doorward_functions::{FUNCTIONS, Mailer, RegisteredFunction, Wiring, complaints};

/// Every variable that a function reads, each with a wrong value. Each value contains a marker, which no complaint may repeat.
const WRONG: [(&str, &str); 38] = [
    ("LOG_LEVEL", "wrong"),
    ("ALLOWED_ORIGINS", "https://wrong.example/path"),
    ("PUBLIC_URL", "wrong"),
    ("TRUSTED_PROXY_HOPS", "wrong"),
    ("PROXY_SECRET", "wrong"),
    ("ARGON2_MEMORY_KIB", "8"),
    ("ARGON2_ITERATIONS", "1"),
    ("ARGON2_PARALLELISM", "1"),
    ("PASSWORD_MIN_LENGTH", "4"),
    ("PASSWORD_MAX_LENGTH", "9999"),
    ("REGISTRATION", "wrong"),
    ("OWN_ACCOUNT", "wrong"),
    ("DELETION_GRACE", "wrong"),
    ("PROFILE_FIELDS", r#"{"wrong": {"type": "wrong"}}"#),
    ("EVENTS", "wrong"),
    ("EVENT_DATA", "wrong"),
    ("WEBHOOK_URL", "http://wrong.example"),
    ("WEBHOOK_SECRET", "whsec_wrong"),
    ("WEBHOOK_PRIVATE", "wrong"),
    ("SESSION_LIFETIME", "1s"),
    ("SESSION_IDLE", "36h"),
    ("IMPORTED_TOKENS", "wrong"),
    ("SESSIONS_NOT_BEFORE", "wrong"),
    ("RESET_LIFETIME", "9m"),
    ("RESET_COOL_DOWN", "wrong"),
    ("LOGIN_CLIENT_LIMIT", "0/5m"),
    ("LOGIN_ACCOUNT_LIMIT", "wrong"),
    ("REGISTER_CLIENT_LIMIT", "60"),
    ("CHANGE_CLIENT_LIMIT", "60/0s"),
    ("CHANGE_ACCOUNT_LIMIT", "60/2days"),
    ("RESET_CLIENT_LIMIT", "-1/5m"),
    ("VALIDATE_CLIENT_LIMIT", "wrong/5m"),
    ("CONFIRM_CLIENT_LIMIT", "60/wrong"),
    ("LOG_CLIENTS", "wrong"),
    ("METRICS", "wrong"),
    ("LINK_BASE", "https://wrong.example/?x"),
    ("SENDER", "wrong"),
    ("ACCOUNTS_TABLE", " "),
];

/// The variables without which functions do not start.
const ENOUGH: [(&str, &str); 8] = [
    ("ACCOUNTS_TABLE", "a"),
    ("LIMITS_TABLE", "l"),
    ("OUTBOX_TABLE", "o"),
    ("SENDER", "accounts@doorward.internal"),
    ("LINK_BASE", "https://accounts.example.com"),
    ("EVENT_BUS", "b"),
    ("WEBHOOK_URL", "https://receiver.example.com/events"),
    ("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
];

fn settings(pairs: &[(&str, &str)]) -> Settings {
    Settings::from_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

/// The complaints of each function that is started in this environment.
async fn at_start(pairs: &[(&str, &str)]) -> Vec<(&'static str, Vec<String>)> {
    let started = FUNCTIONS.iter().map(|function| (function.name, function.check(settings(pairs), Entropy::system())));
    started.map(|(function, started)| (function, started.err().map(|error| error.complaints().to_vec()).unwrap_or_default())).collect()
}

#[tokio::test]
async fn every_function_stops_with_every_complaint_at_once_and_repeats_no_value() {
    let mut all = Vec::new();
    for (function, complaints) in at_start(&WRONG).await {
        let has_table = function != "webhook";
        assert_eq!(complaints.iter().any(|complaint| complaint.ends_with("_TABLE is not set")), has_table, "{function}: {complaints:?}");
        assert!(complaints.len() >= 2 || function == "mail-feedback", "{function}: {complaints:?}");
        all.extend(complaints);
    }
    for (variable, value) in WRONG {
        let about = all.iter().find(|complaint| complaint.contains(variable));
        let about = about.unwrap_or_else(|| panic!("nobody complains of {variable}"));
        assert!(value.len() < 5 || !about.contains(value), "{about}");
    }
    assert!(!all.iter().any(|complaint| complaint.contains("wrong")), "{all:?}");
}

#[tokio::test]
async fn a_login_function_says_all_that_is_wrong_with_it() {
    let said = at_start(&WRONG).await;
    let (_, complaints) = said.iter().find(|(function, _)| *function == "login").expect("a login");
    insta::assert_snapshot!(complaints.join("\n"), @r"
    LOG_LEVEL: must be error, warn or info
    ACCOUNTS_TABLE is not set
    LIMITS_TABLE is not set
    OUTBOX_TABLE is not set
    EVENTS: must be none, account or all
    EVENT_DATA: must be thin or full
    ALLOWED_ORIGINS: origin 1 goes on after its host and port: leave out the slash and what follows
    PUBLIC_URL: must be a URL such as https://accounts.example.com
    TRUSTED_PROXY_HOPS: must be a number from 0 to 9
    PROXY_SECRET: must be one secret, or two with a comma between them, of at least 32 printable characters each
    LOG_CLIENTS: must be full, network or none
    METRICS: must be few or all
    ARGON2_MEMORY_KIB, ARGON2_ITERATIONS, ARGON2_PARALLELISM: below OWASP's floor: at least 47104 KiB with 1 pass, 19456 with 2, 12288 with 3, 9216 with 4 or 7168 with 5
    SESSION_LIFETIME: must be 5m to 365d
    SESSIONS_NOT_BEFORE: must be an instant such as 2026-01-31T12:00:00Z
    IMPORTED_TOKENS: must be on or off
    SESSION_IDLE: must be off or whole days, 1d to 90d
    REGISTRATION: must be open, closed or silent
    LOGIN_CLIENT_LIMIT: must be attempts/window such as 60/5m, the window 1s to 1day
    LOGIN_ACCOUNT_LIMIT: must be attempts/window such as 60/5m, the window 1s to 1day
    ");
}

#[tokio::test]
async fn nothing_but_the_tables_the_sender_and_the_base_of_links_must_be_set() {
    for (function, complaints) in at_start(&[]).await {
        let listed = FUNCTIONS.iter().find(|listed| listed.name == function).expect("a function");
        let tables = listed.tables.iter().map(|table| match table {
            Table::Accounts => "ACCOUNTS_TABLE",
            Table::Limits => "LIMITS_TABLE",
            Table::Outbox => "OUTBOX_TABLE",
        });
        let others: &[&str] = match function {
            "mailer" => &["SENDER", "LINK_BASE"],
            "events" => &["EVENT_BUS"],
            "webhook" => &["WEBHOOK_URL", "WEBHOOK_SECRET"],
            _ => &[],
        };
        let expected: Vec<String> = tables.chain(others.iter().copied()).map(|variable| format!("{variable} is not set")).collect();
        assert_eq!(complaints, expected, "{function}");
    }
    assert!(at_start(&ENOUGH).await.iter().all(|(_, complaints)| complaints.is_empty()));
}

#[tokio::test]
async fn silent_registration_is_refused_unless_nobody_logs_in_before_the_address_is_verified() {
    for (verification, refused) in [("none", true), ("optional", true), ("", true), ("mandatory", false)] {
        let pairs = [&ENOUGH[..], &[("REGISTRATION", "silent"), ("ADDRESS_VERIFICATION", verification)]].concat();
        let complaining = at_start(&pairs).await.into_iter().filter(|(_, complaints)| !complaints.is_empty());
        let expected = || {
            ["register", "login"].map(|function| (function, vec!["REGISTRATION: silent needs ADDRESS_VERIFICATION=mandatory".to_owned()]))
        };
        let expected = if refused { expected().to_vec() } else { vec![] };
        assert_eq!(complaining.collect::<Vec<_>>(), expected, "{verification}");
    }
}

#[tokio::test]
async fn an_emergency_switch_that_lies_in_the_future_is_refused_by_every_function_that_obeys_it() {
    let refusing = async |instant| {
        let pairs = [&ENOUGH[..], &[("SESSIONS_NOT_BEFORE", instant)]].concat();
        at_start(&pairs).await.into_iter().filter(|(_, complaints)| !complaints.is_empty()).collect::<Vec<_>>()
    };
    // Whoever logs in would hold a token that is never valid, and every reset link would be dead when it is mailed.
    let obeys = |function: &RegisteredFunction| {
        let has_sessions = function.routes.as_ref().is_some_and(|routes| routes.protected);
        has_sessions || ["login", "validate-token", "confirm-reset", "authorizer", "mailer"].contains(&function.name)
    };
    let complaint = || vec!["SESSIONS_NOT_BEFORE: must not lie in the future".to_owned()];
    let expected: Vec<_> = FUNCTIONS.iter().filter(|function| obeys(function)).map(|function| (function.name, complaint())).collect();
    assert_eq!(refusing("2999-01-01T00:00:00Z").await, expected);
    assert_eq!(refusing("2020-01-01T00:00:00Z").await, []);
}

#[tokio::test]
async fn mail_from_an_example_does_not_leave_this_machine() {
    for (base, refused) in [("https://accounts.doorward.internal", true), ("http://localhost:4566", false)] {
        let pairs = [
            ("ACCOUNTS_TABLE", "a"),
            ("LIMITS_TABLE", "l"),
            ("OUTBOX_TABLE", "o"),
            ("SENDER", "accounts@example.com"),
            ("LINK_BASE", base),
        ];
        let said: Vec<String> = at_start(&pairs).await.into_iter().flat_map(|(_, complaints)| complaints).collect();
        assert_eq!(said.iter().any(|complaint| complaint.starts_with("SENDER: is an example")), refused, "{said:?}");
    }
}

#[test]
fn links_begin_with_https_unless_they_stay_on_this_machine() {
    for (base, good) in [
        ("https://accounts.example.com", true),
        ("https://accounts.example.com/v1/", true),
        ("http://localhost:4566/x", true),
        ("http://accounts.example.com", false),
        ("http://localhost.evil.example", false),
        ("https://accounts.example.com/?a=b", false),
        ("https://accounts.example.com/#a", false),
        ("javascript:alert(1)", false),
        ("//accounts.example.com", false),
    ] {
        let settings = settings(&[("LINK_BASE", base), ("SENDER", "a@example.com")]);
        let store = doorward_kit::place::client_of("http://localhost:1");
        let sender = Sender::new(doorward_kit::mailbox::client_of("http://localhost:1"), "a@example.com".to_owned(), None);
        let store = Store::new(store, doorward::store::Tables::default(), Entropy::system());
        let mut wiring = Wiring::new(settings, store, Clock::system(), Entropy::system());
        Mailer::over(&mut wiring, sender);
        assert_eq!(wiring.finish().is_ok(), good, "{base}");
    }
}

#[test]
fn environments_are_checked_by_function_with_every_complaint_and_no_value() {
    let environment = |function: &str, pairs: &[(&str, &str)]| {
        (function.to_owned(), pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
    };
    let said = complaints([
        environment(
            "login",
            &[
                ("ACCOUNTS_TABLE", "a"),
                ("LIMITS_TABLE", "l"),
                ("OUTBOX_TABLE", "o"),
                ("SESSION_LIFETIME", "400d"),
                ("TRUSTED_PROXY_HOPS", "many"),
            ],
        ),
        environment("logout", &[("ACCOUNTS_TABLE", "a"), ("OUTBOX_TABLE", "o")]),
        environment("logon", &[]),
    ]);
    insta::assert_snapshot!(said.join("\n"), @r"
    login: TRUSTED_PROXY_HOPS: must be a number from 0 to 9
    login: SESSION_LIFETIME: must be 5m to 365d
    logon: there is no such function
    ");
}
