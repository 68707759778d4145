//! What is measured: one transport, one size, one way to wait.

use std::time::Duration;

use clap::ValueEnum;
use podring::Wait;
use serde::{Deserialize, Serialize};

use crate::subjects::Subject;

/// What is done with a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Round trips of single messages
    Latency,
    /// Messages at a given rate, each timed from the moment it was due
    Oneway,
    /// Messages to a receiver that sleeps
    Wake,
    /// Streams one way, as fast as they go
    Throughput,
    /// Many producers, many consumers
    Mpmc,
}

impl Mode {
    /// Whether the result is a distribution of times.
    pub fn is_timed(self) -> bool {
        matches!(self, Self::Latency | Self::Oneway | Self::Wake)
    }

    /// The name in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Oneway => "oneway",
            Self::Wake => "wake",
            Self::Throughput => "throughput",
            Self::Mpmc => "mpmc",
        }
    }
}

/// How both sides wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitName {
    /// Poll for ever
    Spin,
    /// Poll for a while, then sleep
    Adaptive,
    /// Sleep at once
    Park,
    /// Whatever the transport does: it gives no choice
    #[value(skip)]
    Own,
}

impl WaitName {
    /// The name in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Adaptive => "adaptive",
            Self::Park => "park",
            Self::Own => "own",
        }
    }
}

impl From<WaitName> for Wait {
    fn from(name: WaitName) -> Self {
        match name {
            WaitName::Spin => Self::Spin,
            WaitName::Adaptive | WaitName::Own => Self::Adaptive,
            WaitName::Park => Self::Park,
        }
    }
}

/// Where the other side is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A thread of this process
    Thread,
    /// A process forked from this one
    Process,
    /// A process that runs `--serve` in another container
    Container,
}

impl Place {
    /// The name in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Thread => "thread",
            Self::Process => "process",
            Self::Container => "container",
        }
    }
}

/// One thing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// What is done.
    pub mode: Mode,
    /// The transport.
    pub subject: Subject,
    /// Message size in bytes: a multiple of 8.
    pub size: usize,
    /// Bytes the transport shall hold.
    pub capacity: usize,
    /// How both sides wait.
    pub wait: WaitName,
    /// Messages sent together.
    pub batch: usize,
    /// Where the other side is.
    pub place: Place,
    /// Messages a second, in open loops; round trips a second, if not 0.
    pub rate: f64,
    /// Writers of [`Mode::Mpmc`].
    pub producers: usize,
    /// Readers of [`Mode::Mpmc`].
    pub consumers: usize,
    /// Nanoseconds lost on purpose before each message, to try out the gate.
    pub handicap_ns: u64,
}

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amount {
    /// Timed messages; without it the duration counts.
    pub count: Option<u64>,
    /// Timed span; without it the count counts.
    pub duration: Option<Duration>,
    /// What goes before, untimed; `None`: a tenth, and a few times what the transport holds.
    pub warmup: Option<Warmup>,
}

/// How much goes before what is timed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Warmup {
    /// Messages.
    Count(u64),
    /// A span.
    Span(Duration),
}

impl Case {
    /// How it is told from the others, in one line without spaces around its parts.
    pub fn name(&self) -> String {
        let mut name = format!(
            "{}/{}/{}B/{}/{}",
            self.mode.name(),
            self.subject.name(),
            self.size,
            self.wait.name(),
            self.place.name()
        );
        if self.batch > 1 {
            name += &format!("/batch{}", self.batch);
        }
        if self.mode == Mode::Mpmc {
            name += &format!("/{}p{}c", self.producers, self.consumers);
        }
        if self.rate > 0.0 {
            name += &format!("/{}per-s", self.rate);
        }
        if self.capacity != DEFAULT_CAPACITY {
            name += &format!("/{}", crate::units::bytes(self.capacity).replace(' ', ""));
        }
        name
    }
}

/// Capacity where none is asked for.
pub const DEFAULT_CAPACITY: usize = 1 << 20;
