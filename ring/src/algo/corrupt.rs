//! What a look at shared words may find instead of a ring.

/// A shared word holds what no participant that follows the protocol writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Corrupt {
    /// Which word.
    pub(crate) field: &'static str,
    /// What it held.
    pub(crate) value: u64,
    /// What it was compared with.
    pub(crate) expected: u64,
}
