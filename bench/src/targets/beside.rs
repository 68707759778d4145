//! Targets beside something else of the same run: the machine's floor, peers, another way to wait.

use super::desk::{
    Desk, Figure, LITTLE, best, by, by_floor, case, cases, name, own, own_many, peer, polling_peer,
};
use super::line::{Limit, Line};
use crate::Result;
use crate::case::{Amount, Case, Mode, WaitName};
use crate::cpus::{self, Pinned};
use crate::floor::{Amounts, Floor};
use crate::quota::Quota;
use crate::schedule::{Bench, Series};
use crate::subjects::{Kind, Subject};
use crate::units::{bytes, figure, nanoseconds};

/// Enough of the line to say how far away the other CPU is.
const LINES: Amounts = Amounts { trips: 5_000, bytes: 0, wakes: 0 };
/// What half a CPU is.
const HALF: f64 = 0.5;
/// What most is compared with.
const PEER: &str = "the fastest peer";
const P50: Figure = Figure::Percentile(50.0);
const WAITS: [WaitName; 3] = [WaitName::Adaptive, WaitName::Spin, WaitName::Park];

/// Round trips beside the raw line: both directions over one line, polled in the better way.
pub(super) fn trips(desk: &Desk) -> Result<Vec<Line>> {
    let sizes = [8, 64];
    let all: Vec<Case> = sizes
        .iter()
        .flat_map(|&size| cases(own, |subject| case(Mode::Latency, subject, size, WaitName::Spin)))
        .collect();
    let ran = desk.run(&all, desk.span, Amounts { trips: 20_000, ..LINES })?;
    let mut lines = Vec::new();
    for size in sizes {
        for (percentile, limit) in [(50.0, 1.1), (99.0, 2.0)] {
            let figure_of = Figure::Percentile(percentile);
            let mut ends: Vec<_> = ran
                .iter()
                .filter(|series| series.case.size == size)
                .map(|series| (series.case.subject.name(), by_floor(figure_of, series, Floor::one_line_ns)))
                .collect();
            ends.sort_by(|a, b| a.1.ratio.total_cmp(&b.1.ratio));
            let [(end, best), others @ ..] = &ends[..] else { continue };
            let others = others.iter().map(|(end, beside)| format!("{end} {}x", figure(beside.ratio)));
            let detail = format!(
                "{end} {}, the line {}; {}",
                nanoseconds(best.over_ns),
                nanoseconds(best.under_ns),
                others.collect::<Vec<_>>().join(", ")
            );
            let row = format!("ping-pong of {}, spinning, p{percentile}", bytes(size));
            lines.push(Line::ratio(
                row,
                Limit::AtMost(limit),
                "the raw one-line round trip",
                best.ratio,
                &detail,
            ));
        }
    }
    Ok(lines)
}

/// Streams of single messages beside the fastest peer, and of podring's receiver that may sleep beside the one that
/// only polls.
pub(super) fn streams(desk: &Desk) -> Result<Vec<Line>> {
    let sizes = [8, 64];
    let mut all = Vec::new();
    for size in sizes {
        let of = |wait| move |subject| case(Mode::Throughput, subject, size, wait);
        all.extend(cases(own, of(WaitName::Spin)));
        all.extend(cases(own, of(WaitName::Adaptive)));
        all.extend(cases(polling_peer, of(WaitName::Spin)));
    }
    let ran = desk.run(&all, desk.span, LINES)?;
    let mut lines: Vec<Line> = sizes
        .iter()
        .filter_map(|&size| {
            let row = format!("stream of {}, one message at a time", bytes(size));
            beside_peers(row, &ran, |case| case.size == size)
        })
        .collect();
    for series in ran.iter().filter(|series| series.case.wait == WaitName::Adaptive) {
        let spins = Case { wait: WaitName::Spin, ..series.case };
        let Some(spin) = ran.iter().find(|other| other.case == spins) else { continue };
        let row = format!("stream of {}, {}, may sleep", bytes(spins.size), spins.subject.name());
        let beside = by(Figure::Each, spin, series);
        let detail = format!("{} M/s and {}", rate(beside.under_ns), rate(beside.over_ns));
        lines.push(Line::ratio(row, Limit::AtLeast(0.95), "one that only polls", beside.ratio, &detail));
    }
    Ok(lines)
}

/// The same in batches, where a transport has them.
pub(super) fn batches(desk: &Desk) -> Result<Vec<Line>> {
    let sizes = [8, 64, 256, 1024];
    let mut all = Vec::new();
    for size in sizes {
        let of = |subject: Subject| Case {
            batch: if subject.has_batches() { 32 } else { 1 },
            ..case(Mode::Throughput, subject, size, WaitName::Spin)
        };
        all.extend(cases(own, of));
        all.extend(cases(polling_peer, of));
    }
    let ran = desk.run(&all, desk.span, LINES)?;
    let line = |size| {
        beside_peers(format!("stream of {}, in batches of 32", bytes(size)), &ran, |case| case.size == size)
    };
    Ok(sizes.into_iter().filter_map(line).collect())
}

/// Large messages in place, beside what one CPU copies into shared memory and the other copies out.
pub(super) fn large(desk: &Desk) -> Result<Vec<Line>> {
    // Sixteen blocks of 64 KiB in turn, as the floor has them; of the largest, four.
    let all = [(64 << 10, 1 << 20), (1 << 20, 4 << 20)].map(|(size, capacity)| Case {
        capacity,
        ..case(Mode::Throughput, Subject::Podring, size, WaitName::Spin)
    });
    let floor = Amounts { bytes: 256 << 20, ..LINES };
    // The copies are measured once a round, so each size has rounds of its own.
    let mut ran = Vec::new();
    for one in all {
        ran.extend(desk.run(&[one], desk.span, floor)?);
    }
    let line = |series: &Series| {
        let size = series.case.size as f64;
        let beside = by_floor(Figure::Each, series, |floor| size / floor.two_core_bytes_per_s * 1e9);
        let gigabytes = |ns: f64| figure(size / ns);
        let detail = format!("{} GB/s, the copies {}", gigabytes(beside.over_ns), gigabytes(beside.under_ns));
        let row = format!("messages of {}, written and read in place", bytes(series.case.size));
        Line::ratio(row, Limit::AtLeast(0.95), "the two-core copy", 1.0 / beside.ratio, &detail)
    };
    Ok(ran.iter().map(line).collect())
}

/// Receivers that sleep.
///
/// What a round trip between two that sleep takes is compared with a round trip of the bare futex: both sleep at once,
/// and for as long. One way, at 1000 a second, the sleeper's CPU has slept deeper, which no figure of the floor has.
pub(super) fn waits(desk: &Desk) -> Result<Vec<Line>> {
    let sleeping = case(Mode::Latency, Subject::Podring, 64, WaitName::Park);
    let floor = Amounts { wakes: 1000, ..LINES };
    let ran = desk.run(&[sleeping], desk.span, floor)?;
    let mut lines = Vec::new();
    if let Some(series) = ran.first() {
        let beside = by_floor(P50, series, |floor| floor.futex_ns);
        let detail = format!(
            "{} there and back, the futex {}",
            nanoseconds(beside.over_ns),
            nanoseconds(beside.under_ns)
        );
        let row = "both sides sleep, round trip, p50";
        lines.push(Line::ratio(row, Limit::AtMost(1.15), "a futex round trip", beside.ratio, &detail));
    }
    // A rate for each way to live: without a pause, short of what a sleep takes, beyond it, and rarely.
    let of = |mode| case(mode, Subject::Podring, 64, WaitName::Spin);
    let paces: [(&str, Case, Figure); 5] = [
        ("stream of 64 B", of(Mode::Throughput), Figure::Each),
        ("ping-pong of 64 B, p50", of(Mode::Latency), P50),
        ("100 000 a second, one way, p50", at_rate(100_000.0), P50),
        ("20 000 a second, one way, p50", at_rate(20_000.0), P50),
        ("1000 a second, one way, p50", at_rate(1000.0), P50),
    ];
    let ways = |of: Case| WAITS.map(|wait| Case { wait, ..of });
    let all: Vec<Case> = paces.iter().flat_map(|(_, of, _)| ways(*of)).collect();
    let ran = desk.run(&all, desk.span, LINES)?;
    for (what, of, figure_of) in paces {
        lines.extend(beside_waits(format!("adaptive, {what}"), &ran, of, figure_of));
    }
    Ok(lines)
}

fn at_rate(rate: f64) -> Case {
    Case { rate, ..case(Mode::Oneway, Subject::Podring, 64, WaitName::Spin) }
}

/// Many producers and consumers. The bound is Vyukov's queue without recovery.
pub(super) fn many(desk: &Desk) -> Result<Vec<Line>> {
    let mut shapes = Vec::new();
    for each in [1, 2] {
        for size in [16, 64, 256] {
            shapes.push((each, size));
        }
    }
    let mut all = Vec::new();
    for &(each, size) in &shapes {
        let of = |wait| move |subject| of_many(subject, each, size, wait);
        all.extend(cases(own_many, of(WaitName::Spin)));
        all.extend(cases(own_many, of(WaitName::Adaptive)));
        all.extend(cases(|subject| subject.is_many() && subject.kind() != Kind::Own, of(WaitName::Spin)));
    }
    let ran = desk.run(&all, desk.span * 2 / 3, LINES)?;
    let mut lines = Vec::new();
    for (each, size) in shapes {
        let is_it = |case: &Case| case.size == size && case.producers == each;
        let row = |beside: &str| format!("MPMC {each}+{each}, {}, beside {beside}", bytes(size));
        let vyukov = |case: &Case| case.subject.kind() == Kind::Bound;
        lines.extend(beside_others(row("plain Vyukov"), "plain Vyukov", Figure::Each, &ran, is_it, vyukov));
        lines.extend(beside_peers(row("peers"), &ran, is_it));
    }
    Ok(lines)
}

fn of_many(subject: Subject, each: usize, size: usize, wait: WaitName) -> Case {
    Case { producers: each, consumers: each, ..case(Mode::Mpmc, subject, size, wait) }
}

/// More participants than CPUs.
pub(super) fn crowded(desk: &Desk) -> Result<Vec<Line>> {
    let mut all = Vec::new();
    for wait in [WaitName::Adaptive, WaitName::Spin] {
        all.extend(cases(own_many, |subject| of_many(subject, 8, 64, wait)));
    }
    all.extend(cases(
        |subject| subject.is_many() && peer(subject),
        |subject| of_many(subject, 8, 64, WaitName::Spin),
    ));
    all.extend(cases(own_many, |subject| of_many(subject, 2, 64, WaitName::Adaptive)));
    let ran = desk.run(&all, desk.span * 2, LINES)?;
    let mut lines = Vec::new();
    lines.extend(beside_peers("MPMC 8+8 on two CPUs, 64 B".to_owned(), &ran, |case| case.producers == 8));
    let adaptive = |case: &Case, each| case.producers == each && case.wait == WaitName::Adaptive;
    if let Some((_, _, beside)) = best(&ran, Figure::Each, |case| adaptive(case, 8), |case| adaptive(case, 2))
    {
        let detail = format!("{} M/s and {}", rate(beside.under_ns), rate(beside.over_ns));
        let row = "MPMC 8+8 on two CPUs, 64 B, no collapse";
        lines.push(Line::ratio(row, Limit::AtLeast(0.5), "its own 2+2", beside.ratio, &detail));
    }
    lines.extend(one_cpu(desk)?);
    Ok(lines)
}

/// Both sides on one CPU, as with `taskset`: pinned before anything is opened, so that whoever looks sees one CPU.
fn one_cpu(desk: &Desk) -> Result<Vec<Line>> {
    let ways = [(Mode::Throughput, "stream", Figure::Each), (Mode::Latency, "ping-pong", P50)];
    let mut lines = Vec::new();
    for (mode, what, figure_of) in ways {
        let usual = Bench { cpus: None, ..desk.bench(desk.span, LITTLE)? };
        // Where both poll, a turn takes as long as the scheduler lets the other one poll.
        let few = Amount { count: Some(300), duration: None, warmup: None };
        let bench = if mode == Mode::Latency { Bench { amount: few, ..usual } } else { usual };
        let _pinned = Pinned::to(cpus::allowed()?.first().copied())?;
        let mut all = WAITS.map(|wait| case(mode, Subject::Podring, 64, wait)).to_vec();
        all.extend(cases(peer, |subject| case(mode, subject, 64, WaitName::Spin)));
        let ran = bench.run(&all, desk.rounds, &mut |_, _, _| {})?;
        let row = |end: &str| format!("both sides on one CPU, {what} of 64 B, {end}");
        lines.extend(beside_others(
            row("adaptive"),
            PEER,
            figure_of,
            &ran,
            |case| case.wait == WaitName::Adaptive || case.subject.kind() == Kind::Peer,
            |case| case.subject.kind() == Kind::Peer,
        ));
        let of = case(mode, Subject::Podring, 64, WaitName::Spin);
        lines.extend(beside_waits(row("no collapse"), &ran, of, figure_of));
    }
    Ok(lines)
}

/// Both sides together have half a CPU: who polls is stopped for the rest of each tenth of a second.
pub(super) fn quota(desk: &Desk) -> Result<Vec<Line>> {
    let what = |mode| match mode {
        Mode::Throughput => "half a CPU (cgroup quota), adaptive, stream of 64 B",
        _ => "half a CPU (cgroup quota), adaptive, ping-pong of 64 B",
    };
    let limit = Limit::AtLeast(0.9);
    let modes = [Mode::Throughput, Mode::Latency];
    // Ten periods of the quota. What ends the directory of rings must not be in the group, or the group could not be removed.
    let bench = desk.bench(desk.span * 7, LITTLE)?;
    let already = podring::inspect::processors().is_some_and(|cpus| cpus <= HALF);
    let _quota = match already {
        true => None,
        false => match Quota::enter(HALF) {
            Ok(quota) => Some(quota),
            Err(error) => {
                let why = format!(
                    "{error}; run it as root, or in a container (docker run --cpus 0.5) with --only quota"
                );
                let skipped = |mode| Line::skipped(what(mode), &limit.of("the best wait policy"), &why);
                return Ok(modes.map(skipped).into());
            }
        },
    };
    let of = |mode| case(mode, Subject::Podring, 64, WaitName::Spin);
    let all: Vec<Case> = modes.iter().flat_map(|&mode| WAITS.map(|wait| Case { wait, ..of(mode) })).collect();
    let ran = bench.run(&all, desk.rounds, &mut |_, _, _| {})?;
    let line = |mode| {
        let is_it = |case: &Case| case.mode == mode;
        let adaptive = |case: &Case| is_it(case) && case.wait == WaitName::Adaptive;
        let (ours, theirs, beside) = best(&ran, Figure::Each, adaptive, is_it)?;
        let detail = format!(
            "{} {} M/s; {} {}",
            ours.case.wait.name(),
            rate(beside.under_ns),
            theirs.case.wait.name(),
            rate(beside.over_ns)
        );
        Some(Line::ratio(what(mode), limit, "the best wait policy", beside.ratio, &detail))
    };
    Ok(modes.into_iter().filter_map(line).collect())
}

/// podring's best stream beside the best peer's.
fn beside_peers(row: String, ran: &[Series], is_meant: impl Fn(&Case) -> bool) -> Option<Line> {
    beside_others(row, PEER, Figure::Each, ran, is_meant, |case| case.subject.kind() == Kind::Peer)
}

/// podring's best beside the best of others.
fn beside_others(
    row: String,
    what: &str,
    figure_of: Figure,
    ran: &[Series],
    is_meant: impl Fn(&Case) -> bool,
    is_other: impl Fn(&Case) -> bool,
) -> Option<Line> {
    let limit = Limit::AtLeast(1.0);
    let ours = |case: &Case| is_meant(case) && case.subject.kind() == Kind::Own;
    let Some((ours, theirs, beside)) = best(ran, figure_of, ours, |case| is_meant(case) && is_other(case))
    else {
        return Some(Line::skipped(row, &limit.of(what), "this build has none: --features peers"));
    };
    let tell = |series: &Series, ns| match figure_of {
        Figure::Each => format!("{} {} M/s", name(&series.case), rate(ns)),
        Figure::Percentile(_) => format!("{} {}", name(&series.case), nanoseconds(ns)),
    };
    let detail = format!("{}; {}", tell(ours, beside.under_ns), tell(theirs, beside.over_ns));
    Some(Line::ratio(row, limit, what, beside.ratio, &detail))
}

/// Adaptive waiting beside the better of polling and sleeping.
fn beside_waits(row: String, ran: &[Series], of: Case, figure_of: Figure) -> Option<Line> {
    let find = |wait| ran.iter().find(|series| series.case == Case { wait, ..of });
    let (adaptive, spin, park) = (find(WaitName::Adaptive)?, find(WaitName::Spin)?, find(WaitName::Park)?);
    let (spin, park) = (by(figure_of, adaptive, spin), by(figure_of, adaptive, park));
    let better = if spin.ratio >= park.ratio { spin } else { park };
    let [a, s, p] = [better.over_ns, spin.under_ns, park.under_ns].map(nanoseconds);
    let detail = format!("adaptive {a}, spin {s}, park {p}");
    Some(Line::ratio(row, Limit::AtMost(1.1), "the better of spin and park", better.ratio, &detail))
}

/// Million messages a second.
fn rate(ns: f64) -> String {
    figure(1e3 / ns)
}
