//! Streams of messages one way, as fast as they go.
//!
//! ```text
//!   partner: writes every word   ── transport ──►   this side: reads and checks every word
//! ```

use std::hint::black_box;

use crate::board::Board;
use crate::case::Case;
use crate::content;
use crate::cpus::Pinned;
use crate::crowding::Crowding;
use crate::drive::{Checker, Sample, Span, Stage, chunk};
use crate::transport::{Rx, Transport, Tx, or_give_up};
use crate::{Error, Result, interrupt};

pub(super) fn run<T: Transport, const WORDS: usize>(stage: &Stage<'_>) -> Result<Sample> {
    let transport = T::create(&stage.spec)?;
    let (board, case) = (stage.board, &stage.case);
    let cpu = stage.partners_cpu();
    let (mut sample, crowding) = stage.staff.beside(
        stage.board,
        || stage.order(),
        vec![|| write::<T, WORDS>(&transport, case, board, cpu)],
        |crew| {
            let mut rx = transport.rx(stage.board.poll())?;
            let _pinned = Pinned::to(stage.our_cpu())?;
            crew.gather(stage.board, 1)?;
            let crowding = Crowding::begin();
            let sample = read::<T, WORDS>(&mut rx, stage)?;
            crowding.report(stage.board);
            Ok((sample, crowding))
        },
    )?;
    sample.crowded = crowding.share(stage.board);
    Ok(sample)
}

pub(super) fn write<T: Transport, const WORDS: usize>(
    transport: &T,
    case: &Case,
    board: &Board,
    cpu: Option<usize>,
) -> Result<()> {
    let mut tx = transport.tx(board.poll())?;
    let _pinned = Pinned::to(cpu)?;
    board.arrive()?;
    let crowding = Crowding::begin();
    let written = write_all::<WORDS>(&mut tx, case, board);
    or_give_up(&mut tx, written)?;
    crowding.report(board);
    tx.send(case.size, content::fill_end)
}

fn write_all<const WORDS: usize>(tx: &mut impl Tx, case: &Case, board: &Board) -> Result<()> {
    /// Messages between two looks at whether it is enough.
    const LOOK: u64 = 64;
    // A length known when compiling would make these calls cheaper than a user's.
    let size = black_box(case.size);
    let mut seq = 0;
    if case.batch > 1 {
        while !board.stopped() {
            tx.send_many(case.batch, size, |at, bytes| content::fill::<WORDS>(bytes, seq + at as u64))?;
            seq += case.batch as u64;
        }
    } else {
        while !board.stopped() {
            for _ in 0..LOOK {
                tx.send(size, |bytes| content::fill::<WORDS>(bytes, seq))?;
                seq += 1;
            }
        }
    }
    Ok(())
}

fn read<T: Transport, const WORDS: usize>(rx: &mut T::Rx<'_>, stage: &Stage<'_>) -> Result<Sample> {
    match stage.case.batch {
        1 => time::<_, WORDS, false>(stage, rx),
        _ => time::<_, WORDS, true>(stage, rx),
    }
}

/// Reads one message or, in batches, those that are there, up to `most`. False: one of them was not right.
///
/// Not a closure, which the compiler may leave out of line: in a user's loop the ring's code is in line.
#[inline(always)]
fn step<const WORDS: usize, const BATCHES: bool>(
    rx: &mut impl Rx,
    checker: &mut Checker<WORDS>,
    most: u64,
) -> Result<bool> {
    if BATCHES {
        rx.recv_many(most as usize, |bytes| checker.see(bytes))?;
        return Ok(checker.odd.is_none());
    }
    rx.recv(|bytes| checker.see(bytes))
}

fn time<R: Rx, const WORDS: usize, const BATCHES: bool>(stage: &Stage<'_>, rx: &mut R) -> Result<Sample> {
    let chunk = chunk(stage.case.size);
    let batch = stage.case.batch as u64;
    let mut checker = Checker::new(black_box(stage.case.size));
    let read = |rx: &mut R, checker: &mut Checker<WORDS>, span: &Span| {
        loop {
            let until = span.next_look(checker.seq, chunk);
            while checker.seq < until {
                let most = batch.min(until - checker.seq);
                if !step::<WORDS, BATCHES>(rx, checker, most)? {
                    return checker.ended(false, stage.board);
                }
            }
            if span.is_over(checker.seq) {
                return Ok(());
            }
        }
    };
    read(rx, &mut checker, &Span::warmup(stage))?;
    if interrupt::asked() {
        return Err(Error::Interrupted);
    }
    let first = checker.seq;
    let span = Span::timed(stage, first);
    read(rx, &mut checker, &span)?;
    let (elapsed, messages) = (span.start.elapsed(), checker.seq - first);
    stage.board.stop();
    while step::<WORDS, BATCHES>(rx, &mut checker, batch)? {}
    checker.ended(true, stage.board)?;
    Ok(Sample { messages, elapsed, parks: rx.parks(), ..Sample::default() })
}
