//! The recorded exchanges, replayed as gateway events on an empty store.

use std::time::Duration;

use doorward_kit::{
    App, Response,
    mailbox::Mail,
    operator::Operator,
    requests::{FIELDS, Request},
    scenario::{Scenario, Stage, play, read},
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

/// The recorded scenarios that are answered otherwise on purpose: a number is no text, who does not know the password is told nothing about names, `Bearer`
/// is the same as `Token`, and who may not be there any more is told so.
const DIFFERENT: [&str; 7] =
    ["set_username_11", "set_username_16", "set_username_17", "me_get_auth_2", "me_put_auth_2", "me_patch_auth_2", "me_delete_refused_5"];

/// A scenario as it is replayed, or `None` if it is answered otherwise.
fn recorded(line: &str) -> Option<Scenario> {
    let mut scenario: serde_json::Value = serde_json::from_str(line).expect("JSON");
    for step in scenario["steps"].as_array_mut().into_iter().flatten() {
        let is_account = step["path"] == "/api/users/me/" && step["expect"]["status"] == 200;
        if let Some(fields) = step["expect"]["json"].as_object_mut() {
            // Whether the address is verified is told besides.
            if is_account {
                fields.insert("verified".to_owned(), false.into());
            }
            // A recording has the token of its day in one place.
            if let Some(token) = fields.get_mut("token") {
                *token = "<token>".into();
            }
        }
    }
    let scenario: Scenario = serde_json::from_value(scenario).expect("a scenario");
    (!DIFFERENT.contains(&scenario.name.as_str())).then_some(scenario)
}

#[tokio::test(flavor = "multi_thread")]
async fn djosers_routes_of_ones_own_account_get_the_recorded_answers() {
    let mut differ = Vec::new();
    let mut played = 0;
    for scenario in include_str!("../contract-extra/profile.jsonl").lines().filter_map(recorded) {
        // Each begins with the registration of ann, on an empty store.
        let stage = Events(App::configured(&[("PROFILE_FIELDS", FIELDS)]).await);
        differ.extend(play(&scenario, &stage).await.err());
        stage.0.assert_sound().await;
        played += 1;
    }
    assert!(differ.is_empty(), "{} of {played} scenarios differ:\n{}", differ.len(), differ.join("\n"));
    assert_eq!(played, 226 - DIFFERENT.len());
}

/// Further recordings of the DRF API, described in `contract-extra/README.md`. `WIRE_SCENARIOS` names a file to replay instead.
#[tokio::test(flavor = "multi_thread")]
async fn scenarios_of_the_same_kinds_get_the_recorded_answers_too() {
    let other = std::env::var("WIRE_SCENARIOS").ok().map(|path| std::fs::read_to_string(path).expect("a file of scenarios"));
    let played = replay(other.as_deref().unwrap_or(include_str!("../contract-extra/wire.jsonl")), &[]).await;
    assert!(other.is_some() || played == 681);
}
