//! A baseline and this program, run in turn: whatever the machine does meanwhile, it does to both.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::args::Arguments;
use crate::floor::Floor;
use crate::results::{self, Row};
use crate::{Error, Result};

/// Both programs and what they have given so far.
#[derive(Debug)]
pub struct Interleaved {
    ours: Program,
    theirs: Program,
    rounds: usize,
    floors: Vec<Floor>,
    /// What this program gave.
    pub candidate: Vec<Row>,
    /// What the baseline gave.
    pub baseline: Vec<Row>,
}

#[derive(Debug)]
struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Interleaved {
    /// Prepares both. A baseline whose name has `bench` in it takes the arguments as they are; another one is
    /// `podring`, and has a command `bench`.
    pub fn new(dir: &Path, arguments: &Arguments, baseline: &Path, command: &[&str]) -> Result<Self> {
        let own = std::env::current_exe().map_err(|e| Error::os("finding this program", e))?;
        let name = baseline.file_stem().unwrap_or_default().to_string_lossy();
        let same = matches!((baseline.canonicalize(), own.canonicalize()), (Ok(a), Ok(b)) if a == b);
        let theirs: &[&str] = match () {
            () if same => command,
            () if name.contains("bench") => &[],
            () => &["bench"],
        };
        let program = |path: PathBuf, command: &[&str], handicapped| {
            let mut all: Vec<OsString> = command.iter().map(OsString::from).collect();
            all.extend(["--dir".into(), dir.into()]);
            all.extend(arguments.for_one_run(handicapped).into_iter().map(OsString::from));
            Program { path, arguments: all }
        };
        Ok(Self {
            ours: program(own, command, true),
            theirs: program(baseline.to_owned(), theirs, false),
            rounds: 0,
            floors: Vec::new(),
            candidate: Vec::new(),
            baseline: Vec::new(),
        })
    }

    /// How often both were run.
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// Runs both once, now one and now the other first.
    pub fn round(&mut self) -> Result<()> {
        let (ours, theirs) = if self.rounds.is_multiple_of(2) {
            let theirs = self.theirs.run()?;
            (self.ours.run()?, theirs)
        } else {
            let ours = self.ours.run()?;
            (ours, self.theirs.run()?)
        };
        add(&mut self.candidate, ours.0);
        add(&mut self.baseline, theirs.0);
        self.floors.extend([ours.1, theirs.1]);
        self.rounds += 1;
        Ok(())
    }

    /// The floor, median of all runs.
    pub fn floor(&self) -> Floor {
        Floor::median(&self.floors)
    }
}

impl Program {
    fn run(&self) -> Result<(Vec<Row>, Floor)> {
        let name = self.path.display().to_string();
        let output = Command::new(&self.path)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|e| Error::os(format!("running {name}"), e))?;
        if !output.status.success() {
            return Err(Error::Partner(format!("{name} failed ({})", output.status)));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let rows = results::read(&text, &name)?;
        let value: Value = serde_json::from_str(&text).map_err(|e| Error::Partner(format!("{name}: {e}")))?;
        let floor = Floor::read(&value["floor"])
            .ok_or_else(|| Error::Partner(format!("{name}: its result has no floor")))?;
        Ok((rows, floor))
    }
}

fn add(all: &mut Vec<Row>, more: Vec<Row>) {
    for row in more {
        match all.iter_mut().find(|known| known.name == row.name) {
            Some(known) => known.extend(row),
            None => all.push(row),
        }
    }
}
