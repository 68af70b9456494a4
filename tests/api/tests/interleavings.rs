//! Every ordered pair of operations: the first is held before each of its calls to the store in turn, while the second runs completely. What they
//! leave is what they leave one after the other, in one of the two orders, and all items fit together.
//!
//! Two calls before which it is all the same, because what is between them has no item in common with the second operation, are tried as one. Most of
//! the time is the SDK's: about a millisecond for a call.

mod names;
mod operations;
mod outcome;
mod world;

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use doorward_admin::Arguments;
use doorward_functions::{FUNCTIONS, paths};

use self::{
    operations::{Actor, OPERATIONS, Operation},
    outcome::Outcome,
    world::World,
};

/// Lets every two operations meet that these two or those two actors do, in both directions. Returns how often they met.
async fn meet_all(actors: &[[Actor; 2]]) -> usize {
    let mut world = World::start().await;
    let mut met = 0;
    let mut wrong = Vec::new();
    for (position, (one, actor, _)) in OPERATIONS.iter().enumerate() {
        for (other, with, _) in &OPERATIONS[..=position] {
            if !actors.contains(&[*actor, *with]) && !actors.contains(&[*with, *actor]) {
                continue;
            }
            let orders = [world.one_after_the_other([*one, *other]).await, world.one_after_the_other([*other, *one]).await];
            let directions = [[*one, *other], [*other, *one]];
            for operations in directions.into_iter().take(if one == other { 1 } else { 2 }) {
                let mut next = Some(0);
                while let Some(number) = next {
                    let Some((outcome, different)) = world.meet(operations, number).await else { break };
                    wrong.extend(complaint(operations, number, &outcome, &orders));
                    met += 1;
                    next = different;
                }
            }
            for order in orders.iter().filter(|order| !order.unsound.is_empty()) {
                wrong.push(format!("{one:?} and {other:?}, one after the other: {:#?}", order.unsound));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {met} meetings:\n{}", wrong.len(), wrong.join("\n"));
    met
}

fn complaint(operations: [Operation; 2], number: usize, outcome: &Outcome, orders: &[Outcome]) -> Option<String> {
    let unsound = outcome.as_compared(operations).unsound;
    if unsound.is_empty() && orders.iter().any(|order| outcome.is_of(order, operations)) {
        return None;
    }
    let differences: Vec<String> = orders.iter().map(|order| format!("{:#?}", outcome.differs(order))).collect();
    let [first, second] = operations;
    Some(format!("{second:?} before call {number} of {first:?}: {unsound:#?}\n{}", differences.join("\n")))
}

#[tokio::test]
async fn two_requests_leave_what_one_after_the_other_leaves_whenever_they_meet() {
    assert!(meet_all(&[[Actor::Client, Actor::Client]]).await >= 120);
}

#[tokio::test]
async fn a_request_and_mail_leave_what_one_after_the_other_leaves_whenever_they_meet() {
    assert!(meet_all(&[[Actor::Client, Actor::Mail], [Actor::Mail, Actor::Mail]]).await >= 140);
}

#[tokio::test]
async fn a_request_and_a_command_leave_what_one_after_the_other_leaves_whenever_they_meet() {
    assert!(meet_all(&[[Actor::Client, Actor::Operator]]).await >= 280);
}

#[tokio::test]
async fn a_command_and_what_else_happens_leave_what_one_after_the_other_leaves_whenever_they_meet() {
    assert!(meet_all(&[[Actor::Operator, Actor::Operator], [Actor::Operator, Actor::Mail]]).await >= 300);
}

#[test]
fn every_route_function_and_command_is_an_operation() {
    let mut all: BTreeSet<String> = paths().map(str::to_owned).collect();
    // A function without a table changes nothing here.
    all.extend(
        FUNCTIONS
            .iter()
            .filter(|function| function.routes.is_none() && !function.tables.is_empty())
            .map(|function| function.name.to_owned()),
    );
    let arguments = Arguments::command();
    for command in arguments.get_subcommands() {
        let below: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        let name = command.get_name();
        all.extend(if below.is_empty() { vec![name.to_owned()] } else { below.iter().map(|below| format!("{name} {below}")).collect() });
    }
    let listed: BTreeSet<String> = OPERATIONS.iter().map(|(_, _, of)| (*of).to_owned()).collect();
    assert_eq!(all, listed);
}
