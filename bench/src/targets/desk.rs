//! Where targets are measured from: the machine, how much of everything, and what came of it.

use std::path::PathBuf;
use std::time::Duration;

use crate::Result;
use crate::case::{Amount, Case, DEFAULT_CAPACITY, Mode, Place, WaitName};
use crate::clock::Clock;
use crate::cpus::Pair;
use crate::drive;
use crate::floor::{Amounts, Floor};
use crate::schedule::{Bench, Run, Series};
use crate::scratch::Scratch;
use crate::subjects::{Kind, Subject};
use crate::summary::median_of;

/// The machine, and how much of everything.
#[derive(Debug)]
pub struct Desk {
    /// Where rings are made.
    pub dir: PathBuf,
    /// The CPUs; `None`: not pinned.
    pub cpus: Option<Pair>,
    /// The clock of single messages.
    pub clock: Clock,
    /// Rounds; the median counts.
    pub rounds: usize,
    /// The length of a usual run; those that need more take a multiple of it.
    pub span: Duration,
}

/// A small floor, where the line is not what figures are compared with.
pub(super) const LITTLE: Amounts = Amounts { trips: 20, bytes: 0, wakes: 0 };

impl Desk {
    /// Runs cases in turn, each for so long.
    pub(super) fn run(&self, cases: &[Case], span: Duration, floor: Amounts) -> Result<Vec<Series>> {
        self.bench(span, floor)?.run(cases, self.rounds, &mut |_, _, _| {})
    }

    /// The usual bench.
    pub(super) fn bench(&self, span: Duration, floor: Amounts) -> Result<Bench> {
        Ok(Bench {
            scratch: Scratch::new(&self.dir)?,
            remote: None,
            cpus: self.cpus,
            clock: self.clock,
            floor,
            amount: Amount { count: None, duration: Some(span), warmup: None },
            patience: Duration::from_secs(60) + span,
        })
    }
}

/// A case as most are: processes (threads, for what works only there), one message at a time.
pub(super) fn case(mode: Mode, subject: Subject, size: usize, wait: WaitName) -> Case {
    let place = if subject.places().contains(&Place::Process) { Place::Process } else { Place::Thread };
    // Peers have no choice.
    let wait = if subject.waits().contains(&wait) { wait } else { subject.waits()[0] };
    Case {
        mode,
        subject,
        size,
        capacity: DEFAULT_CAPACITY,
        wait,
        batch: 1,
        place,
        rate: 0.0,
        producers: 1,
        consumers: 1,
        handicap_ns: 0,
    }
}

/// Transports that can do this, each with `of`.
pub(super) fn cases(is_one: impl Fn(Subject) -> bool, of: impl Fn(Subject) -> Case) -> Vec<Case> {
    let all = Subject::all().iter().copied().filter(|subject| is_one(*subject));
    all.map(of).filter(|case| drive::refuses(case).is_none()).collect()
}

/// podring's rings with one of each.
pub(super) fn own(subject: Subject) -> bool {
    subject.kind() == Kind::Own && !subject.is_many()
}

/// podring's rings of many.
pub(super) fn own_many(subject: Subject) -> bool {
    subject.kind() == Kind::Own && subject.is_many()
}

/// What a user might take instead.
pub(super) fn peer(subject: Subject) -> bool {
    subject.kind() == Kind::Peer
}

/// Peers that poll: those that enter the kernel for each message are ten times slower on two CPUs.
pub(super) fn polling_peer(subject: Subject) -> bool {
    peer(subject) && !subject.waits().contains(&WaitName::Own)
}

/// What is compared, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Figure {
    /// A percentile of single times.
    Percentile(f64),
    /// The time for each message.
    Each,
}

impl Figure {
    fn of(self, run: &Run) -> f64 {
        let sample = &run.sample;
        match (self, &sample.times) {
            (Self::Percentile(percentile), Some(times)) => times.value_at_percentile(percentile) as f64,
            (Self::Percentile(_), None) => f64::NAN,
            (Self::Each, _) => sample.elapsed.as_nanos() as f64 / sample.messages as f64,
        }
    }
}

/// One figure by another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratio {
    /// The median of the ratios.
    pub(super) ratio: f64,
    /// The median of what was divided.
    pub(super) over_ns: f64,
    /// The median of what it was divided by.
    pub(super) under_ns: f64,
}

impl Ratio {
    fn of(pairs: &[(f64, f64)]) -> Self {
        Self {
            ratio: median_of(pairs, |(over, under)| over / under),
            over_ns: median_of(pairs, |(over, _)| *over),
            under_ns: median_of(pairs, |(_, under)| *under),
        }
    }
}

/// One figure by another, round by round. Two runs between which the host moved the CPUs say nothing; if most rounds are
/// such, every run is compared with all that had the same floor, whatever their round.
pub(super) fn by(figure: Figure, over: &Series, under: &Series) -> Ratio {
    let pairs = |is_fair: &dyn Fn(usize, &Run, usize, &Run) -> bool| {
        let mut pairs = Vec::new();
        for (at, a) in over.runs.iter().enumerate() {
            for (other, b) in under.runs.iter().enumerate() {
                if is_fair(at, a, other, b) {
                    pairs.push((figure.of(a), figure.of(b)));
                }
            }
        }
        pairs
    };
    let alike = |a: &Run, b: &Run| !a.moved && !b.moved && !a.floor.moved(&b.floor);
    let mut fair = pairs(&|at, a, other, b| at == other && alike(a, b));
    if fair.len() * 2 < over.runs.len() {
        fair = pairs(&|_, a, _, b| alike(a, b));
    }
    if fair.is_empty() {
        fair = pairs(&|at, _, other, _| at == other);
    }
    Ratio::of(&fair)
}

/// A figure by something of the floor of the same run, without runs in which the floor moved, unless all are such.
pub(super) fn by_floor(figure: Figure, series: &Series, floor: impl Fn(&Floor) -> f64) -> Ratio {
    let pairs = |all: bool| {
        let runs = series.runs.iter().filter(|run| all || !run.moved);
        runs.map(|run| (figure.of(run), floor(&run.floor))).collect::<Vec<_>>()
    };
    let steady = pairs(false);
    Ratio::of(&if steady.is_empty() { pairs(true) } else { steady })
}

/// Ours beside theirs: of each of ours the theirs that is hardest on it, and of ours the one that stands best. The
/// ratio is that of the rates: theirs by ours in nanoseconds.
pub(super) fn best<'a>(
    ran: &'a [Series],
    figure: Figure,
    is_ours: impl Fn(&Case) -> bool,
    is_theirs: impl Fn(&Case) -> bool,
) -> Option<(&'a Series, &'a Series, Ratio)> {
    let hardest = |ours: &'a Series| {
        let theirs = ran.iter().filter(|theirs| is_theirs(&theirs.case));
        theirs
            .map(|theirs| (ours, theirs, by(figure, theirs, ours)))
            .min_by(|a, b| a.2.ratio.total_cmp(&b.2.ratio))
    };
    ran.iter()
        .filter(|ours| is_ours(&ours.case))
        .filter_map(hardest)
        .max_by(|a, b| a.2.ratio.total_cmp(&b.2.ratio))
}

/// The name of a transport with how it waits, where it has a choice.
pub(super) fn name(case: &Case) -> String {
    match case.subject.kind() {
        Kind::Own => format!("{}, {}", case.subject.name(), case.wait.name()),
        _ => case.subject.name().to_owned(),
    }
}
