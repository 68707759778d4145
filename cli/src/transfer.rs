//! How much went through a command, and how fast.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::output::Summary;

/// Counts what is sent or received.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    first: Option<Instant>,
}

impl Transfer {
    pub(crate) fn new() -> Self {
        Self { messages: 0, bytes: 0, first: None }
    }

    /// Counts messages that are done. The clock starts with the first.
    pub(crate) fn add(&mut self, messages: u64, bytes: u64) {
        self.messages += messages;
        self.bytes += bytes;
    }

    /// Something is about to be moved: start the clock if it does not run yet.
    pub(crate) fn begin(&mut self) {
        if self.first.is_none() {
            self.first = Some(Instant::now());
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.first.map_or(Duration::ZERO, |first| first.elapsed())
    }

    /// What is to be said at the end; of a failure before the first message, only the failure.
    pub(crate) fn summary(&self, command: &str, ring: &str, failed: bool) -> Summary {
        let seconds = self.elapsed().as_secs_f64();
        let gigabytes = per_second(self.bytes as f64 / 1e9, seconds);
        let text = format!(
            "podring {command} {ring}: {} messages, {} bytes in {seconds:.3} s, {gigabytes:.2} GB/s",
            self.messages, self.bytes
        );
        let members = json!({
            "ring": ring,
            "messages": self.messages,
            "bytes": self.bytes,
            "seconds": seconds,
            "gigabytes_per_s": gigabytes,
        });
        let summary = Summary::new(command, text, members);
        if failed && self.messages == 0 { summary.without_text() } else { summary }
    }
}

/// A rate, and zero where nothing happened.
pub(crate) fn per_second(amount: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { amount / seconds } else { 0.0 }
}
