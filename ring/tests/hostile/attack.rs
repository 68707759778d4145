//! Scribbling over live rings.

use std::time::{Duration, Instant};

use crate::board::{Board, Count};
use crate::common::child::{arg, spawn};
use crate::common::{Random, SOON, Scratch, watchdog};
use crate::victims::{BYTES, MANY, TYPED};

/// Hostile writes that a run has to survive at least.
const WRITES: u64 = 20_000;
/// Calls of each victim that do what they should, and calls that find the ring corrupt: with fewer of either,
/// little was tried.
const CALLS: u64 = 100;

const SEND_AND_RECEIVE: [&str; 4] = ["send", "receive", "send-among-many", "receive-among-many"];
const TYPED_TOO: [&str; 6] =
    ["send", "receive", "send-among-many", "receive-among-many", "typed-send", "typed-receive"];

/// How long the attack lasts: `HOSTILE_SECONDS`, by default 5.
fn duration() -> Duration {
    let seconds = std::env::var("HOSTILE_SECONDS").ok();
    Duration::from_secs(seconds.map_or(5, |text| text.parse().expect("HOSTILE_SECONDS is a number")))
}

#[test]
fn scribbling_over_live_rings_is_survived() {
    let duration = duration();
    let _watchdog = watchdog(duration + 6 * SOON, "victims of scribbling");
    let scratch = Scratch::new("scribble");
    scratch.ring(BYTES).capacity(4096).make().expect("a ring");
    make_typed(&scratch);
    podring::mpmc(MANY).dir(scratch.dir()).slots(16).largest_message(100).make().expect("a ring");
    let players = if cfg!(feature = "bytemuck") { &TYPED_TOO[..] } else { &SEND_AND_RECEIVE };
    let board_file = scratch.beside("board");
    let board = Board::make(&board_file, 2 + players.len());
    let mut random = Random::fresh();
    let mut start = |role: &str, row: usize, rings: &[&str]| {
        let (row, seed) = (row.to_string(), random.next().to_string());
        let args = [&[arg(scratch.dir()), arg(&board_file), &row, &seed], rings].concat();
        spawn(role, &args)
    };
    let mut victims: Vec<_> = players
        .iter()
        .chain([&"watch"])
        .zip(1..)
        .map(|(role, row)| (*role, row, start(role, row, &[])))
        .collect();
    let mut attacker = start("scribble", 0, &[BYTES, TYPED, MANY]);

    let began = Instant::now();
    let tried_enough = || {
        board.get(0, Count::Writes) >= WRITES
            && (1..=players.len()).all(|row| {
                board.get(row, Count::Done) >= CALLS
                    && board.get(row, Count::Corrupt) >= CALLS
                    && board.get(row, Count::Timeout) > 0
                    && board.get(row, Count::Guarded) > 0
            })
    };
    while began.elapsed() < duration || !tried_enough() {
        assert!(attacker.is_running(), "the attacker has stopped");
        for (role, _, victim) in &mut victims {
            assert!(victim.is_running(), "{role} has stopped");
        }
        if began.elapsed() > duration + 3 * SOON {
            victims.iter().for_each(|(role, row, _)| report(&board, *row, role));
            panic!("too little was tried, or a victim hangs, after {:?}", began.elapsed());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    board.stop();
    for (role, row, victim) in victims {
        assert!(victim.finish(SOON));
        report(&board, row, role);
    }
    attacker.kill();
    println!(
        "hostile: {} hostile writes survived in {:.1} s",
        board.get(0, Count::Writes),
        began.elapsed().as_secs_f64()
    );
}

fn report(board: &Board, row: usize, role: &str) {
    let count = |count| board.get(row, count);
    println!(
        "hostile: {role}: {} calls: {} done, {} corrupt, {} timed out, {} closed, {} other errors; the longest call \
         {:.1} ms beyond its time-out; {} mappings between guards",
        count(Count::Calls),
        count(Count::Done),
        count(Count::Corrupt),
        count(Count::Timeout),
        count(Count::Closed),
        count(Count::OtherError),
        count(Count::Longest) as f64 / 1e6,
        count(Count::Guarded),
    );
}

#[cfg(feature = "bytemuck")]
fn make_typed(scratch: &Scratch) {
    scratch.ring(TYPED).typed::<crate::victims::Element>().elements(256).make().expect("a ring");
}

/// Without the feature, the second ring is one of bytes that nobody uses.
#[cfg(not(feature = "bytemuck"))]
fn make_typed(scratch: &Scratch) {
    scratch.ring(TYPED).make().expect("a ring");
}
