//! The models. `cargo run -p podring-loom-tests --bin models` runs each in a process of its own.

mod attach;
mod blocking;
mod closing;
mod litmus;
mod mpmc;
mod signal;
mod stream;
mod takeover;

use podring_loom_tests::explore::{Account, Model};
use podring_loom_tests::ring::{Next, Rx, Sides};

/// Message lengths in words under which a ring of 32 bytes wraps with padding: records of 16 and 8 bytes leave 8
/// before its end, too little for the next one of 16.
fn words(sequence: u64) -> u64 {
    (sequence + 1) % 2
}

/// Sends messages `0..until`, one at a time.
fn send(sides: &Sides, until: u64) {
    let mut tx = sides.tx();
    (0..until).for_each(|sequence| tx.send(sequence, words(sequence)));
}

/// Receives messages `0..until`, one at a time.
fn receive(sides: &Sides, until: u64) {
    receive_by(&mut sides.rx(), until);
}

/// Receives what is missing up to message `until`.
fn receive_by(rx: &mut Rx, until: u64) {
    while rx.next() < until {
        let expected = Next::Message(rx.next());
        assert_eq!(rx.recv(), expected);
    }
}

/// Runs a model with a death before step 0, 1, 2, ... until nobody dies any more.
fn at_every_step(name: &str, at_least: (usize, u64), run: impl Fn(Model, usize) -> Account) {
    let (mut executions, mut steps) = (0, 0);
    loop {
        let account = run(Model::new(format!("{name}, death before step {steps}")).quiet(), steps);
        executions += account.executions;
        if !account.reached.contains("died") {
            break;
        }
        steps += 1;
    }
    println!("model {name}, death before each of {steps} steps: {executions} executions");
    assert!(steps >= at_least.0, "a life of {steps} steps is shorter than it can be");
    assert!(executions >= at_least.1, "{executions} executions explore less than it takes");
}
