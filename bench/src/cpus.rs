//! Which two CPUs are measured, and pinning to them.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::{Error, Result};

/// One CPU for each of the two processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Where the measuring process runs.
    pub ours: usize,
    /// Where its partner runs.
    pub partners: usize,
}

/// The CPUs this process may use, in ascending order.
pub fn allowed() -> Result<Vec<usize>> {
    let set = affinity()?;
    Ok((0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).collect())
}

/// The two CPUs asked for, or the first two allowed ones; `None` where there is only one.
pub fn choose(asked: Option<(usize, usize)>, allowed: &[usize]) -> Result<Option<Pair>> {
    if let Some((ours, partners)) = asked {
        if ours == partners {
            return Err(Error::Usage(format!("--cpu {ours},{partners}: two different CPUs are needed")));
        }
        for cpu in [ours, partners] {
            if !allowed.contains(&cpu) {
                let list = list(allowed);
                return Err(Error::Usage(format!("--cpu {cpu}: not among the CPUs allowed here: {list}")));
            }
        }
        return Ok(Some(Pair { ours, partners }));
    }
    Ok(match allowed {
        [ours, partners, ..] => Some(Pair { ours: *ours, partners: *partners }),
        _ => None,
    })
}

/// CPU numbers as in `0-3,6`.
pub fn list(cpus: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    let words: Vec<String> = ranges
        .into_iter()
        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") })
        .collect();
    words.join(",")
}

/// Keeps the calling thread on one CPU; dropped, it gives the former affinity back.
#[derive(Debug)]
pub struct Pinned {
    former: Option<CpuSet>,
}

impl Pinned {
    /// Pins to `cpu`, or does nothing for `None`.
    ///
    /// Pin after opening rings: a library that sizes its spinning by the affinity mask would otherwise
    /// see a machine with one CPU.
    pub fn to(cpu: Option<usize>) -> Result<Self> {
        let Some(cpu) = cpu else { return Ok(Self { former: None }) };
        let former = affinity()?;
        let mut one = CpuSet::new();
        one.set(cpu).map_err(|e| Error::os(format!("CPU {cpu}"), e))?;
        sched_setaffinity(Pid::from_raw(0), &one)
            .map_err(|e| Error::os(format!("pinning to CPU {cpu}"), e))?;
        Ok(Self { former: Some(former) })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(former) = &self.former {
            // Nothing depends on it: the next run pins anew, and says so if it cannot.
            let _ = sched_setaffinity(Pid::from_raw(0), former);
        }
    }
}

fn affinity() -> Result<CpuSet> {
    sched_getaffinity(Pid::from_raw(0)).map_err(|e| Error::os("reading the CPU affinity", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_unless_asked() {
        assert_eq!(choose(None, &[2, 5, 7]).unwrap(), Some(Pair { ours: 2, partners: 5 }));
        assert_eq!(choose(Some((7, 2)), &[2, 5, 7]).unwrap(), Some(Pair { ours: 7, partners: 2 }));
        assert_eq!(choose(None, &[3]).unwrap(), None);
    }

    #[test]
    fn impossible_wishes_are_refused() {
        assert!(matches!(choose(Some((1, 1)), &[0, 1]), Err(Error::Usage(_))));
        let error = choose(Some((0, 9)), &[0, 1]).unwrap_err();
        assert_eq!(error.to_string(), "--cpu 9: not among the CPUs allowed here: 0-1");
    }

    #[test]
    fn cpus_are_listed_as_ranges() {
        assert_eq!(list(&[]), "");
        assert_eq!(list(&[4]), "4");
        assert_eq!(list(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
    }

    #[test]
    fn pinning_ends_with_its_guard() {
        let before = allowed().unwrap();
        let last = *before.last().unwrap();
        let pinned = Pinned::to(Some(last)).unwrap();
        assert_eq!(allowed().unwrap(), [last]);
        drop(pinned);
        assert_eq!(allowed().unwrap(), before);
    }
}
