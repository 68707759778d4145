//! What children do while they are stepped through, and in which states of the ring.

use std::time::Duration;

use podring::ConsumerDeath::{Drop, Redeliver};
use podring::Error;

use crate::common::words::Words;
use crate::ring::{Dead, Ring, SLOTS, Scene, Sleeper, bytes, number};
use crate::trace::stand_still;
use crate::{PHASE, Row, WRONG};

/// What the survivors may receive, stage after stage of the operation.
pub(crate) type Stages = fn(&[(u64, bool)], Scene) -> Vec<Vec<(u64, bool)>>;

/// An operation.
#[derive(Clone, Copy)]
pub(crate) struct Act {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Ring, &Words),
    pub(crate) stages: Stages,
    /// Stages that must be seen.
    pub(crate) least_stages: usize,
    /// It takes so many instructions (sleeping, making and mapping things) that it is only tried if asked for.
    pub(crate) is_long: bool,
    /// Whether it looks at the clock: read while the kernel moves it on, the clock is read again, so the nth instruction
    /// of two runs is not the same one, and nothing follows from which of two was killed later.
    pub(crate) reads_clock: bool,
}

/// The operation: from where the child stands still to where it says that it has returned.
#[inline(always)]
fn inside<T>(board: &Words, operation: impl FnOnce() -> T) -> T {
    begin(board);
    let result = operation();
    end(board);
    result
}

#[inline(never)]
fn begin(board: &Words) {
    stand_still();
    board.set(PHASE, 1);
}

#[inline(never)]
fn end(board: &Words) {
    board.set(PHASE, 2);
}

/// Says whether it went well, and waits to be killed.
fn done(board: &Words, well: bool) {
    if !well {
        board.set(WRONG, 1);
    }
    stand_still();
}

fn with(all: &[(u64, bool)], more: &[u64]) -> Vec<(u64, bool)> {
    all.iter().copied().chain(more.iter().map(|&number| (number, false))).collect()
}

/// Nothing that others receive changes.
fn nothing(all: &[(u64, bool)], _: Scene) -> Vec<Vec<(u64, bool)>> {
    vec![all.to_vec()]
}

fn sends_one(all: &[(u64, bool)], _: Scene) -> Vec<Vec<(u64, bool)>> {
    vec![all.to_vec(), with(all, &[50])]
}

fn sends_two(all: &[(u64, bool)], _: Scene) -> Vec<Vec<(u64, bool)>> {
    vec![all.to_vec(), with(all, &[50]), with(all, &[50, 51])]
}

/// The first `count` messages are received, one after the other.
fn receives(all: &[(u64, bool)], scene: Scene, count: usize) -> Vec<Vec<(u64, bool)>> {
    let mut stages = vec![all.to_vec()];
    for first in 0..count {
        let rest = all[first + 1..].to_vec();
        if scene.then == Redeliver {
            let mut again = all[first..].to_vec();
            again[0].1 = true;
            stages.push(again);
        }
        stages.push(rest);
    }
    stages
}

fn receives_one(all: &[(u64, bool)], scene: Scene) -> Vec<Vec<(u64, bool)>> {
    receives(all, scene, 1)
}

fn receives_two(all: &[(u64, bool)], scene: Scene) -> Vec<Vec<(u64, bool)>> {
    receives(all, scene, 2)
}

const SEND: Act = Act {
    name: "send",
    run: |ring, board| {
        let mut tx = ring.options().producer().expect("a seat");
        let sent = inside(board, || tx.try_send(&bytes(50)));
        done(board, matches!(sent, Ok(true)));
    },
    stages: sends_one,
    least_stages: 2,
    is_long: false,
    reads_clock: false,
};

/// The last claim is the child's own.
const SEND_AGAIN: Act = Act {
    name: "send again",
    run: |ring, board| {
        let mut tx = ring.options().producer().expect("a seat");
        assert!(tx.try_send(&bytes(49)).expect("a sound ring"));
        let sent = inside(board, || tx.try_send(&bytes(50)));
        done(board, matches!(sent, Ok(true)));
    },
    stages: |all, _| vec![with(all, &[49]), with(all, &[49, 50])],
    least_stages: 2,
    is_long: false,
    reads_clock: false,
};

const CLAIM: Act = Act {
    name: "claim, commit",
    run: |ring, board| {
        let mut tx = ring.options().producer().expect("a seat");
        let well = inside(board, || match tx.try_claim(16) {
            Ok(Some(mut claim)) => {
                claim.copy_from_slice(&bytes(50));
                claim.commit();
                true
            }
            _ => false,
        });
        done(board, well);
    },
    stages: sends_one,
    least_stages: 2,
    is_long: false,
    reads_clock: false,
};

const CLAIM_DROP: Act = Act {
    name: "claim, drop",
    run: |ring, board| {
        let mut tx = ring.options().producer().expect("a seat");
        let well = inside(board, || tx.try_claim(16).is_ok_and(|claim| claim.is_some()));
        done(board, well);
    },
    stages: nothing,
    least_stages: 1,
    is_long: false,
    reads_clock: false,
};

const BATCH: Act = Act {
    name: "batch",
    run: |ring, board| {
        let mut tx = ring.options().producer().expect("a seat");
        let well = inside(board, || {
            let mut batch = tx.batch();
            let well = batch.try_send(&bytes(50)).is_ok_and(|sent| sent)
                && batch.try_send(&bytes(51)).is_ok_and(|sent| sent);
            batch.publish();
            well
        });
        done(board, well);
    },
    stages: sends_two,
    least_stages: 3,
    is_long: false,
    reads_clock: false,
};

const SEND_WAIT: Act = Act {
    name: "send_timeout",
    run: |ring, board| {
        let mut tx = ring.options().producer().expect("a seat");
        let sent = inside(board, || tx.send_timeout(&bytes(50), Duration::from_millis(2)));
        done(board, matches!(sent, Err(Error::Timeout { .. })));
    },
    stages: nothing,
    least_stages: 1,
    is_long: true,
    reads_clock: false,
};

const RECV: Act = Act {
    name: "recv",
    run: |ring, board| {
        let mut rx = ring.options().consumer().expect("a seat");
        let well = inside(board, || {
            rx.try_recv().is_ok_and(|message| message.is_some_and(|m| number(&m) != u64::MAX))
        });
        done(board, well);
    },
    stages: receives_one,
    least_stages: 2,
    is_long: false,
    reads_clock: false,
};

/// The last claim is the child's own.
const RECV_AGAIN: Act = Act {
    name: "recv again",
    run: |ring, board| {
        let mut rx = ring.options().consumer().expect("a seat");
        drop(rx.try_recv().expect("a sound ring").expect("a message"));
        let well = inside(board, || rx.try_recv().is_ok_and(|message| message.is_some()));
        done(board, well);
    },
    stages: |all, scene| receives_one(&all[1..], scene),
    least_stages: 2,
    is_long: false,
    reads_clock: false,
};

const RECV_INTO: Act = Act {
    name: "recv_into",
    run: |ring, board| {
        let mut rx = ring.options().consumer().expect("a seat");
        let mut buffer = [0; 16];
        let got = inside(board, || rx.try_recv_into(&mut buffer));
        done(board, matches!(got, Ok(Some(16))) && number(&buffer) != u64::MAX);
    },
    stages: receives_one,
    least_stages: 2,
    is_long: false,
    reads_clock: false,
};

const DRAIN: Act = Act {
    name: "drain",
    run: |ring, board| {
        let mut rx = ring.options().consumer().expect("a seat");
        let well = inside(board, || {
            let Ok(mut drain) = rx.drain() else { return false };
            drain.next().is_ok_and(|first| first.is_some())
                && drain.next().is_ok_and(|second| second.is_some())
        });
        done(board, well);
    },
    stages: receives_two,
    least_stages: 3,
    is_long: false,
    reads_clock: false,
};

/// Takes a message and gives it back unread.
const DRAIN_DROP: Act = Act {
    name: "drain, drop",
    run: |ring, board| {
        let mut rx = ring.options().consumer().expect("a seat");
        let well = inside(board, || rx.drain().is_ok());
        done(board, well);
    },
    stages: |all, _| {
        let mut again = all.to_vec();
        again[0].1 = true;
        vec![all.to_vec(), again]
    },
    least_stages: 2,
    is_long: false,
    reads_clock: false,
};

const RECV_WAIT: Act = Act {
    name: "recv_timeout",
    run: |ring, board| {
        let mut rx = ring.options().consumer().expect("a seat");
        let well =
            inside(board, || matches!(rx.recv_timeout(Duration::from_millis(2)), Err(Error::Timeout { .. })));
        done(board, well);
    },
    stages: nothing,
    least_stages: 1,
    is_long: true,
    reads_clock: false,
};

/// Receives what a dead consumer had been handed.
const ADOPT: Act = Act {
    name: "repair, recv",
    run: |ring, board| {
        let mut rx = ring.options().consumer().expect("a seat");
        let well = inside(board, || {
            rx.repair().is_ok() && rx.try_recv().is_ok_and(|message| message.is_some_and(|m| m.redelivered()))
        });
        done(board, well);
    },
    stages: |all, _| vec![all.to_vec(), all[1..].to_vec()],
    least_stages: 2,
    is_long: false,
    reads_clock: true,
};

const ATTACH_PRODUCER: Act = Act {
    name: "attach, as producer",
    run: |ring, board| {
        let options = ring.options();
        let tx = inside(board, || options.producer());
        done(board, tx.is_ok());
        drop(tx);
    },
    stages: nothing,
    least_stages: 1,
    is_long: true,
    reads_clock: false,
};

const ATTACH_CONSUMER: Act = Act {
    name: "attach, as consumer",
    run: |ring, board| {
        let options = ring.options();
        let rx = inside(board, || options.consumer());
        done(board, rx.is_ok());
        drop(rx);
    },
    stages: nothing,
    least_stages: 1,
    is_long: true,
    reads_clock: false,
};

const CLOSE: Act = Act {
    name: "close",
    run: |ring, board| {
        let mut tx = ring.options().producer().expect("a seat");
        let closed = inside(board, || tx.close());
        done(board, closed.is_ok());
    },
    stages: nothing,
    least_stages: 1,
    is_long: false,
    reads_clock: false,
};

const LEAVE: Act = Act {
    name: "leave",
    run: |ring, board| {
        let rx = ring.options().consumer().expect("a seat");
        inside(board, || drop(rx));
        done(board, true);
    },
    stages: nothing,
    least_stages: 1,
    is_long: false,
    reads_clock: false,
};

const fn scene(name: &'static str, gone: u64, there: u64) -> Scene {
    Scene { name, gone, there, dead: Dead::Nobody, sleeper: Sleeper::Nobody, then: Redeliver }
}

const fn dead(name: &'static str, there: u64, dead: Dead) -> Scene {
    Scene { dead, ..scene(name, 3, there) }
}

/// Everything that is tried.
pub(crate) fn rows() -> Vec<Row> {
    let full = SLOTS as u64;
    let empty = scene("empty", 0, 0);
    let wrapping = scene("wrapping", 3, 2);
    let two = scene("two", 2, 2);
    let three = scene("nearly full", 2, full - 1);
    let filled = scene("full", 1, full);
    let drops = Scene { then: Drop, ..scene("two, dropped", 2, 2) };
    let sleeping_consumer = Scene { sleeper: Sleeper::Consumer, ..scene("a consumer sleeps", 2, 0) };
    let sleeping_producer = Scene { sleeper: Sleeper::Producer, ..scene("a producer sleeps", 2, full) };
    let writing = dead("a writer is dead", 1, Dead::Writing);
    let writing_alone = dead("only a writer, dead", 0, Dead::Writing);
    let writing_behind = dead("a writer is dead, overtaken", 1, Dead::WritingBehind);
    let reading = dead("a reader is dead", 2, Dead::Reading);
    let reading_behind = dead("a reader is dead, overtaken", 3, Dead::ReadingBehind);
    let reading_full = dead("full, a reader is dead", full, Dead::Reading);
    let reading_dropped = Scene { then: Drop, ..dead("a reader is dead, dropped", 2, Dead::Reading) };
    let each =
        |act: Act, scenes: &[Scene]| scenes.iter().map(move |&scene| Row { act, scene }).collect::<Vec<_>>();
    [
        each(SEND, &[empty, wrapping, three, writing, writing_behind, reading, sleeping_consumer]),
        each(SEND_AGAIN, &[empty, wrapping]),
        each(CLAIM, &[empty, wrapping]),
        each(CLAIM_DROP, &[empty, wrapping, three, sleeping_consumer]),
        each(BATCH, &[empty, wrapping]),
        each(SEND_WAIT, &[filled, reading_full]),
        each(RECV, &[two, wrapping, filled, drops, sleeping_producer]),
        each(RECV_AGAIN, &[two, three]),
        each(RECV_INTO, &[two, filled]),
        each(DRAIN, &[two, filled]),
        each(DRAIN_DROP, &[two]),
        each(RECV_WAIT, &[empty, writing_alone]),
        each(ADOPT, &[reading, reading_behind, reading_full]),
        each(ATTACH_PRODUCER, &[two, writing, writing_behind, reading, reading_dropped]),
        each(ATTACH_CONSUMER, &[two, writing, writing_behind, reading, reading_behind, reading_dropped]),
        each(CLOSE, &[two]),
        each(LEAVE, &[two]),
    ]
    .into_iter()
    .flatten()
    .collect()
}
