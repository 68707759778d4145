//! The attacker: maps the file of a ring in use and writes what no participant would.

use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::board::{Board, Count};
use crate::common::Random;
use crate::common::words::Words;

const CONTROL: usize = 4096;
const TAIL: usize = CONTROL;
const HEAD: usize = CONTROL + 128;
const ITEMS: usize = CONTROL + 256;
const SPACE: usize = CONTROL + 384;
const STREAM: usize = CONTROL + 512;
const SEATS: usize = 8192;
const SEAT: usize = 256;
const HANDED: usize = SEATS + SEAT + 208;
const DATA: usize = 24_576;
const IDENTITY_WORDS: usize = 64;
/// Ways to strike, the likelier ones counted more than once.
const WEAPONS: u64 = 18;
/// Values of the past that are kept for later.
const MEMORY: usize = 256;

/// Arguments: the directory, the board, the row on it, the seed, and the rings' names.
pub(crate) fn play(args: &[String]) {
    let board = Board::map(Path::new(&args[1]));
    let row = args[2].parse().expect("a row");
    let mut random = Random::seeded(args[3].parse().expect("a seed"));
    let mut rings: Vec<Ring> = args[4..].iter().map(|name| Ring::open(Path::new(&args[0]), name)).collect();
    // Until it is killed, after the victims have ended: some of them wait for what only it will write.
    loop {
        let index = random.below(rings.len() as u64) as usize;
        let ring = &mut rings[index];
        // Everything from a single wrong word to a hail of them: most defences only act between two blows.
        let blows = [1, 1, 4, 32, 2000][random.below(5) as usize];
        // With one weapon, the rest of the ring stays right, and victims get further.
        let weapon = random.one_in(2).then(|| random.below(WEAPONS));
        for _ in 0..blows {
            let weapon = weapon.unwrap_or_else(|| random.below(WEAPONS));
            ring.strike(weapon, &mut random);
        }
        board.add(row, Count::Writes, std::mem::take(&mut ring.writes));
        match random.below(8) {
            0 | 1 => ring.heal(&mut random),
            2..=5 => std::thread::sleep(Duration::from_micros(random.below(400))),
            _ => {}
        }
    }
}

/// The segment under attack.
struct Ring {
    words: Words,
    identity: [u64; IDENTITY_WORDS],
    /// Places and what was there once.
    past: Vec<(usize, u64)>,
    writes: u64,
}

impl Ring {
    fn open(dir: &Path, name: &str) -> Self {
        let words = Words::map(&dir.join(name));
        let mut identity = [0; IDENTITY_WORDS];
        identity.iter_mut().enumerate().for_each(|(index, word)| *word = words.get(index));
        Self { words, identity, past: Vec::new(), writes: 0 }
    }

    fn data_len(&self) -> u64 {
        (self.words.len() - DATA) as u64
    }

    fn put(&mut self, at: usize, value: u64) {
        self.words.at(at).store(value, Relaxed);
        self.writes += 1;
    }

    fn put_half(&mut self, at: usize, value: u32) {
        self.words.half_at(at).store(value, Relaxed);
        self.writes += 1;
    }

    fn get(&self, at: usize) -> u64 {
        self.words.at(at).load(Relaxed)
    }

    fn strike(&mut self, weapon: u64, random: &mut Random) {
        match weapon {
            0 => {
                let at = self.anywhere(random);
                self.put(at, random.next());
            }
            1 => {
                let at = self.anywhere(random);
                self.words.at(at).fetch_xor(1 << random.below(64), Relaxed);
                self.writes += 1;
            }
            2 | 3 => self.replay(random),
            4 | 5 => self.position(random),
            6..=9 | 15 | 16 if self.has_slots() => self.slot(random),
            6..=9 => self.record_header(random),
            10 | 11 => self.wait_word(random),
            12 => {
                let count = (random.next() as u32) << 2;
                self.put_half(STREAM, count | random.below(4) as u32);
            }
            13 => self.seat(random),
            14 => self.counters(random),
            15 | 16 => self.forge(random),
            _ => {
                if random.one_in(64) {
                    self.identity(random);
                }
            }
        }
    }

    /// Any word but the identity's, those in use more often.
    fn anywhere(&self, random: &mut Random) -> usize {
        let at = match random.below(4) {
            0 => CONTROL as u64 + random.below(896),
            1 => SEATS as u64 + random.below(2 * SEAT as u64),
            2 => SEATS as u64 + random.below((DATA - SEATS) as u64),
            _ => DATA as u64 + random.below(self.data_len()),
        };
        at as usize & !7
    }

    /// Puts something back that was right once.
    fn replay(&mut self, random: &mut Random) {
        let at = match random.below(4) {
            0 => TAIL,
            1 => HEAD,
            _ => self.anywhere(random),
        };
        let now = (at, self.get(at));
        if self.past.len() < MEMORY {
            self.past.push(now);
            return;
        }
        let index = random.below(MEMORY as u64) as usize;
        let (at, before) = std::mem::replace(&mut self.past[index], now);
        self.put(at, before);
    }

    fn position(&mut self, random: &mut Random) {
        let (mine, other) = if random.one_in(2) { (TAIL, HEAD) } else { (HEAD, TAIL) };
        let (now, len) = (self.get(mine), self.data_len());
        let value = match random.below(10) {
            0 => random.next(),
            1 => now.wrapping_add(8 * random.below(64)),
            2 => now.wrapping_sub(8 * random.below(64)),
            3 => now ^ random.below(8),
            4 => self.get(other),
            5 => self.get(other).wrapping_add(len),
            6 => self.get(other).wrapping_sub(len),
            7 => now.wrapping_add(len * (1 + random.below(3))),
            8 => [0, u64::MAX, 1 << 63, 1 << 32, !7][random.below(5) as usize],
            _ => self.get(other).wrapping_add(random.below(len + 16)),
        };
        self.put(mine, value);
    }

    /// A header where the next one is read, or anywhere: lengths from none to four gigabytes.
    fn record_header(&mut self, random: &mut Random) {
        let len = self.data_len();
        let position = match random.below(4) {
            0 => self.get(TAIL),
            1 | 2 => self.get(HEAD),
            _ => random.next(),
        };
        let near = position.wrapping_add(8 * random.below(3));
        let at = (DATA + (near % len) as usize) & !7;
        let kind = [0, 1, 1, 1, 2, 2, 3, u64::from(u32::MAX)][random.below(8) as usize] << 32;
        let bytes = match random.below(8) {
            0 => u64::from(u32::MAX),
            1 => u64::from(u32::MAX) - random.below(16),
            2 => random.below(1 << 32),
            3 => len - near % len,
            4 => (len - near % len).saturating_sub(8),
            5 => len / 2 - 8 + random.below(16),
            _ => random.below(len + 16),
        };
        self.put(at, kind | bytes);
    }

    /// Whether many may take part.
    fn has_slots(&self) -> bool {
        self.identity[1] >> 32 >= 3
    }

    /// A slot's word where the next one is written or read, or anywhere, almost as it should be; a length; a position
    /// with somebody's name.
    fn slot(&mut self, random: &mut Random) {
        let (slots, stride) = (self.identity[4], self.identity[5]);
        let counter = if random.one_in(2) { TAIL } else { HEAD };
        let ticket = (self.get(counter) >> 9).wrapping_add(random.below(5)).wrapping_sub(2);
        let lap = slots * random.below(3);
        let ticket = if random.one_in(2) { ticket.wrapping_sub(slots) } else { ticket }.wrapping_add(lap);
        let word = ticket << 9 | random.below(64) << 3 | random.below(8);
        let at = DATA + (ticket % slots * stride) as usize;
        match random.below(4) {
            0 => self.put(at + 8, [random.below(128), random.next()][random.below(2) as usize]),
            1 => self.put(counter, ticket << 9 | random.below(64) << 3),
            _ => self.put(at, word),
        }
    }

    /// A message that nobody sent: positions and header almost go together.
    fn forge(&mut self, random: &mut Random) {
        let len = self.data_len();
        let head = self.get(HEAD);
        let bytes = if random.one_in(2) { random.below(len / 2) } else { random.below(len) };
        let end = bytes.next_multiple_of(8) + 8 + 8 * random.below(3);
        self.put((DATA + (head % len) as usize) & !7, 1 << 32 | bytes);
        self.put(TAIL, head.wrapping_add(end.min(len)));
    }

    fn wait_word(&mut self, random: &mut Random) {
        let at = [ITEMS, SPACE][random.below(2) as usize];
        let now = self.words.half_at(at).load(Relaxed);
        let value = match random.below(5) {
            0 => random.next() as u32,
            1 => now | 1,
            2 => now & !1,
            3 => now.wrapping_add(8),
            _ => random.below(16) as u32,
        };
        self.put_half(at, value);
    }

    fn seat(&mut self, random: &mut Random) {
        let seat = SEATS + SEAT * if random.one_in(4) { random.below(64) } else { random.below(2) } as usize;
        match random.below(5) {
            0 => self.put_half(seat, random.below(5) as u32),
            1 => self.put_half(seat + 4, random.next() as u32),
            // The one processor that a holder may run on: polling or not hangs on it.
            2 => self.put_half(seat + 12, random.below(6) as u32),
            3 => self.put(seat + 16, random.next()),
            _ => {
                // Names: escape sequences, halves of characters, no end.
                let text =
                    [0x1b5b_324a_1b5b_481b, 0xffff_ffff_ffff_ffff, 0xc3c3_c3c3_c3c3_c3c3, random.next()];
                let at = seat + 24 + 8 * random.below(12) as usize;
                self.put(at, text[random.below(4) as usize]);
            }
        }
    }

    fn counters(&mut self, random: &mut Random) {
        if random.one_in(2) {
            let near = self.get(HEAD).wrapping_add(random.below(2 * self.data_len()));
            self.put(HANDED, near);
        } else {
            let at = SEATS + SEAT * random.below(2) as usize + 128 + 8 * random.below(11) as usize;
            self.put(at, [u64::MAX, 0, random.next()][random.below(3) as usize]);
        }
    }

    /// Another identity for a moment, its checksum right more often than not; then what was there.
    fn identity(&mut self, random: &mut Random) {
        let mut forged = self.identity;
        let word = random.below(IDENTITY_WORDS as u64) as usize;
        forged[word] = match random.below(4) {
            0 => random.next(),
            1 => forged[word] ^ 1 << random.below(64),
            2 => forged[word].wrapping_shl(1),
            _ => [0, 1, u64::MAX, 1 << 40][random.below(4) as usize],
        };
        if !random.one_in(4) {
            forged[IDENTITY_WORDS - 1] = fnv1a(&forged[..IDENTITY_WORDS - 1]);
        }
        (0..IDENTITY_WORDS).for_each(|index| self.put(index * 8, forged[index]));
        std::thread::sleep(Duration::from_micros(random.below(300)));
        (0..IDENTITY_WORDS).for_each(|index| self.words.set(index, self.identity[index]));
    }

    /// Makes the ring usable again, as if it were new: errors alone would leave most of the victims untried.
    fn heal(&mut self, random: &mut Random) {
        let position = random.next() & !7;
        self.words.at(TAIL).store(position, Relaxed);
        self.words.at(HEAD).store(position, Relaxed);
        self.words.half_at(STREAM).store(0, Relaxed);
        std::thread::sleep(Duration::from_micros(random.below(2000)));
    }
}

fn fnv1a(words: &[u64]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
