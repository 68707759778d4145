//! After a kill: who survives puts right what is left, and every message is accounted for.

use std::collections::BTreeSet;

use podring::mpmc::{Consumer, Producer};

use crate::common::eventually;
use crate::common::words::Words;
use crate::ring::{Ring, SLOTS, Sleeper, bytes, number};
use crate::{LOG, LOGGED, Row};

/// What came of a row.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) instructions: u64,
    pub(crate) kills: u64,
    pub(crate) messages: u64,
    pub(crate) repairs: u64,
    pub(crate) wrong: u64,
    pub(crate) stages: BTreeSet<usize>,
}

impl Tally {
    pub(crate) fn refuse(&mut self, row: &str, n: usize, wrong: &str) {
        self.wrong += 1;
        println!("VIOLATION: {row}, killed behind instruction {n}: {wrong}");
    }

    pub(crate) fn add(&mut self, row: &Self) {
        self.instructions += row.instructions;
        self.kills += row.kills;
        self.messages += row.messages;
        self.repairs += row.repairs;
        self.wrong += row.wrong;
    }
}

/// What a kill led to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How far the operation had come, as the survivors see it.
    pub(crate) stage: usize,
    pub(crate) messages: u64,
    pub(crate) repaired: u64,
}

/// Checks what is left. A newcomer comes first, or those who were there look for the dead.
pub(crate) fn check(
    row: &Row,
    ring: &mut Ring,
    board: &Words,
    ended: bool,
    newcomer: bool,
) -> Result<Outcome, String> {
    match row.scene.sleeper {
        Sleeper::Nobody => {}
        // What was published, or freed, must reach who sleeps, though its wake-up may have died with the child.
        Sleeper::Consumer => {
            if ring.has_ready() || ended {
                eventually("the sleeping consumer gets the rest", || !ring.has_ready());
            }
        }
        Sleeper::Producer => {
            if ring.has_free() || ended {
                eventually("the sleeping producer sends", || board.get(LOGGED) == 1);
            }
        }
    }
    // It may die with a message in its hands, as anybody.
    let logged_before = board.get(LOGGED);
    ring.wake_up_call();
    let mut come = None;
    if newcomer {
        come = Some(ring.options().consumer().map_err(|error| format!("a newcomer: {error}"))?);
    }
    ring.tx.repair().map_err(|error| format!("repairing: {error}"))?;
    let left = ring.tx.repair().map_err(|error| format!("repairing: {error}"))?;
    if left != 0 {
        return Err(format!("{left} of the dead were not repaired at once"));
    }
    let repaired = repairs(ring)?;
    let rx = come.as_mut().unwrap_or(&mut ring.rx);
    let mut received = Vec::new();
    while let Some(message) = rx.try_recv().map_err(|error| format!("receiving: {error}"))? {
        received.push((number(&message), message.redelivered()));
        if received.len() > 2 * SLOTS {
            return Err(format!("more messages than there can be: {received:?}"));
        }
    }
    let messages = received.len() as u64 + logged_before;
    let mut stages = (row.act.stages)(&ring.expected, row.scene);
    match row.scene.sleeper {
        Sleeper::Nobody => {}
        Sleeper::Consumer => received = account_for_sleeper(board, received),
        // It may have sent, behind all others.
        Sleeper::Producer => {
            let sent = received.iter().any(|&(number, _)| number == 70);
            if (board.get(LOGGED) == 1) != sent && board.get(LOGGED) == 1 {
                return Err(format!("what the sleeper sent is lost: {received:?}"));
            }
            received.retain(|&(number, _)| number != 70);
        }
    }
    stages.dedup();
    let stage = stage_of(&stages, &received)?;
    if ended && stage + 1 != stages.len() {
        return Err(format!("it had returned, but {received:?} is stage {stage} of {stages:?}"));
    }
    goes_round(&mut ring.tx, rx)?;
    Ok(Outcome { stage, messages, repaired })
}

/// What the sleeper got, and then the rest; a message that it held when it was ended comes again.
fn account_for_sleeper(board: &Words, rest: Vec<(u64, bool)>) -> Vec<(u64, bool)> {
    let logged = (0..board.get(LOGGED) as usize).map(|index| (board.get(LOG + index), false));
    logged.chain(rest.into_iter().map(|(number, _)| (number, false))).collect()
}

fn stage_of(stages: &[Vec<(u64, bool)>], received: &[(u64, bool)]) -> Result<usize, String> {
    let found = stages.iter().rposition(|stage| stage == received);
    found.ok_or_else(|| format!("received {received:?}, expected one of {stages:?}"))
}

/// Nobody is in the way of anybody: the ring goes round.
fn goes_round(tx: &mut Producer, rx: &mut Consumer) -> Result<(), String> {
    for step in 0..2 * SLOTS as u64 + 1 {
        let sent = tx.try_send(&bytes(100 + step)).map_err(|error| format!("going on: {error}"))?;
        if !sent {
            return Err(format!("going on: no room for message {step}"));
        }
        let got =
            rx.try_recv().map_err(|error| format!("going on: {error}"))?.map(|message| number(&message));
        if got != Some(100 + step) {
            return Err(format!("going on: received {got:?} for message {step}"));
        }
    }
    // And takes as many as it has slots.
    for step in 0..SLOTS as u64 {
        if !tx.try_send(&bytes(200 + step)).map_err(|error| format!("filling: {error}"))? {
            return Err(format!("filling: no room for message {step} of {SLOTS}"));
        }
    }
    for step in 0..SLOTS as u64 {
        let got =
            rx.try_recv().map_err(|error| format!("emptying: {error}"))?.map(|message| number(&message));
        if got != Some(200 + step) {
            return Err(format!("emptying: received {got:?} for message {step}"));
        }
    }
    Ok(())
}

/// How often somebody's claims were put right.
fn repairs(ring: &Ring) -> Result<u64, String> {
    let report = podring::inspect::report(ring.dir(), "ring").map_err(|error| error.to_string())?;
    Ok(report.seats.iter().map(|seat| seat.stats.repairs).sum())
}

/// The judge refuses what it must refuse.
pub(crate) fn check_teeth() {
    let stages = vec![vec![(1, false), (2, false)], vec![(1, true), (2, false)], vec![(2, false)]];
    for (received, wanted) in [
        (vec![(1, false), (2, false)], Some(0)),
        (vec![(1, true), (2, false)], Some(1)),
        (vec![(2, false)], Some(2)),
        (vec![], None),
        (vec![(2, false), (1, false)], None),
        (vec![(1, false), (1, false), (2, false)], None),
        (vec![(1, false), (2, true)], None),
        (vec![(u64::MAX, false), (2, false)], None),
    ] {
        assert_eq!(stage_of(&stages, &received).ok(), wanted, "the judge on {received:?}");
    }
}
