//! Where the program runs: the `environment` member of every JSON object.

use std::fs;

use serde_json::{Value, json};

/// Kernel, CPUs, versions and host name.
pub(crate) fn describe() -> Value {
    json!({
        "kernel": kernel_fact("osrelease"),
        "hostname": kernel_fact("hostname"),
        "cpus": std::thread::available_parallelism().map_or(0, usize::from),
        "podring": env!("CARGO_PKG_VERSION"),
        "layout": podring::inspect::LAYOUT_VERSION,
    })
}

/// A fact from /proc/sys/kernel, or null where /proc is not mounted.
fn kernel_fact(name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?;
    Some(text.trim_end().to_owned())
}
