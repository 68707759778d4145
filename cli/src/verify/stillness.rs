//! How long a participant waits although somebody on the other side is alive.

use std::time::{Duration, Instant};

use podring::{Error, Result};

/// The longest wait so far, and the one that is on.
#[derive(Debug)]
pub(crate) struct Stillness {
    since: Instant,
    longest: Duration,
}

impl Stillness {
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), longest: Duration::ZERO }
    }

    /// A call that may wait begins.
    pub(crate) fn begin(&mut self) {
        self.since = Instant::now();
    }

    /// A slice of the wait is over, and perhaps the wait. Returns how long it has been, if none was longer.
    ///
    /// Whether somebody is alive is known at the ends of slices: where nobody is, the wait counts from there.
    pub(crate) fn slice<T>(&mut self, outcome: &Result<T>) -> Option<Duration> {
        if let Err(Error::Timeout { peer_attached: false, .. }) = outcome {
            self.begin();
            return None;
        }
        let waited = self.since.elapsed();
        if waited <= self.longest {
            return None;
        }
        self.longest = waited;
        Some(waited)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use podring::Error;

    use super::Stillness;

    fn timeout(peer_attached: bool) -> podring::Result<()> {
        Err(Error::Timeout { ring: "r".into(), what: "message", waited: Duration::ZERO, peer_attached })
    }

    #[test]
    fn who_is_alone_does_not_stand_still() {
        let nap = Duration::from_millis(20);
        let mut stillness = Stillness::new();
        std::thread::sleep(nap);
        assert!(stillness.slice(&timeout(true)).is_some_and(|waited| waited >= nap));
        std::thread::sleep(nap);
        assert!(stillness.slice(&timeout(true)).is_some_and(|waited| waited >= 2 * nap));
        assert_eq!(stillness.slice(&timeout(false)), None);
        stillness.begin();
        let longest = stillness.longest;
        std::thread::sleep(longest + nap);
        let all = stillness.slice(&Ok(())).expect("the longest");
        assert!(all >= longest + nap, "{all:?}");
    }
}
