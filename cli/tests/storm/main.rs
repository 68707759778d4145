//! Storms: verified streams whose two sides, or three producers and three consumers, are killed, stopped, restarted and
//! ended at random, and a full account of every message at the end of each round.
//!
//! ```text
//! STORM_SECONDS=60   how long; the round that is under way is finished
//! STORM_SEED=...     repeats a storm's plan (what is done, in which order, with which pauses)
//! STORM_ROUND=17     begins with this round of it
//! ```

mod many;
mod plan;
mod round;
#[path = "../cli/scratch.rs"]
#[allow(dead_code)] // the program's own tests use all of it
mod scratch;
mod side;

use std::time::{Duration, Instant};

use round::Tally;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

#[test]
#[ignore = "takes a minute; make storm and make soak run it"]
fn every_message_is_accounted_for_after_a_storm() {
    storm("storm", round::run);
}

#[test]
#[ignore = "takes a minute; make storm and make soak run it"]
fn every_message_of_many_is_accounted_for_after_a_storm() {
    storm("storm of many", many::run);
}

fn storm(name: &str, play: impl Fn(u64, u64, &mut Tally) -> Tally) {
    let seconds = number("STORM_SECONDS").unwrap_or(60);
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = number("STORM_SEED").unwrap_or_else(|| now().as_nanos() as u64);
    let first = number("STORM_ROUND").unwrap_or(0);
    println!("{name}: STORM_SEED={seed}");
    let start = Instant::now();
    let mut total = Tally::default();
    let mut round = first;
    while round == first || start.elapsed() < Duration::from_secs(seconds) {
        println!("{name}: round {round}: {}", play(seed, round, &mut total));
        round += 1;
    }
    println!(
        "{name}: {} rounds in {:.0} s: {total}: 0 lost, 0 duplicated, 0 reordered, 0 corrupt",
        round - first,
        start.elapsed().as_secs_f64()
    );
    assert!(total.kills > 0 && total.stops > 0 && total.messages > 0, "a storm that did nothing: {total}");
}
