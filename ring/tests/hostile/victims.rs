//! Those who use a ring that somebody else destroys: copying, with time-outs, and coming back after errors.

use std::path::Path;
use std::time::Duration;

use podring::{Create, Options, Wait, inspect};

use crate::board::{Board, Count};
use crate::bounded::{Calls, ENTRY};
use crate::common::{Random, ring_in};
use crate::guard::{self, Guards};

pub(crate) const BYTES: &str = "bytes";
pub(crate) const TYPED: &str = "typed";
pub(crate) const MANY: &str = "many";
#[cfg(feature = "bytemuck")]
pub(crate) type Element = [u32; 4];
/// Calls with one handle before it is given up, if nothing goes wrong.
const ROUNDS: u64 = 60;
/// Calls that have no time-out end when the other side, or the attacker, gives them what they wait for.
#[cfg(feature = "bytemuck")]
const UNLIMITED: Duration = Duration::from_secs(10);
/// Bytes behind a buffer that must stay what they are.
pub(crate) const MARGIN: usize = 64;
/// A buffer smaller than this is too small for many messages.
const SMALL_BUFFER: usize = 64;
pub(crate) const UNTOUCHED: u8 = 0xA5;

pub(crate) struct Victim<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) calls: Calls<'a>,
    pub(crate) random: Random,
    /// Whether the last ring lay where it could not be guarded.
    is_misplaced: bool,
}

/// Arguments: the directory, the board, the row on it, and the seed.
pub(crate) fn run(args: &[String], mut live: impl FnMut(&mut Victim<'_>)) {
    let board = Board::map(Path::new(&args[1]));
    let calls = Calls::new(&board, args[2].parse().expect("a row"));
    let random = Random::seeded(args[3].parse().expect("a seed"));
    let mut victim = Victim { dir: Path::new(&args[0]), calls, random, is_misplaced: true };
    while !board.is_over() {
        if std::mem::take(&mut victim.is_misplaced) {
            guard::ceiling();
        }
        live(&mut victim);
    }
}

impl Victim<'_> {
    fn options(&mut self, ring: &str) -> Options {
        let (wait, slice) = self.waiting();
        ring_in(self.dir, ring).create(Create::Never).open_timeout(Duration::ZERO).wait(wait).slice(slice)
    }

    /// How to wait, and for how long at a time.
    pub(crate) fn waiting(&mut self) -> (Wait, Duration) {
        let wait = [Wait::Park, Wait::Park, Wait::Adaptive, Wait::Spin][self.random.below(4) as usize];
        (wait, Duration::from_millis(1 + self.random.below(20)))
    }

    pub(crate) fn timeout(&mut self) -> Duration {
        Duration::from_micros([0, 50, 300, 2000][self.random.below(4) as usize])
    }

    pub(crate) fn guards(&mut self, ring: &str) -> Option<Guards> {
        let guards = Guards::around(&self.dir.join(ring));
        self.calls.board.add(self.calls.row, Count::Guarded, guards.is_some().into());
        self.is_misplaced = guards.is_none();
        guards
    }

    /// Whether to go on with the same handle: one whose ring is beyond repair is given up after a while.
    pub(crate) fn goes_on(&mut self) -> bool {
        !self.calls.board.is_over() && !self.random.one_in(ROUNDS)
    }
}

pub(crate) fn send(args: &[String]) {
    run(args, |victim| {
        let options = victim.options(BYTES);
        let Some(mut tx) = victim.calls.within(ENTRY, || options.producer()) else { return };
        let _guards = victim.guards(BYTES);
        let largest = tx.largest_message();
        let message = vec![7; largest + 1];
        while victim.goes_on() {
            let len = [0, 8, 100, largest, largest + 1][victim.random.below(5) as usize];
            let len = len.min(victim.random.below(largest as u64 * 2 + 2) as usize);
            let wait = victim.timeout();
            let calls = &mut victim.calls;
            match victim.random.below(8) {
                0 => calls.tries(Duration::ZERO, || tx.try_send(&message[..len])),
                1 | 2 => calls.tries(wait, || tx.send_timeout(&message[..len], wait)),
                3 => {
                    if let Some(mut claim) = calls.within(wait, || tx.claim_timeout(len, wait)) {
                        claim.fill(9);
                        if victim.random.one_in(2) {
                            claim.commit();
                        }
                    }
                }
                4 | 5 => {
                    let mut batch = tx.batch();
                    for _ in 0..victim.random.below(12) {
                        calls.tries(wait, || batch.send_timeout(&message[..len], wait));
                        calls.tries(Duration::ZERO, || batch.try_send(&message[..len / 2]));
                    }
                    if victim.random.one_in(2) {
                        batch.publish();
                    }
                }
                6 => calls.tries(Duration::ZERO, || tx.peers()),
                _ => {
                    let _ = tx.stats();
                    calls.tries(wait, || tx.wait_for_peer(wait));
                }
            }
            if victim.random.one_in(200) {
                victim.calls.tries(Duration::ZERO, || tx.close());
                return;
            }
        }
    });
}

pub(crate) fn receive(args: &[String]) {
    run(args, |victim| {
        let options = victim.options(BYTES);
        let Some(mut rx) = victim.calls.within(ENTRY, || options.consumer()) else { return };
        let _guards = victim.guards(BYTES);
        let largest = rx.largest_message();
        // A forged identity may say that messages are tiny.
        let mut buffer = vec![UNTOUCHED; largest.max(SMALL_BUFFER) + MARGIN];
        let mut out = Vec::new();
        while victim.goes_on() {
            let room = if victim.random.one_in(2) {
                largest
            } else {
                victim.random.below(SMALL_BUFFER as u64) as usize
            };
            let wait = victim.timeout();
            let calls = &mut victim.calls;
            match victim.random.below(6) {
                0 => calls.tries(Duration::ZERO, || rx.try_recv_to_vec(&mut out)),
                1 => calls.tries(wait, || rx.recv_to_vec_timeout(&mut out, wait)),
                2 | 3 => {
                    let got = calls.within(wait, || rx.recv_into_timeout(&mut buffer[..room], wait));
                    assert!(got.is_none_or(|len| len <= room));
                    let behind = &mut buffer[room..room + MARGIN];
                    assert!(behind.iter().all(|byte| *byte == UNTOUCHED), "written behind the buffer");
                    buffer[..room].fill(UNTOUCHED);
                }
                4 => calls.tries(Duration::ZERO, || rx.peers()),
                _ => {
                    let _ = rx.stats();
                    calls.tries(wait, || rx.wait_for_peer(wait));
                }
            }
            assert!(out.len() <= largest, "{} bytes", out.len());
        }
    });
}

pub(crate) fn typed_send(args: &[String]) {
    #[cfg(feature = "bytemuck")]
    run(args, |victim| {
        let options = victim.options(TYPED).typed::<Element>();
        let Some(mut tx) = victim.calls.within(ENTRY, || options.producer()) else { return };
        let _guards = victim.guards(TYPED);
        let many = vec![[7; 4]; tx.capacity() / 2];
        while victim.goes_on() {
            let wait = victim.timeout();
            let calls = &mut victim.calls;
            match victim.random.below(8) {
                0..=2 => calls.tries(Duration::ZERO, || tx.try_send(&[1; 4])),
                3..=6 => calls.tries(wait, || tx.send_timeout(&[2; 4], wait)),
                _ => calls.tries(UNLIMITED, || tx.send_all(&many)),
            }
        }
    });
    #[cfg(not(feature = "bytemuck"))]
    let _ = args;
}

pub(crate) fn typed_receive(args: &[String]) {
    #[cfg(feature = "bytemuck")]
    run(args, |victim| {
        let options = victim.options(TYPED).typed::<Element>();
        let Some(mut rx) = victim.calls.within(ENTRY, || options.consumer()) else { return };
        let _guards = victim.guards(TYPED);
        let mut many: Vec<Element> = vec![[!0; 4]; 2 * rx.capacity()];
        while victim.goes_on() {
            let wait = victim.timeout();
            let calls = &mut victim.calls;
            match victim.random.below(8) {
                0..=2 => calls.tries(Duration::ZERO, || rx.try_recv()),
                3..=6 => calls.tries(wait, || rx.recv_timeout(wait)),
                _ => {
                    let room = victim.random.below(many.len() as u64 - 8) as usize;
                    let got = calls.within(UNLIMITED, || rx.recv_many(&mut many[..room]));
                    assert!(got.is_none_or(|count| count <= room));
                    assert!(many[room..].iter().all(|one| *one == [!0; 4]), "written behind the buffer");
                    many[..room].fill([!0; 4]);
                }
            }
        }
    });
    #[cfg(not(feature = "bytemuck"))]
    let _ = args;
}

/// Looks at the rings without taking part.
pub(crate) fn watch(args: &[String]) {
    run(args, |victim| {
        let dir = victim.dir;
        for name in [BYTES, TYPED, MANY] {
            let Some(report) = victim.calls.within(Duration::ZERO, || inspect::report(dir, name)) else {
                continue;
            };
            assert!(report.used <= report.capacity, "{} of {}", report.used, report.capacity);
            let texts = report.seats.iter().flat_map(|seat| [&seat.program, &seat.host]);
            let plain = |text: &String| !text.chars().any(char::is_control);
            assert!(texts.chain([&report.creator]).all(plain), "{report:?}");
        }
        victim.calls.tries(Duration::ZERO, || inspect::list(dir));
        std::thread::sleep(Duration::from_micros(200));
    });
}
