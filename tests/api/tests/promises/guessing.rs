//! Promise 7: guessing is limited before it is paid for, and locks nobody out.

use doorward_kit::{
    App, Response,
    requests::{NEW_PASSWORD, PASSWORD, Request, VALIDATE, address_of, change_password, confirm_reset, login, register, request},
};
use serde_json::json;

const OWNERS_NETWORK: &str = "192.0.2.10";
const ELSEWHERE: &str = "198.51.100.1";

/// Makes one guess more than an account's limit allows.
async fn exhaust(app: &App, name: &str, client: &str) {
    for _ in 0..=10 {
        assert_eq!(app.send(login(name, "Wrong-Horse-42").from(client)).await.status, 401);
    }
}

async fn may_log_in(app: &App, client: &str) -> bool {
    app.send(login("ann", PASSWORD).from(client)).await.status == 200
}

#[tokio::test]
async fn the_eleventh_guess_in_a_quarter_of_an_hour_is_not_evaluated_and_nobody_is_told() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let registered = app.hasher.evaluations();
    let evaluated = || app.hasher.evaluations() - app.hasher.decoys() - registered;
    exhaust(&app, "ann", ELSEWHERE).await;
    assert_eq!(evaluated(), 10);
    let right = app.send(login("ann", PASSWORD).from(ELSEWHERE)).await;
    assert_eq!((right.status, right.json()), (401, json!({ "error": "Invalid credentials" })));
    // Other client addresses, other spellings and the account's other name count for the same account.
    for name in ["ANN", "ann@example.com", "Ann@EXAMPLE.com"] {
        assert_eq!(app.send(login(name, PASSWORD).from("100.64.7.99")).await.status, 401, "{name}");
    }
    assert_eq!(evaluated(), 10);
    assert_eq!(app.hasher.decoys(), 5, "a refused guess costs what an evaluated one costs");
    app.advance(15 * 60);
    assert!(may_log_in(&app, ELSEWHERE).await);
}

#[tokio::test]
async fn a_day_of_guessing_at_an_account_is_bounded_by_its_windows() {
    // 2 per hour instead of 10 per 15 minutes, so that the test is short. A day touches 24 windows and part of another.
    let app = App::configured(&[("LOGIN_ACCOUNT_LIMIT", "2/1h")]).await;
    app.sign_up("ann").await;
    let registered = app.hasher.evaluations();
    app.advance(30 * 60);
    let mut clients = (0..).map(|number: u32| format!("198.51.{}.{}", number / 250, number % 250));
    for _ in 0..=24 {
        for _ in 0..4 {
            let client = clients.next().expect("another address");
            app.send(login("ann", "Wrong-Horse-42").from(&client)).await;
        }
        app.advance(60 * 60);
    }
    let evaluated = app.hasher.evaluations() - app.hasher.decoys() - registered;
    assert_eq!(evaluated, 2 * (24 + 1));
}

#[tokio::test]
async fn a_reset_or_a_change_opens_a_new_window() {
    let app = App::start().await;
    app.sign_up("ann").await;
    exhaust(&app, "ann", ELSEWHERE).await;
    let token = app.reset_link(&address_of("ann")).await;
    assert_eq!(app.confirm_reset(&token, NEW_PASSWORD).await.status, 200, "an exhausted window is no obstacle to a reset");
    assert_eq!(app.send(login("ann", NEW_PASSWORD).from(ELSEWHERE)).await.status, 200);
}

#[tokio::test]
async fn a_success_clears_the_accounts_window_and_never_the_clients() {
    let app = App::configured(&[("LOGIN_CLIENT_LIMIT", "25/5m")]).await;
    app.sign_up("ann").await;
    for _ in 0..2 {
        for _ in 0..9 {
            app.send(login("ann", "Wrong-Horse-42").from(ELSEWHERE)).await;
        }
        assert!(may_log_in(&app, ELSEWHERE).await);
    }
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(app.send(login("ann", PASSWORD).from(ELSEWHERE)).await.status);
    }
    assert_eq!(answers, [200, 200, 200, 200, 200, 429]);
}

#[tokio::test]
async fn the_owner_logs_in_from_a_known_network_while_an_attacker_exhausts_the_window() {
    let app = App::start().await;
    app.sign_up("ann").await;
    assert!(may_log_in(&app, OWNERS_NETWORK).await);
    exhaust(&app, "ann", ELSEWHERE).await;
    assert!(!may_log_in(&app, ELSEWHERE).await && !may_log_in(&app, "100.64.7.1").await);
    assert!(may_log_in(&app, OWNERS_NETWORK).await && may_log_in(&app, "192.0.2.250").await, "a /24 is one network");
    // An attacker in that network has its window, which the owner's other networks do not share.
    app.send(login("ann", PASSWORD).from("2001:db8:1:2::3")).await;
    exhaust(&app, "ann", OWNERS_NETWORK).await;
    assert!(!may_log_in(&app, OWNERS_NETWORK).await);
}

#[tokio::test]
async fn an_account_knows_at_most_eight_networks_each_for_four_hundred_days() {
    let app = App::start().await;
    app.sign_up("ann").await;
    for network in 0..10 {
        assert!(may_log_in(&app, &format!("10.0.{network}.1")).await);
        app.advance(1);
    }
    let known: Vec<String> = app.operator.account("ann").await["networks"].as_m().expect("networks").keys().cloned().collect();
    assert_eq!(known.len(), 8);
    assert!(!known.contains(&"10.0.0.0/24".to_owned()) && known.contains(&"10.0.9.0/24".to_owned()));
    exhaust(&app, "ann", ELSEWHERE).await;
    assert!(!may_log_in(&app, "10.0.0.1").await && may_log_in(&app, "10.0.2.1").await);

    app.advance(400 * 24 * 60 * 60 + 60);
    exhaust(&app, "ann", ELSEWHERE).await;
    assert!(!may_log_in(&app, "10.0.9.1").await, "what was not seen for four hundred days is nobody's");
    app.advance(15 * 60);
    assert!(may_log_in(&app, "2001:db8:1:2::3").await);
    let known: Vec<String> = app.operator.account("ann").await["networks"].as_m().expect("networks").keys().cloned().collect();
    assert_eq!(known, ["2001:db8:1::/48"]);
}

#[tokio::test]
async fn a_client_is_an_ipv4_address_or_a_64_of_ipv6() {
    let app = App::configured(&[("LOGIN_CLIENT_LIMIT", "2/5m")]).await;
    let knocks = async |client: &str| app.send(login("nobody", "Wrong-Horse-42").from(client)).await.status;
    for (clients, statuses) in [
        (["2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:2:0:1::3", "2001:db8:1:3::1"], [401, 401, 429, 401]),
        (["192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"], [401, 401, 429, 401]),
    ] {
        for (client, status) in clients.into_iter().zip(statuses) {
            assert_eq!(knocks(client).await, status, "{client}");
        }
    }
}

#[tokio::test]
async fn forwarded_addresses_are_believed_as_far_as_configured_and_no_further() {
    let knock = |forwarded: &str| login("nobody", "Wrong-Horse-42").from("198.51.100.9").header("X-Forwarded-For", forwarded);
    let statuses = async |hops: &str, forwarded: [&str; 3]| {
        let app = App::configured(&[("LOGIN_CLIENT_LIMIT", "2/5m"), ("TRUSTED_PROXY_HOPS", hops)]).await;
        let mut statuses = Vec::new();
        for forwarded in forwarded {
            statuses.push(app.send(knock(forwarded)).await.status);
        }
        statuses
    };
    // A client that writes the header itself is still the same client.
    assert_eq!(statuses("0", ["6.6.6.1, 198.51.100.9", "6.6.6.2, 198.51.100.9", "6.6.6.3, 198.51.100.9"]).await, [401, 401, 429]);
    let one = "203.0.113.1, 198.51.100.9";
    assert_eq!(statuses("1", [one, "6.6.6.6, 203.0.113.1, 198.51.100.9", one]).await, [401, 401, 429]);
    assert_eq!(statuses("1", [one, one, "203.0.113.2, 198.51.100.9"]).await, [401, 401, 401]);
}

#[tokio::test]
async fn a_request_that_came_past_the_proxy_is_refused_before_it_counts() {
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    let settings = [("LOGIN_CLIENT_LIMIT", "1/5m"), ("TRUSTED_PROXY_HOPS", "1"), ("PROXY_SECRET", SECRET)];
    let app = App::configured(&settings).await;
    let forwarded = "203.0.113.1, 198.51.100.9";
    for path in doorward_functions::paths() {
        for method in ["GET", "HEAD", "POST", "PUT", "OPTIONS"] {
            for headers in [&[][..], &[""], &[&SECRET[1..]], &["0123456789abcdef0123456789abcdeF"]] {
                let past = headers.iter().fold(request(method, path), |past, sent| past.header("X-Doorward-Proxy-Secret", sent));
                let refused = app.send(past.header("X-Forwarded-For", forwarded)).await;
                assert_eq!(refused.status, 403, "{method} {path}");
                assert!(
                    method == "HEAD" || refused.json() == json!({ "detail": "Request was refused." }),
                    "{method} {path}: {}",
                    refused.body
                );
            }
        }
    }
    let knock = || login("nobody", "Wrong-Horse-42").header("X-Forwarded-For", forwarded).header("X-Doorward-Proxy-Secret", SECRET);
    assert_eq!([app.send(knock()).await.status, app.send(knock()).await.status], [401, 429]);
}

#[tokio::test]
async fn a_client_over_its_limit_is_told_and_costs_no_hash() {
    let app = App::configured(&[("LOGIN_CLIENT_LIMIT", "1/5m")]).await;
    app.sign_up("ann").await;
    app.advance(17);
    app.send(login("ann", "Wrong-Horse-42")).await;
    let refused: Response = app.send(login("ann", PASSWORD)).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json(), json!({ "detail": "Request was throttled. Expected available in 282 seconds." }));
    assert_eq!(refused.headers["retry-after"], "282");
    assert_eq!(app.hasher.evaluations(), 2, "the registration and the first login");
}

#[tokio::test]
async fn every_endpoint_that_anyone_can_reach_has_a_limit_per_client() {
    for (variable, path) in [
        ("REGISTER_CLIENT_LIMIT", "/api/register/"),
        ("LOGIN_CLIENT_LIMIT", "/api/login/"),
        ("RESET_CLIENT_LIMIT", "/api/password_reset/"),
        ("VALIDATE_CLIENT_LIMIT", VALIDATE),
        ("CONFIRM_CLIENT_LIMIT", "/api/password_reset/confirm/"),
        ("CHANGE_CLIENT_LIMIT", "/api/change_password/"),
    ] {
        let app = App::configured(&[(variable, "1/5m")]).await;
        let owner = "192.0.2.77";
        app.send(register("ann", &address_of("ann")).from(owner)).await;
        let session = app.send(login("ann", PASSWORD).from(owner)).await.text("token");
        let body = json!({ "username": "bob", "email": "bob@example.com", "password": PASSWORD, "token": "x", "old_password": "x", "new_password": NEW_PASSWORD });
        let asked = |client: &str| -> Request { doorward_kit::requests::post(path, &body).token(&session).from(client) };
        assert_ne!(app.send(asked(ELSEWHERE)).await.status, 429, "{path}");
        assert_eq!(app.send(asked(ELSEWHERE)).await.status, 429, "{path}");
        assert_ne!(app.send(asked("203.0.113.5")).await.status, 429, "{path}");
    }
}

#[tokio::test]
async fn guessing_the_old_password_with_a_session_is_bounded_too() {
    let app = App::start().await;
    let session = app.sign_up("ann").await.login().await;
    for _ in 0..10 {
        assert_eq!(
            app.change_password(&session, "Wrong-Horse-42", NEW_PASSWORD).await.json(),
            json!({ "error": "Incorrect old password." })
        );
    }
    let refused = app.change_password(&session, PASSWORD, NEW_PASSWORD).await;
    assert_eq!(refused.status, 429);
    assert!(app.lets_pass(&session).await);
    app.advance(15 * 60);
    assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn every_limit_is_configuration() {
    let app = App::configured(&[("LOGIN_ACCOUNT_LIMIT", "1/1m"), ("CHANGE_ACCOUNT_LIMIT", "1/1m")]).await;
    let session = app.sign_up("ann").await.login().await;
    assert_eq!(app.send(login("ann", "Wrong-Horse-42").from(ELSEWHERE)).await.status, 401);
    assert!(!may_log_in(&app, ELSEWHERE).await);
    assert_eq!(app.change_password(&session, "Wrong-Horse-42", NEW_PASSWORD).await.status, 400);
    assert_eq!(app.change_password(&session, PASSWORD, NEW_PASSWORD).await.status, 429);
    app.advance(60);
    assert!(may_log_in(&app, ELSEWHERE).await);
}

#[tokio::test]
async fn whoever_has_proven_to_be_the_owner_is_not_shut_out_by_strangers_who_guess() {
    let app = App::start().await;
    // The owner registers.
    let registered = register("ann", &address_of("ann")).from(OWNERS_NETWORK);
    assert_eq!(app.send(registered).await.status, 201);
    exhaust(&app, "ann", ELSEWHERE).await;
    assert!(may_log_in(&app, OWNERS_NETWORK).await);
    // The owner logs in whenever a session has ended, every 30 days by default and every 365 at most.
    for days in [31, 31, 31, 366] {
        app.advance(days * 24 * 60 * 60);
        exhaust(&app, "ann", ELSEWHERE).await;
        assert!(may_log_in(&app, OWNERS_NETWORK).await, "after {days} days");
    }
    // The owner resets the password, from any network.
    let link = app.reset_link(&address_of("ann")).await;
    assert_eq!(app.send(confirm_reset(&link, NEW_PASSWORD).from("203.0.113.77")).await.status, 200);
    exhaust(&app, "ann", ELSEWHERE).await;
    assert_eq!(app.send(login("ann", NEW_PASSWORD).from("203.0.113.77")).await.status, 200);
}

#[tokio::test]
async fn a_new_password_forgets_the_networks_of_whoever_knew_the_old_one() {
    for by_reset in [true, false] {
        let app = App::start().await;
        app.send(register("ann", &address_of("ann")).from(OWNERS_NETWORK)).await;
        let session = app.send(login("ann", PASSWORD).from(OWNERS_NETWORK)).await.text("token");
        for network in 0..8 {
            app.advance(1);
            assert!(may_log_in(&app, &format!("10.0.{network}.1")).await);
        }
        let answer = if by_reset {
            let link = app.reset_link(&address_of("ann")).await;
            app.send(confirm_reset(&link, NEW_PASSWORD).from(OWNERS_NETWORK)).await
        } else {
            app.send(change_password(&session, PASSWORD, NEW_PASSWORD).from(OWNERS_NETWORK)).await
        };
        assert_eq!(answer.status, 200);
        let known: Vec<String> = app.operator.account("ann").await["networks"].as_m().expect("networks").keys().cloned().collect();
        assert_eq!(known, ["192.0.2.0/24"]);
        let evaluated = app.hasher.evaluations() - app.hasher.decoys();
        for network in 0..8 {
            exhaust(&app, "ann", &format!("10.0.{network}.1")).await;
        }
        assert_eq!(app.hasher.evaluations() - app.hasher.decoys() - evaluated, 10, "they share one window now");
        assert_eq!(app.send(login("ann", NEW_PASSWORD).from(OWNERS_NETWORK)).await.status, 200);
    }
}

#[tokio::test]
async fn ending_sessions_opens_no_new_window_for_guesses() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(app.login("ann", PASSWORD).await);
    }
    let before = app.hasher.evaluations() - app.hasher.decoys();
    for session in sessions {
        exhaust(&app, "ann", ELSEWHERE).await;
        app.logout_all(&session).await;
    }
    assert_eq!(app.hasher.evaluations() - app.hasher.decoys() - before, 10);
}

#[tokio::test]
async fn changes_that_succeed_count_as_well_so_that_nobody_floods_a_mailbox_with_their_notices() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let session = app.login("ann", PASSWORD).await;
    let mut answers = Vec::new();
    for number in 0..25 {
        let change = change_password(&session, PASSWORD, PASSWORD).from(&format!("198.51.{number}.1"));
        answers.push(app.send(change).await.status);
    }
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 10);
    assert!(answers[10..].iter().all(|status| *status == 429), "{answers:?}");
    app.deliver().await;
    app.advance(5 * 60);
    app.release_held().await;
    let told: Vec<String> = app.mailbox.to(&address_of("ann")).into_iter().map(|mail| mail.subject).collect();
    assert_eq!(told, ["Your Doorward password was changed", "Your Doorward password was changed 9 times"]);
}
