//! The recorded exchanges, replayed as gateway events on an empty store.

use std::time::Duration;

use doorward_kit::{
    App, Response,
    mailbox::Mail,
    operator::Operator,
    requests::Request,
    scenario::{Stage, play, read},
};

struct Events(App);

impl Stage for Events {
    async fn send(&self, request: Request) -> Response {
        // Time passes between the steps of a person.
        self.0.clock.advance(Duration::from_secs(1));
        self.0.send(request).await
    }

    async fn mails(&self, address: &str, _: usize) -> Vec<Mail> {
        self.0.deliver().await;
        self.0.mailbox.to(address)
    }

    fn operator(&self) -> &Operator {
        &self.0.operator
    }
}

/// Replays every scenario of a file on an empty store, and names those that differ.
async fn replay(file: &str, settings: &[(&str, &str)]) -> usize {
    let scenarios = read(file);
    let stage = Events(App::configured(settings).await);
    let mut differ = Vec::new();
    for scenario in &scenarios {
        if let Err(difference) = play(scenario, &stage).await {
            differ.push(difference);
        }
    }
    assert!(differ.is_empty(), "{} of {} scenarios differ:\n{}", differ.len(), scenarios.len(), differ.join("\n"));
    scenarios.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_scenario_gets_the_recorded_answers() {
    assert_eq!(replay(include_str!("../contract/wire.jsonl"), &[]).await, 342);
}

#[tokio::test(flavor = "multi_thread")]
async fn multipart_forms_get_the_recorded_answers() {
    assert_eq!(replay(include_str!("../contract/multipart.jsonl"), &[]).await, 8);
    assert_eq!(replay(include_str!("../contract-extra/multipart.jsonl"), &[]).await, 121);
}

/// The names of a recording's scenarios that are replayed: what djoser answers about the username and about a look at one's own account. Some are answered
/// otherwise on purpose: a number is no text, who does not know the password is told nothing about names, and `Bearer` is the same as `Token`.
fn is_played(name: &str) -> bool {
    let differs = ["set_username_11", "set_username_16", "set_username_17", "me_get_auth_2"].contains(&name);
    !differs && ["set_username", "me_get"].iter().any(|start| name.starts_with(start))
}

/// A scenario without the fields that the recorded API declared.
fn without_declared(line: &str) -> Option<String> {
    let mut scenario: serde_json::Value = serde_json::from_str(line).expect("JSON");
    let name = scenario["name"].as_str().expect("a name").to_owned();
    for step in scenario["steps"].as_array_mut().into_iter().flatten() {
        let is_look = step["path"] == "/api/users/me/" && step["expect"]["status"] == 200;
        if let Some(fields) = step["expect"]["json"].as_object_mut() {
            fields.retain(|name, _| !["first_name", "company", "birthday", "age", "tier", "newsletter", "credit"].contains(&name.as_str()));
            // Whether the address is verified is told besides.
            if is_look {
                fields.insert("verified".to_owned(), false.into());
            }
            // A recording has the token of its day in one place.
            if let Some(token) = fields.get_mut("token") {
                *token = "<token>".into();
            }
        }
    }
    is_played(&name).then(|| scenario.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn djosers_routes_of_ones_own_account_get_the_recorded_answers() {
    let mut played = 0;
    // Each scenario begins with the same registration.
    for line in include_str!("../contract-extra/profile.jsonl").lines().filter_map(without_declared) {
        played += replay(&line, &[]).await;
    }
    assert_eq!(played, 25);
}

/// Further recordings of the DRF API, described in `contract-extra/README.md`. `WIRE_SCENARIOS` names a file to replay instead.
#[tokio::test(flavor = "multi_thread")]
async fn scenarios_of_the_same_kinds_get_the_recorded_answers_too() {
    let other = std::env::var("WIRE_SCENARIOS").ok().map(|path| std::fs::read_to_string(path).expect("a file of scenarios"));
    let played = replay(other.as_deref().unwrap_or(include_str!("../contract-extra/wire.jsonl")), &[]).await;
    assert!(other.is_some() || played == 681);
}
