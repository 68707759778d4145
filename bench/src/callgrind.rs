//! Counts instructions with valgrind's callgrind: a figure that does not depend on what else runs.
//!
//! Only those of one program's own code, which is all that the compiler made of this repository: what the C library
//! and the loader do differs from one machine to the next, by their version and by what the processor has.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Error, Result};

/// Whether there is a valgrind.
pub fn is_there() -> bool {
    Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_ok()
}

/// Runs a program and counts its own instructions, without those of its forks. What callgrind writes goes to `dir`.
pub fn count(program: &Path, arguments: &[&str], dir: &Path) -> Result<u64> {
    let doing = || format!("running valgrind of {}", program.display());
    let child = Command::new("valgrind")
        .args(["--tool=callgrind", "--compress-strings=no", "--compress-pos=no", "--trace-children=no"])
        .arg(format!("--callgrind-out-file={}/%p", dir.display()))
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| Error::os(doing(), e))?;
    // valgrind becomes the program; a fork writes to a file of its own.
    let out = dir.join(child.id().to_string());
    let output = child.wait_with_output().map_err(|e| Error::os(doing(), e))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Partner(format!("{} failed ({}):\n{text}", doing(), output.status)));
    }
    let text =
        std::fs::read_to_string(&out).map_err(|e| Error::os(format!("reading {}", out.display()), e))?;
    of_object(&text, &program.display().to_string())
        .ok_or_else(|| Error::Partner(format!("{}: what it wrote does not add up", doing())))
}

/// What the functions of one object file did themselves. `None` if the text is not as it should be.
///
/// `ob=` says whose the following costs are; a cost after `calls=` is what the called function did, and stands there
/// too; the header has the sum of all.
fn of_object(text: &str, object: &str) -> Option<u64> {
    let (mut own, mut all, mut summary) = (0, 0, None);
    let (mut ours, mut of_call) = (false, false);
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("ob=") {
            ours = name == object;
        } else if let Some(sum) = line.strip_prefix("summary: ") {
            summary = sum.trim().parse().ok();
        } else if line.starts_with("calls=") {
            of_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit()) {
            let cost: u64 = line.split(' ').nth(1)?.parse().ok()?;
            if !std::mem::take(&mut of_call) {
                all += cost;
                own += if ours { cost } else { 0 };
            }
        }
    }
    (summary == Some(all) && own > 0).then_some(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# callgrind format\nversion: 1\npart: 1\n\npositions: line\nevents: Ir\nsummary: 137\n\n\
        ob=/lib/libc.so.6\nfl=???\nfn=memcpy\n0 12\n\nob=/bin/ours\nfl=a.rs\nfn=main\n3 20\ncob=/lib/libc.so.6\n\
        cfi=???\ncfn=memcpy\ncalls=2 0\n4 12\n5 5\nfi=b.rs\n17 100\n\ntotals: 137\n";

    #[test]
    fn only_what_is_ours_counts_and_only_once() {
        assert_eq!(of_object(TEXT, "/bin/ours"), Some(125));
        assert_eq!(of_object(TEXT, "/lib/libc.so.6"), Some(12));
    }

    #[test]
    fn what_does_not_add_up_is_no_count() {
        assert_eq!(of_object(&TEXT.replace("17 100", "17 101"), "/bin/ours"), None);
        assert_eq!(of_object(TEXT, "/bin/theirs"), None);
        assert_eq!(of_object("", "/bin/ours"), None);
    }
}
