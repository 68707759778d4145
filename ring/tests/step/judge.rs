//! Whether what is left after a kill is what `docs/crash.md` says. Pure: what it is told, it judges.

use crate::board::Got;
use crate::model::{CLOSED, Kind, Model, Place, STREAM_STATE};
use crate::window::Glance;

/// What an operation starts from, and what it ends with.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    pub(crate) before: Model,
    pub(crate) after: Model,
    /// The child's code looks at messages before it releases them.
    pub(crate) borrows: bool,
}

/// What was found when the child was killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) glance: Glance,
    /// The operation had returned.
    pub(crate) ended: bool,
    /// Messages the child's code had seen.
    pub(crate) saw: usize,
}

/// What the survivors met with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Survived {
    pub(crate) received: Vec<Got>,
    /// How often they were told of the end of a stream.
    pub(crate) ends: u64,
    /// A new producer was there before the consumer looked.
    pub(crate) producer_first: bool,
}

impl Course {
    /// Every message there is before or after the operation.
    fn places(&self) -> Vec<Place> {
        let mut places: Vec<Place> = self.before.places.iter().copied().collect();
        places.extend(self.after.places.iter().filter(|place| place.start >= self.before.tail));
        places
    }

    /// What is in the ring when its words are these.
    pub(crate) fn content(&self, glance: &Glance) -> Vec<Place> {
        let inside = |place: &Place| place.start >= glance.head && place.end <= glance.tail;
        self.places().into_iter().filter(inside).collect()
    }

    /// Whether the words are those of before or of after the operation, and nothing else.
    pub(crate) fn decided(&self, found: &Found) -> Vec<String> {
        let Found { glance, ended, .. } = *found;
        let (before, after) = (&self.before, &self.after);
        let mut wrong = Vec::new();
        let mut one_of = |what: &str, value: u64, before: u64, after: u64| {
            let allowed = if ended { value == after } else { value == before || value == after };
            if !allowed {
                wrong.push(format!("{what} is {value}, was {before}, becomes {after} (ended: {ended})"));
            }
        };
        one_of("tail", glance.tail, before.tail, after.tail);
        one_of("head", glance.head, before.head, after.head);
        one_of("stream", glance.stream, before.stream, after.stream);
        for (index, seat) in ["producer", "consumer"].into_iter().enumerate() {
            let (from, to) = (before.counted[index], after.counted[index]);
            one_of(&format!("the {seat}'s count"), glance.counted[index], from, to);
        }
        let counted_late = |moved: bool, index: usize| moved && glance.counted[index] != after.counted[index];
        if counted_late(glance.tail != before.tail, 0) || counted_late(glance.head != before.head, 1) {
            wrong.push(format!("published or released before it was counted: {glance:?}"));
        }
        let looked_at = self.after.counted[1] - before.counted[1];
        if self.borrows && glance.head != before.head && (found.saw as u64) < looked_at {
            wrong.push(format!("released when {} of {looked_at} had been seen", found.saw));
        }
        let handed = self.places().iter().any(|place| place.end == glance.handed);
        if glance.handed != before.handed && (!handed || glance.handed > after.handed.max(before.handed)) {
            wrong.push(format!("handed is {}, becomes {}", glance.handed, after.handed));
        }
        wrong
    }

    /// Whether every message is accounted for: all that is published and not released, nothing else, in
    /// order, whole, and marked if it had been handed out.
    pub(crate) fn accounted(&self, found: &Found, survived: &Survived) -> Vec<String> {
        let glance = &found.glance;
        let ahead = glance.handed.wrapping_sub(glance.head) <= self.before.kind.capacity();
        let marks = self.before.kind == Kind::Bytes && ahead;
        let expected: Vec<Got> = self
            .content(glance)
            .iter()
            .map(|place| Got { number: Some(place.number), marked: marks && place.start < glance.handed })
            .collect();
        let mut wrong = Vec::new();
        if survived.received != expected {
            wrong.push(format!("received {:?}, expected {expected:?}", survived.received));
        }
        if self.before.kind == Kind::Bytes {
            // What the dead one's code had seen, it had been handed.
            let seen = self.before.places.iter().take(found.saw);
            for place in seen.filter(|place| place.start >= glance.head) {
                let got = survived.received.iter().find(|got| got.number == Some(place.number));
                if !got.is_some_and(|got| got.marked) {
                    wrong.push(format!("{place:?} was seen by the dead one, and comes as {got:?}"));
                }
            }
        }
        let ends = u64::from(glance.stream & STREAM_STATE == CLOSED && !survived.producer_first);
        if survived.ends != ends {
            wrong.push(format!("told of {} ends, expected {ends}", survived.ends));
        }
        wrong
    }
}
