//! What sequence numbers say about delivery.

use std::collections::{BTreeSet, HashMap};

use super::message::Tag;

/// How many lost messages are remembered, to know them again should they come late.
const REMEMBERED: u64 = 1 << 16;

/// What has gone wrong, and how many messages were allowed to come twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    pub(crate) corrupt: u64,
    /// Repeats of what a consumer that died had not released: allowed.
    pub(crate) redelivered: u64,
}

impl Counts {
    pub(crate) fn damaged(&self) -> bool {
        self.lost + self.duplicated + self.reordered + self.corrupt > 0
    }
}

/// Whether a message counts as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// For the first time, whether or not it was the one expected.
    New,
    /// It was counted before.
    Repeated,
}

/// What is known of the time before this consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing was received by anyone: the first run must begin with 0.
    Nothing,
    /// Somebody received an unknown part: the first message says where we are.
    Unknown,
}

/// Follows the sequence numbers of all runs.
#[derive(Debug)]
pub(crate) struct Checker {
    /// For each run, the sequence number expected next.
    next: HashMap<u64, u64>,
    current: Option<u64>,
    missing: BTreeSet<(u64, u64)>,
    /// Corrupt messages whose place in the sequence is not known yet.
    unplaced: u64,
    /// No message has come since this process began.
    just_started: bool,
    before: Before,
    counts: Counts,
}

impl Checker {
    pub(crate) fn new(before: Before) -> Self {
        Self {
            next: HashMap::new(),
            current: None,
            missing: BTreeSet::new(),
            unplaced: 0,
            just_started: true,
            before,
            counts: Counts::default(),
        }
    }

    /// Goes on with the account of a consumer that died: the next sequence number of each run, oldest first.
    pub(crate) fn resume(runs: impl IntoIterator<Item = (u64, u64)>, counts: Counts) -> Self {
        let mut checker = Self { counts, ..Self::new(Before::Nothing) };
        for (run, next) in runs {
            checker.next.insert(run, next);
            checker.current = Some(run);
        }
        checker
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn runs(&self) -> usize {
        self.next.len()
    }

    /// The sequence number expected next in a run.
    pub(crate) fn next_of(&self, run: u64) -> u64 {
        self.next.get(&run).copied().unwrap_or(0)
    }

    /// A message came that is whole. `marked`: the ring says that a dead consumer had been handed it.
    pub(crate) fn observe(&mut self, tag: Tag, marked: bool) -> Verdict {
        let just_started = std::mem::take(&mut self.just_started);
        let Tag { run, seq } = tag;
        let adopted = if just_started && self.before == Before::Unknown { seq } else { 0 };
        let next = *self.next.entry(run).or_insert(adopted);
        let late = self.current.is_some_and(|current| current != run) && next > 0;
        if !late {
            self.current = Some(run);
        }
        if seq < next {
            return self.repeated(tag, just_started && marked && seq + 1 == next);
        }
        let gap = seq - next;
        let forgiven = gap.min(self.unplaced);
        self.unplaced -= forgiven;
        self.counts.lost += gap - forgiven;
        if gap > forgiven {
            self.missing.extend((next..seq).take(REMEMBERED as usize).map(|seq| (run, seq)));
            while self.missing.len() as u64 > REMEMBERED {
                self.missing.pop_first();
            }
        }
        if late {
            self.counts.reordered += 1;
        }
        self.next.insert(run, seq + 1);
        Verdict::New
    }

    /// A message came that is not whole. What its header says is not to be trusted.
    pub(crate) fn observe_corrupt(&mut self) {
        self.just_started = false;
        self.counts.corrupt += 1;
        self.unplaced += 1;
    }

    /// The stream ended before what was expected had come.
    pub(crate) fn ended_short(&mut self, by: u64) {
        self.counts.lost += by;
    }

    fn repeated(&mut self, tag: Tag, allowed: bool) -> Verdict {
        if self.missing.remove(&(tag.run, tag.seq)) {
            // It was not lost, only late.
            self.counts.lost -= 1;
            self.counts.reordered += 1;
            return Verdict::New;
        }
        if allowed {
            self.counts.redelivered += 1;
        } else {
            self.counts.duplicated += 1;
        }
        Verdict::Repeated
    }
}

#[cfg(test)]
mod tests {
    use super::{Before, Checker, Counts, Tag, Verdict};

    fn observe(checker: &mut Checker, run: u64, seqs: &[u64]) {
        for &seq in seqs {
            checker.observe(Tag { run, seq }, false);
        }
    }

    fn after(seqs: &[u64]) -> Counts {
        let mut checker = Checker::new(Before::Nothing);
        observe(&mut checker, 1, seqs);
        checker.counts()
    }

    #[test]
    fn a_stream_in_order_has_no_flaws() {
        assert_eq!(after(&[0, 1, 2, 3]), Counts::default());
    }

    #[test]
    fn a_gap_is_a_loss() {
        assert_eq!(after(&[0, 1, 4]), Counts { lost: 2, ..Counts::default() });
    }

    #[test]
    fn the_first_messages_can_be_lost_too() {
        assert_eq!(after(&[3, 4]), Counts { lost: 3, ..Counts::default() });
    }

    #[test]
    fn a_repeat_is_a_duplicate() {
        assert_eq!(after(&[0, 1, 1, 2]), Counts { duplicated: 1, ..Counts::default() });
        assert_eq!(after(&[0, 1, 2, 0, 1, 2]), Counts { duplicated: 3, ..Counts::default() });
    }

    #[test]
    fn a_late_message_is_reordered_and_not_lost() {
        assert_eq!(after(&[0, 2, 1, 3]), Counts { reordered: 1, ..Counts::default() });
        // Once more is a duplicate.
        assert_eq!(after(&[0, 2, 1, 1, 3]), Counts { reordered: 1, duplicated: 1, ..Counts::default() });
    }

    #[test]
    fn a_corrupt_message_is_not_lost_as_well() {
        let mut checker = Checker::new(Before::Nothing);
        observe(&mut checker, 1, &[0, 1]);
        checker.observe_corrupt();
        observe(&mut checker, 1, &[3, 5]);
        assert_eq!(checker.counts(), Counts { corrupt: 1, lost: 1, ..Counts::default() });
    }

    #[test]
    fn a_new_run_begins_with_zero() {
        let mut checker = Checker::new(Before::Nothing);
        observe(&mut checker, 1, &[0, 1]);
        observe(&mut checker, 2, &[0, 1]);
        assert_eq!(checker.counts(), Counts::default());
        assert_eq!(checker.runs(), 2);
        observe(&mut checker, 3, &[1]);
        assert_eq!(checker.counts(), Counts { lost: 1, ..Counts::default() });
    }

    #[test]
    fn a_message_of_an_earlier_run_goes_back() {
        let mut checker = Checker::new(Before::Nothing);
        observe(&mut checker, 1, &[0, 1]);
        observe(&mut checker, 2, &[0]);
        observe(&mut checker, 1, &[2]);
        observe(&mut checker, 2, &[1]);
        assert_eq!(checker.counts(), Counts { reordered: 1, ..Counts::default() });
    }

    #[test]
    fn who_joins_a_stream_takes_it_from_there() {
        let mut checker = Checker::new(Before::Unknown);
        observe(&mut checker, 1, &[7, 8]);
        assert_eq!(checker.counts(), Counts::default());
        observe(&mut checker, 1, &[10]);
        observe(&mut checker, 2, &[1]);
        assert_eq!(checker.counts(), Counts { lost: 2, ..Counts::default() });
    }

    #[test]
    fn the_last_message_may_come_again_after_a_restart() {
        let mut checker = Checker::resume([(1, 9), (2, 5)], Counts::default());
        assert_eq!(checker.observe(Tag { run: 2, seq: 4 }, true), Verdict::Repeated);
        assert_eq!(checker.observe(Tag { run: 2, seq: 5 }, false), Verdict::New);
        assert_eq!(checker.counts(), Counts { redelivered: 1, ..Counts::default() });
    }

    #[test]
    fn a_repeat_after_a_restart_must_be_marked_be_the_last_and_come_first() {
        let mut unmarked = Checker::resume([(1, 5)], Counts::default());
        unmarked.observe(Tag { run: 1, seq: 4 }, false);
        assert_eq!(unmarked.counts(), Counts { duplicated: 1, ..Counts::default() });

        let mut older = Checker::resume([(1, 5)], Counts::default());
        older.observe(Tag { run: 1, seq: 3 }, true);
        assert_eq!(older.counts(), Counts { duplicated: 1, ..Counts::default() });

        let mut later = Checker::resume([(1, 5)], Counts::default());
        later.observe(Tag { run: 1, seq: 5 }, true);
        later.observe(Tag { run: 1, seq: 5 }, true);
        assert_eq!(later.counts(), Counts { duplicated: 1, ..Counts::default() });
    }

    #[test]
    fn an_account_goes_on_after_a_restart() {
        let counts = Counts { lost: 1, duplicated: 2, reordered: 3, corrupt: 4, redelivered: 5 };
        let mut checker = Checker::resume([(1, 5)], counts);
        observe(&mut checker, 1, &[5, 7]);
        assert_eq!(checker.counts(), Counts { lost: 2, ..counts });
        assert_eq!(checker.next_of(1), 8);
    }
}
