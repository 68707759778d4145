//! `podring doctor --with NAME`, on both sides: a token there and back through a pair of rings.
//!
//! Whoever takes the producer's seat of the first ring is the first side, the other one the second: the
//! kernel's locks decide. Both sleep between messages, with slices so long that a wake-up that does not come
//! is noticed.
//!
//! The first side sends `hello` with its token until it is answered; each answer carries that token and the
//! second side's own, which the first side then sends back in every round. So what a side that was killed in
//! the middle has left in the rings is answered or passed over, and never taken for the present one.

use std::thread;
use std::time::{Duration, Instant};

use podring::{Consumer, Error, Options, Producer, Wait, inspect};
use serde_json::{Value, json};

use super::explain::{self, Cause};
use super::finding::Finding;
use super::fingerprint::Fingerprint;
use super::ground;
use super::place::Place;
use crate::output::{Exit, Failure};
use crate::{human, signals};

const ROUNDS: u64 = 32;
/// A sleep that no wake-up ends takes this long, and is counted.
const SLICE: Duration = Duration::from_secs(1);
/// How long one call may wait, so that Ctrl-C is heard and a `hello` that got lost is sent again.
const PATIENCE: Duration = Duration::from_millis(250);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long the other side's lock may take to be freed after its last word.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long a side that has met goes on when the other one falls silent.
const SILENCE: Duration = Duration::from_secs(5);
const CAPACITY: usize = 16 << 10;
/// Both sides need not be the same user.
const MODE: u32 = 0o666;

/// What came of it.
#[derive(Debug)]
struct Met {
    /// `None`: in a form that this version does not know.
    theirs: Option<Fingerprint>,
    host: String,
    round_trip: Option<Duration>,
    parks: u64,
    late_wakes: u64,
    /// Whether the other side's lock was seen while it was there.
    seen_held: bool,
    /// Whether it was seen to be free afterwards; the second side leaves first, so it does not look.
    seen_free: Option<bool>,
}

/// Waits for the other side and meets it.
pub(super) fn hold(
    place: &Place,
    mine: &Fingerprint,
    name: &str,
    timeout: Duration,
) -> Result<Vec<Finding>, Failure> {
    signals::watch()?;
    let rings = [format!("{name}.doctor-1"), format!("{name}.doctor-2")];
    let deadline = Instant::now() + timeout;
    let mut obstacle = None;
    let met = loop {
        match sit_down(place, &rings) {
            Ok(seats) => match seats.meet(mine, deadline) {
                Ok(met) => break met,
                Err(error) => obstacle = Some(error),
            },
            // Somebody who is about to leave, or who may make the rings where this side may not.
            Err(
                error @ (Error::RoleTaken { .. }
                | Error::Permission { .. }
                | Error::ReadOnly { .. }
                | Error::NotFound { .. }),
            ) => obstacle = Some(error),
            Err(Error::NoDirectory { .. }) => break None,
            Err(error @ (Error::NameInvalid { .. } | Error::OptionInvalid { .. })) => {
                return Err(error.into());
            }
            Err(error) => {
                obstacle = Some(error);
                break None;
            }
        }
        if Instant::now() >= deadline || signals::stopped() {
            break None;
        }
        thread::sleep(LOOK_AGAIN);
    };
    for ring in &rings {
        // Whoever leaves last succeeds.
        let _ = inspect::remove(&place.dir, ring, inspect::Remove::IfStale);
    }
    if signals::stopped() && met.is_none() {
        return Err(Failure::new(Exit::Failure, "Stopped", "stopped before the other side came"));
    }
    Ok(match met {
        Some(met) => describe(mine, &met),
        None => nobody(mine, name, timeout, obstacle.as_ref()),
    })
}

/// The seats of one side, in both rings.
struct Seats {
    tx: Producer,
    rx: Consumer,
    is_first: bool,
}

fn options(place: &Place, ring: &str) -> Options {
    podring::spsc(ring).dir(&place.dir).capacity(CAPACITY).mode(MODE).wait(Wait::Park).slice(SLICE)
}

fn sit_down(place: &Place, [there, back]: &[String; 2]) -> podring::Result<Seats> {
    match options(place, there).producer() {
        Ok(tx) => Ok(Seats { tx, rx: options(place, back).consumer()?, is_first: true }),
        Err(Error::RoleTaken { .. }) => {
            let rx = options(place, there).consumer()?;
            Ok(Seats { tx: options(place, back).producer()?, rx, is_first: false })
        }
        Err(error) => Err(error),
    }
}

impl Seats {
    /// `None`: nobody came before the deadline.
    fn meet(self, mine: &Fingerprint, deadline: Instant) -> podring::Result<Option<Met>> {
        let token = ground::unique();
        if self.is_first { self.first(mine, &token, deadline) } else { self.second(mine, &token, deadline) }
    }

    fn first(mut self, mine: &Fingerprint, token: &str, deadline: Instant) -> podring::Result<Option<Met>> {
        let before = self.rx.stats();
        let Some((answer, echo)) = self.introduce(mine, token, deadline)? else { return Ok(None) };
        let mut times = Vec::new();
        for round in 0..ROUNDS {
            let start = Instant::now();
            self.say(&json!({ "round": round, "echo": echo }))?;
            let Some(_) = self.hear(start + SILENCE, |word| (word["round"] == round).then_some(()))? else {
                return Ok(None);
            };
            times.push(start.elapsed());
        }
        let seen_held = !self.rx.peers()?.is_empty();
        self.say(&json!({ "farewell": true, "echo": echo }))?;
        let farewell = Instant::now() + FAREWELL;
        let mut seen_free = false;
        while !seen_free && Instant::now() < farewell {
            thread::sleep(LOOK_AGAIN);
            seen_free = self.rx.peers()?.is_empty() && self.tx.peers()?.is_empty();
        }
        times.sort_unstable();
        let round_trip = times.get(times.len() / 2).copied();
        Ok(Some(self.met(&answer, before, round_trip, seen_held, Some(seen_free))))
    }

    /// Says hello until it is answered; returns the answer, and the other side's token in it.
    fn introduce(
        &mut self,
        mine: &Fingerprint,
        token: &str,
        deadline: Instant,
    ) -> podring::Result<Option<(Value, String)>> {
        let hello = json!({ "hello": token, "fingerprint": mine.to_string(), "host": hostname() });
        while Instant::now() < deadline && !signals::stopped() {
            if self.tx.peers()?.is_empty() {
                thread::sleep(LOOK_AGAIN);
                continue;
            }
            // Full of what nobody has read: it will be.
            self.tx.try_send(hello.to_string().as_bytes())?;
            let answer = self.hear(Instant::now() + PATIENCE, |word| {
                let theirs = word["token"].as_str()?.to_owned();
                (word["echo"] == token).then(|| (word.clone(), theirs))
            })?;
            if answer.is_some() {
                return Ok(answer);
            }
        }
        Ok(None)
    }

    fn second(mut self, mine: &Fingerprint, token: &str, deadline: Instant) -> podring::Result<Option<Met>> {
        let before = self.rx.stats();
        let mut hello = None;
        let mut met = false;
        let mut until = deadline;
        while Instant::now() < until && !signals::stopped() {
            let Some(word) = self.hear(Instant::now() + PATIENCE, |word| Some(word.clone()))? else {
                continue;
            };
            if let Some(theirs) = word["hello"].as_str() {
                let answer = json!({
                    "echo": theirs, "token": token, "fingerprint": mine.to_string(), "host": hostname(),
                });
                self.say(&answer)?;
                hello = Some(word);
            } else if word["echo"] == token {
                until = Instant::now() + SILENCE;
                if word["farewell"] == true {
                    met = true;
                    break;
                }
                self.say(&word)?;
            }
        }
        let seen_held = !self.rx.peers()?.is_empty();
        Ok(hello.filter(|_| met).map(|hello| self.met(&hello, before, None, seen_held, None)))
    }

    fn met(
        self,
        introduction: &Value,
        before: podring::Stats,
        round_trip: Option<Duration>,
        seen_held: bool,
        seen_free: Option<bool>,
    ) -> Met {
        let after = self.rx.stats();
        Met {
            theirs: introduction["fingerprint"].as_str().and_then(|text| Fingerprint::parse(text).ok()),
            host: human::harmless(introduction["host"].as_str().unwrap_or("an unknown host")),
            round_trip,
            parks: after.parks - before.parks,
            late_wakes: after.slice_rescues - before.slice_rescues,
            seen_held,
            seen_free,
        }
    }

    fn say(&mut self, word: &Value) -> podring::Result<()> {
        self.tx.send_timeout(word.to_string().as_bytes(), SILENCE)
    }

    /// The next word that is wanted; all others are passed over.
    fn hear<T>(
        &mut self,
        until: Instant,
        wanted: impl Fn(&Value) -> Option<T>,
    ) -> podring::Result<Option<T>> {
        loop {
            let message = match self.rx.recv_deadline(until) {
                Ok(message) => message,
                Err(Error::Timeout { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            if let Some(found) = serde_json::from_slice(&message).ok().as_ref().and_then(&wanted) {
                return Ok(Some(found));
            }
        }
    }
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

fn describe(mine: &Fingerprint, met: &Met) -> Vec<Finding> {
    let host = &met.host;
    let memory = match &met.theirs {
        Some(theirs) if mine.is_same_memory(theirs) => {
            format!("both see {} (the other side as uid {})", mine.short(), theirs.uid)
        }
        // One file system that has several device numbers, for example.
        Some(theirs) => format!(
            "this side sees {}, the other {}, and tokens pass all the same",
            mine.short(),
            theirs.short()
        ),
        None => "the other side is another version of podring: its fingerprint cannot be read".to_owned(),
    };
    let memory = Finding::ok("memory", memory)
        .fact("peer_fingerprint", met.theirs.as_ref().map(Fingerprint::to_string))
        .fact("same", met.theirs.as_ref().map(|theirs| mine.is_same_memory(theirs)));
    let token =
        Finding::ok("token", format!("{ROUNDS} tokens there and back with {host}: the memory is shared"))
            .fact("peer_host", host.as_str());
    let round_trip =
        met.round_trip.map_or_else(String::new, |time| format!(", {} us there and back", time.as_micros()));
    let wakes = match (met.parks, met.late_wakes) {
        (0, _) => Finding::warn(
            "wakes",
            "this side never had to sleep, so no wake-up was \
                                 tested",
        )
        .remedy("run it once more"),
        (parks, 0) => Finding::ok(
            "wakes",
            format!(
                "{parks} sleeps, each ended by the other side's \
                                   wake-up{round_trip}"
            ),
        ),
        (parks, late) => Finding::fail(
            "wakes",
            format!(
                "{late} of {parks} sleeps were ended by their \
                                        time-out, not by the other side"
            ),
        )
        .remedy(
            "docker run --security-opt seccomp=PROFILE.json ...   # a profile that allows futex, \
                     on both sides",
        ),
    };
    let wakes = wakes.fact("parks", met.parks).fact("late_wakes", met.late_wakes);
    let wakes = wakes
        .fact("round_trip_ns", met.round_trip.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)));
    let locks = match (met.seen_held, met.seen_free) {
        (true, Some(true)) => Finding::ok(
            "locks",
            "the other side's lock was seen while it was there, and free after it had left",
        ),
        (true, None) => Finding::ok("locks", "the other side's lock was seen while it was there"),
        (true, Some(false)) => {
            Finding::warn("locks", "the other side's lock was still held after its last word")
                .remedy("podring ls   # is the other side paused, or has it forked?")
        }
        (false, _) => Finding::fail(
            "locks",
            "the other side was there, but its lock was not seen: its death would not be noticed",
        )
        .remedy(
            "podring --dir /dev/shm ...   # or another directory on a local file system (tmpfs, ext4, xfs)",
        ),
    };
    vec![memory, token, wakes, locks.fact("seen_held", met.seen_held).fact("seen_free", met.seen_free)]
}

fn nobody(mine: &Fingerprint, name: &str, timeout: Duration, obstacle: Option<&Error>) -> Vec<Finding> {
    let obstacle = obstacle.map_or_else(String::new, |error| format!("; the last obstacle: {error}"));
    let causes = explain::alone(mine);
    let listed =
        |(number, cause): (usize, &Cause)| format!("\n                    {}. {}", number + 1, cause.text);
    let text: String = causes.iter().enumerate().map(listed).collect();
    let found = format!(
        "nobody came within {:.1} s under the name '{name}'{obstacle}. The likeliest causes:{text}",
        timeout.as_secs_f64()
    );
    let mut finding = Finding::fail("meeting", found).remedy(format!(
        "podring doctor --peer-fingerprint {mine}\n# on the other side: names the difference"
    ));
    for cause in &causes {
        finding = finding.remedy(cause.remedy);
    }
    vec![finding.fact("causes", causes.iter().map(|cause| cause.name).collect::<Vec<_>>())]
}
