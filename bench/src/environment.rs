//! Where the figures were taken: without it they mean nothing to anybody else.

use std::fs::read_to_string;

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::cpus::{self, Pair};

/// The machine, the kernel and the versions.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Kernel release.
    pub kernel: String,
    /// CPU model as the kernel names it.
    pub cpu_model: String,
    /// Architecture the program was built for.
    pub arch: &'static str,
    /// CPUs this process may use.
    pub cpus: Vec<usize>,
    /// The CPUs measured; `None`: not pinned.
    pub pinned: Option<Pair>,
    /// CPU time the control group allows, in CPUs; `None`: no limit.
    pub quota: Option<f64>,
    /// The clock of single round trips.
    pub clock: &'static str,
    /// What a reading of the clock adds to each round trip.
    pub clock_overhead_ns: f64,
    /// Version of podring (library and benchmark are released together).
    pub podring: &'static str,
}

impl Environment {
    /// Looks around.
    pub fn gather(clock: &Clock, cpus: Vec<usize>, pinned: Option<Pair>) -> Self {
        Self {
            kernel: read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| "unknown".to_owned(), |release| release.trim().to_owned()),
            cpu_model: read_to_string("/proc/cpuinfo")
                .ok()
                .and_then(|info| cpu_model(&info).map(str::to_owned))
                .unwrap_or_else(|| "unknown".to_owned()),
            arch: std::env::consts::ARCH,
            cpus,
            pinned,
            quota: own_cpu_max().as_deref().and_then(quota),
            clock: clock.name(),
            clock_overhead_ns: clock.overhead_ns(),
            podring: env!("CARGO_PKG_VERSION"),
        }
    }

    /// The block printed above the tables.
    pub fn lines(&self) -> String {
        let pinned = match self.pinned {
            Some(Pair { ours, partners }) => format!("pinned to {ours} and {partners}"),
            None => "not pinned".to_owned(),
        };
        let quota = self.quota.map_or_else(|| "no quota".to_owned(), |cpus| format!("quota {cpus:.2} CPUs"));
        let Self { kernel, cpu_model, arch, clock, clock_overhead_ns, podring, .. } = self;
        let cpus = cpus::list(&self.cpus);
        format!(
            "podring   {podring}\nkernel    {kernel} {arch}\ncpu       {cpu_model}\ncpus      {cpus}, {pinned}, {quota}\n\
             clock     {clock}, adds {clock_overhead_ns:.0} ns to each round trip\n"
        )
    }

    /// The same as an object.
    pub fn json(&self) -> Value {
        json!({
            "podring": self.podring,
            "kernel": self.kernel,
            "arch": self.arch,
            "cpu_model": self.cpu_model,
            "cpus": self.cpus,
            "pinned_cpus": self.pinned.map(|Pair { ours, partners }| [ours, partners]),
            "quota_cpus": self.quota,
            "clock": self.clock,
            "clock_overhead_ns": self.clock_overhead_ns,
        })
    }
}

fn cpu_model(cpuinfo: &str) -> Option<&str> {
    // "model name" on x86, "Hardware" or "CPU part" elsewhere.
    ["model name", "Hardware", "CPU part"].into_iter().find_map(|key| {
        cpuinfo.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == key).then(|| value.trim())
        })
    })
}

fn own_cpu_max() -> Option<String> {
    let groups = read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    read_to_string(format!("/sys/fs/cgroup{}/cpu.max", path.trim_end_matches('/'))).ok()
}

fn quota(cpu_max: &str) -> Option<f64> {
    let (quota, period) = cpu_max.trim().split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (period > 0.0).then(|| quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_found() {
        let x86 = "processor\t: 0\nvendor_id\t: X\nmodel name\t: Fast CPU @ 3 GHz\nflags\t: a b\n";
        assert_eq!(cpu_model(x86), Some("Fast CPU @ 3 GHz"));
        assert_eq!(cpu_model("processor\t: 0\nCPU part\t: 0xd0c\n"), Some("0xd0c"));
        assert_eq!(cpu_model("processor\t: 0\n"), None);
    }

    #[test]
    fn the_quota_is_in_cpus() {
        assert_eq!(quota("150000 100000\n"), Some(1.5));
        assert_eq!(quota("max 100000\n"), None);
        assert_eq!(quota("garbage"), None);
        assert_eq!(quota("5 0"), None);
    }
}
