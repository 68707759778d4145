//! Watching rings over time, for `stat`, `top` and `metrics`: read-only looks, and what happened between two.

#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod flow;
#[cfg(feature = "top")]
pub(crate) mod history;
pub(crate) mod look;
