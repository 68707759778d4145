//! What happens in a round, all of it from one seed: nothing here depends on what happened.

use std::time::Duration;

/// Random numbers that a seed repeats (SplitMix64; Steele, Lea, Flood 2014).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Those of one round of a storm.
    pub(crate) fn of_round(seed: u64, round: u64) -> Self {
        Self(seed ^ round.wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// From nothing to a hundred milliseconds, every magnitude as likely as any other.
    pub(crate) fn pause(&mut self) -> Duration {
        let most = 1 << self.below(18);
        Duration::from_micros(self.below(most).min(100_000))
    }
}

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Producer,
    Consumer,
}

impl Which {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Producer => Self::Consumer,
            Self::Consumer => Self::Producer,
        }
    }
}

/// Something that happens to a side, or to both. Pauses are part of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Blow {
    /// SIGKILL, and a successor after the pause.
    Kill(Which, Duration),
    /// SIGSTOP, and SIGKILL after the pause, without ever going on.
    KillStopped(Which, Duration),
    /// SIGKILL to both, the one named first; successors in the same order.
    KillBoth(Which, Duration),
    /// SIGKILL, and a successor that is killed so soon that it may still be taking its seat.
    KillEarly(Which, Duration),
    /// SIGSTOP, and SIGCONT after the pause.
    Stop(Which, Duration),
    /// SIGSTOP to both, the one named first; it also goes on first.
    StopBoth(Which, Duration),
    /// SIGKILL to one while the other is stopped; a successor comes before it goes on.
    KillBesideStopped(Which, Duration),
    /// SIGTERM: it leaves in good order, and a successor comes.
    End(Which, Duration),
    /// Another process tries to take the seat of a side that is stopped.
    Usurp(Which),
}

impl Blow {
    pub(crate) fn random(random: &mut Random) -> Self {
        let which = random.pick(&[Which::Producer, Which::Consumer]);
        let pause = random.pause();
        match random.below(32) {
            0..=9 => Self::Kill(which, pause),
            10..=12 => Self::KillStopped(which, pause),
            13..=15 => Self::KillBoth(which, pause),
            16..=18 => Self::KillEarly(which, pause / 8),
            // Longer than a sleeper sleeps before it looks around, now and then.
            19..=22 => {
                Self::Stop(which, if random.one_in(4) { pause + Duration::from_millis(150) } else { pause })
            }
            23..=24 => Self::StopBoth(which, pause),
            25..=27 => Self::KillBesideStopped(which, pause),
            28..=30 => Self::End(which, pause),
            _ => Self::Usurp(which),
        }
    }
}

/// A round: how the two sides are started, and what happens to them.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) producer: String,
    pub(crate) consumer: String,
    /// Whether a side that waits for a dead one is told, and ends.
    pub(crate) told: bool,
    /// Blows, and what passes before each.
    pub(crate) blows: Vec<(Duration, Blow)>,
}

/// Blows of a round.
const BLOWS: usize = 80;

impl Plan {
    pub(crate) fn of_round(seed: u64, round: u64) -> Self {
        let mut random = Random::of_round(seed, round);
        let (capacity, largest) =
            random.pick(&[("4K", 1500), ("16K", 8000), ("64K", 30_000), ("1M", 60_000)]);
        let max = random.pick(&[0, 64, 1024, 1024, largest]);
        let batch = random.pick(&[1, 1, 8, 64]);
        let told = random.one_in(3);
        let loss = if told { "report" } else { "wait" };
        let mut wait = || random.pick(&["park", "adaptive", "adaptive", "spin"]);
        let (sends, receives) = (wait(), wait());
        Self {
            producer: format!(
                "verify producer r --capacity {capacity} --max {max} --batch {batch} --wait {sends} --peer-loss {loss}"
            ),
            consumer: format!("verify consumer r --capacity {capacity} --wait {receives} --peer-loss {loss}"),
            told,
            blows: (0..BLOWS).map(|_| (random.pause(), Blow::random(&mut random))).collect(),
        }
    }
}
