//! Building a function only reads its configuration and builds its clients, so a wrong configuration is reported whatever state other services are in.
//! `tests/stack/test_start.py` starts the programs, which then connect.

use std::{
    env, fs,
    io::ErrorKind,
    net::TcpListener,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use doorward::{config::Settings, entropy::Entropy, telemetry};
use doorward_functions::FUNCTIONS;

#[test]
fn a_function_that_is_built_calls_nobody_hashes_nothing_and_reads_little() {
    // Every service that the SDK could contact is this listener, which notices connections.
    let services = TcpListener::bind("127.0.0.1:0").expect("a free port");
    services.set_nonblocking(true).expect("a listener that does not wait");
    let url = format!("http://{}", services.local_addr().expect("an address"));
    let started = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "every_function_starts", "--ignored", "--nocapture"])
        .env_clear()
        .envs([
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", &url),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url),
            ("ACCOUNTS_TABLE", "accounts"),
            ("LIMITS_TABLE", "limits"),
            ("OUTBOX_TABLE", "outbox"),
            ("EVENT_BUS", "bus"),
            ("WEBHOOK_URL", "https://receiver.example.com/events"),
            ("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            ("SENDER", "accounts@doorward.internal"),
            ("LINK_BASE", "https://accounts.example.com"),
        ])
        .output()
        .expect("it runs");
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stdout));
    assert!(String::from_utf8_lossy(&started.stdout).contains("1 passed"), "the functions were started");
    let connected = services.accept().map(|(_, client)| client).map_err(|error| error.kind());
    assert_eq!(connected, Err(ErrorKind::WouldBlock), "somebody was called");
}

/// The most that all starts together may read, in bytes. The system's list of certificates alone has 200 KiB.
const LITTLE: u64 = 64 * 1024;

/// Bytes that this process has read so far, from files and other sources (proc(5), `rchar`).
fn bytes_read() -> u64 {
    let counts = fs::read_to_string("/proc/self/io").expect("Linux counts");
    counts.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok()).expect("a number")
}

#[tokio::test]
#[ignore = "the test above runs it, in an environment of its own"]
async fn every_function_starts() {
    // A new hash and a decoy need a salt, and no stored hash is verified. So if no randomness was used, nothing was hashed.
    let drawn = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&drawn);
    let entropy = Entropy::filling(move |bytes| {
        counter.fetch_add(bytes.len(), Ordering::Relaxed);
        bytes.fill(7);
    });
    let before = bytes_read();
    telemetry::start(telemetry::level(&mut Settings::from_environment()));
    for function in &FUNCTIONS {
        let started = function.check(Settings::from_environment(), entropy.clone());
        assert!(started.is_ok(), "{}: {started:?}", function.name);
    }
    let read = bytes_read() - before;
    assert!(read < LITTLE, "{read} bytes were read");
    assert_eq!(drawn.load(Ordering::Relaxed), 0, "bytes of randomness");
}
