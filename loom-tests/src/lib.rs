//! Model checks of podring's own algorithm files.
//!
//! `ring/src/algo` is compiled here as it stands, with a `sync` of its own underneath: loom's atomics, a futex
//! and a `membarrier` made for loom. Nothing in this crate repeats an algorithm; [`ring`] and [`slots`] only drive it,
//! as the library's handles do, and put payload where the library would, under loom's race detector.

mod sync;
mod world;

#[allow(dead_code, unreachable_pub)] // whatever the library needs and the models do not
#[path = "../../ring/src/algo/mod.rs"]
mod algo;

pub mod closing;
pub mod explore;
pub mod litmus;
pub mod ring;
pub mod runner;
pub mod signal;
pub mod slots;
