//! Measures podring, and what a user might take instead, always beside the machine's own floor.
//!
//! A figure means little by itself: the same two CPUs of a virtual machine may be near each other in one
//! minute and far apart in the next, and everything that crosses between them gets three to ten times
//! slower. So every run here is bracketed by two measurements of the raw cache-line round trip, and every
//! result is given as a multiple of its [`floor`] too.
//!
//! Read in this order: [`transport`] (what is measured), [`subjects`] (all there are), [`drive`] (what is done
//! with them), [`floor`] (what the machine can do), [`schedule`] (cases and runs, interleaved with the floor),
//! [`results`], [`gate`] (slower than before?), [`report`] (what is printed), [`program`] (the command line).
//! [`partner`], [`remote`] and [`board`] are the other side; they, [`scratch`] and [`watchdog`] see to it that
//! nothing outlives a run: no process, no segment, no endless wait. [`crowding`] tells whether other programs
//! were in the way. [`callgrind`] and [`instructions`] are for what is counted and not timed; [`targets`], and
//! [`quota`] for one of them, for the table of what is wanted and what there is.

pub mod args;
pub mod board;
pub mod callgrind;
pub mod case;
pub mod clock;
pub mod content;
pub mod cpus;
pub mod crowding;
pub mod drive;
pub mod environment;
pub mod error;
pub mod floor;
pub mod gate;
pub mod instructions;
pub mod interleave;
pub mod interrupt;
pub mod partner;
pub mod program;
pub mod quota;
pub mod remote;
pub mod report;
pub mod results;
pub mod schedule;
pub mod scratch;
pub mod subjects;
pub mod summary;
pub mod targets;
pub mod transport;
pub mod units;
pub mod watchdog;

pub use error::{Error, Result};
