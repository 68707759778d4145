//! Instructions of each operation, counted by callgrind: a figure that does not depend on what else runs.
//!
//! Each operation is run N and 2 N times; the difference, divided by N, is what one takes. `--record` writes
//! `bench/instructions.toml`, without it the counts must be those recorded there.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use podring_bench::callgrind;
use podring_bench::instructions::{Compiler, Counted, Recorded};
use podring_bench::scratch::Scratch;
use podring_bench::{Error, Result};

/// Counts instructions of each operation, and compares with what was recorded.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the counts are recorded
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.toml"), value_name = "FILE")]
    file: PathBuf,
    /// Record instead of comparing
    #[arg(long)]
    record: bool,
    /// Waste one instruction for each message, to see that it is noticed
    #[arg(long, hide = true)]
    handicap: bool,
    /// Run one operation so many times: what callgrind runs
    #[arg(long, num_args = 2, value_names = ["OPERATION", "TIMES"], hide = true)]
    run: Vec<String>,
}

/// What is counted.
struct Operation {
    name: &'static str,
    messages: u32,
    /// Dear ones are run so many times less.
    share: u64,
    /// If it is not the same on every machine.
    percent: Option<f64>,
    /// Runs it so many times.
    run: fn(&Scratch, u64),
}

const fn of(name: &'static str, messages: usize, run: fn(&Scratch, u64)) -> Operation {
    Operation { name, messages: messages as u32, share: 1, percent: None, run }
}

/// The operations, both ends in one thread.
const OPERATIONS: [Operation; 13] = [
    of("bytes/send_recv_into/8", 1, |scratch, times| copied(scratch, 8, times)),
    of("bytes/send_recv_into/64", 1, |scratch, times| copied(scratch, 64, times)),
    // One instruction a byte: the processor's string copy counts as often as it repeats.
    of("bytes/send_recv_into/1024", 1, |scratch, times| copied(scratch, 1024, times)),
    of("bytes/claim_commit_recv/64", 1, in_place),
    of("bytes/batch_of_32_drain/64", BATCH, batches),
    of("bytes/try_recv_of_nothing", 1, nothing),
    of("typed/send_recv/64", 1, typed),
    of("typed/send_all_recv_many_of_32/64", BATCH, typed_batches),
    of("mpmc/claim_commit_recv/64", 1, many_in_place),
    of("mpmc/batch_of_32_drain/64", BATCH, many_batches),
    of("mpmc/try_recv_of_nothing", 1, many_nothing),
    of("mpmc-typed/send_recv/64", 1, many_typed),
    Operation { share: 32, percent: Some(10.0), ..of("attach_detach", 1, attach) },
];

/// Half of what the larger of two runs does. A power of two, so that both go round the ring whole times.
const TIMES: u64 = 1 << 14;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.run[..] {
        [operation, times] => run(operation, times, arguments.handicap),
        _ => count_all(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("podring-instructions: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(operation: &str, times: &str, handicap: bool) -> Result<ExitCode> {
    let times: u64 = times.parse().map_err(|_| Error::Usage(format!("'{times}' is not a number")))?;
    let known = OPERATIONS.iter().find(|known| known.name == operation);
    let known = known.ok_or_else(|| Error::Usage(format!("no operation '{operation}'")))?;
    let times = times / known.share;
    (known.run)(&Scratch::new(podring::DEFAULT_DIR.as_ref())?, times);
    if handicap {
        waste(times * u64::from(known.messages));
    }
    Ok(ExitCode::SUCCESS)
}

/// As many instructions, but for the few of the loop around them.
fn waste(instructions: u64) {
    for _ in 0..instructions / 1024 {
        // SAFETY: does nothing, 1024 times.
        unsafe { std::arch::asm!(".rept 1024", "nop", ".endr", options(nomem, nostack, preserves_flags)) };
    }
}

fn count_all(arguments: &Arguments) -> Result<ExitCode> {
    const REGRESSION: u8 = 4;
    if !callgrind::is_there() {
        return Ok(skipped("there is no valgrind (Debian: apt-get install valgrind)"));
    }
    let compiler = Compiler::here()?;
    if arguments.record {
        let counts = counts(false)?;
        let instructions = counts.into_iter().map(|(name, count)| (name, count.instructions)).collect();
        Recorded { compiler, instructions }.write(&arguments.file)?;
        println!("instructions: recorded in {}", arguments.file.display());
        return Ok(ExitCode::SUCCESS);
    }
    let recorded = Recorded::read(&arguments.file)?;
    if recorded.compiler != compiler {
        let Compiler { rustc, target } = &recorded.compiler;
        return Ok(skipped(&format!(
            "recorded is the code of {rustc} for {target}, and here is {} for {}.\n\
             Nothing was compared. To compare with what this compiler makes: make instructions RECORD=1",
            compiler.rustc, compiler.target
        )));
    }
    let (table, off) = recorded.compare(&counts(arguments.handicap)?);
    println!("{table}");
    if off == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    println!("{off} off. If that is meant: make instructions RECORD=1");
    Ok(ExitCode::from(REGRESSION))
}

/// Nobody shall take it for a pass.
fn skipped(why: &str) -> ExitCode {
    let line = "=".repeat(78);
    println!("{line}\nSKIPPED: the instruction counts: {why}\n{line}");
    ExitCode::SUCCESS
}

fn counts(handicap: bool) -> Result<BTreeMap<String, Counted>> {
    let scratch = Scratch::new(podring::DEFAULT_DIR.as_ref())?;
    let own = std::env::current_exe().map_err(|e| Error::os("finding this program", e))?;
    let mut counts = BTreeMap::new();
    for Operation { name, messages, share, percent, .. } in OPERATIONS {
        let count = |times: u64| {
            let times = times.to_string();
            let arguments = ["--run", name, &times, "--handicap"];
            callgrind::count(&own, &arguments[..if handicap { 4 } else { 3 }], scratch.dir())
        };
        let each = count(2 * TIMES)?.saturating_sub(count(TIMES)?) as f64 / (TIMES / share) as f64;
        let instructions = (each * 10.0).round() / 10.0;
        counts.insert(name.to_owned(), Counted { instructions, messages, percent });
    }
    Ok(counts)
}

const CAPACITY: usize = 1 << 20;
const SLOTS: usize = 1 << 12;
const BATCH: usize = 32;

/// Both ends of a ring of bytes.
fn ends(scratch: &Scratch) -> (podring::Producer, podring::Consumer) {
    let ring = scratch.ring("instructions");
    let ends = (
        ring.options().capacity(CAPACITY).producer().expect("a fresh ring"),
        ring.options().capacity(CAPACITY).consumer().expect("the same ring"),
    );
    // Its file goes with `scratch`.
    std::mem::forget(ring);
    ends
}

fn copied(scratch: &Scratch, size: usize, times: u64) {
    let (mut tx, mut rx) = ends(scratch);
    let message = vec![0x5a; size];
    let mut copy = vec![0; size];
    for _ in 0..times {
        tx.send(black_box(&message)).expect("room for one");
        rx.recv_into(black_box(&mut copy)).expect("one is there");
    }
}

fn in_place(scratch: &Scratch, times: u64) {
    let (mut tx, mut rx) = ends(scratch);
    for _ in 0..times {
        let mut claim = tx.claim(black_box(64)).expect("room for one");
        claim[63] = 1;
        claim.commit();
        black_box(rx.recv().expect("one is there")[63]);
    }
}

fn batches(scratch: &Scratch, times: u64) {
    let (mut tx, mut rx) = ends(scratch);
    let message = [0x5a; 64];
    for _ in 0..times {
        let mut batch = tx.batch();
        for _ in 0..BATCH {
            batch.send(black_box(&message)).expect("room for a batch");
        }
        batch.publish();
        let mut drain = rx.drain().expect("a batch is there");
        while let Some(message) = drain.next().expect("a whole record") {
            black_box(message[63]);
        }
    }
}

fn nothing(scratch: &Scratch, times: u64) {
    let (_tx, mut rx) = ends(scratch);
    for _ in 0..times {
        assert!(rx.try_recv().expect("a good ring").is_none());
    }
}

fn typed(scratch: &Scratch, times: u64) {
    let ring = scratch.ring("instructions");
    let options = || ring.options().typed::<[u64; 8]>().type_name("words");
    let (mut tx, mut rx) =
        (options().producer().expect("a fresh ring"), options().consumer().expect("the same ring"));
    for _ in 0..times {
        tx.send(black_box(&[7; 8])).expect("room for one");
        black_box(rx.recv().expect("one is there"));
    }
}

fn typed_batches(scratch: &Scratch, times: u64) {
    let ring = scratch.ring("instructions");
    let options = || ring.options().typed::<[u64; 8]>().type_name("words");
    let (mut tx, mut rx) =
        (options().producer().expect("a fresh ring"), options().consumer().expect("the same ring"));
    let (block, mut copy) = ([[7; 8]; BATCH], [[0; 8]; BATCH]);
    for _ in 0..times {
        tx.send_all(black_box(&block)).expect("room for a batch");
        let mut seen = 0;
        while seen < BATCH {
            seen += rx.recv_many(black_box(&mut copy[seen..])).expect("a batch is there");
        }
    }
}

/// Both ends of a ring of many.
fn ends_of_many(scratch: &Scratch) -> (podring::mpmc::Producer, podring::mpmc::Consumer) {
    let ring = scratch.ring("instructions");
    let options = || ring.many().slots(SLOTS).largest_message(64);
    let ends = (options().producer().expect("a fresh ring"), options().consumer().expect("the same ring"));
    // Its file goes with `scratch`.
    std::mem::forget(ring);
    ends
}

fn many_in_place(scratch: &Scratch, times: u64) {
    let (mut tx, mut rx) = ends_of_many(scratch);
    for _ in 0..times {
        let mut claim = tx.claim(black_box(64)).expect("room for one");
        claim[63] = 1;
        claim.commit();
        black_box(rx.recv().expect("one is there")[63]);
    }
}

fn many_batches(scratch: &Scratch, times: u64) {
    let (mut tx, mut rx) = ends_of_many(scratch);
    for _ in 0..times {
        let mut batch = tx.batch();
        for _ in 0..BATCH {
            let mut claim = batch.claim(black_box(64)).expect("room for a batch");
            claim[63] = 1;
            claim.commit();
        }
        batch.publish();
        let mut drain = rx.drain().expect("a batch is there");
        while let Some(message) = drain.next().expect("a whole slot") {
            black_box(message[63]);
        }
    }
}

fn many_nothing(scratch: &Scratch, times: u64) {
    let (_tx, mut rx) = ends_of_many(scratch);
    for _ in 0..times {
        assert!(rx.try_recv().expect("a good ring").is_none());
    }
}

fn many_typed(scratch: &Scratch, times: u64) {
    let ring = scratch.ring("instructions");
    let options = || ring.many().typed::<[u64; 8]>().type_name("words").elements(SLOTS);
    let (mut tx, mut rx) =
        (options().producer().expect("a fresh ring"), options().consumer().expect("the same ring"));
    for _ in 0..times {
        tx.send(black_box(&[7; 8])).expect("room for one");
        black_box(rx.recv().expect("one is there"));
    }
}

fn attach(scratch: &Scratch, times: u64) {
    let ring = scratch.ring("instructions");
    let _kept = ring.options().capacity(CAPACITY).producer().expect("a fresh ring");
    for _ in 0..times {
        drop(ring.options().capacity(CAPACITY).consumer().expect("the consumer's seat is free"));
    }
}
