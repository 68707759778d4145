//! Instructions for each operation, counted by callgrind: a figure that does not depend on what else runs.
//!
//! Each operation is run N and 2 N times; the difference, divided by N, is what one takes. `--record` writes
//! `bench/instructions.toml`, without it the counts must be those recorded there, within its margin.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;
use podring_bench::scratch::Scratch;
use podring_bench::{Error, Result};
use serde::{Deserialize, Serialize};

/// Counts instructions for each operation, and compares with what was recorded.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the counts are recorded
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.toml"), value_name = "FILE")]
    file: PathBuf,
    /// Record instead of comparing
    #[arg(long)]
    record: bool,
    /// Run one operation so many times: what callgrind runs
    #[arg(long, num_args = 2, value_names = ["OPERATION", "TIMES"], hide = true)]
    run: Vec<String>,
}

/// What is in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Recorded {
    /// The compiler that made the code which was counted: another one may make another.
    rustc: String,
    /// How far a count may be off, in percent.
    margin_percent: f64,
    /// Instructions for each operation.
    instructions: BTreeMap<String, f64>,
}

/// Runs an operation so many times.
type Operation = fn(&Scratch, u64);

/// The operations by name, both ends in one thread; dear ones are run so many times less.
const OPERATIONS: [(&str, u64, Operation); 9] = [
    ("bytes/send_recv_into/8", 1, |scratch, times| copied(scratch, 8, times)),
    ("bytes/send_recv_into/64", 1, |scratch, times| copied(scratch, 64, times)),
    ("bytes/send_recv_into/1024", 1, |scratch, times| copied(scratch, 1024, times)),
    ("bytes/claim_commit_recv/64", 1, |scratch, times| in_place(scratch, times)),
    ("bytes/batch_of_32_drain/64", 1, |scratch, times| batches(scratch, times)),
    ("bytes/try_recv_of_nothing", 1, |scratch, times| nothing(scratch, times)),
    ("typed/send_recv/64", 1, |scratch, times| typed(scratch, times)),
    ("typed/send_all_recv_many_of_32/64", 1, |scratch, times| typed_batches(scratch, times)),
    ("attach_detach", 32, |scratch, times| attach(scratch, times)),
];

/// Half of what the larger of two runs does. A power of two, so that both go round the ring whole times.
const TIMES: u64 = 1 << 14;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.run[..] {
        [operation, times] => run(operation, times),
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

fn run(operation: &str, times: &str) -> Result<ExitCode> {
    let times: u64 = times.parse().map_err(|_| Error::Usage(format!("'{times}' is not a number")))?;
    let known = OPERATIONS.iter().find(|(name, ..)| *name == operation);
    let (_, share, run) = known.ok_or_else(|| Error::Usage(format!("no operation '{operation}'")))?;
    run(&Scratch::new(podring::DEFAULT_DIR.as_ref())?, times / share);
    Ok(ExitCode::SUCCESS)
}

fn count_all(arguments: &Arguments) -> Result<ExitCode> {
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("instructions: skipped: there is no valgrind (Debian: apt-get install valgrind)");
        return Ok(ExitCode::SUCCESS);
    }
    let mut counts = BTreeMap::new();
    for (name, share, _) in OPERATIONS {
        let each = (count(name, 2 * TIMES)? - count(name, TIMES)?) as f64 / (TIMES / share) as f64;
        counts.insert(name.to_owned(), (each * 10.0).round() / 10.0);
    }
    if arguments.record {
        let recorded = Recorded { rustc: rustc(), margin_percent: 2.0, instructions: counts };
        write(&arguments.file, &recorded)?;
        println!("instructions: recorded in {}", arguments.file.display());
        return Ok(ExitCode::SUCCESS);
    }
    compare(&read(&arguments.file)?, &counts)
}

/// Prints both, and fails where they differ by more than the margin, in either direction: what has become less
/// is to be recorded too, or it could be lost again unnoticed.
fn compare(recorded: &Recorded, counts: &BTreeMap<String, f64>) -> Result<ExitCode> {
    const REGRESSION: u8 = 4;
    let (now, then) = (rustc(), &recorded.rustc);
    let mut off = 0;
    println!("{:36} {:>9} {:>9} {:>8}", "instructions", "recorded", "now", "change");
    for (name, count) in counts {
        let Some(before) = recorded.instructions.get(name) else {
            println!("{name:36} {:>9} {count:>9.1}          not recorded", "-");
            off += 1;
            continue;
        };
        let change = (count / before - 1.0) * 100.0;
        let far = change.abs() > recorded.margin_percent;
        off += u32::from(far);
        println!("{name:36} {before:>9.1} {count:>9.1} {change:>+7.1}% {}", if far { "OFF" } else { "" });
    }
    if off == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{off} off by more than {} %: if that is meant, or if the compiler changed ({then}; now {now}), record it: \
         make instructions RECORD=1",
        recorded.margin_percent
    );
    Ok(ExitCode::from(REGRESSION))
}

/// Instructions of one run, all in all.
fn count(name: &str, times: u64) -> Result<u64> {
    let own = std::env::current_exe().map_err(|e| Error::os("finding this program", e))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--trace-children=no"])
        .arg(own)
        .args(["--run", name, &times.to_string()])
        .output()
        .map_err(|e| Error::os("running valgrind", e))?;
    let text = String::from_utf8_lossy(&output.stderr);
    // The janitor is a fork, and counts as well: the first total to come is not always ours, the largest is.
    let collected = text.lines().filter_map(|line| {
        line.split_once("Collected : ").and_then(|(_, count)| count.trim().parse::<u64>().ok())
    });
    match collected.max() {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(Error::Partner(format!("valgrind of {name} failed ({}):\n{text}", output.status))),
    }
}

fn rustc() -> String {
    let version = Command::new("rustc").arg("--version").output();
    version
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn read(path: &Path) -> Result<Recorded> {
    let doing = || format!("reading {}", path.display());
    let text = std::fs::read_to_string(path).map_err(|e| Error::os(doing(), e))?;
    toml::from_str(&text).map_err(|e| Error::Usage(format!("{}: {e}", doing())))
}

fn write(path: &Path, recorded: &Recorded) -> Result<()> {
    let doing = || format!("writing {}", path.display());
    let text = toml::to_string(recorded).map_err(|e| Error::Usage(format!("{}: {e}", doing())))?;
    let text = format!(
        "# Instructions for each operation: `make instructions`; recorded by `make instructions RECORD=1`.\n{text}"
    );
    std::fs::write(path, text).map_err(|e| Error::os(doing(), e))
}

const CAPACITY: usize = 1 << 20;
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

fn attach(scratch: &Scratch, times: u64) {
    let ring = scratch.ring("instructions");
    let _kept = ring.options().capacity(CAPACITY).producer().expect("a fresh ring");
    for _ in 0..times {
        drop(ring.options().capacity(CAPACITY).consumer().expect("the consumer's seat is free"));
    }
}
