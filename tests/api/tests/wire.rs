//! The recorded wire contract, replayed as gateway events on a fresh store.

use std::time::Duration;

use doorward_kit::{
    Deployment,
    event::{Request, Response},
    mailbox::Mail,
    operator::Operator,
    scenario::{Stage, play, read},
};

struct Events(Deployment);

impl Stage for Events {
    async fn send(&self, request: Request) -> Response {
        // Time goes by between the steps of a person.
        self.0.hand.turn(Duration::from_secs(1));
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

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_scenario_gets_the_recorded_answers() {
    let scenarios = read(include_str!("../contract/wire.jsonl"));
    assert_eq!(scenarios.len(), 342);
    let stage = Events(Deployment::start().await);
    let mut differ = Vec::new();
    for scenario in &scenarios {
        if let Err(difference) = play(scenario, &stage).await {
            differ.push(difference);
        }
    }
    assert!(differ.is_empty(), "{} of {} scenarios differ:\n{}", differ.len(), scenarios.len(), differ.join("\n"));
}
