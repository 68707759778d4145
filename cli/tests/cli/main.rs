//! The program as its users see it: real processes, real rings, exit statuses and texts.

mod doctor;
mod exit_status;
mod formats;
mod inspect;
mod kill;
mod many;
mod metrics;
mod ping;
mod scratch;
mod signals;
mod stat;
mod stream;
#[cfg(feature = "top")]
mod top;
mod verify;
