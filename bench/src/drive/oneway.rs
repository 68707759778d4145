//! An open loop: messages are sent when they are due, whatever became of those before, and each is timed from
//! the moment it was **due**. What a stall keeps waiting counts in full ("coordinated omission").
//!
//! ```text
//!   partner: message n is due at begin + n * interval   ── transport ──►   this side: now - due
//! ```
//!
//! Two clocks are compared here, one on each side. Before and after the run both sides tell each other the
//! time over one cache line; how far they are apart is taken off every figure, and if that changed during the
//! run, there is no figure.

use std::hint::{black_box, spin_loop};
use std::os::linux::fs::MetadataExt;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use crate::board::Board;
use crate::case::Case;
use crate::content;
use crate::cpus::Pinned;
use crate::crowding::Crowding;
use crate::drive::{Checker, Pace, Sample, Span, Stage, histogram};
use crate::transport::{Rx, Transport, Tx, or_give_up};
use crate::{Error, Result, interrupt};

/// Questions in one comparison of the clocks.
const QUESTIONS: u64 = 200;
/// From letting the partner go to the first message.
const LEAD: Duration = Duration::from_millis(1);

pub(super) fn run<T: Transport>(stage: &Stage<'_>) -> Result<Sample> {
    let transport = T::create(&stage.spec)?;
    let (board, case) = (stage.board, &stage.case);
    let (cpu, pace) = (stage.partners_cpu(), stage.pace());
    let (mut sample, crowding) = stage.staff.beside(
        stage.board,
        || stage.order(),
        vec![|| write::<T>(&transport, case, &pace, board, cpu)],
        |crew| {
            let mut rx = transport.rx(stage.board.poll())?;
            let _pinned = Pinned::to(stage.our_cpu())?;
            crew.gather(stage.board, 1)?;
            let before = compare(stage)?;
            let crowding = Crowding::begin();
            let mut sample = read(stage, &pace, &before, &mut rx)?;
            crowding.report(stage.board);
            let after = compare(stage)?;
            if (before.offset - after.offset).abs() > before.within + after.within {
                return Err(Error::Partner(format!(
                    "has a clock that went {:.0} ns apart from this one's during the run{}",
                    stage.clock.ns((before.offset - after.offset).unsigned_abs()),
                    namespaces(stage.board)
                )));
            }
            sample.clock_offset_ns = Some(stage.clock.ns(before.offset.unsigned_abs()) as f64);
            Ok((sample, crowding))
        },
    )?;
    sample.crowded = crowding.share(stage.board);
    Ok(sample)
}

pub(super) fn write<T: Transport>(
    transport: &T,
    case: &Case,
    pace: &Pace,
    board: &Board,
    cpu: Option<usize>,
) -> Result<()> {
    let mut tx = transport.tx(board.poll())?;
    let _pinned = Pinned::to(cpu)?;
    board.words().time_namespace.store(time_namespace(), Relaxed);
    board.arrive()?;
    let clock = pace.clock;
    tell_the_time(board, pace)?;
    let crowding = Crowding::begin();
    board.wait(|words| words.begin.0.load(Acquire) != 0, "begin")?;
    let begin = board.words().begin.0.load(Relaxed);
    let size = black_box(case.size);
    let mut seq = 0;
    while !board.stopped() {
        let due = begin + (seq as f64 * pace.interval_ticks) as u64;
        while (clock.ticks().wrapping_sub(due) as i64) < 0 {
            if board.stopped() {
                break;
            }
            spin_loop();
        }
        let sent = tx.send(size, |bytes| content::fill::<0>(bytes, seq));
        or_give_up(&mut tx, sent)?;
        seq += 1;
    }
    crowding.report(board);
    tx.send(size, content::fill_end)?;
    tell_the_time(board, pace)
}

fn read(stage: &Stage<'_>, pace: &Pace, clocks: &Clocks, rx: &mut impl Rx) -> Result<Sample> {
    let clock = stage.clock;
    let ours = clock.ticks() + clock.in_ticks(LEAD.as_nanos() as f64) as u64;
    // The writer's clock decides when a message is due.
    let begin = ours.wrapping_add_signed(clocks.offset);
    stage.board.words().begin.0.store(begin, Release);
    let mut checker = Checker::<0>::new(black_box(stage.case.size));
    // A look every ten milliseconds, or at every message if they are rarer.
    let chunk = ((stage.case.rate / 100.0) as u64).clamp(1, 4096);
    let mut read =
        |span: &Span, checker: &mut Checker<0>, mut times: Option<&mut hdrhistogram::Histogram<u64>>| {
            loop {
                let until = span.next_look(checker.seq, chunk);
                while checker.seq < until {
                    let due = ours + (checker.seq as f64 * pace.interval_ticks) as u64;
                    let (right, now) = rx.recv(|bytes| (checker.see(bytes), clock.ticks()))?;
                    if !right {
                        return checker.ended(false, stage.board);
                    }
                    if let Some(times) = &mut times {
                        times.saturating_record(clock.ns(now.saturating_sub(due)));
                    }
                }
                if span.is_over(checker.seq) {
                    return Ok(());
                }
            }
        };
    read(&Span::warmup(stage), &mut checker, None)?;
    if interrupt::asked() {
        return Err(Error::Interrupted);
    }
    let first = checker.seq;
    let mut times = histogram();
    let span = Span::timed(stage, first);
    read(&span, &mut checker, Some(&mut times))?;
    let (elapsed, messages) = (span.start.elapsed(), checker.seq - first);
    stage.board.stop();
    while rx.recv(|bytes| checker.see(bytes))? {}
    checker.ended(true, stage.board)?;
    Ok(Sample { times: Some(times), messages, elapsed, parks: rx.parks(), ..Sample::default() })
}

/// How far the partner's clock is ahead of ours, in ticks, and how well that is known.
#[derive(Debug, Clone, Copy)]
struct Clocks {
    offset: i64,
    within: i64,
}

/// Asks the partner for the time; the quickest answer counts.
fn compare(stage: &Stage<'_>) -> Result<Clocks> {
    let [question, answer] = &stage.board.words().clock;
    // A comparison goes on from the question at which the last one ended.
    let first = question.0.load(Relaxed);
    let mut best = Clocks { offset: 0, within: i64::MAX };
    for number in first + 1..=first + QUESTIONS {
        let before = stage.clock.ticks();
        question.0.store(number, Release);
        while answer.0.load(Acquire) == 0 {
            spin_or_fail(stage.board)?;
        }
        let after = stage.clock.ticks();
        let theirs = answer.0.swap(0, Acquire);
        let within = after.wrapping_sub(before) as i64 / 2 + 1;
        if within < best.within {
            best = Clocks { offset: theirs.wrapping_sub(before) as i64 - within, within };
        }
    }
    // Less than is known to be there is none.
    if best.offset.abs() <= best.within {
        best.offset = 0;
    }
    Ok(best)
}

/// The partner's side of [`compare`].
fn tell_the_time(board: &Board, pace: &Pace) -> Result<()> {
    let [question, answer] = &board.words().clock;
    let first = question.0.load(Acquire) / QUESTIONS * QUESTIONS;
    for number in first + 1..=first + QUESTIONS {
        while question.0.load(Acquire) < number {
            spin_or_fail(board)?;
        }
        answer.0.store(pace.clock.ticks().max(1), Release);
    }
    Ok(())
}

fn spin_or_fail(board: &Board) -> Result<()> {
    spin_loop();
    board.check()
}

/// Zero where there are no such namespaces.
fn time_namespace() -> u64 {
    std::fs::metadata("/proc/self/ns/time").map_or(0, |namespace| namespace.st_ino())
}

fn namespaces(board: &Board) -> &'static str {
    match board.words().time_namespace.load(Relaxed) == time_namespace() {
        true => "",
        false => " (the two sides have time namespaces of their own)",
    }
}
