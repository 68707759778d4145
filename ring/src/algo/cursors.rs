//! The control lines that producers and consumers share.

use super::openers::Openers;
use super::signal::Signal;
use super::stream::Stream;
use crate::sync::AtomicU64;

/// Something on a pair of cache lines of its own: 128 bytes, because x86 prefetches lines in pairs.
///
/// The size is part of the segment's layout, so it is ours and the same on every architecture.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct Line<T>(pub(crate) T);

/// Every word the two sides exchange, each on its own line. All zero is the state of an empty ring.
///
/// Positions are free-running: they only grow, and are reduced to a place by a mask. In a ring of slots `tail` and
/// `head` hold a [`Turn`](super::turn::Turn): the next ticket, and the seat that claimed the one before.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Cursors {
    /// End of what is published. Only the producer writes it. In a ring of slots: end of what is claimed for writing.
    pub(crate) tail: Line<AtomicU64>,
    /// End of what is released. Only the consumer writes it. In a ring of slots: end of what is claimed for reading.
    pub(crate) head: Line<AtomicU64>,
    /// Where a consumer waits for messages.
    pub(crate) items: Line<Signal>,
    /// Where a producer waits for space.
    pub(crate) space: Line<Signal>,
    /// Whether the producer has marked the end of its stream.
    pub(crate) stream: Line<Stream>,
    /// Ring of slots: which producers have not ended their stream.
    pub(crate) openers: Line<Openers>,
    /// Ring of slots: how often messages of dead consumers may have been given back.
    pub(crate) returns: Line<AtomicU64>,
}
