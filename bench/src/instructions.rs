//! Instructions of each operation, as recorded and as they are.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How far a count may be off from the recorded one: less than a single instruction more for each message.
const MARGIN: f64 = 0.5;

/// What stands above the counts in the file.
const HEAD: &str = "\
# Instructions of each operation: `make instructions` compares, `make instructions RECORD=1` records.
#
# The margin is half an instruction for each message that an operation carries, so that one more fails. It can be so
# small because only the program's own code counts, which the same compiler makes the same in any directory: not what
# the C library does (copying has as many instructions as the processor suggests), and no time, thread or other program
# is in it. What is left are whole laps of the ring, divided by as many operations. Operations that ask the machine
# (attaching reads names, limits and process numbers, which are longer or shorter) have a margin of their own, in percent.
#
# Another compiler makes other code: then nothing is compared, and that is said.
";

/// What was counted of one operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted {
    /// Instructions of the operation, all messages together.
    pub instructions: f64,
    /// Messages it carries.
    pub messages: u32,
    /// How far it may be off in percent, if it is not the same on every machine.
    pub percent: Option<f64>,
}

impl Counted {
    /// How many instructions it may be off.
    fn margin(&self, recorded: f64) -> f64 {
        match self.percent {
            Some(percent) => recorded * percent / 100.0,
            None => MARGIN * f64::from(self.messages),
        }
    }
}

/// The compiler, and what it makes code for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiler {
    /// The version it gives.
    pub rustc: String,
    /// The target it takes when none is named.
    pub target: String,
}

impl Compiler {
    /// That of this directory.
    pub fn here() -> Result<Self> {
        let output =
            Command::new("rustc").arg("-vV").output().map_err(|e| Error::os("running rustc -vV", e))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let of = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
        match (text.lines().next(), of("host: ")) {
            (Some(rustc), Some(target)) => Ok(Self { rustc: rustc.to_owned(), target }),
            _ => Err(Error::Partner(format!("rustc -vV: {text}"))),
        }
    }
}

/// What is in the file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// What made the code that was counted.
    #[serde(flatten)]
    pub compiler: Compiler,
    /// Instructions of each operation.
    pub instructions: BTreeMap<String, f64>,
}

impl Recorded {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let doing = || format!("reading {}", path.display());
        let text = std::fs::read_to_string(path).map_err(|e| Error::os(doing(), e))?;
        toml::from_str(&text).map_err(|e| Error::Usage(format!("{}: {e}", doing())))
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let doing = || format!("writing {}", path.display());
        let text = toml::to_string(self).map_err(|e| Error::Usage(format!("{}: {e}", doing())))?;
        std::fs::write(path, format!("{HEAD}{text}")).map_err(|e| Error::os(doing(), e))
    }

    /// Both beside each other, and how many are off, in either direction: what has become less is to be recorded too,
    /// or it could be lost again unnoticed. What is recorded and no longer counted is off as well.
    pub fn compare(&self, counts: &BTreeMap<String, Counted>) -> (String, usize) {
        let mut lines = vec![format!(
            "{:36} {:>9} {:>9} {:>8} {:>7}",
            "instructions", "recorded", "now", "change", "margin"
        )];
        let mut off = 0;
        for (name, counted) in counts {
            let now = counted.instructions;
            lines.push(match self.instructions.get(name) {
                Some(&then) => {
                    let (change, margin) = (now - then, counted.margin(then));
                    let far = change.abs() > margin;
                    off += usize::from(far);
                    let mark = if far { "  OFF" } else { "" };
                    format!("{name:36} {then:>9.1} {now:>9.1} {change:>+8.1} {margin:>7.1}{mark}")
                }
                None => {
                    off += 1;
                    format!("{name:36} {:>9} {now:>9.1} {:>8} {:>7}  OFF: not recorded", "-", "", "")
                }
            });
        }
        for (name, then) in self.instructions.iter().filter(|(name, _)| !counts.contains_key(*name)) {
            off += 1;
            lines.push(format!("{name:36} {then:>9.1} {:>9} {:>8} {:>7}  OFF: not counted", "-", "", ""));
        }
        (lines.join("\n"), off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(counts: &[(&str, f64)]) -> Recorded {
        Recorded {
            compiler: Compiler { rustc: "rustc 1".to_owned(), target: "x86_64".to_owned() },
            instructions: counts.iter().map(|&(name, count)| (name.to_owned(), count)).collect(),
        }
    }

    fn off(
        then: &[(&str, f64)],
        name: &str,
        instructions: f64,
        messages: u32,
        percent: Option<f64>,
    ) -> usize {
        let counts = [(name.to_owned(), Counted { instructions, messages, percent })].into();
        recorded(then).compare(&counts).1
    }

    #[test]
    fn one_instruction_more_or_less_is_off() {
        let then = [("one", 200.0)];
        assert_eq!(off(&then, "one", 200.1, 1, None), 0);
        assert_eq!(off(&then, "one", 201.0, 1, None), 1);
        assert_eq!(off(&then, "one", 199.0, 1, None), 1);
        let then = [("batch", 7000.0)];
        assert_eq!(off(&then, "batch", 7010.0, 32, None), 0);
        assert_eq!(off(&then, "batch", 7032.0, 32, None), 1);
        let then = [("asks", 30_000.0)];
        assert_eq!(off(&then, "asks", 30_500.0, 1, Some(5.0)), 0);
        assert_eq!(off(&then, "asks", 32_000.0, 1, Some(5.0)), 1);
    }

    #[test]
    fn what_is_only_on_one_side_is_off() {
        assert_eq!(off(&[("one", 200.0)], "another", 200.0, 1, None), 2);
    }

    #[test]
    fn what_is_recorded_is_read_again() {
        let path = std::env::temp_dir().join(format!("podring-instructions-{}", std::process::id()));
        let written = recorded(&[("bytes/one", 200.1), ("two", 3.0)]);
        written.write(&path).unwrap();
        let read = Recorded::read(&path);
        std::fs::remove_file(&path).unwrap();
        let read = read.unwrap();
        assert_eq!((read.compiler, read.instructions), (written.compiler, written.instructions));
    }
}
