//! Offering the processor to the other side, where both run on the same one: then nobody has to be woken.

use std::cell::Cell;
use std::time::Instant;

use crate::Result;

/// Times the processor is offered before sleeping: once for the other side to take its turn, and once more where somebody
/// else took it.
const YIELDS: u32 = 2;
/// What an offer saves: half of a sleep and a wake, as the other side waits as often. And from when on one is slow.
const WORTH_NS: u64 = 2500;
const SLOW_NS: u64 = 4 * WORTH_NS;
/// Waits without an offer after one that was quick and in vain, doubled each time up to the second of these.
const FIRST_REST: u32 = 2;
const LONGEST_REST: u32 = 4096;
/// Of so many waits one sleeps at once: whoever wakes us says where it runs, and it may have moved.
const PROBE_WAITS: u32 = 256;

/// When to offer it. Beside a stranger who never stops computing an offer can take a turn of milliseconds; so one that is
/// slow is made up for by as many waits without an offer as could have saved its time.
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
            if found.is_some() {
                break;
            }
        }
        self.learn(found.is_some(), start.elapsed().as_nanos() as u64);
        Ok(found)
    }

    /// After an offer: whether it found something, and how long it took.
    fn learn(&self, found: bool, took_ns: u64) {
        let slow = if took_ns > SLOW_NS { took_ns / WORTH_NS } else { 0 };
        let in_vain = if found { 0 } else { self.next_rest.get() };
        self.resting.set(in_vain.max(slow.min(LONGEST_REST.into()) as u32));
        self.next_rest.set(if found { FIRST_REST } else { (2 * in_vain).min(LONGEST_REST) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `waits` make an offer if each takes this long.
    fn offers(offer: &Offer, waits: u32, found: bool, took_ns: u64) -> u32 {
        let due = |_: &u32| {
            let due = offer.is_due();
            if due {
                offer.learn(found, took_ns);
            }
            due
        };
        (0..waits).filter(due).count() as u32
    }

    #[test]
    fn offers_that_find_something_at_once_are_made_again_and_again() {
        let offer = Offer::new();
        assert_eq!(
            offers(&offer, PROBE_WAITS, true, WORTH_NS),
            PROBE_WAITS - 1,
            "all but the one that sleeps at once"
        );
    }

    #[test]
    fn offers_in_vain_become_rare_until_one_finds_something() {
        let offer = Offer::new();
        let many = 3 * LONGEST_REST;
        assert!(offers(&offer, many, false, WORTH_NS) < 14);
        while !offer.is_due() {}
        offer.learn(true, WORTH_NS);
        assert!(offers(&offer, 100, true, WORTH_NS) > 98);
    }

    #[test]
    fn what_an_offer_took_too_long_is_made_up_for() {
        let offer = Offer::new();
        let turn_ns = 3_000_000;
        let made = offers(&offer, 100_000, true, turn_ns);
        assert!(turn_ns * u64::from(made) <= WORTH_NS * 100_000 + turn_ns, "{made} offers of {turn_ns} ns");
        assert!(made > 50, "it is tried again: {made}");
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
