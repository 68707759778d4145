//! Measures podring between two processes, always beside the machine's own floor.
//!
//! A figure means little by itself: the same two CPUs of a virtual machine may be near each other in
//! one minute and far apart in the next, and everything that crosses between them gets three to ten
//! times slower. So every run here is bracketed by two measurements of the raw cache-line round trip
//! ([`floor`]), and every result is given as a multiple of it too.
//!
//! Read in this order: [`floor`] (what the machine can do), [`pingpong`] (latency), [`stream`]
//! (throughput), [`schedule`] (cases and runs, interleaved with the floor), [`report`] (what is printed).
//! [`fork`], [`scratch`] and [`watchdog`] see to it that nothing outlives a run: no process, no segment,
//! no endless wait. [`crowding`] tells whether other programs were in the way.

pub mod clock;
pub mod content;
pub mod cpus;
pub mod crowding;
pub mod environment;
pub mod error;
pub mod floor;
pub mod fork;
pub mod pingpong;
pub mod report;
pub mod schedule;
pub mod scratch;
pub mod stream;
pub mod summary;
pub mod units;
pub mod watchdog;

pub use error::{Error, Result};
