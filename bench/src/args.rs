//! The command line, shared by `podring-bench` and `podring bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::case::{Amount, Case, DEFAULT_CAPACITY, Mode, Place, WaitName, Warmup};
use crate::drive;
use crate::gate::Condition;
use crate::report::Format;
use crate::subjects::{Kind, Subject};
use crate::units::{parse_bytes, parse_count, parse_cpus, parse_span};
use crate::{Error, Result};

/// What to measure, and what to do with it.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// What to measure [default: latency throughput]
    #[arg(value_enum, value_name = "MODE")]
    pub modes: Vec<Mode>,

    /// Message sizes, multiples of 8 [default: 64; of streams 8,64,256,1K,64K, of mpmc 16,64,256]
    #[arg(long, value_parser = parse_bytes, value_delimiter = ',', value_name = "BYTES")]
    pub size: Vec<usize>,
    /// Transports [default: podring's own]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    pub subject: Vec<Subject>,
    /// podring beside every peer that this build has (feature `peers`)
    #[arg(long)]
    pub compare: bool,
    /// Messages of a run
    #[arg(long, value_parser = parse_count, value_name = "N")]
    pub count: Option<u64>,
    /// Length of a run (100ms, 2s) [default: some tenths of a second]
    #[arg(long, value_parser = parse_span, value_name = "SPAN", conflicts_with = "count")]
    pub duration: Option<Duration>,
    /// What goes before, untimed: messages or a span [default: a tenth, and a few laps of the ring]
    #[arg(long, value_parser = parse_warmup, value_name = "N|SPAN")]
    pub warmup: Option<Warmup>,
    /// Runs of each case; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..), value_name = "N")]
    pub runs: u16,
    /// Messages sent together, in streams [default: 1,32]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096), value_delimiter = ',', value_name = "N")]
    pub batch: Vec<u32>,
    /// How both sides wait, where a transport has a choice [default: spin,adaptive; park for wake]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WAIT")]
    pub wait: Vec<WaitName>,
    /// Messages a second of oneway (100K) and wake (1000); with latency, round trips a second
    #[arg(long, value_parser = parse_count, value_name = "N")]
    pub rate: Option<u64>,
    /// Writers of mpmc [default: 1 and 2]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=24), value_name = "N")]
    pub producers: Option<u8>,
    /// Readers of mpmc [default: 1 and 2]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=24), value_name = "N")]
    pub consumers: Option<u8>,
    /// Capacities in bytes
    #[arg(long, value_parser = parse_bytes, value_delimiter = ',', default_value = "1M", value_name = "BYTES")]
    pub capacity: Vec<usize>,
    /// Where the other side is [default: process, and thread for what works only there]
    #[arg(long = "where", value_enum, value_delimiter = ',', value_name = "PLACE")]
    pub place: Vec<Place>,
    /// Do what `--where container` in another container asks for, until it ends; same --dir
    #[arg(long, conflicts_with_all = ["modes", "size", "place"])]
    pub serve: bool,
    /// The two CPUs [default: the first two allowed]
    #[arg(long, value_parser = parse_cpus, value_name = "A,B")]
    pub cpu: Option<(usize, usize)>,

    /// Forms of the result
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FORMAT", help_heading = "Result")]
    pub format: Vec<Format>,
    /// Write the result to this file; with several forms, PATH.json, PATH.csv, ...
    #[arg(long, value_name = "PATH", help_heading = "Result")]
    pub out: Option<PathBuf>,
    /// Draw charts (SVG) into this directory
    #[arg(long, value_name = "DIR", help_heading = "Result")]
    pub plot: Option<PathBuf>,
    /// Write tables and charts as one HTML page
    #[arg(long, value_name = "FILE", help_heading = "Result")]
    pub report: Option<PathBuf>,

    /// What to compare with: a result as JSON, or a program, which is run in turn with this one
    #[arg(long, value_name = "FILE|PROGRAM", help_heading = "Gate")]
    pub baseline: Option<PathBuf>,
    /// Exit with 4 if so, with 6 if that cannot be told: 'p99 > 1.5x floor', 'p50 > +10% of baseline',
    /// 'msgs_per_s < 1M' [default with --baseline: p50 or ns_per_msg > +10% of baseline]
    #[arg(long, value_parser = Condition::parse, value_name = "CONDITION", help_heading = "Gate")]
    pub fail_if: Vec<Condition>,
    /// With --fail-if or --baseline: go on until it can be told, up to this many runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(5..), value_name = "N", help_heading = "Gate")]
    pub most_runs: u16,

    /// Round trips of each form of the floor, before and after each run
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..), value_name = "N", help_heading = "Machine")]
    pub floor_count: u64,
    /// Seconds after which a run is stuck
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..), value_name = "SECONDS", help_heading = "Machine")]
    pub patience: u32,
    /// Lose this before each message, to try out the gate
    #[arg(long, default_value_t = 0, hide = true)]
    pub handicap_ns: u64,
}

fn parse_warmup(text: &str) -> std::result::Result<Warmup, String> {
    if let Ok(count) = parse_count(text) {
        return Ok(Warmup::Count(count));
    }
    parse_span(text).map(Warmup::Span)
}

impl Arguments {
    /// How much of each case.
    pub fn amount(&self) -> Amount {
        Amount { count: self.count, duration: self.duration, warmup: self.warmup }
    }

    /// Whether the gate is asked for.
    pub fn is_gate(&self) -> bool {
        self.baseline.is_some() || !self.fail_if.is_empty()
    }

    /// Every combination that exists. One that was asked for by name and does not exist is an error.
    pub fn cases(&self) -> Result<Vec<Case>> {
        if let Some(size) = self.size.iter().find(|&&size| size == 0 || size % 8 != 0) {
            return Err(Error::Usage(format!(
                "--size {size}: sizes are multiples of 8, since whole words are checked"
            )));
        }
        let modes =
            if self.modes.is_empty() { vec![Mode::Latency, Mode::Throughput] } else { self.modes.clone() };
        let mut cases = Vec::new();
        let mut refused = Vec::new();
        for mode in modes {
            for size in self.sizes(mode) {
                for batch in self.batches(mode) {
                    for &subject in &self.subjects(mode)? {
                        for &capacity in &self.capacity {
                            for (producers, consumers) in self.participants(mode) {
                                for (wait, place) in self.ways(mode, subject) {
                                    let case = Case {
                                        mode,
                                        subject,
                                        size,
                                        capacity,
                                        wait,
                                        batch,
                                        place,
                                        rate: self.rate(mode),
                                        producers,
                                        consumers,
                                        handicap_ns: self.handicap_ns,
                                    };
                                    match drive::refuses(&case) {
                                        None => cases.push(case),
                                        Some(why) => refused.push(why),
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        if cases.is_empty() {
            refused.dedup();
            return Err(Error::Usage(format!("nothing to measure: {}", refused.join("; "))));
        }
        Ok(cases)
    }

    /// The arguments of one run of the same cases by another process: what they are, not what becomes of them.
    pub fn for_one_run(&self, handicapped: bool) -> Vec<String> {
        let mut args: Vec<String> = self.modes.iter().map(|mode| mode.name().to_owned()).collect();
        let mut put = |option: &str, values: Vec<String>| {
            if !values.is_empty() {
                args.push(format!("--{option}={}", values.join(",")));
            }
        };
        let texts = |values: &[usize]| values.iter().map(usize::to_string).collect::<Vec<_>>();
        put("size", texts(&self.size));
        put("subject", self.subject.iter().map(|subject| subject.name().to_owned()).collect());
        put("batch", self.batch.iter().map(u32::to_string).collect());
        put("wait", self.wait.iter().map(|wait| wait.name().to_owned()).collect());
        put("capacity", texts(&self.capacity));
        put("count", self.count.iter().map(u64::to_string).collect());
        put("duration", self.duration.iter().map(|span| format!("{}ns", span.as_nanos())).collect());
        let warmup = self.warmup.iter().map(|warmup| match warmup {
            Warmup::Count(count) => count.to_string(),
            Warmup::Span(span) => format!("{}ns", span.as_nanos()),
        });
        put("warmup", warmup.collect());
        put("rate", self.rate.iter().map(u64::to_string).collect());
        put("producers", self.producers.iter().map(u8::to_string).collect());
        put("consumers", self.consumers.iter().map(u8::to_string).collect());
        put("where", self.place.iter().map(|place| place.name().to_owned()).collect());
        put("cpu", self.cpu.iter().map(|(a, b)| format!("{a},{b}")).collect());
        put("floor-count", vec![self.floor_count.to_string()]);
        put("patience", vec![self.patience.to_string()]);
        put("runs", vec!["1".to_owned()]);
        put("format", vec!["json".to_owned()]);
        if handicapped && self.handicap_ns != 0 {
            put("handicap-ns", vec![self.handicap_ns.to_string()]);
        }
        if self.compare {
            args.push("--compare".to_owned());
        }
        args
    }

    fn sizes(&self, mode: Mode) -> Vec<usize> {
        match (self.size.is_empty(), mode) {
            (false, _) => self.size.clone(),
            (true, Mode::Throughput) => vec![8, 64, 256, 1024, 65536],
            (true, Mode::Mpmc) => vec![16, 64, 256],
            (true, _) => vec![64],
        }
    }

    fn batches(&self, mode: Mode) -> Vec<usize> {
        match (self.batch.is_empty(), mode) {
            (false, Mode::Throughput | Mode::Mpmc) => {
                self.batch.iter().map(|&batch| batch as usize).collect()
            }
            (true, Mode::Throughput) => vec![1, 32],
            _ => vec![1],
        }
    }

    fn subjects(&self, mode: Mode) -> Result<Vec<Subject>> {
        if self.compare && Subject::all().iter().all(|subject| subject.kind() == Kind::Own) {
            return Err(Error::Usage(
                "--compare: this build has no peers: cargo run --release -p podring-bench --features peers"
                    .to_owned(),
            ));
        }
        let wanted = |subject: &Subject| match (self.subject.is_empty(), self.compare) {
            (true, true) => true,
            (true, false) => subject.kind() == Kind::Own,
            (false, _) => self.subject.contains(subject),
        };
        // What was named is tried, or refused with a reason.
        // podring's ring of many is for many; a user of one of each takes the others.
        let fits = |subject: &Subject| match mode {
            _ if !self.subject.is_empty() => true,
            Mode::Mpmc => subject.is_many(),
            _ => !(subject.is_many() && subject.kind() == Kind::Own),
        };
        Ok(Subject::all().iter().copied().filter(|subject| wanted(subject) && fits(subject)).collect())
    }

    fn waits(&self, mode: Mode, subject: Subject) -> Vec<WaitName> {
        let wanted: &[WaitName] = match (self.wait.is_empty(), mode) {
            (false, _) => &self.wait,
            (true, Mode::Wake) => &[WaitName::Park],
            (true, _) => &[WaitName::Spin, WaitName::Adaptive],
        };
        let choice = subject.waits();
        if subject.kind() != Kind::Own {
            // They have no choice.
            return choice.to_vec();
        }
        wanted.iter().copied().filter(|wait| choice.contains(wait)).collect()
    }

    fn participants(&self, mode: Mode) -> Vec<(usize, usize)> {
        match (mode, self.producers, self.consumers) {
            (Mode::Mpmc, None, None) => vec![(1, 1), (2, 2)],
            (Mode::Mpmc, producers, consumers) => {
                vec![(producers.unwrap_or(1).into(), consumers.unwrap_or(1).into())]
            }
            _ => vec![(1, 1)],
        }
    }

    /// Every way to wait in every place.
    fn ways(&self, mode: Mode, subject: Subject) -> Vec<(WaitName, Place)> {
        let usual = if subject.places().contains(&Place::Process) { Place::Process } else { Place::Thread };
        let places = if self.place.is_empty() { vec![usual] } else { self.place.clone() };
        let waits = self.waits(mode, subject);
        waits.into_iter().flat_map(|wait| places.iter().map(move |&place| (wait, place))).collect()
    }

    fn rate(&self, mode: Mode) -> f64 {
        let usual = match mode {
            Mode::Oneway => 100_000,
            Mode::Wake => 1000,
            Mode::Latency => 0,
            Mode::Throughput | Mode::Mpmc => return 0.0,
        };
        self.rate.unwrap_or(usual) as f64
    }
}

/// The usual capacity is the one that names leave out.
const _: () = assert!(DEFAULT_CAPACITY == 1 << 20);
