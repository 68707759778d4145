//! How a ring is found, made and waited on.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use crate::algo::repair::Orphan;
use crate::participant::Participant;
use crate::shape::Shape;
use crate::shm::object::DEFAULT_DIR;
use crate::{Consumer, Producer, Result, Role, mpmc};

/// What to do while there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wait {
    /// Poll for ever: the lowest latency, a whole processor.
    Spin,
    /// Poll for about as long as a sleep would cost, then sleep. Sleep at once where polling would only be in
    /// the way: while both sides run on the same processor, and under a control group's quota of less than two
    /// processors (looked up when attaching) while polling finds nothing.
    #[default]
    Adaptive,
    /// Sleep at once.
    Park,
}

/// Who may make the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Create {
    /// Open it, or make it if it is not there: either side may start first.
    #[default]
    IfMissing,
    /// Only open it; wait for it to appear, for as long as [`Options::open_timeout`] says.
    Never,
    /// Only make it; fail with [`Error::Exists`](crate::Error::Exists) if it is there.
    New,
}

/// What a blocked participant does about a dead peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PeerLoss {
    /// Wait for its successor.
    #[default]
    Wait,
    /// Return [`Error::PeerDied`](crate::Error::PeerDied), after everything it had sent was received.
    Report,
}

/// What becomes of the message that a consumer had been handed, and not released, when it died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConsumerDeath {
    /// Another consumer gets it, marked as redelivered: every message is delivered at least once.
    #[default]
    Redeliver,
    /// Nobody gets it, and it is counted: every message is delivered at most once.
    Drop,
}

/// Marks [`Options`] of a ring with one producer and one consumer.
#[derive(Debug, Clone, Copy)]
pub enum Spsc {}

/// Marks [`Options`] of a ring with many producers and many consumers.
#[derive(Debug, Clone, Copy)]
pub enum Mpmc {}

/// What is wanted of a ring, whatever its kind.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    /// Bytes of a ring of bytes.
    pub(crate) capacity: Option<usize>,
    /// Slots of a ring with many participants.
    pub(crate) slots: Option<usize>,
    pub(crate) largest: Option<usize>,
    pub(crate) orphan: Option<Orphan>,
    pub(crate) mode: u32,
    pub(crate) wait: Wait,
    pub(crate) slice: Duration,
    pub(crate) peer_loss: PeerLoss,
    pub(crate) owner: Option<u32>,
    pub(crate) create: Create,
    pub(crate) open_timeout: Duration,
}

/// A ring to be opened or made, begun with [`spsc`](crate::spsc) or [`mpmc`](crate::mpmc()) and ended with `producer`,
/// `consumer` or `make`.
///
/// ```
/// # fn main() -> podring::Result<()> {
/// # let name = format!("doc-options-{}", std::process::id());
/// let mut tx = podring::spsc(&name).capacity(64 * 1024).producer()?;
/// let mut rx = podring::spsc(&name).consumer()?;
/// tx.send(b"hello")?;
/// assert_eq!(&*rx.recv()?, b"hello");
/// # podring::inspect::remove(podring::DEFAULT_DIR.as_ref(), &name, podring::inspect::Remove::Force)
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "options do nothing until `producer` or `consumer` is called"]
pub struct Options<K = Spsc> {
    pub(crate) settings: Settings,
    kind: PhantomData<fn() -> K>,
}

impl<K> Options<K> {
    pub(crate) fn new(name: String) -> Self {
        let settings = Settings {
            name,
            dir: DEFAULT_DIR.into(),
            capacity: None,
            slots: None,
            largest: None,
            orphan: None,
            mode: 0o600,
            wait: Wait::default(),
            slice: Duration::from_millis(100),
            peer_loss: PeerLoss::default(),
            owner: None,
            create: Create::default(),
            open_timeout: Duration::from_secs(5),
        };
        Self { settings, kind: PhantomData }
    }

    /// The largest message in bytes. With one producer and one consumer by default (and at most) half the capacity
    /// less 8; with many by default 1008, and each slot takes up as much. A ring that exists must have this limit, if
    /// it is stated.
    pub fn largest_message(mut self, bytes: usize) -> Self {
        self.settings.largest = Some(bytes);
        self
    }

    /// Permission bits of a ring that is made, whatever the umask; by default 0600: both sides run as the
    /// same user.
    pub fn mode(mut self, mode: u32) -> Self {
        self.settings.mode = mode;
        self
    }

    /// The directory rings live in, by default `/dev/shm`. All participants must see the same one.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.settings.dir = dir.into();
        self
    }

    /// What to do while there is nothing to do.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.settings.wait = wait;
        self
    }

    /// The longest sleep before looking at the ring and at the other side again, by default 100 ms, at least
    /// 1 ms. It bounds how long the death of a peer between publishing and waking can go unnoticed.
    pub fn slice(mut self, longest: Duration) -> Self {
        self.settings.slice = longest;
        self
    }

    /// What a blocked call does when the other side has died.
    pub fn peer_loss(mut self, peer_loss: PeerLoss) -> Self {
        self.settings.peer_loss = peer_loss;
        self
    }

    /// Refuses a ring that belongs to another user than `uid`: in a directory that everybody may write,
    /// anybody could have made one under the name.
    pub fn owner(mut self, uid: u32) -> Self {
        self.settings.owner = Some(uid);
        self
    }

    /// Who may make the ring.
    pub fn create(mut self, create: Create) -> Self {
        self.settings.create = create;
        self
    }

    /// How long to wait for the ring to appear with [`Create::Never`], by default 5 s.
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.settings.open_timeout = timeout;
        self
    }

    /// The same ring with elements of type `T` instead of messages of any length.
    #[cfg(feature = "bytemuck")]
    pub fn typed<T: bytemuck::Pod>(self) -> crate::TypedOptions<T, K> {
        crate::TypedOptions::new(self)
    }
}

impl Options<Spsc> {
    /// Bytes of data the ring holds, rounded up to a power of two; at least 4096, by default 1 MiB. A ring
    /// that exists must have this capacity, if it is stated.
    ///
    /// Streams of more than some ten million messages a second go several times as fast in a ring of four times a
    /// processor's second-level cache (4 MiB for 1 MiB of cache) as in one that fits in it; round trips do not care.
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.settings.capacity = Some(bytes);
        self
    }

    /// Opens (or makes) the ring and takes the producer's seat.
    ///
    /// # Errors
    ///
    /// Each way in which this can fail has its variant in [`Error`](crate::Error); a second producer gets
    /// [`Error::RoleTaken`](crate::Error::RoleTaken).
    pub fn producer(self) -> Result<Producer> {
        Producer::attach(Participant::attach(&self.settings, &Shape::bytes(&self.settings)?, Role::Producer)?)
    }

    /// Opens (or makes) the ring and takes the consumer's seat.
    ///
    /// # Errors
    ///
    /// As [`Options::producer`].
    pub fn consumer(self) -> Result<Consumer> {
        Consumer::attach(Participant::attach(&self.settings, &Shape::bytes(&self.settings)?, Role::Consumer)?)
    }

    /// Makes the ring without taking a seat in it. It stays until it is removed.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`](crate::Error::Exists) if there is one, whatever [`Options::create`] says; otherwise
    /// as [`Options::producer`].
    pub fn make(self) -> Result<()> {
        Participant::make(&self.settings, &Shape::bytes(&self.settings)?)
    }
}

impl Options<Mpmc> {
    /// Messages the ring holds, rounded up to a power of two; at least 2, by default 1024. A ring that exists must have
    /// as many slots, if it is stated.
    pub fn slots(mut self, messages: usize) -> Self {
        self.settings.slots = Some(messages);
        self
    }

    /// What becomes of the message that a consumer had been handed when it died. A ring that exists must do the same,
    /// if it is stated.
    pub fn on_consumer_death(mut self, then: ConsumerDeath) -> Self {
        self.settings.orphan = Some(match then {
            ConsumerDeath::Redeliver => Orphan::Return,
            ConsumerDeath::Drop => Orphan::Drop,
        });
        self
    }

    /// Opens (or makes) the ring and takes a seat as one of its producers.
    ///
    /// # Errors
    ///
    /// Each way in which this can fail has its variant in [`Error`](crate::Error); if all 64 seats are taken it is
    /// [`Error::SeatsTaken`](crate::Error::SeatsTaken).
    pub fn producer(self) -> Result<mpmc::Producer> {
        mpmc::Producer::attach(self.attach(Role::Producer)?)
    }

    /// Opens (or makes) the ring and takes a seat as one of its consumers.
    ///
    /// # Errors
    ///
    /// As [`Options::producer`](Options::<Mpmc>::producer).
    pub fn consumer(self) -> Result<mpmc::Consumer> {
        mpmc::Consumer::attach(self.attach(Role::Consumer)?)
    }

    /// Makes the ring without taking a seat in it. It stays until it is removed.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`](crate::Error::Exists) if there is one, whatever [`Options::create`] says; otherwise
    /// as [`Options::producer`](Options::<Mpmc>::producer).
    pub fn make(self) -> Result<()> {
        Participant::make(&self.settings, &Shape::slots(&self.settings)?)
    }

    fn attach(&self, role: Role) -> Result<Participant> {
        Participant::attach(&self.settings, &Shape::slots(&self.settings)?, role)
    }
}
