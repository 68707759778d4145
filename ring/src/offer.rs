//! Offering the processor to the other side, where both run on the same one: then nobody has to be woken.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::Result;

/// Times the processor is offered before sleeping: once for the other side to take its turn, and once more where somebody
/// else took it.
const YIELDS: u32 = 2;
/// What an offer that finds something saves at best: a sleep and a wake.
const WORTH: Duration = Duration::from_micros(10);
/// Waits without an offer after one that was quick and in vain, doubled each time up to the second of these.
const FIRST_REST: u32 = 2;
const LONGEST_REST: u32 = 4096;
/// Of so many waits one sleeps at once: whoever wakes us says where it runs, and it may have moved.
const PROBE_WAITS: u32 = 256;

/// When to offer it. Beside a stranger who never stops computing an offer can take a turn of milliseconds; so an offer that
/// took longer than a sleep would have is made up for by as many waits without one as it could have saved.
#[derive(Debug)]
pub(crate) struct Offer {
    /// Waits so far.
    waits: Cell<u32>,
    /// Those to come without an offer, and how many there will be after the next one in vain.
    resting: Cell<u32>,
    next_rest: Cell<u32>,
}

impl Offer {
    pub(crate) fn new() -> Self {
        Self { waits: Cell::new(0), resting: Cell::new(0), next_rest: Cell::new(FIRST_REST) }
    }

    /// Offers the processor, if that pays, until `attempt` yields something.
    pub(crate) fn make<T>(&self, attempt: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
        if self.is_due() { self.offer(std::thread::yield_now, attempt) } else { Ok(None) }
    }

    fn is_due(&self) -> bool {
        self.waits.set(self.waits.get().wrapping_add(1));
        let rest = self.resting.get();
        self.resting.set(rest.saturating_sub(1));
        rest == 0 && self.waits.get() % PROBE_WAITS != 0
    }

    fn offer<T>(
        &self,
        let_others_run: impl Fn(),
        mut attempt: impl FnMut() -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let start = Instant::now();
        let mut found = None;
        for _ in 0..YIELDS {
            let_others_run();
            found = attempt()?;
            if found.is_some() || start.elapsed() > WORTH {
                break;
            }
        }
        self.learn(found.is_some(), start.elapsed());
        Ok(found)
    }

    /// After an offer: whether it found something, and how long it took.
    fn learn(&self, found: bool, took: Duration) {
        let made_up_for = (took.as_nanos() / WORTH.as_nanos()).try_into().unwrap_or(LONGEST_REST);
        let in_vain = if found { 0 } else { self.next_rest.get() };
        self.resting.set(in_vain.max(made_up_for).min(LONGEST_REST));
        self.next_rest.set(if found { FIRST_REST } else { (2 * in_vain).min(LONGEST_REST) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `waits` make an offer if each takes this long.
    fn offers(offer: &Offer, waits: u32, found: bool, took: Duration) -> u32 {
        let due = |_: &u32| {
            let due = offer.is_due();
            if due {
                offer.learn(found, took);
            }
            due
        };
        (0..waits).filter(due).count() as u32
    }

    #[test]
    fn offers_that_find_something_at_once_are_made_again_and_again() {
        let offer = Offer::new();
        assert_eq!(
            offers(&offer, PROBE_WAITS, true, WORTH / 2),
            PROBE_WAITS - 1,
            "all but the one that sleeps at once"
        );
    }

    #[test]
    fn offers_in_vain_become_rare_until_one_finds_something() {
        let offer = Offer::new();
        let many = 3 * LONGEST_REST;
        assert!(offers(&offer, many, false, WORTH / 2) < 14);
        while !offer.is_due() {}
        offer.learn(true, WORTH / 2);
        assert!(offers(&offer, 100, true, WORTH / 2) > 98);
    }

    #[test]
    fn what_an_offer_took_too_long_is_made_up_for() {
        let offer = Offer::new();
        let turn = Duration::from_millis(3);
        let made = offers(&offer, 100_000, true, turn);
        assert!(turn * made <= WORTH * 100_000 + turn, "{made} offers of {turn:?}");
        assert!(made > 100, "it is tried again: {made}");
    }

    #[test]
    fn an_offer_ends_with_what_is_found() {
        let offer = Offer::new();
        let looks = Cell::new(0);
        let look = || {
            looks.set(looks.get() + 1);
            Ok((looks.get() == 2).then_some(7))
        };
        assert_eq!(offer.offer(|| (), look).expect("no error"), Some(7));
        assert_eq!(looks.get(), 2);
        assert_eq!(offer.offer(|| (), || Ok(None::<u32>)).expect("no error"), None);
    }
}
