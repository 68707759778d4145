//! What happened in a ring between two looks.

use std::time::Duration;

use podring::inspect::{Report, Seat};
use podring::{Role, Stats};

/// Sums over seats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Messages published by producers.
    pub(crate) sent: u64,
    /// Their bytes.
    pub(crate) sent_bytes: u64,
    /// Messages released by consumers.
    pub(crate) received: u64,
    /// Their bytes.
    pub(crate) received_bytes: u64,
    pub(crate) parks: u64,
    pub(crate) stalls: u64,
    pub(crate) wakes: u64,
    pub(crate) slice_rescues: u64,
    pub(crate) redeliveries: u64,
    pub(crate) abandoned: u64,
}

impl Counts {
    fn add(&mut self, role: Role, stats: &Stats) {
        let (messages, bytes) = match role {
            Role::Producer => (&mut self.sent, &mut self.sent_bytes),
            Role::Consumer => (&mut self.received, &mut self.received_bytes),
        };
        let sums = [
            (messages, stats.messages),
            (bytes, stats.bytes),
            (&mut self.parks, stats.parks),
            (&mut self.stalls, stats.stalls),
            (&mut self.wakes, stats.wakes),
            (&mut self.slice_rescues, stats.slice_rescues),
            (&mut self.redeliveries, stats.redeliveries),
            (&mut self.abandoned, stats.abandoned),
        ];
        for (sum, addend) in sums {
            // Whoever may write the segment may write any number there.
            *sum = sum.saturating_add(addend);
        }
    }

    /// Since the ring was made.
    #[cfg(any(feature = "top", test))]
    pub(crate) fn total(report: &Report) -> Self {
        let mut counts = Self::default();
        for seat in &report.seats {
            counts.add(seat.role, &seat.stats);
        }
        counts
    }
}

/// What a seat has counted since an earlier look at its ring.
pub(crate) fn seat_since(seat: &Seat, earlier: Option<&Report>) -> Stats {
    let now = &seat.stats;
    // A seat that nobody had taken then has counted everything since.
    let before = earlier
        .and_then(|report| report.seats.iter().find(|it| it.index == seat.index))
        .map_or_else(Stats::default, |it| it.stats);
    Stats {
        messages: now.messages.saturating_sub(before.messages),
        bytes: now.bytes.saturating_sub(before.bytes),
        parks: now.parks.saturating_sub(before.parks),
        wakes: now.wakes.saturating_sub(before.wakes),
        stalls: now.stalls.saturating_sub(before.stalls),
        slice_rescues: now.slice_rescues.saturating_sub(before.slice_rescues),
        redeliveries: now.redeliveries.saturating_sub(before.redeliveries),
        abandoned: now.abandoned.saturating_sub(before.abandoned),
        attaches: now.attaches.saturating_sub(before.attaches),
        dropped: now.dropped.saturating_sub(before.dropped),
        repairs: now.repairs.saturating_sub(before.repairs),
    }
}

/// Counts of an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Flow {
    pub(crate) counts: Counts,
    pub(crate) seconds: f64,
}

impl Flow {
    /// What happened from one look to the next. A ring that was re-created meanwhile is another one: everything
    /// in it is new.
    pub(crate) fn between(earlier: &Report, later: &Report, time: Duration) -> Self {
        let earlier = (earlier.id == later.id).then_some(earlier);
        let mut counts = Counts::default();
        for seat in &later.seats {
            counts.add(seat.role, &seat_since(seat, earlier));
        }
        Self { counts, seconds: time.as_secs_f64() }
    }

    /// A count as a rate.
    pub(crate) fn per_second(&self, count: u64) -> f64 {
        if self.seconds > 0.0 { count as f64 / self.seconds } else { 0.0 }
    }
}

/// How many are attached in a role.
pub(crate) fn alive(report: &Report, role: Role) -> usize {
    report.seats.iter().filter(|seat| seat.live && seat.role == role).count()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use podring::Role;

    use super::{Counts, Flow, alive};
    use crate::watch::fixture::{report, seat};

    #[test]
    fn only_what_came_between_counts() {
        let mut earlier = report("r");
        earlier.seats = vec![seat(0, Role::Producer, 100), seat(1, Role::Consumer, 90)];
        let mut later = earlier.clone();
        later.seats[0].stats.messages = 300;
        later.seats[0].stats.bytes += 5000;
        later.seats[1].stats.messages = 280;
        later.seats[1].stats.parks += 3;
        // A third one came: all it has done is new.
        later.seats.push(seat(2, Role::Consumer, 7));
        let flow = Flow::between(&earlier, &later, Duration::from_secs(2));
        assert_eq!(flow.counts.sent, 200);
        assert_eq!(flow.counts.received, 190 + 7);
        assert_eq!(flow.counts.sent_bytes, 5000);
        assert_eq!(flow.counts.parks, 3);
        assert!((flow.per_second(flow.counts.sent) - 100.0).abs() < 1e-9);
        assert_eq!(Counts::total(&later).sent, 300);
        assert_eq!((alive(&later, Role::Producer), alive(&later, Role::Consumer)), (1, 2));
    }

    #[test]
    fn a_ring_made_anew_begins_at_zero() {
        let mut earlier = report("r");
        earlier.seats = vec![seat(0, Role::Producer, 1000)];
        let mut later = earlier.clone();
        later.id = [9; 16];
        later.seats[0].stats.messages = 10;
        let flow = Flow::between(&earlier, &later, Duration::from_secs(1));
        assert_eq!(flow.counts.sent, 10);
    }

    #[test]
    fn counters_that_somebody_scribbled_over_do_no_harm() {
        let mut earlier = report("r");
        earlier.seats = vec![seat(0, Role::Producer, u64::MAX), seat(1, Role::Producer, u64::MAX)];
        let mut later = earlier.clone();
        assert_eq!(Counts::total(&later).sent, u64::MAX);
        later.seats[0].stats.messages = 3;
        assert_eq!(Flow::between(&earlier, &later, Duration::ZERO).counts.sent, 0);
        assert_eq!(Flow::between(&earlier, &later, Duration::ZERO).per_second(5), 0.0);
    }
}
