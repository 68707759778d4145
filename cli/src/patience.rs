//! Waiting for the other side in slices, so that Ctrl-C is heard in between.

use std::time::{Duration, Instant};

use podring::{Error, Result};

use crate::signals;

/// How long one call into the library may wait.
const SLICE: Duration = Duration::from_millis(100);

/// Why waiting ended without what was waited for.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The user or the clock said stop: print the summary, it is no failure.
    Stopped,
    /// The call failed.
    Failed(Error),
}

/// How long to wait for one thing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Patience {
    /// Fail with [`Error::Timeout`] after this.
    pub(crate) timeout: Option<Duration>,
    /// Stop quietly then.
    pub(crate) until: Option<Instant>,
}

impl Patience {
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        Self { timeout, until: None }
    }

    /// Calls `attempt`, which may wait for as long as it is told, until it returns anything but
    /// [`Error::Timeout`]. No clock is read unless the first slice was in vain: most calls need not wait.
    pub(crate) fn wait<T>(
        self,
        mut attempt: impl FnMut(Duration) -> Result<T>,
    ) -> std::result::Result<T, Ended> {
        let mut left = self.timeout;
        loop {
            let slice = left.map_or(SLICE, |left| left.min(SLICE));
            match attempt(slice) {
                Ok(value) => return Ok(value),
                Err(Error::Timeout { ring, what, peer_attached, .. }) => {
                    if signals::stopped() || self.until.is_some_and(|until| Instant::now() >= until) {
                        return Err(Ended::Stopped);
                    }
                    left = left.map(|left| left - slice);
                    if let (Some(Duration::ZERO), Some(waited)) = (left, self.timeout) {
                        return Err(Ended::Failed(Error::Timeout { ring, what, waited, peer_attached }));
                    }
                }
                Err(error) => return Err(Ended::Failed(error)),
            }
        }
    }
}
