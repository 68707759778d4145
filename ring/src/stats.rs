//! What a seat has counted.

use crate::shm::header::Counters;

/// Counters of one seat over all its holders; each only grows. Written by the holder without locked
/// instructions, readable by everybody at any time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages published (producer) or released (consumer).
    pub messages: u64,
    /// Their bytes, headers and padding not counted.
    pub bytes: u64,
    /// Sleeps.
    pub parks: u64,
    /// Times somebody sleeping was woken by this seat.
    pub wakes: u64,
    /// Times the ring was full (producer) or empty (consumer) for longer than polling lasts.
    pub stalls: u64,
    /// Sleeps that ended by their time-out although there was something: the waker was killed between
    /// publishing and waking, or it came at that very moment.
    pub slice_rescues: u64,
    /// Messages handed to a consumer that a dead one had been handed before.
    pub redeliveries: u64,
    /// Messages claimed and dropped without being committed or published.
    pub abandoned: u64,
    /// Times the seat was taken.
    pub attaches: u64,
    /// Messages that nobody got because the consumer in this seat died with them
    /// ([`ConsumerDeath::Drop`](crate::ConsumerDeath::Drop)).
    pub dropped: u64,
    /// Times a participant in this seat died and what it left was put right (rings with many participants).
    pub repairs: u64,
}

impl Stats {
    pub(crate) fn of(counters: &Counters) -> Self {
        Self {
            messages: counters.messages.get(),
            bytes: counters.bytes.get(),
            parks: counters.parks.get(),
            wakes: counters.wakes.get(),
            stalls: counters.stalls.get(),
            slice_rescues: counters.slice_rescues.get(),
            redeliveries: counters.redeliveries.get(),
            abandoned: counters.abandoned.get(),
            attaches: counters.attaches.get(),
            dropped: counters.dropped.get(),
            repairs: counters.repairs.get(),
        }
    }
}
