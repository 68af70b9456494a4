//! Promises 2 and 6: an unknown account costs what a wrong password costs. What each operation may cost is in `budgets.rs`.

use std::collections::BTreeSet;

use doorward::{
    entropy::Entropy,
    password::{Cost, Hasher, StoredPassword, TypedPassword, Verdict},
};
use doorward_kit::{
    App, Response,
    app::{Observer, USUAL_COST},
    requests::{NEW_PASSWORD, PASSWORD, Request, change_address, export, login, me, reset_request, verification_request, verify},
    time::processor_time,
};
use serde_json::{Value, json};

/// The hash of `Correct-Horse-42` that an old Django stored.
const IMPORTED: &str = "pbkdf2_sha256$1000$saltsaltsalt$FCUAohngPzY3dX0U8srI5cqtZhj1id1F70mXUq/4kmg=";

/// Everything except time by which a client or a bill could distinguish two requests.
#[derive(Debug, PartialEq)]
pub struct Seen {
    pub answer: Response,
    pub calls: Vec<String>,
    pub waits: usize,
    write_units: f64,
    read_units: f64,
    pub hashes: u64,
}

/// A call without its random and personal values: the operation, the number of items, the attributes and the conditions.
fn shape(call: &doorward_kit::proxy::Call) -> String {
    fn names_only(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let kept = |name: &str, value: &Value| if name == "TableName" { value.clone() } else { names_only(value) };
                map.iter().map(|(name, value)| (name.clone(), kept(name, value))).collect()
            }
            Value::Array(list) => list.iter().map(names_only).collect(),
            Value::String(text) if text.contains(' ') || text.starts_with("ALL_") => Value::String(text.clone()),
            other => json!(match other {
                Value::String(_) => "text",
                Value::Number(_) => "number",
                Value::Bool(_) => "truth",
                _ => "nothing",
            }),
        }
    }
    format!("{} try {} {} {}", call.operation, call.attempt, call.status, names_only(&call.request))
}

/// Asks, and looks what it takes.
pub async fn seen(app: &App, observer: &Observer, asked: Request) -> Seen {
    let hashes = app.hasher.evaluations();
    observer.store.forget();
    let answer = app.send(asked).await;
    let (write_units, read_units) = observer.store.units();
    let calls = observer.store.calls().iter().map(shape).collect();
    Seen { answer, calls, waits: observer.store.waits(), write_units, read_units, hashes: app.hasher.evaluations() - hashes }
}

/// Names of accounts of every kind that must be indistinguishable, and one unknown name. All have the same length.
async fn everybody(app: &App) -> [&'static str; 6] {
    for name in ["anna", "ivan", "none", "dead", "alan"] {
        app.sign_up(name).await;
    }
    app.operator.set_active("ivan", false).await;
    app.operator.set_password_hash("dead", "!unusable").await;
    app.operator.remove("none", "password").await;
    app.operator.set_password_hash("alan", IMPORTED).await;
    ["nobo", "anna", "ivan", "none", "dead", "alan"]
}

#[tokio::test]
async fn a_failed_login_looks_and_costs_the_same_whoever_is_meant() {
    let (app, observer) = App::observed(&[USUAL_COST]).await;
    let everybody = everybody(&app).await;
    for by_address in [false, true] {
        let named = |name: &str| if by_address { format!("{name}@example.com") } else { name.to_owned() };
        let unknown = seen(&app, &observer, login(&named(everybody[0]), "Wrong-Horse-42")).await;
        assert_eq!((unknown.answer.status, unknown.calls.len(), unknown.waits, unknown.hashes), (401, 4, 3, 1), "{unknown:#?}");
        for name in everybody {
            let one = seen(&app, &observer, login(&named(name), "Wrong-Horse-42")).await;
            assert_eq!(one, unknown, "{name}");
        }
        // For an account that cannot log in the right password is like a wrong one.
        for name in ["ivan", "none", "dead"] {
            assert_eq!(seen(&app, &observer, login(&named(name), PASSWORD)).await, unknown, "{name}");
        }
    }
}

#[tokio::test]
async fn over_the_limit_a_login_looks_and_costs_the_same_whoever_is_meant_and_whatever_the_password() {
    let (app, observer) = App::observed(&[]).await;
    let everybody = everybody(&app).await;
    let within = seen(&app, &observer, login(everybody[0], "Wrong-Horse-42")).await;
    let mut over = Vec::new();
    for name in everybody {
        for _ in 0..10 {
            app.send(login(name, "Wrong-Horse-42")).await;
        }
        for password in ["Wrong-Horse-42", PASSWORD] {
            over.push(seen(&app, &observer, login(name, password)).await);
        }
    }
    assert!(over.iter().all(|one| *one == over[0]), "{over:#?}");
    // The store refuses to count the attempt, which only the bill could show. The client gets the same answer after the same time.
    let but_writes = |seen: &Seen| (seen.answer.clone(), seen.hashes, seen.calls.len(), seen.waits, seen.read_units.to_bits());
    assert_eq!(but_writes(&over[0]), but_writes(&within));
}

#[tokio::test]
async fn a_decoy_is_one_hash_at_the_configured_cost_and_an_imported_one_at_its_own() {
    let app = App::configured(&[("ARGON2_ITERATIONS", "3")]).await;
    let everybody = everybody(&app).await;
    assert_eq!((app.hasher.cost().memory_kib(), app.hasher.cost().iterations()), (19_456, 3));
    let mut counted = Vec::new();
    for name in everybody {
        let (hashes, decoys) = (app.hasher.evaluations(), app.hasher.decoys());
        app.send(login(name, "Wrong-Horse-42")).await;
        counted.push((app.hasher.evaluations() - hashes, app.hasher.decoys() - decoys));
    }
    assert_eq!(counted, [(1, 1), (1, 0), (1, 1), (1, 1), (1, 1), (1, 0)]);
}

#[test]
fn a_decoy_takes_as_long_as_a_wrong_password_whatever_cost_is_configured() {
    // A decoy at the default cost would take a tenth of this time. The quickest of five counts, in turn, because other programs share the processor.
    let hasher = Hasher::new(Cost::new(19_456, 20, 1).expect("a cost"), Entropy::system());
    let hash = "$argon2id$v=19$m=19456,t=20,p=1$BwcHBwcHBwcHBwcHBwcHBw$6U2sjNYtgy/K1+EtYjBxZq1PnZED7h9P+MQJnO8k0ws";
    let took = |stored: Option<&StoredPassword>| {
        let before = processor_time();
        assert_eq!(hasher.blocking_verify(&TypedPassword::new("Wrong-Horse-42".to_owned()), stored).expect("a verdict"), Verdict::Wrong);
        processor_time() - before
    };
    let stored = StoredPassword::stored(hash.to_owned());
    let (wrong, decoy): (Vec<_>, Vec<_>) = (0..5).map(|_| (took(Some(&stored)), took(None))).unzip();
    let (wrong, decoy) = (wrong.into_iter().min().expect("five"), decoy.into_iter().min().expect("five"));
    assert!(decoy < 2 * wrong && wrong < 2 * decoy, "{decoy:?} and {wrong:?}");
}

#[tokio::test]
async fn a_reset_request_looks_and_costs_the_same_whoever_is_meant() {
    let (app, observer) = App::observed(&[]).await;
    let everybody = everybody(&app).await;
    let mut first = Vec::new();
    let mut again = Vec::new();
    for name in everybody {
        let address = format!("{name}@example.com");
        first.push(seen(&app, &observer, reset_request(&address)).await);
        // The cool-down is silent.
        again.push(seen(&app, &observer, reset_request(&address)).await);
    }
    for seen in [&first, &again] {
        assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
        assert_eq!((seen[0].answer.status, seen[0].answer.json()), (200, json!({ "status": "OK" })));
        assert_eq!(seen[0].calls.len(), 2);
    }
    app.deliver().await;
    app.advance(60);
    // The same after the mailer has sent mail to some of them.
    for name in everybody {
        assert_eq!(seen(&app, &observer, reset_request(&format!("{name}@example.com"))).await, first[0], "{name}");
    }
}

#[tokio::test]
async fn a_request_for_a_verification_link_looks_and_costs_the_same_whoever_is_meant() {
    let (app, observer) = App::observed(&[("ADDRESS_VERIFICATION", "optional")]).await;
    let everybody = everybody(&app).await;
    // Another one's address is verified.
    app.deliver().await;
    let link = app.verification_links("anna@example.com").pop().expect("a link");
    assert_eq!(app.send(verify(&link)).await.status, 204);
    for again in [false, true] {
        let mut all = Vec::new();
        for name in everybody {
            all.push(seen(&app, &observer, verification_request(&format!("{name}@example.com"))).await);
        }
        assert!(all.iter().all(|one| *one == all[0]), "{again}: {all:#?}");
        assert_eq!((all[0].answer.status, all[0].answer.body.as_str(), all[0].calls.len()), (204, "", 2));
    }
}

#[tokio::test]
async fn asking_for_a_taken_address_looks_and_costs_the_same_as_for_a_free_one() {
    let (app, observer) = App::observed(&[("ADDRESS_VERIFICATION", "optional")]).await;
    let others = everybody(&app).await;
    // Another one's former address, which is kept for it.
    let oldie = app.sign_up("olda").await.login().await;
    app.send(change_address(&oldie, "newa@example.com", PASSWORD)).await;
    app.deliver().await;
    assert_eq!(app.send(verify(&app.verification_links("newa@example.com").pop().expect("a link"))).await.status, 204);
    let (mut all, mut told) = (Vec::new(), BTreeSet::new());
    for name in others.into_iter().chain(["olda", "newa", "free"]) {
        let session = app.sign_up(&format!("me{name}")).await.login().await;
        app.deliver().await;
        app.advance(60);
        let email = format!("{name}@example.com");
        let mut asked = seen(&app, &observer, change_address(&session, &email, PASSWORD)).await;
        app.deliver().await;
        app.advance(60);
        let mut later = seen(&app, &observer, me(&session)).await;
        let file = app.send(export(&session)).await.json();
        let asked_for = ["pending_addresses", "address_requests", "mails", "left_out"].map(|part| file[part].clone());
        // The instants are other ones.
        told.insert(json!(asked_for).to_string().replace(&email, "ADDRESS").replace(|digit: char| digit.is_ascii_digit(), "0"));
        for seen in [&mut asked, &mut later] {
            let mut body = seen.answer.json();
            assert_eq!(body["pending_email"], json!(email), "{name}");
            for own in ["id", "username", "email", "pending_email"] {
                body[own] = json!(null);
            }
            seen.answer.body = body.to_string();
            seen.answer.headers.clear();
        }
        all.push((asked, later));
    }
    assert!(all.iter().all(|one| *one == all[0]), "{all:#?}");
    assert_eq!(told.len(), 1, "the export tells: {told:#?}");
    let (asked, later) = &all[0];
    assert_eq!((asked.answer.status, asked.calls.len(), asked.waits, later.calls.len()), (200, 6, 6, 2), "{asked:#?}");
}

#[tokio::test]
async fn a_login_that_misses_a_verified_address_costs_what_a_wrong_password_costs() {
    let (app, observer) = App::observed(&[("ADDRESS_VERIFICATION", "mandatory")]).await;
    app.sign_up("anna").await;
    let wrong = seen(&app, &observer, login("anna", "Wrong-Horse-42")).await;
    let right = seen(&app, &observer, login("anna", PASSWORD)).await;
    assert_eq!(right.answer.body, r#"{"error":"E-mail is not verified."}"#);
    assert_eq!(Seen { answer: wrong.answer.clone(), ..right }, wrong);
}

#[tokio::test]
async fn a_client_over_its_limit_is_told_the_same_whoever_is_meant() {
    let (app, observer) = App::observed(&[("LOGIN_CLIENT_LIMIT", "1/5m"), ("RESET_CLIENT_LIMIT", "1/5m")]).await;
    let everybody = everybody(&app).await;
    app.send(login("x", "y")).await;
    app.send(reset_request("x@example.com")).await;
    // A login looks the name up while it is counted. A reset request looks nobody up.
    let logs_in: fn(&str) -> Request = |name| login(name, PASSWORD);
    let resets: fn(&str) -> Request = |name| reset_request(&format!("{name}@example.com"));
    for (asked, calls) in [(logs_in, 2), (resets, 1)] {
        let unknown = seen(&app, &observer, asked(everybody[0])).await;
        assert_eq!((unknown.answer.status, unknown.calls.len(), unknown.waits, unknown.hashes), (429, calls, 1, 0));
        for name in everybody {
            assert_eq!(seen(&app, &observer, asked(name)).await, unknown, "{name}");
        }
    }
}

#[tokio::test]
async fn no_transaction_contains_a_limit_and_every_deciding_read_is_consistent() {
    let (app, observer) = App::observed(&[]).await;
    let session = app.sign_up("ann").await.login().await;
    app.change_password(&session, PASSWORD, NEW_PASSWORD).await;
    app.advance(1);
    let token = app.reset_link("ann@example.com").await;
    app.validate(&token).await;
    app.confirm_reset(&token, PASSWORD).await;
    app.deliver().await;
    let session = app.login("ann", PASSWORD).await;
    app.lets_pass(&session).await;
    let other = app.login("ann", PASSWORD).await;
    let id = app.session_id(&other).await;
    app.end_sessions(&session, &[&id], PASSWORD).await;
    app.logout_all(&session).await;
    let calls = observer.store.calls();
    let transactions: Vec<String> =
        calls.iter().filter(|call| call.operation == "TransactWriteItems").map(|call| call.request.to_string()).collect();
    assert!(transactions.len() >= 4 && transactions.iter().all(|transaction| !transaction.contains("\"limits\"")), "{transactions:?}");
    let reads: Vec<_> = calls.iter().filter(|call| !call.writes()).collect();
    assert!(reads.len() >= 8);
    for read in reads {
        assert!(read.request.to_string().contains("\"ConsistentRead\":true"), "{read:?}");
    }
}
