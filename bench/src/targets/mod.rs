//! The performance that podring is meant to have, and whether it has it here: a table with a line for each target.
//!
//! What is compared was run in turn, and each ratio is the median of those of the rounds, so that what the machine
//! does meanwhile it does to both. A target that is missed is printed as missed.

mod alone;
mod beside;
mod desk;
mod line;

pub use desk::Desk;
pub use line::{Limit, Line, Outcome, table};

use clap::ValueEnum;

use crate::Result;

/// A part of the table, measured by itself: none takes more than a minute and a half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Round trips beside the raw cache line
    Trips,
    /// Streams, one message at a time, beside the fastest peer; adaptive beside spinning
    Streams,
    /// Streams in batches, beside the fastest peer
    Batches,
    /// Large messages in place, beside what the two CPUs copy
    Large,
    /// Receivers that sleep, beside the raw futex; adaptive beside spin and park
    Waits,
    /// Many producers and consumers, beside Vyukov's queue and every peer
    Many,
    /// Eight and eight on two CPUs, and one and one on a single CPU
    Crowded,
    /// Half a CPU
    Quota,
    /// A receiver with nothing to receive
    Idle,
    /// Coming and going
    Attach,
    /// Many participants, many rings
    Scale,
}

impl Part {
    /// All of them, in the order of the table.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Its lines.
    pub fn measure(self, desk: &Desk) -> Result<Vec<Line>> {
        match self {
            Self::Trips => beside::trips(desk),
            Self::Streams => beside::streams(desk),
            Self::Batches => beside::batches(desk),
            Self::Large => beside::large(desk),
            Self::Waits => beside::waits(desk),
            Self::Many => beside::many(desk),
            Self::Crowded => beside::crowded(desk),
            Self::Quota => beside::quota(desk),
            Self::Idle => alone::idle(desk),
            Self::Attach => alone::attach(desk),
            Self::Scale => alone::scale(desk),
        }
    }
}
