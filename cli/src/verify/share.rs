//! What sequence numbers say to one of many consumers, which sees its share of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// How far back a message is known again.
const WINDOW: u64 = 1 << 16;

/// Whether a message is where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind all that this consumer had before from that producer.
    InOrder,
    /// Before one that it has had.
    Late,
    /// It has had this one.
    Repeated,
}

/// The messages of one run of a producer.
#[derive(Debug, Default)]
struct Run {
    /// The sequence number behind the highest one so far.
    end: u64,
    messages: u64,
    duplicated: u64,
    reordered: u64,
    redelivered: u64,
    /// A bit for each of the last messages before `end`: whether it came.
    came: Vec<u64>,
}

impl Run {
    fn bit(&mut self, seq: u64) -> (&mut u64, u64) {
        let at = seq % WINDOW;
        self.came.resize((WINDOW / 64) as usize, 0);
        (&mut self.came[(at / 64) as usize], 1 << (at % 64))
    }

    fn place(&mut self, seq: u64) -> Place {
        if seq >= self.end {
            // What lies between went to others, so far.
            for skipped in self.end.max((seq + 1).saturating_sub(WINDOW))..=seq {
                let (word, bit) = self.bit(skipped);
                *word &= !bit;
            }
            self.end = seq + 1;
            let (word, bit) = self.bit(seq);
            *word |= bit;
            return Place::InOrder;
        }
        if self.end - seq > WINDOW {
            return Place::Late;
        }
        let (word, bit) = self.bit(seq);
        let came = *word & bit != 0;
        *word |= bit;
        if came { Place::Repeated } else { Place::Late }
    }
}

/// What one consumer got from each producer.
#[derive(Debug, Default)]
pub(crate) struct Share {
    runs: BTreeMap<u64, Run>,
    corrupt: u64,
}

/// All runs together.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    pub(crate) corrupt: u64,
    pub(crate) redelivered: u64,
}

impl Totals {
    pub(crate) fn damaged(&self) -> bool {
        self.duplicated + self.reordered + self.corrupt > 0
    }
}

impl Share {
    /// A message came that is whole. `marked`: the ring says that a dead consumer had been handed it; such messages come
    /// when they can, apart from all order. `noted`: somebody has noted it before.
    pub(crate) fn observe(&mut self, run: u64, seq: u64, marked: bool, noted: bool) -> Place {
        let run = self.runs.entry(run).or_default();
        if marked {
            run.messages += u64::from(!noted);
            run.redelivered += 1;
            return Place::InOrder;
        }
        let place = match run.place(seq) {
            _ if noted => Place::Repeated,
            place => place,
        };
        match place {
            Place::InOrder => run.messages += 1,
            Place::Late => {
                run.messages += 1;
                run.reordered += 1;
            }
            Place::Repeated => run.duplicated += 1,
        }
        place
    }

    /// A message came that is not whole, or that nobody has sent.
    pub(crate) fn observe_corrupt(&mut self) {
        self.corrupt += 1;
    }

    pub(crate) fn runs(&self) -> usize {
        self.runs.len()
    }

    pub(crate) fn totals(&self) -> Totals {
        let none = Totals { corrupt: self.corrupt, ..Totals::default() };
        self.runs.values().fold(none, |sum, run| Totals {
            duplicated: sum.duplicated + run.duplicated,
            reordered: sum.reordered + run.reordered,
            redelivered: sum.redelivered + run.redelivered,
            ..sum
        })
    }

    /// Per producer; those of several consumers add up.
    pub(crate) fn members(&self) -> Value {
        let run = |(number, run): (&u64, &Run)| {
            json!({
                "run": number,
                "messages": run.messages,
                "elsewhere": run.end.saturating_sub(run.messages),
                "duplicated": run.duplicated,
                "reordered": run.reordered,
                "redelivered": run.redelivered,
            })
        };
        self.runs.iter().map(run).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Share, Totals, WINDOW};

    fn of(seqs: &[u64]) -> Totals {
        let mut share = Share::default();
        for &seq in seqs {
            share.observe(1, seq, false, false);
        }
        share.totals()
    }

    #[test]
    fn gaps_are_the_others_shares() {
        assert_eq!(of(&[0, 3, 4, 9 * WINDOW]), Totals::default());
        let mut share = Share::default();
        share.observe(1, 0, false, false);
        share.observe(1, 3, false, false);
        let members = share.members();
        assert_eq!((&members[0]["messages"], &members[0]["elsewhere"]), (&2.into(), &2.into()));
    }

    #[test]
    fn a_message_goes_back_or_comes_again() {
        assert_eq!(of(&[0, 5, 3]), Totals { reordered: 1, ..Totals::default() });
        assert_eq!(of(&[0, 5, 5]), Totals { duplicated: 1, ..Totals::default() });
        assert_eq!(of(&[0, 5, 3, 3]), Totals { reordered: 1, duplicated: 1, ..Totals::default() });
        assert_eq!(of(&[0, WINDOW - 1, 0]), Totals { duplicated: 1, ..Totals::default() });
        // Too long ago to be known again, and so long ago that its place in the window is another one's.
        assert_eq!(of(&[0, WINDOW, 0]), Totals { reordered: 1, ..Totals::default() });
        assert_eq!(of(&[0, 7, WINDOW + 6, 7]), Totals { duplicated: 1, ..Totals::default() });
        assert_eq!(of(&[0, 7, WINDOW + 6, 8]), Totals { reordered: 1, ..Totals::default() });
    }

    #[test]
    fn runs_are_apart() {
        let mut share = Share::default();
        for (run, seq) in [(1, 5), (2, 3), (1, 6), (2, 4)] {
            assert_eq!(share.observe(run, seq, false, false), Place::InOrder);
        }
        assert_eq!((share.runs(), share.totals()), (2, Totals::default()));
    }

    #[test]
    fn what_is_marked_has_no_place() {
        let mut share = Share::default();
        share.observe(1, 5, false, false);
        share.observe(1, 2, true, false);
        share.observe(1, 2, true, true);
        assert_eq!(share.totals(), Totals { redelivered: 2, ..Totals::default() });
        assert_eq!(share.members()[0]["messages"], 2);
    }

    #[test]
    fn what_another_consumer_noted_is_a_duplicate() {
        let mut share = Share::default();
        assert_eq!(share.observe(1, 5, false, true), Place::Repeated);
        assert_eq!(share.totals(), Totals { duplicated: 1, ..Totals::default() });
    }
}
