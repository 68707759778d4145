//! Round trips of single messages over two transports, one each way.
//!
//! ```text
//!   this side        ── ping ──►   partner reads every word, adds a constant
//!   checks it        ◄── pong ──   and writes the answer
//! ```
//!
//! The time of a trip runs from before the message is claimed until every word of the answer was checked.
//! With a rate, trips begin at that rate, and what a late one keeps from beginning is recorded as well
//! ("coordinated omission").

use std::hint::{black_box, spin_loop};

use crate::board::Board;
use crate::content;
use crate::cpus::Pinned;
use crate::crowding::Crowding;
use crate::drive::{Sample, Span, Stage, histogram};
use crate::transport::{Rx, Spec, Transport, Tx, or_give_up};
use crate::{Error, Result, interrupt};

/// Trips between two looks at the clock: their times wait in a buffer, for a histogram is a large thing to
/// touch between two trips.
const CHUNK: u64 = 1024;

/// The properties of both transports.
pub(super) fn both(spec: &Spec) -> (Spec, Spec) {
    let named = |what| Spec { name: format!("{}.{what}", spec.name), ..spec.clone() };
    (named("ping"), named("pong"))
}

pub(super) fn run<T: Transport, const WORDS: usize>(stage: &Stage<'_>) -> Result<Sample> {
    let (ping, pong) = both(&stage.spec);
    let (ping, pong) = (T::create(&ping)?, T::create(&pong)?);
    let (board, cpu) = (stage.board, stage.partners_cpu());
    let (mut sample, crowding) = stage.staff.beside(
        stage.board,
        || stage.order(),
        vec![|| echo::<T, WORDS>(&ping, &pong, board, cpu)],
        |crew| {
            let mut tx = ping.tx(stage.board.poll())?;
            let mut rx = pong.rx(stage.board.poll())?;
            let _pinned = Pinned::to(stage.our_cpu())?;
            crew.gather(stage.board, 1)?;
            let crowding = Crowding::begin();
            let played = play::<WORDS>(stage, &mut tx, &mut rx);
            let sample = or_give_up(&mut tx, played)?;
            crowding.report(stage.board);
            Ok((sample, crowding))
        },
    )?;
    sample.crowded = crowding.share(stage.board);
    Ok(sample)
}

fn play<const WORDS: usize>(stage: &Stage<'_>, tx: &mut impl Tx, rx: &mut impl Rx) -> Result<Sample> {
    let clock = stage.clock;
    let interval = stage.pace().interval_ticks as u64;
    let interval_ns = clock.ns(interval);
    // A length known when compiling would make this claim cheaper than a user's.
    let size = black_box(stage.case.size);
    let mut ticks = Vec::with_capacity(CHUNK as usize);
    let mut seq = 0;
    let mut due = clock.ticks();
    let mut trips = |span: &Span, seq: &mut u64, mut done: Option<&mut hdrhistogram::Histogram<u64>>| {
        loop {
            let until = span.next_look(*seq, CHUNK);
            while *seq < until {
                if interval != 0 {
                    due += interval;
                    while (clock.ticks() as i64) < due as i64 {
                        spin_loop();
                    }
                }
                let start = clock.ticks();
                tx.send(size, |bytes| content::fill::<WORDS>(bytes, *seq))?;
                let (right, end) = rx.recv(|bytes| {
                    let right = content::check_answer::<WORDS>(bytes, size, *seq);
                    (right, clock.ticks())
                })?;
                if !right {
                    return Err(Error::Content(format!("answer {seq} of {size} bytes")));
                }
                ticks.push(end - start);
                *seq += 1;
                if interval != 0 && end > due + interval {
                    // One late trip is one sample here; those it kept from beginning are added by the histogram.
                    due = end;
                }
            }
            match &mut done {
                Some(times) if interval_ns != 0 => ticks.drain(..).for_each(|ticks| {
                    let ns = clock.ns(ticks).min(times.high());
                    times.record_correct(ns, interval_ns).expect("within its bounds");
                }),
                Some(times) => {
                    ticks.drain(..).for_each(|ticks| times.saturating_record(clock.ns(ticks)));
                }
                None => ticks.clear(),
            }
            if span.is_over(*seq) {
                return Ok(());
            }
        }
    };
    trips(&Span::warmup(stage), &mut seq, None)?;
    if interrupt::asked() {
        return Err(Error::Interrupted);
    }
    let first = seq;
    let mut times = histogram();
    let span = Span::timed(stage, first);
    trips(&span, &mut seq, Some(&mut times))?;
    let elapsed = span.start.elapsed();
    tx.send(size, content::fill_end)?;
    Ok(Sample { times: Some(times), messages: seq - first, elapsed, parks: rx.parks(), ..Sample::default() })
}

pub(super) fn echo<T: Transport, const WORDS: usize>(
    ping: &T,
    pong: &T,
    board: &Board,
    cpu: Option<usize>,
) -> Result<()> {
    let mut rx = ping.rx(board.poll())?;
    let mut tx = pong.tx(board.poll())?;
    let _pinned = Pinned::to(cpu)?;
    board.arrive()?;
    let crowding = Crowding::begin();
    let echoed = echo_all::<WORDS>(&mut rx, &mut tx);
    or_give_up(&mut tx, echoed)?;
    crowding.report(board);
    Ok(())
}

fn echo_all<const WORDS: usize>(rx: &mut impl Rx, tx: &mut impl Tx) -> Result<()> {
    loop {
        let ended = rx.recv(|message| {
            if content::is_end(message) {
                return Ok(true);
            }
            tx.send(message.len(), |answer| content::answer::<WORDS>(message, answer)).map(|()| false)
        })?;
        if ended? {
            return Ok(());
        }
    }
}
