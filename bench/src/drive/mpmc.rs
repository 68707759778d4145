//! Many producers, many consumers.
//!
//! ```text
//!   producers: write every word   ── transport ──►   consumers: read and check every word
//! ```
//!
//! Message `n` of producer `p` has the number `p << 48 | n`. Each consumer checks that the numbers of each
//! producer only rise; at the end the counts and sums of all consumers must be those of all producers: nothing
//! lost, nothing twice. This process only looks at the counts now and then.

use std::hint::black_box;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use crate::board::{Board, MOST};
use crate::case::Case;
use crate::content;
use crate::cpus::Pinned;
use crate::crowding::Crowding;
use crate::drive::{Sample, Span, Stage};
use crate::transport::{Rx, Transport, Tx};
use crate::{Error, Result, interrupt};

const SHIFT: u32 = 48;
/// Messages between two looks at whether it is enough, and between two notes of the count.
const LOOK: u64 = 64;
/// Where it is summed up how many producers have written all they will.
const PRODUCERS_DONE: usize = MOST - 1;
/// The same of consumers that have read the end.
const CONSUMERS_DONE: usize = MOST - 2;
/// Between two looks at the counts.
const GLANCE: Duration = Duration::from_micros(500);

pub(super) fn run<T: Transport, const WORDS: usize>(stage: &Stage<'_>) -> Result<Sample> {
    let (case, board) = (&stage.case, stage.board);
    let transport = T::create(&stage.spec)?;
    let (ours, partners) = (stage.our_cpu(), stage.partners_cpu());
    let mut tasks: Vec<Box<dyn FnOnce() -> Result<()> + Send + '_>> = Vec::new();
    for number in 0..case.producers {
        // Producers begin with the partner's CPU and consumers with ours: one of each has one for itself.
        let cpu = if number % 2 == 0 { partners } else { ours };
        let transport = &transport;
        tasks.push(Box::new(move || produce::<T, WORDS>(transport, case, number, board, cpu)));
    }
    for number in 0..case.consumers {
        let cpu = if number % 2 == 0 { ours } else { partners };
        let transport = &transport;
        tasks.push(Box::new(move || consume::<T, WORDS>(transport, case, number, board, cpu)));
    }
    let (mut sample, crowding) = stage.staff.beside(
        stage.board,
        || stage.order(),
        tasks,
        |crew| {
            crew.gather(stage.board, case.producers + case.consumers)?;
            let crowding = Crowding::begin();
            let sample = watch(stage, || crew.check())?;
            stage.board.stop();
            // What they wrote is read before what ends it.
            let words = stage.board.words();
            let mut await_all = |done: usize, many: usize| {
                wait(stage.board, || crew.check(), || words.sums[done].0.load(Acquire) >= many as u64)
            };
            await_all(PRODUCERS_DONE, case.producers)?;
            let mut tx = transport.tx(stage.board.poll())?;
            for ended in 1..=case.consumers {
                tx.send(case.size, content::fill_end)?;
                // One that takes several messages at once could take the end of the others with its own.
                await_all(CONSUMERS_DONE, ended)?;
            }
            Ok((sample, crowding))
        },
    )?;
    audit(case, stage.board)?;
    sample.parks = stage.board.words().parks.load(Relaxed);
    sample.crowded = crowding.share(stage.board) / (case.producers + case.consumers) as f64;
    Ok(sample)
}

/// Counts what the consumers have read, in the span that is timed.
fn watch(stage: &Stage<'_>, mut check: impl FnMut() -> Result<()>) -> Result<Sample> {
    let words = stage.board.words();
    let read = || words.counts[..stage.case.consumers].iter().map(|count| count.0.load(Relaxed)).sum::<u64>();
    let mut until_over = |span: &Span| {
        while !span.is_over(read()) {
            check()?;
            stage.board.check()?;
            std::thread::sleep(GLANCE);
        }
        Ok::<(), Error>(())
    };
    until_over(&Span::warmup(stage))?;
    if interrupt::asked() {
        return Err(Error::Interrupted);
    }
    let first = read();
    let span = Span::timed(stage, first);
    until_over(&span)?;
    let (elapsed, messages) = (span.start.elapsed(), read() - first);
    Ok(Sample { messages, elapsed, ..Sample::default() })
}

fn produce<T: Transport, const WORDS: usize>(
    transport: &T,
    case: &Case,
    number: usize,
    board: &Board,
    cpu: Option<usize>,
) -> Result<()> {
    let mut tx = transport.tx(board.poll())?;
    let _pinned = Pinned::to(cpu)?;
    board.arrive()?;
    let crowding = Crowding::begin();
    let size = black_box(case.size);
    let base = (number as u64) << SHIFT;
    let mut seq = 0;
    while !board.stopped() {
        if case.batch > 1 {
            tx.send_many(case.batch, size, |at, bytes| {
                content::fill::<WORDS>(bytes, base | (seq + at as u64))
            })?;
            seq += case.batch as u64;
        } else {
            for _ in 0..LOOK {
                tx.send(size, |bytes| content::fill::<WORDS>(bytes, base | seq))?;
                seq += 1;
            }
        }
    }
    crowding.report(board);
    let words = board.words();
    words.counts[MOST / 2 + number].0.store(seq, Relaxed);
    words.sums[PRODUCERS_DONE].0.fetch_add(1, Release);
    Ok(())
}

fn consume<T: Transport, const WORDS: usize>(
    transport: &T,
    case: &Case,
    number: usize,
    board: &Board,
    cpu: Option<usize>,
) -> Result<()> {
    let mut rx = transport.rx(board.poll())?;
    let _pinned = Pinned::to(cpu)?;
    board.arrive()?;
    let crowding = Crowding::begin();
    let words = board.words();
    let mut tally = Tally::<WORDS>::new(black_box(case.size), case.producers);
    let mut noted = 0;
    loop {
        let going = match case.batch {
            1 => rx.recv(|bytes| tally.see(bytes))?,
            batch => {
                rx.recv_many(batch, |bytes| tally.see(bytes))?;
                tally.odd.is_none()
            }
        };
        if !going {
            break;
        }
        if tally.count - noted >= LOOK {
            noted = tally.count;
            words.counts[number].0.store(noted, Relaxed);
        }
    }
    crowding.report(board);
    if tally.odd != Some(content::END) {
        return Err(Error::Content(format!(
            "message {:#x} of {} bytes after {:#x?}",
            tally.odd.unwrap_or_default(),
            case.size,
            tally.next
        )));
    }
    words.counts[number].0.store(tally.count, Relaxed);
    for (producer, sum) in tally.sums.iter().enumerate() {
        words.sums[producer].0.fetch_add(*sum, Relaxed);
    }
    words.parks.fetch_add(rx.parks(), Relaxed);
    words.sums[CONSUMERS_DONE].0.fetch_add(1, Release);
    Ok(())
}

/// What one consumer has seen of each producer.
#[derive(Debug)]
struct Tally<const WORDS: usize> {
    size: usize,
    /// The lowest number that may come next from each producer.
    next: Vec<u64>,
    sums: Vec<u64>,
    count: u64,
    /// The number of a message that was not one of these.
    odd: Option<u64>,
}

impl<const WORDS: usize> Tally<WORDS> {
    fn new(size: usize, producers: usize) -> Self {
        Self { size, next: vec![0; producers], sums: vec![0; producers], count: 0, odd: None }
    }

    #[inline(always)]
    fn see(&mut self, bytes: &[u8]) -> bool {
        let number = content::number(bytes).unwrap_or_default();
        let (producer, seq) = ((number >> SHIFT) as usize, number & ((1 << SHIFT) - 1));
        let right = content::check::<WORDS>(bytes, self.size, number)
            && self.next.get(producer).is_some_and(|next| *next <= seq);
        if right {
            self.next[producer] = seq + 1;
            self.sums[producer] = self.sums[producer].wrapping_add(seq);
            self.count += 1;
        } else {
            self.odd = Some(number);
        }
        right
    }
}

/// All that was written was read, once.
fn audit(case: &Case, board: &Board) -> Result<()> {
    let words = board.words();
    let written: Vec<u64> =
        (0..case.producers).map(|number| words.counts[MOST / 2 + number].0.load(Relaxed)).collect();
    let read: u64 = words.counts[..case.consumers].iter().map(|count| count.0.load(Relaxed)).sum();
    let all: u64 = written.iter().sum();
    if read != all {
        return Err(Error::Content(format!("{all} messages were written and {read} read")));
    }
    for (producer, count) in written.iter().enumerate() {
        let expected = triangle(*count);
        if words.sums[producer].0.load(Relaxed) != expected {
            return Err(Error::Content(format!(
                "of producer {producer} some messages were lost and others read twice"
            )));
        }
    }
    Ok(())
}

/// 0 + 1 + ... + (n - 1).
fn triangle(n: u64) -> u64 {
    let (even, odd) = if n.is_multiple_of(2) { (n / 2, n.wrapping_sub(1)) } else { ((n - 1) / 2, n) };
    even.wrapping_mul(odd)
}

fn wait(board: &Board, mut check: impl FnMut() -> Result<()>, is_so: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + crate::board::PATIENCE;
    while !is_so() {
        check()?;
        board.check()?;
        if Instant::now() > deadline {
            return Err(Error::Partner("does not come to its end".to_owned()));
        }
        std::thread::sleep(GLANCE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_all_numbers() {
        assert_eq!([0, 1, 2, 3, 4, 5].map(triangle), [0, 0, 1, 3, 6, 10]);
    }

    #[test]
    fn what_comes_twice_is_noticed() {
        let mut tally = Tally::<1>::new(8, 2);
        let mut message = [0; 8];
        for (producer, seq) in [(0, 0), (1, 5), (0, 3)] {
            content::fill::<1>(&mut message, producer << SHIFT | seq);
            assert!(tally.see(&message));
        }
        assert!(!tally.see(&message), "the same again");
        content::fill_end(&mut message);
        assert!(!tally.see(&message));
        assert_eq!((tally.odd, tally.count, tally.sums), (Some(content::END), 3, vec![3, 5]));
    }
}
