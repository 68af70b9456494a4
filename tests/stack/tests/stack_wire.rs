//! The recorded exchanges, replayed over HTTP on a deployed stack.

use doorward_kit::scenario::{play, read};
use doorward_stack_tests::Stack;

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_scenario_gets_the_recorded_answers_over_http() {
    let files = [include_str!("../../api/contract/wire.jsonl"), include_str!("../../api/contract/multipart.jsonl")];
    let scenarios: Vec<_> = files.into_iter().flat_map(read).collect();
    assert_eq!(scenarios.len(), 350);
    let stack = Stack::of_environment();
    let mut differ = Vec::new();
    for scenario in &scenarios {
        if let Err(difference) = play(scenario, &stack).await {
            differ.push(difference);
        }
    }
    assert!(differ.is_empty(), "{} of {} scenarios differ:\n{}", differ.len(), scenarios.len(), differ.join("\n"));
}
