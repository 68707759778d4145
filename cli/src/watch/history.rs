//! What a watcher remembers of a ring: enough for a picture of the last minutes, and no more.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use podring::Stats;

use super::flow::{Flow, seat_since};
use super::look::Look;

/// Intervals that are remembered.
pub(crate) const LENGTH: usize = 240;

/// A ring over time.
#[derive(Debug)]
pub(crate) struct History {
    /// The last look.
    pub(crate) look: Look,
    /// The last intervals, oldest first.
    pub(crate) flows: VecDeque<Flow>,
    /// Fill in percent at their ends.
    pub(crate) fills: VecDeque<f64>,
    /// Of each seat, in the last interval: its number, what it counted.
    pub(crate) seats: Vec<(u8, Stats)>,
    /// Where the data ended when, oldest first: from this follows how long what is there has been there.
    ends: VecDeque<(Instant, u64)>,
    /// When something was last seen to move.
    moved: Option<SystemTime>,
}

/// How long ago, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// There is nothing.
    None,
    /// As old as this, give or take an interval.
    About(Duration),
    /// At least: it was there when the watching began, or longer than is remembered.
    AtLeast(Duration),
}

impl History {
    pub(crate) fn new(look: Look) -> Self {
        let ends = VecDeque::from([(look.at, look.report.written)]);
        Self { look, flows: VecDeque::new(), fills: VecDeque::new(), seats: Vec::new(), ends, moved: None }
    }

    /// Takes in the next look; `now` is the time of day at which it was taken.
    pub(crate) fn add(&mut self, look: Look, now: SystemTime) {
        if look.report.id != self.look.report.id {
            // Made anew: another ring, with no past.
            *self = Self::new(look);
            return;
        }
        let (before, after) = (&self.look.report, &look.report);
        let time = look.at.saturating_duration_since(self.look.at);
        push(&mut self.flows, Flow::between(before, after, time));
        push(&mut self.fills, crate::ls::fill_percent(after));
        push(&mut self.ends, (look.at, after.written));
        if (before.written, before.read) != (after.written, after.read) {
            self.moved = Some(now);
        }
        self.seats = after.seats.iter().map(|seat| (seat.index, seat_since(seat, Some(before)))).collect();
        self.look = look;
    }

    /// The last interval.
    pub(crate) fn flow(&self) -> Flow {
        self.flows.back().copied().unwrap_or_default()
    }

    /// When a participant last did something.
    pub(crate) fn active(&self) -> SystemTime {
        let noted = self.look.report.last_activity;
        self.moved.map_or(noted, |moved| moved.max(noted))
    }

    /// The age of the oldest message that has not been released: it was published between the last look that
    /// did not see the data reach beyond it and the first that did.
    pub(crate) fn oldest(&self) -> Age {
        let report = &self.look.report;
        if report.used == 0 {
            return Age::None;
        }
        // Positions only grow, also across the end of their range.
        let beyond = |end: u64| (end.wrapping_sub(report.read) as i64) > 0;
        match self.ends.iter().position(|(_, end)| beyond(*end)) {
            Some(0) => Age::AtLeast(self.look.at.saturating_duration_since(self.ends[0].0)),
            Some(first) => Age::About(self.look.at.saturating_duration_since(self.ends[first].0)),
            // Published and seen in one look.
            None => Age::About(Duration::ZERO),
        }
    }
}

fn push<T>(series: &mut VecDeque<T>, value: T) {
    if series.len() == LENGTH {
        series.pop_front();
    }
    series.push_back(value);
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use podring::Role;

    use super::{Age, History, LENGTH};
    use crate::watch::fixture::{epoch, report, seat};
    use crate::watch::look::Look;

    fn look(start: Instant, second: u64, written: u64, read: u64) -> Look {
        let mut report = report("r");
        (report.written, report.read, report.used) = (written, read, written - read);
        report.seats = vec![seat(0, Role::Producer, written), seat(1, Role::Consumer, read)];
        Look { at: start + Duration::from_secs(second), report }
    }

    #[test]
    fn the_oldest_message_is_as_old_as_the_first_look_that_saw_it() {
        let start = Instant::now();
        let at = |second, written, read| look(start, second, written, read);
        let mut history = History::new(at(0, 100, 100));
        assert_eq!(history.oldest(), Age::None);
        history.add(at(1, 160, 100), epoch());
        assert_eq!(history.oldest(), Age::About(Duration::ZERO));
        history.add(at(2, 200, 100), epoch());
        history.add(at(3, 200, 110), epoch());
        assert_eq!(history.oldest(), Age::About(Duration::from_secs(2)));
        history.add(at(4, 200, 180), epoch());
        assert_eq!(history.oldest(), Age::About(Duration::from_secs(2)));
        history.add(at(5, 200, 200), epoch());
        assert_eq!(history.oldest(), Age::None);
    }

    #[test]
    fn what_was_there_at_the_beginning_is_at_least_that_old() {
        let start = Instant::now();
        let mut history = History::new(look(start, 0, 100, 0));
        history.add(look(start, 7, 100, 0), epoch());
        assert_eq!(history.oldest(), Age::AtLeast(Duration::from_secs(7)));
        assert_eq!(history.active(), epoch());
        history.add(look(start, 8, 100, 8), epoch() + Duration::from_secs(8));
        assert_eq!(history.active(), epoch() + Duration::from_secs(8));
    }

    #[test]
    fn memory_is_bounded_and_a_ring_made_anew_has_no_past() {
        let start = Instant::now();
        let mut history = History::new(look(start, 0, 0, 0));
        for second in 1..=2 * LENGTH as u64 {
            history.add(look(start, second, 10 * second, 10 * second), epoch());
        }
        assert_eq!((history.flows.len(), history.fills.len(), history.ends.len()), (LENGTH, LENGTH, LENGTH));
        assert_eq!(history.flow().counts.sent, 10);
        let mut anew = look(start, 1000, 8, 0);
        anew.report.id = [1; 16];
        history.add(anew, epoch());
        assert!(history.flows.is_empty());
    }
}
