//! The columns of the table: what is in them, and how they sort.

use std::cmp::Ordering;
use std::time::{Duration, SystemTime};

use podring::Role;
use podring::inspect::{Report, Seat};

use crate::watch::flow::Counts;
use crate::watch::history::{Age, History};
use crate::watch::look::Key;
use crate::{human, ls};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Ring,
    State,
    Sent,
    Received,
    Bytes,
    Fill,
    Parks,
    Stalls,
    Redelivered,
    Oldest,
    Active,
    Producers,
    Consumers,
    Dir,
}

impl Column {
    /// From left to right.
    pub(crate) const ALL: [Self; 14] = [
        Self::Ring,
        Self::State,
        Self::Sent,
        Self::Received,
        Self::Bytes,
        Self::Fill,
        Self::Parks,
        Self::Stalls,
        Self::Redelivered,
        Self::Oldest,
        Self::Active,
        Self::Producers,
        Self::Consumers,
        Self::Dir,
    ];

    /// What a narrow terminal does without, the most dispensable first.
    const DISPENSABLE: [Self; 10] = [
        Self::Dir,
        Self::State,
        Self::Redelivered,
        Self::Parks,
        Self::Active,
        Self::Stalls,
        Self::Bytes,
        Self::Oldest,
        Self::Received,
        Self::Producers,
    ];

    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Ring => "RING",
            Self::State => "STATE",
            Self::Sent => "SENT/s",
            Self::Received => "RECV/s",
            Self::Bytes => "BYTES/s",
            Self::Fill => "FILL",
            Self::Parks => "PARKS/s",
            Self::Stalls => "STALLS/s",
            Self::Redelivered => "REDELIV",
            Self::Oldest => "OLDEST",
            Self::Active => "ACTIVE",
            Self::Producers => "PRODUCERS",
            Self::Consumers => "CONSUMERS",
            Self::Dir => "DIR",
        }
    }

    /// At least; those of names take what is left.
    pub(crate) fn width(self) -> u16 {
        match self {
            Self::Ring => 12,
            Self::State => 5,
            Self::Sent | Self::Received | Self::Redelivered | Self::Oldest => 7,
            Self::Bytes | Self::Parks => 8,
            Self::Stalls => 9,
            Self::Fill => 15,
            Self::Active => 6,
            Self::Producers | Self::Consumers => 17,
            Self::Dir => 14,
        }
    }

    pub(crate) fn is_of_names(self) -> bool {
        matches!(self, Self::Ring | Self::Producers | Self::Consumers | Self::Dir | Self::State)
    }

    /// As many as a terminal of this width has room for.
    pub(crate) fn fitting(width: u16, with_dir: bool) -> Vec<Self> {
        let mut columns: Vec<Self> =
            Self::ALL.into_iter().filter(|it| with_dir || *it != Self::Dir).collect();
        for dispensable in Self::DISPENSABLE {
            let needed: u16 = columns.iter().map(|column| column.width() + 1).sum();
            // Between columns, not behind the last.
            if needed <= width + 1 {
                break;
            }
            columns.retain(|column| *column != dispensable);
        }
        columns
    }

    /// What the cell says; the fill bar is drawn elsewhere.
    pub(crate) fn text(self, (dir, name): &Key, ring: &History, now: SystemTime) -> String {
        let flow = ring.flow();
        let report = &ring.look.report;
        let rate = |count| human::count(flow.per_second(count));
        match self {
            Self::Ring => human::harmless(name),
            Self::State => report.state.to_string(),
            Self::Sent => rate(flow.counts.sent),
            Self::Received => rate(flow.counts.received),
            Self::Bytes => human::bytes(flow.per_second(flow.counts.received_bytes) as u64),
            Self::Fill => ls::fill(report),
            Self::Parks => rate(flow.counts.parks),
            Self::Stalls => rate(flow.counts.stalls),
            Self::Redelivered => Counts::total(report).redeliveries.to_string(),
            Self::Oldest => age(ring.oldest()),
            Self::Active => human::age(ring.active(), now),
            Self::Producers => participants(report, Role::Producer),
            Self::Consumers => participants(report, Role::Consumer),
            Self::Dir => human::harmless(&dir.display().to_string()),
        }
    }

    /// Names from A to Z, figures from the largest down.
    pub(crate) fn compare(self, (a_key, a): (&Key, &History), (b_key, b): (&Key, &History)) -> Ordering {
        let rate = |ring: &History, of: fn(&Counts) -> u64| {
            let flow = ring.flow();
            flow.per_second(of(&flow.counts))
        };
        let by_rate = |of: fn(&Counts) -> u64| rate(b, of).total_cmp(&rate(a, of));
        let (a_report, b_report) = (&a.look.report, &b.look.report);
        match self {
            Self::Ring => a_key.1.cmp(&b_key.1),
            Self::State => a_report.state.to_string().cmp(&b_report.state.to_string()),
            Self::Sent => by_rate(|counts| counts.sent),
            Self::Received => by_rate(|counts| counts.received),
            Self::Bytes => by_rate(|counts| counts.received_bytes),
            Self::Fill => ls::fill_percent(b_report).total_cmp(&ls::fill_percent(a_report)),
            Self::Parks => by_rate(|counts| counts.parks),
            Self::Stalls => by_rate(|counts| counts.stalls),
            Self::Redelivered => {
                Counts::total(b_report).redeliveries.cmp(&Counts::total(a_report).redeliveries)
            }
            Self::Oldest => duration(b.oldest()).cmp(&duration(a.oldest())),
            Self::Active => b.active().cmp(&a.active()),
            Self::Producers => by_participants(a_report, b_report, Role::Producer),
            Self::Consumers => by_participants(a_report, b_report, Role::Consumer),
            Self::Dir => a_key.0.cmp(&b_key.0),
        }
    }
}

fn by_participants(a: &Report, b: &Report, role: Role) -> Ordering {
    participants(a, role).cmp(&participants(b, role))
}

/// `program@container` of the first who is alive, and how many there are besides.
pub(crate) fn participants(report: &Report, role: Role) -> String {
    let live: Vec<&Seat> = report.seats.iter().filter(|seat| seat.live && seat.role == role).collect();
    match live.as_slice() {
        [] => "-".to_owned(),
        [seat] => who(seat),
        [seat, rest @ ..] => format!("+{} {}", rest.len(), who(seat)),
    }
}

fn who(seat: &Seat) -> String {
    human::harmless(&format!("{}@{}", seat.program, seat.host))
}

fn duration(age: Age) -> Option<Duration> {
    match age {
        Age::None => None,
        Age::About(age) | Age::AtLeast(age) => Some(age),
    }
}

pub(crate) fn age(age: Age) -> String {
    let text = |age: Duration| {
        let now = SystemTime::UNIX_EPOCH + age + Duration::from_secs(1);
        human::age(SystemTime::UNIX_EPOCH + Duration::from_secs(1), now)
    };
    match age {
        Age::None => "-".to_owned(),
        Age::About(age) => text(age),
        Age::AtLeast(age) => format!(">{}", text(age)),
    }
}
