//! Which cases are run, how often, and in which order: the floor is measured before and after each of them.

use std::time::Duration;

use crate::board::Board;
use crate::case::{Amount, Case, Place};
use crate::clock::Clock;
use crate::cpus::Pair;
use crate::drive::{Sample, Stage};
use crate::floor::{self, Amounts, Floor};
use crate::partner::Staff;
use crate::remote::Remote;
use crate::scratch::Scratch;
use crate::subjects::Kind;
use crate::transport::Spec;
use crate::watchdog::Watchdog;
use crate::{Error, Result, interrupt};

/// One run, with the floors around it.
#[derive(Debug, Clone)]
pub struct Run {
    /// What it gave.
    pub sample: Sample,
    /// The floor during the run: the mean of the one before and the one after.
    pub floor: Floor,
    /// Whether these two differ so much that the multiple of the floor says little.
    pub moved: bool,
}

/// All runs of one case.
#[derive(Debug, Clone)]
pub struct Series {
    /// The case.
    pub case: Case,
    /// Its runs, in order.
    pub runs: Vec<Run>,
}

/// The machine and the patience for all runs.
#[derive(Debug)]
pub struct Bench {
    /// A directory for what this program makes.
    pub scratch: Scratch,
    /// The partner in another container, if there is one.
    pub remote: Option<Remote>,
    /// The CPUs; `None`: not pinned.
    pub cpus: Option<Pair>,
    /// The clock of single messages.
    pub clock: Clock,
    /// How much of the floor to measure.
    pub floor: Amounts,
    /// How much of each case.
    pub amount: Amount,
    /// After this a run is stuck, and the program ends.
    pub patience: Duration,
}

/// What `progress` hears: (number of the run, of how many, its case).
pub type Progress<'a> = dyn FnMut(usize, usize, &Case) + 'a;

impl Bench {
    /// Runs all cases `runs` times, one round after the other so that a slow minute does not fall on one case
    /// alone. Stopped by the user, it gives what there is.
    pub fn run(&self, cases: &[Case], runs: usize, progress: &mut Progress<'_>) -> Result<Vec<Series>> {
        let mut all: Vec<Series> = cases.iter().map(|&case| Series { case, runs: Vec::new() }).collect();
        for round in 0..runs {
            // Copies and sleeps are measured once a round, the line around each run.
            let Some(first) = cases.first() else { break };
            let mut before = self.measure_floor(first.place, self.floor)?;
            for (at, series) in all.iter_mut().enumerate() {
                if interrupt::asked() {
                    return enough(all);
                }
                if series.runs.len() < round {
                    // A peer that has failed.
                    continue;
                }
                progress(round * cases.len() + at + 1, runs * cases.len(), &series.case);
                let sample = match self.once(&series.case) {
                    Err(Error::Interrupted) => return enough(all),
                    Err(error) if series.case.subject.kind() == Kind::Peer => {
                        // A queue that this machine does not allow, or a defect of theirs: no reason to lose the rest.
                        eprintln!("podring-bench: left out: {}", error.of(&series.case));
                        continue;
                    }
                    Err(error) => return Err(error.of(&series.case)),
                    Ok(sample) => sample,
                };
                let after = self.measure_floor(series.case.place, self.floor.line_only())?;
                let (floor, moved) = (before.between(&after), before.moved(&after));
                series.runs.push(Run { sample, floor, moved });
                before = before.updated(&after);
            }
        }
        enough(all)
    }

    /// The floor now.
    pub fn measure_floor(&self, place: Place, amounts: Amounts) -> Result<Floor> {
        let _watchdog = Watchdog::arm(self.patience, "the floor")?;
        let board = self.board()?;
        floor::measure(&board, self.staff(place)?, self.cpus, amounts)
    }

    fn once(&self, case: &Case) -> Result<Sample> {
        let _watchdog = Watchdog::arm(self.patience, &case.name())?;
        let board = self.board()?;
        let stage = Stage {
            case: *case,
            spec: Spec {
                dir: self.scratch.dir().to_owned(),
                name: self.scratch.name(case.mode.name()),
                size: case.size,
                capacity: case.capacity,
                wait: case.wait,
                batch: case.batch,
                handicap_ns: case.handicap_ns,
            },
            amount: self.amount_of(case),
            board: &board,
            staff: self.staff(case.place)?,
            cpus: self.cpus,
            clock: &self.clock,
        };
        stage.run()
    }

    /// An open loop has a rate, so a count has a duration: nothing to change. What is not asked for is as much as
    /// takes some tenths of a second.
    fn amount_of(&self, case: &Case) -> Amount {
        const USUAL: Duration = Duration::from_millis(300);
        match self.amount {
            Amount { count: None, duration: None, warmup } => {
                // A rare message: at least some hundred of them.
                let rare = if case.rate > 0.0 { Duration::from_secs_f64(300.0 / case.rate) } else { USUAL };
                Amount { count: None, duration: Some(USUAL.max(rare)), warmup }
            }
            asked => asked,
        }
    }

    /// Who does the other side there.
    fn staff(&self, place: Place) -> Result<Staff<'_>> {
        match (place, &self.remote) {
            (Place::Thread, _) => Ok(Staff::Threads),
            (Place::Process, _) => Ok(Staff::Processes),
            (Place::Container, Some(remote)) => Ok(Staff::Container(remote)),
            (Place::Container, None) => Err(Error::Partner("has not come".to_owned())),
        }
    }

    fn board(&self) -> Result<Board> {
        Board::make(self.scratch.dir().join(self.scratch.name("board")))
    }
}

/// Only cases that were run; an error if there is none.
fn enough(all: Vec<Series>) -> Result<Vec<Series>> {
    let some: Vec<Series> = all.into_iter().filter(|series| !series.runs.is_empty()).collect();
    match some.is_empty() {
        true if interrupt::asked() => Err(Error::Interrupted),
        true => Err(Error::Partner("gave no figure: every case failed (see above)".to_owned())),
        false => Ok(some),
    }
}
