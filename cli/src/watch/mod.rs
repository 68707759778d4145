//! Watching rings over time, for `stat`, `top` and `metrics`: read-only looks, and what happened between two.

#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod flow;
pub(crate) mod look;
