//! Those who come after a kill: they take over, receive what is there, and go on.

use std::path::Path;

use podring::inspect::{State, report};

use crate::board::Got;
use crate::handles::{Look, RING, Receiver, Sender};
use crate::judge::Survived;
use crate::message::number;
use crate::model::Kind;

/// More than any ring here holds.
const MOST: usize = 500;

/// Everything in the directory of rings.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("the directory of rings");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Removes everything in the directory of rings.
pub(crate) fn clear(dir: &Path) {
    for name in names(dir) {
        std::fs::remove_file(dir.join(name)).expect("a file of ours");
    }
}

/// What is there to be received, and how often an end is told.
pub(crate) fn drain(rx: &mut Receiver) -> Result<(Vec<Got>, u64), String> {
    let (mut received, mut ends) = (Vec::new(), 0);
    for _ in 0..MOST {
        match rx.look().map_err(|error| format!("a survivor cannot receive: {error}"))? {
            Look::Message(got) => received.push(got),
            Look::Ended => ends += 1,
            Look::Nothing => return Ok((received, ends)),
        }
    }
    Err("a survivor receives without end".into())
}

/// Both sides attach, all is received, and traffic goes on once around the ring.
pub(crate) fn take_over(dir: &Path, kind: Kind, producer_first: bool) -> Result<Survived, String> {
    let producer = || Sender::attach(dir, kind).map_err(|error| format!("no producer can attach: {error}"));
    let consumer = || Receiver::attach(dir, kind).map_err(|error| format!("no consumer can attach: {error}"));
    let early = if producer_first { Some(producer()?) } else { None };
    let mut rx = consumer()?;
    let (received, ends) = drain(&mut rx)?;
    let mut tx = early.map_or_else(producer, Ok)?;
    go_on(&mut tx, &mut rx)?;
    Ok(Survived { received, ends, producer_first })
}

/// Sends and receives more than fits the ring.
fn go_on(tx: &mut Sender, rx: &mut Receiver) -> Result<(), String> {
    for round in 0..4 {
        let mut expected = Vec::new();
        for index in 0..10 {
            let sequence = 5000 + round * 10 + index;
            let number = number(sequence, 8 + (sequence as usize * 37) % 300);
            match tx.try_send(number) {
                Ok(true) => expected.push(Got { number: Some(number), marked: false }),
                other => return Err(format!("a survivor cannot send into an empty ring: {other:?}")),
            }
        }
        let received = drain(rx)?;
        if received != (expected, 0) {
            return Err(format!("survivors do not understand each other: {received:?}"));
        }
    }
    Ok(())
}

/// After everybody has left: the ring is all there is, empty and unused.
pub(crate) fn left_behind(dir: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let names = names(dir);
    if names != [RING] {
        wrong.push(format!("the directory holds {names:?}"));
    }
    match report(dir, RING) {
        Ok(report) => {
            let seats: Vec<(bool, bool)> = report.seats.iter().map(|seat| (seat.live, seat.left)).collect();
            if report.state != State::Stale || report.used != 0 || seats != [(false, true); 2] {
                wrong.push(format!("left behind: {}, {} used, {seats:?}", report.state, report.used));
            }
        }
        Err(error) => wrong.push(format!("the ring cannot be looked at: {error}")),
    }
    wrong
}

/// Right after a kill: nobody is alive, whatever the seats say.
pub(crate) fn nobody_is_alive(dir: &Path) -> Vec<String> {
    match report(dir, RING) {
        Ok(report) if report.state == State::Stale => Vec::new(),
        Ok(report) => vec![format!("somebody is alive: {:?}", report.seats)],
        Err(error) => vec![format!("the ring cannot be looked at: {error}")],
    }
}
