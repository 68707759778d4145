//! Accounts of rings with many producers and consumers that survive SIGKILL: mapped files, as the
//! [`journal`](super::journal) of one pair.
//!
//! A file for each run of a producer, which it makes: `run-` and its number, in hexadecimal.
//!
//! ```text
//! word 0        magic
//! word 1        messages that can be on their way when the producer is killed
//! word 2        sends that returned
//! word 3        the longest wait for room while a consumer was alive, in nanoseconds
//! byte 4096..   one for each message, which consumers note before they release it:
//!               bits 0-3 how often it came, bits 4-7 how often it came marked as redelivered
//! ```
//!
//! And a file for all consumers, `consumers`: magic, then what shows only when a message comes: reordered, corrupt, and
//! invented, of a run or with a number that no producer has sent. Then the longest wait for a message while a producer was
//! alive.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use memmap2::{MmapOptions, MmapRaw};

use super::checker::Counts;
use super::journal::Account;
use super::message::Tag;
use crate::output::{Exit, Failure};

/// Where the messages of a run begin: a page of words before.
const HEAD: usize = 4096;
const RUN_MAGIC: u64 = u64::from_ne_bytes(*b"prdvRUN1");
const CONSUMERS_MAGIC: u64 = u64::from_ne_bytes(*b"prdvMAN1");
/// Room made for messages at once, at least and at most.
const LEAST_ROOM: u64 = 16 << 10;
const MOST_ROOM: u64 = 1 << 20;
/// Times that a byte can count.
const MOST_TIMES: u8 = 15;

/// A mapped file.
#[derive(Debug)]
struct Pages {
    map: MmapRaw,
}

impl Pages {
    fn map(file: &File, len: usize, path: &Path) -> Result<Self, Failure> {
        let map =
            MmapOptions::new().len(len).map_raw(file).map_err(|error| failed("mapping", path, &error))?;
        Ok(Self { map })
    }

    // A mapping begins with a page, which is aligned to more than a word.
    #[allow(clippy::cast_ptr_alignment)]
    fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < HEAD / 8 && self.map.len() >= HEAD);
        // SAFETY: the word lies in the mapping's first page.
        let word = unsafe { self.map.as_mut_ptr().cast::<u64>().add(index) };
        // SAFETY: it is mapped for as long as `self`, and every access to it by this program is atomic.
        unsafe { AtomicU64::from_ptr(word) }
    }

    /// The byte of a message, if there is one.
    fn byte(&self, seq: u64) -> Option<&AtomicU8> {
        let at = usize::try_from(seq).ok()?.checked_add(HEAD).filter(|at| *at < self.map.len())?;
        // SAFETY: just checked to lie in the mapping.
        let byte = unsafe { self.map.as_mut_ptr().add(at) };
        // SAFETY: as for a word.
        Some(unsafe { AtomicU8::from_ptr(byte) })
    }
}

/// What a producer of many knows to have sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pages: Pages,
    file: File,
    path: PathBuf,
    run: u64,
    /// Messages there is room for.
    room: u64,
}

impl Sent {
    /// Begins a run of this number. `in_flight`: how many messages can be sent and not yet noted.
    pub(crate) fn begin(dir: &Path, run: u64, in_flight: u64) -> Result<Self, Failure> {
        fs::create_dir_all(dir).map_err(|error| failed("making the directory", dir, &error))?;
        let path = run_path(dir, run);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| failed("making", &path, &error))?;
        reserve(&file, HEAD as u64 + LEAST_ROOM, &path)?;
        let pages = Pages::map(&file, HEAD, &path)?;
        pages.word(1).store(in_flight, Ordering::Relaxed);
        pages.word(0).store(RUN_MAGIC, Ordering::Release);
        Ok(Self { pages, file, path, run, room: LEAST_ROOM })
    }

    pub(crate) fn run(&self) -> u64 {
        self.run
    }

    /// Makes room to note the messages before `end`, which are about to be sent.
    pub(crate) fn make_room(&mut self, end: u64) -> Result<(), Failure> {
        while self.room < end {
            self.room += self.room.min(MOST_ROOM);
            reserve(&self.file, HEAD as u64 + self.room, &self.path)?;
        }
        Ok(())
    }

    /// So many sends of this run have returned.
    pub(crate) fn sent(&self, messages: u64) {
        self.pages.word(2).store(messages, Ordering::Release);
    }

    /// No wait of this run has been longer.
    pub(crate) fn waited(&self, longest: Duration) {
        self.pages.word(3).store(nanoseconds(longest), Ordering::Relaxed);
    }
}

/// What the consumers know to have received.
#[derive(Debug)]
pub(crate) struct Received {
    dir: PathBuf,
    flaws: Pages,
    runs: HashMap<u64, Pages>,
}

/// What goes wrong when a message comes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Flaw {
    Reordered = 1,
    Corrupt = 2,
    Invented = 3,
}

/// The word behind the flaws.
const CONSUMERS_WAIT: usize = 4;

impl Received {
    pub(crate) fn open(dir: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(dir).map_err(|error| failed("making the directory", dir, &error))?;
        let path = dir.join("consumers");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| failed("opening", &path, &error))?;
        match length(&file, &path)? {
            0 => reserve(&file, HEAD as u64, &path)?,
            len if len == HEAD as u64 => {}
            _ => return Err(not_ours(&path)),
        }
        let flaws = Pages::map(&file, HEAD, &path)?;
        // All who come at once write the same.
        match flaws.word(0).load(Ordering::Relaxed) {
            0 => flaws.word(0).store(CONSUMERS_MAGIC, Ordering::Relaxed),
            CONSUMERS_MAGIC => {}
            _ => return Err(not_ours(&path)),
        }
        Ok(Self { dir: dir.to_owned(), flaws, runs: HashMap::new() })
    }

    /// Notes a message, before it is released. Returns how often it had come unmarked, or `None` if nobody sent it.
    pub(crate) fn note(&mut self, tag: Tag, marked: bool) -> Result<Option<u8>, Failure> {
        let known = self.runs.get(&tag.run).is_some_and(|pages| pages.byte(tag.seq).is_some());
        if !known {
            let Some(pages) = look(&run_path(&self.dir, tag.run))? else {
                self.flaw(Flaw::Invented);
                return Ok(None);
            };
            self.runs.insert(tag.run, pages);
        }
        let Some(byte) = self.runs.get(&tag.run).and_then(|pages| pages.byte(tag.seq)) else {
            self.flaw(Flaw::Invented);
            return Ok(None);
        };
        let count = |byte: u8| {
            let (times, marks) = (byte & 15, byte >> 4);
            Some(if marked {
                times | (marks + 1).min(MOST_TIMES) << 4
            } else {
                (times + 1).min(MOST_TIMES) | marks << 4
            })
        };
        let before = byte.fetch_update(Ordering::AcqRel, Ordering::Relaxed, count).unwrap_or_default();
        Ok(Some(before & 15))
    }

    pub(crate) fn flaw(&self, flaw: Flaw) {
        self.flaws.word(flaw as usize).fetch_add(1, Ordering::Relaxed);
    }

    /// No wait of this consumer has been longer.
    pub(crate) fn waited(&self, longest: Duration) {
        self.flaws.word(CONSUMERS_WAIT).fetch_max(nanoseconds(longest), Ordering::Relaxed);
    }
}

/// Whether participants of a ring with many of both have kept journals here.
pub(crate) fn is_kept_in(dir: &Path) -> bool {
    dir.join("consumers").exists()
}

/// What all journals say together.
pub(crate) fn account(dir: &Path) -> Result<Account, Failure> {
    let path = dir.join("consumers");
    let file = open(&path)?;
    if length(&file, &path)? != HEAD as u64 {
        return Err(not_ours(&path));
    }
    let flaws = Pages::map(&file, HEAD, &path)?;
    let flaw = |flaw: Flaw| flaws.word(flaw as usize).load(Ordering::Acquire);
    let mut counts = Counts {
        reordered: flaw(Flaw::Reordered),
        corrupt: flaw(Flaw::Corrupt) + flaw(Flaw::Invented),
        ..Counts::default()
    };
    let (mut messages, mut runs) = (0, 0);
    let mut longest = flaws.word(CONSUMERS_WAIT).load(Ordering::Relaxed);
    let entries = fs::read_dir(dir).map_err(|error| failed("listing", dir, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| failed("listing", dir, &error))?.path();
        let ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("run-"));
        if ours && let Some(pages) = look(&path)? {
            messages += add(&pages, &mut counts);
            longest = longest.max(pages.word(3).load(Ordering::Relaxed));
            runs += 1;
        }
    }
    Ok(Account { messages, runs, counts, longest_wait: Some(Duration::from_nanos(longest)) })
}

/// Adds what one run's messages came to. Returns how many of them came.
fn add(pages: &Pages, counts: &mut Counts) -> u64 {
    let sent = pages.word(2).load(Ordering::Acquire);
    let possible = sent.saturating_add(pages.word(1).load(Ordering::Acquire));
    let mut messages = 0;
    for seq in 0.. {
        let Some(byte) = pages.byte(seq) else {
            // Sends that returned and that there never was room for: nobody can have noted them.
            counts.lost += sent.saturating_sub(seq);
            break;
        };
        let byte = byte.load(Ordering::Acquire);
        let (times, marks) = (u64::from(byte & 15), u64::from(byte >> 4));
        if times + marks == 0 {
            counts.lost += u64::from(seq < sent);
            continue;
        }
        messages += 1;
        counts.corrupt += u64::from(seq >= possible);
        counts.duplicated += times.saturating_sub(1);
        // A reader that dies before it notes the message leaves nothing but the mark.
        counts.redelivered += if times == 0 { marks - 1 } else { marks };
    }
    messages
}

/// A run's file as long as it is now; `None` if there is none, or its maker was killed before it was one.
fn look(path: &Path) -> Result<Option<Pages>, Failure> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("opening", path, &error)),
    };
    let len = length(&file, path)?;
    if len < HEAD as u64 {
        return Ok(None);
    }
    let pages = Pages::map(&file, len as usize, path)?;
    match pages.word(0).load(Ordering::Acquire) {
        RUN_MAGIC => Ok(Some(pages)),
        0 => Ok(None),
        _ => Err(not_ours(path)),
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    OpenOptions::new().read(true).write(true).open(path).map_err(|error| failed("opening", path, &error))
}

fn nanoseconds(span: Duration) -> u64 {
    span.as_nanos().try_into().unwrap_or(u64::MAX)
}

fn run_path(dir: &Path, run: u64) -> PathBuf {
    dir.join(format!("run-{run:016x}"))
}

/// Space for all of it now: a store into a hole of a full file system would be fatal.
fn reserve(file: &File, len: u64, path: &Path) -> Result<(), Failure> {
    nix::fcntl::posix_fallocate(file, 0, len as i64)
        .map_err(|error| failed("reserving space for", path, &error.into()))
}

fn length(file: &File, path: &Path) -> Result<u64, Failure> {
    Ok(file.metadata().map_err(|error| failed("looking at", path, &error))?.len())
}

fn failed(doing: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::io(&format!("{doing} {}", path.display()), error)
}

fn not_ours(path: &Path) -> Failure {
    let message =
        format!("{} is not a journal of this version of podring: choose another directory", path.display());
    Failure::new(Exit::Unavailable, "Journal", message)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::time::Duration;

    use super::{Counts, Flaw, LEAST_ROOM, Received, Sent, Tag, account};
    use crate::output::Exit;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(test: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("podring-tally-{test}-{}", std::process::id()));
            fs::create_dir_all(&dir).unwrap();
            Self(dir)
        }

        /// A run of `sent` messages, of which these come: number, and whether marked.
        fn counts(&self, sent: u64, comes: &[(u64, bool)]) -> Counts {
            let run = Sent::begin(&self.0, 7, 2).unwrap();
            run.sent(sent);
            let mut received = Received::open(&self.0).unwrap();
            for &(seq, marked) in comes {
                received.note(Tag { run: 7, seq }, marked).unwrap();
            }
            account(&self.0).unwrap().counts
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn all_that_was_sent_came() {
        let scratch = Scratch::new("clean");
        assert_eq!(scratch.counts(3, &[(1, false), (0, false), (2, false)]), Counts::default());
    }

    #[test]
    fn what_nobody_noted_is_lost() {
        let scratch = Scratch::new("lost");
        let lost = scratch.counts(3, &[(1, false)]);
        assert_eq!(lost, Counts { lost: 2, ..Counts::default() });
    }

    #[test]
    fn what_was_noted_twice_is_duplicated_unless_marked() {
        let scratch = Scratch::new("twice");
        let counts = scratch
            .counts(4, &[(0, false), (0, false), (1, false), (1, true), (2, true), (3, true), (3, true)]);
        // The reader of 2 died before it noted it, and so did the first one of 3.
        assert_eq!(counts, Counts { duplicated: 1, redelivered: 2, ..Counts::default() });
    }

    #[test]
    fn what_was_on_its_way_may_come_and_nothing_beyond() {
        let scratch = Scratch::new("flight");
        let counts = scratch.counts(1, &[(0, false), (2, false), (3, false)]);
        assert_eq!(counts, Counts { corrupt: 1, ..Counts::default() });
    }

    #[test]
    fn what_nobody_sent_is_corrupt() {
        let scratch = Scratch::new("invented");
        let mut received = Received::open(&scratch.0).unwrap();
        assert_eq!(received.note(Tag { run: 9, seq: 0 }, false).unwrap(), None);
        Sent::begin(&scratch.0, 7, 1).unwrap();
        assert_eq!(received.note(Tag { run: 7, seq: LEAST_ROOM }, false).unwrap(), None);
        received.flaw(Flaw::Corrupt);
        received.flaw(Flaw::Reordered);
        let counts = account(&scratch.0).unwrap().counts;
        assert_eq!(counts, Counts { corrupt: 3, reordered: 1, ..Counts::default() });
    }

    #[test]
    fn a_run_grows_under_its_readers() {
        let scratch = Scratch::new("grows");
        let mut run = Sent::begin(&scratch.0, 7, 1).unwrap();
        let mut received = Received::open(&scratch.0).unwrap();
        let last = 3 * LEAST_ROOM;
        for seq in [0, last] {
            run.make_room(seq + 1).unwrap();
            assert_eq!(received.note(Tag { run: 7, seq }, false).unwrap(), Some(0));
        }
        assert_eq!(received.note(Tag { run: 7, seq: 0 }, false).unwrap(), Some(1));
        run.sent(last + 1);
        let account = account(&scratch.0).unwrap();
        assert_eq!((account.messages, account.counts.lost, account.counts.duplicated), (2, last - 1, 1));
    }

    #[test]
    fn the_longest_wait_of_all_is_told() {
        let scratch = Scratch::new("waits");
        let waits = [3, 5].map(Duration::from_millis);
        let received = Received::open(&scratch.0).unwrap();
        assert_eq!(account(&scratch.0).unwrap().longest_wait, Some(Duration::ZERO));
        received.waited(waits[0]);
        assert_eq!(account(&scratch.0).unwrap().longest_wait, Some(waits[0]));
        Sent::begin(&scratch.0, 7, 1).unwrap().waited(waits[1]);
        assert_eq!(account(&scratch.0).unwrap().longest_wait, Some(waits[1]));
        Received::open(&scratch.0).unwrap().waited(waits[0]);
        assert_eq!(account(&scratch.0).unwrap().longest_wait, Some(waits[1]));
    }

    #[test]
    fn another_file_is_left_alone() {
        let scratch = Scratch::new("foreign");
        fs::write(scratch.0.join("consumers"), b"precious").unwrap();
        assert_eq!(Received::open(&scratch.0).unwrap_err().exit(), Exit::Unavailable);
        assert_eq!(fs::read(scratch.0.join("consumers")).unwrap(), b"precious");
    }
}
