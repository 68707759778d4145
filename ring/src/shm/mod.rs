//! The segment: its bytes, its file, its locks. No memory ordering is spelled in here.

pub(crate) mod header;
pub(crate) mod object;
pub(crate) mod region;
pub(crate) mod seats;
pub(crate) mod space;
