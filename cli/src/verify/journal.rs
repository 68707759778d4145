//! Accounts that survive SIGKILL: words in a mapped file. A store is in the page cache, which outlives the
//! process; nothing here has to survive the machine.
//!
//! One file for each side, of the same form, in machine byte order:
//!
//! ```text
//! word 0     magic, which side
//! word 1     runs begun (producer), highest run seen (consumer)
//! word 2     messages that can be on their way when the producer is killed
//! word 3..8  lost, duplicated, reordered, corrupt, redelivered (consumer)
//! word 8..   per run, from run 1: sends that returned, or the sequence number expected next
//! ```

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use memmap2::{MmapOptions, MmapRaw};

use super::checker::Counts;
use crate::output::{Exit, Failure};

/// Runs that a journal has room for.
const RUNS: u64 = 16_384;
const FIRST_RUN: usize = 8;
const BYTES: usize = (FIRST_RUN + RUNS as usize) * 8;

/// Whose account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Producer,
    Consumer,
}

impl Side {
    fn file_name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }

    fn magic(self) -> u64 {
        u64::from_ne_bytes(match self {
            Self::Producer => *b"prdvPRO1",
            Self::Consumer => *b"prdvCON1",
        })
    }
}

/// The words of a journal file.
#[derive(Debug)]
struct Book {
    map: MmapRaw,
    path: PathBuf,
}

impl Book {
    /// Opens a side's file, made if it is not there.
    fn open(dir: &Path, side: Side) -> Result<Self, Failure> {
        fs::create_dir_all(dir).map_err(|error| failed("making the directory", dir, &error))?;
        let path = dir.join(side.file_name());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| failed("opening", &path, &error))?;
        let found = len(&file, &path)?;
        if found == 0 {
            // Reserved now: a store into a hole of a full file system would be fatal.
            nix::fcntl::posix_fallocate(&file, 0, BYTES as i64)
                .map_err(|error| failed("reserving space for", &path, &error.into()))?;
        } else if found != BYTES as u64 {
            return Err(not_a_journal(&path));
        }
        let book = Self::map(&file, path)?;
        // A journal whose maker was killed before this is all zeros, and as good as new.
        match book.word(0).load(Ordering::Relaxed) {
            0 => book.word(0).store(side.magic(), Ordering::Relaxed),
            magic if magic == side.magic() => {}
            _ => return Err(not_a_journal(&book.path)),
        }
        Ok(book)
    }

    /// Opens a side's file, which must be there.
    fn look(dir: &Path, side: Side) -> Result<Self, Failure> {
        let path = dir.join(side.file_name());
        // Mapped writable, as all of them are, though nothing is written.
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let message = format!(
                    "there is no journal {}: give both `podring verify producer` and `podring verify consumer` \
                     --journal {}",
                    path.display(),
                    dir.display()
                );
                return Err(Failure::new(Exit::Unavailable, "NotFound", message));
            }
            Err(error) => return Err(failed("opening", &path, &error)),
        };
        if len(&file, &path)? != BYTES as u64 {
            return Err(not_a_journal(&path));
        }
        let book = Self::map(&file, path)?;
        if book.word(0).load(Ordering::Relaxed) != side.magic() {
            return Err(not_a_journal(&book.path));
        }
        Ok(book)
    }

    fn map(file: &File, path: PathBuf) -> Result<Self, Failure> {
        let map =
            MmapOptions::new().len(BYTES).map_raw(file).map_err(|error| failed("mapping", &path, &error))?;
        Ok(Self { map, path })
    }

    // A mapping begins with a page, which is aligned to more than a word.
    #[allow(clippy::cast_ptr_alignment)]
    fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < BYTES / 8, "word {index} of a journal");
        // SAFETY: `map` checked that the file has BYTES bytes, so the word lies in the mapping.
        let word = unsafe { self.map.as_mut_ptr().cast::<u64>().add(index) };
        // SAFETY: the word is mapped for as long as `self`, which the reference borrows, and every access to
        // it by this program is atomic.
        unsafe { AtomicU64::from_ptr(word) }
    }

    fn get(&self, index: usize) -> u64 {
        self.word(index).load(Ordering::Acquire)
    }

    fn set(&self, index: usize, value: u64) {
        self.word(index).store(value, Ordering::Release);
    }

    /// The word of a run, counted from 1.
    fn run(&self, run: u64) -> Result<usize, Failure> {
        if (1..=RUNS).contains(&run) {
            return Ok(FIRST_RUN + run as usize - 1);
        }
        let message = format!(
            "run {run} does not fit into the journal {}: it has room for {RUNS} runs, numbered by a producer that \
             keeps a journal too",
            self.path.display()
        );
        Err(Failure::new(Exit::Failure, "Journal", message))
    }
}

fn len(file: &File, path: &Path) -> Result<u64, Failure> {
    Ok(file.metadata().map_err(|error| failed("looking at", path, &error))?.len())
}

fn failed(doing: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::io(&format!("{doing} {}", path.display()), error)
}

fn not_a_journal(path: &Path) -> Failure {
    let message =
        format!("{} is not a journal of this version of podring: choose another directory", path.display());
    Failure::new(Exit::Unavailable, "Journal", message)
}

/// What the producer knows to have sent.
#[derive(Debug)]
pub(crate) struct ProducerJournal {
    book: Book,
    run: u64,
    word: usize,
}

impl ProducerJournal {
    /// Begins the next run. `in_flight`: how many messages can be sent and not yet noted.
    pub(crate) fn begin(dir: &Path, in_flight: u64) -> Result<Self, Failure> {
        let book = Book::open(dir, Side::Producer)?;
        let run = book.get(1) + 1;
        let word = book.run(run)?;
        book.set(2, book.get(2).max(in_flight));
        book.set(1, run);
        Ok(Self { book, run, word })
    }

    pub(crate) fn run(&self) -> u64 {
        self.run
    }

    /// So many sends of this run have returned.
    pub(crate) fn sent(&self, messages: u64) {
        self.book.set(self.word, messages);
    }
}

/// What the consumer knows to have received.
#[derive(Debug)]
pub(crate) struct ConsumerJournal {
    book: Book,
}

impl ConsumerJournal {
    pub(crate) fn open(dir: &Path) -> Result<Self, Failure> {
        Ok(Self { book: Book::open(dir, Side::Consumer)? })
    }

    /// The sequence number expected next in each run that was seen.
    pub(crate) fn runs(&self) -> Vec<(u64, u64)> {
        runs(&self.book).into_iter().filter(|(_, next)| *next > 0).collect()
    }

    pub(crate) fn counts(&self) -> Counts {
        counts(&self.book)
    }

    /// Notes what has gone wrong, then what was received: killed in between, the same flaw is counted twice
    /// rather than not at all.
    pub(crate) fn received(&self, run: u64, next: u64, counts: &Counts) -> Result<(), Failure> {
        let word = self.book.run(run)?;
        self.note(counts);
        if self.book.get(1) < run {
            self.book.set(1, run);
        }
        self.book.set(word, next);
        Ok(())
    }

    pub(crate) fn note(&self, counts: &Counts) {
        let Counts { lost, duplicated, reordered, corrupt, redelivered } = *counts;
        for (index, count) in [lost, duplicated, reordered, corrupt, redelivered].into_iter().enumerate() {
            if self.book.get(3 + index) != count {
                self.book.set(3 + index, count);
            }
        }
    }
}

fn counts(book: &Book) -> Counts {
    Counts {
        lost: book.get(3),
        duplicated: book.get(4),
        reordered: book.get(5),
        corrupt: book.get(6),
        redelivered: book.get(7),
    }
}

fn runs(book: &Book) -> Vec<(u64, u64)> {
    (1..=book.get(1).min(RUNS)).map(|run| (run, book.get(FIRST_RUN + run as usize - 1))).collect()
}

/// Whether one side of a pair has kept its journal here.
pub(crate) fn is_kept_in(dir: &Path) -> bool {
    [Side::Producer, Side::Consumer].iter().any(|side| dir.join(side.file_name()).exists())
}

/// What both journals say together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) messages: u64,
    pub(crate) runs: u64,
    pub(crate) counts: Counts,
    /// The longest anybody waited while somebody on the other side was alive; not known of rings of two.
    pub(crate) longest_wait: Option<Duration>,
}

impl Account {
    pub(crate) fn of(dir: &Path) -> Result<Self, Failure> {
        let (producer, consumer) = (Book::look(dir, Side::Producer)?, Book::look(dir, Side::Consumer)?);
        let sent = runs(&producer);
        let mut account =
            Self { messages: 0, runs: sent.len() as u64, counts: counts(&consumer), longest_wait: None };
        for (run, sent) in sent {
            let received = consumer.get(consumer.run(run)?);
            account.messages += received;
            account.add(sent, received, producer.get(2));
        }
        // Of a run that nobody began, everything is invented.
        let begun = producer.get(1);
        for (_, received) in runs(&consumer).into_iter().filter(|(run, _)| *run > begun) {
            account.messages += received;
            account.counts.corrupt += received;
        }
        Ok(account)
    }

    fn add(&mut self, sent: u64, received: u64, in_flight: u64) {
        self.counts.lost += sent.saturating_sub(received);
        self.counts.corrupt += received.saturating_sub(sent.saturating_add(in_flight));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::{Account, BYTES, ConsumerJournal, Counts, ProducerJournal};
    use crate::output::Exit;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(test: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("podring-journal-{test}-{}", std::process::id()));
            fs::create_dir_all(&dir).unwrap();
            Self(dir)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn run(dir: &Path, sent: u64, received: u64) {
        let producer = ProducerJournal::begin(dir, 1).unwrap();
        producer.sent(sent);
        let consumer = ConsumerJournal::open(dir).unwrap();
        consumer.received(producer.run(), received, &Counts::default()).unwrap();
    }

    #[test]
    fn runs_are_numbered_from_one_and_kept() {
        let scratch = Scratch::new("numbered");
        run(&scratch.0, 10, 10);
        run(&scratch.0, 5, 5);
        let third = ProducerJournal::begin(&scratch.0, 1).unwrap();
        assert_eq!(third.run(), 3);
        assert_eq!(ConsumerJournal::open(&scratch.0).unwrap().runs(), [(1, 10), (2, 5)]);
        let account = Account::of(&scratch.0).unwrap();
        let whole = Account { messages: 15, runs: 3, counts: Counts::default(), longest_wait: None };
        assert_eq!(account, whole);
    }

    #[test]
    fn a_send_that_returned_and_did_not_arrive_is_lost() {
        let scratch = Scratch::new("lost");
        run(&scratch.0, 10, 10);
        run(&scratch.0, 10, 7);
        assert_eq!(Account::of(&scratch.0).unwrap().counts, Counts { lost: 3, ..Counts::default() });
    }

    #[test]
    fn one_send_may_have_been_under_way_and_no_more() {
        let scratch = Scratch::new("flight");
        run(&scratch.0, 10, 11);
        assert_eq!(Account::of(&scratch.0).unwrap().counts, Counts::default());
        run(&scratch.0, 10, 12);
        assert_eq!(Account::of(&scratch.0).unwrap().counts, Counts { corrupt: 1, ..Counts::default() });
    }

    #[test]
    fn a_batch_may_have_been_under_way() {
        let scratch = Scratch::new("batch");
        let producer = ProducerJournal::begin(&scratch.0, 32).unwrap();
        producer.sent(10);
        ConsumerJournal::open(&scratch.0).unwrap().received(1, 42, &Counts::default()).unwrap();
        assert_eq!(Account::of(&scratch.0).unwrap().counts, Counts::default());
    }

    #[test]
    fn what_the_consumer_counted_is_in_the_account() {
        let scratch = Scratch::new("counted");
        let counts = Counts { lost: 1, duplicated: 2, reordered: 3, corrupt: 4, redelivered: 5 };
        ProducerJournal::begin(&scratch.0, 1).unwrap().sent(9);
        ConsumerJournal::open(&scratch.0).unwrap().received(1, 9, &counts).unwrap();
        assert_eq!(ConsumerJournal::open(&scratch.0).unwrap().counts(), counts);
        assert_eq!(Account::of(&scratch.0).unwrap().counts, counts);
    }

    #[test]
    fn messages_of_a_run_that_nobody_began_are_invented() {
        let scratch = Scratch::new("invented");
        run(&scratch.0, 1, 1);
        ConsumerJournal::open(&scratch.0).unwrap().received(2, 4, &Counts::default()).unwrap();
        assert_eq!(Account::of(&scratch.0).unwrap().counts, Counts { corrupt: 4, ..Counts::default() });
    }

    #[test]
    fn a_run_without_number_is_refused() {
        let scratch = Scratch::new("numberless");
        let consumer = ConsumerJournal::open(&scratch.0).unwrap();
        assert!(consumer.received(0, 1, &Counts::default()).is_err());
        assert!(consumer.received(0x1234_5678_9abc, 1, &Counts::default()).is_err());
    }

    #[test]
    fn another_file_is_left_alone() {
        let scratch = Scratch::new("foreign");
        let path = scratch.0.join("producer");
        fs::write(&path, b"precious").unwrap();
        assert_eq!(ProducerJournal::begin(&scratch.0, 1).unwrap_err().exit(), Exit::Unavailable);
        fs::write(&path, vec![1; BYTES]).unwrap();
        assert_eq!(ProducerJournal::begin(&scratch.0, 1).unwrap_err().exit(), Exit::Unavailable);
        assert_eq!(fs::read(&path).unwrap(), vec![1; BYTES]);
    }

    #[test]
    fn no_journal_is_no_account() {
        let scratch = Scratch::new("none");
        assert_eq!(Account::of(&scratch.0).unwrap_err().exit(), Exit::Unavailable);
        ProducerJournal::begin(&scratch.0, 1).unwrap();
        assert_eq!(Account::of(&scratch.0).unwrap_err().exit(), Exit::Unavailable);
    }
}
