//! Driving a ring of slots as the library's handles do (`ring/src/mpmc/{writer,reader,dead}.rs`): what they do with
//! payload, and in which order they call `algo`. Beside it a journal, which no participant sees, of what was sent,
//! handed out and acknowledged.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use crate::algo::cursors::Cursors;
use crate::algo::mpmc::{Next, Rows, Table};
use crate::algo::repair::{Orphan, Repaired};
use crate::algo::slots::Slots;
use crate::algo::stream::Drained;
use crate::algo::turn::Stage;
use crate::explore::reach;
use crate::ring::{Wait, wait_for};
use crate::sync::{AtomicU64, Ordering, relax};

/// Seats that a model may use.
const SEATS: usize = 4;

/// A message: whose, and which of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message(pub u64, pub u64);

impl Message {
    fn word(self) -> u64 {
        self.0 * 16 + self.1 + 1
    }

    fn of_word(word: u64) -> Self {
        Self((word - 1) / 16, (word - 1) % 16)
    }

    /// Also in the slot: torn or mixed messages do not fit theirs.
    fn length(self) -> u64 {
        self.word() * 8
    }
}

/// One slot: its word, which is exchanged, and plain memory, which only one participant at a time may touch.
#[derive(Debug)]
#[repr(C)]
struct Slot {
    state: AtomicU64,
    length: AtomicU64,
    payload: AtomicU64,
}

/// A message as somebody was handed it.
#[derive(Debug, Clone, Copy)]
struct Delivery {
    by: u64,
    ticket: u64,
    message: Message,
    redelivered: bool,
}

#[derive(Debug, Default)]
struct Journal {
    sent: Vec<(u64, Message)>,
    delivered: Vec<Delivery>,
    released: Vec<Message>,
    abandoned: u64,
    tombstones: u64,
    orphans: u64,
    readers: u64,
}

/// A ring of slots in a segment of its own.
#[derive(Debug)]
pub struct Ring {
    cursors: Cursors,
    area: Box<[Slot]>,
    rows: Rows,
    orphan: Orphan,
    /// One for each seat: 1 where the kernel has freed the lock of one that died.
    locks: [AtomicU64; SEATS],
    journal: RefCell<Journal>,
}

impl Ring {
    /// With so many slots. Those who wait will sleep, or all poll.
    pub fn new(slots: u64, wait: Wait) -> Rc<Self> {
        Self::with(slots, wait, Orphan::Return)
    }

    /// The same, but messages of dead consumers are dropped.
    pub fn dropping(slots: u64, wait: Wait) -> Rc<Self> {
        Self::with(slots, wait, Orphan::Drop)
    }

    fn with(slots: u64, wait: Wait, orphan: Orphan) -> Rc<Self> {
        let slot =
            |_| Slot { state: AtomicU64::slot(), length: AtomicU64::place(), payload: AtomicU64::place() };
        let area: Box<[Slot]> = (0..slots).map(slot).collect();
        let base = area.as_ptr().cast_mut().cast::<u8>();
        // SAFETY: the area has this many slots, a power of two, each as many words as below, aligned as an array
        // of them is, and lives as long as the ring, which owns it.
        let places = unsafe { Slots::new(base, slots) };
        let rows = Rows { slots: places, words: size_of::<Slot>() / 8, capacity: slots };
        let ring = Self {
            cursors: Cursors::default(),
            area,
            rows,
            orphan,
            locks: Default::default(),
            journal: RefCell::default(),
        };
        (0..slots).for_each(|index| ring.table().initialise(index));
        if wait == Wait::Park {
            ring.cursors.items.0.require_fences_first();
            ring.cursors.space.0.require_fences_first();
        }
        Rc::new(ring)
    }

    fn table(&self) -> Table<'_> {
        Table { cursors: &self.cursors, rows: self.rows }
    }

    fn slot(&self, ticket: u64) -> &Slot {
        &self.area[(ticket as usize) & (self.area.len() - 1)]
    }

    fn announce(&self) {
        self.cursors.items.0.wake_all();
        self.cursors.space.0.wake_all();
    }

    /// Puts right what the dead holder of a seat left. The caller has the seat's lock: it runs on the dead one's thread,
    /// or came by [`Ring::sweep`].
    pub fn repair(&self, seat: u8) {
        let Repaired { tombstones, orphans } = self.table().repair(seat, self.orphan);
        let mut journal = self.journal.borrow_mut();
        journal.tombstones += tombstones;
        journal.orphans += orphans;
        if tombstones > 0 {
            reach("tombstone");
        }
        if orphans > 0 {
            reach("orphan");
        }
    }

    /// The kernel frees the seat's lock of one that has died, after all it did.
    pub fn free(&self, seat: u8) {
        self.locks[usize::from(seat)].store(1, Ordering::Release);
    }

    /// Looks whether a seat's lock can be had, and if so puts right what its last holder left.
    pub fn sweep(&self, seat: u8) -> bool {
        let lock = &self.locks[usize::from(seat)];
        let taken = lock.compare_exchange(1, 2, Ordering::Acquire, Ordering::Relaxed).is_ok();
        if taken {
            self.repair(seat);
        }
        taken
    }

    /// How many of a producer's messages have been sent.
    pub fn sent_by(&self, producer: u64) -> u64 {
        self.journal.borrow().sent.iter().filter(|(_, message)| message.0 == producer).count() as u64
    }

    /// How many messages the consumer in this seat has acknowledged, those before it counted as well.
    pub fn released_by(&self, seat: u8) -> u64 {
        let journal = self.journal.borrow();
        let by = |message: &&Message| {
            let last = journal.delivered.iter().rfind(|delivery| delivery.message == **message);
            last.is_some_and(|delivery| delivery.by % 100 == u64::from(seat))
        };
        journal.released.iter().filter(by).count() as u64
    }

    /// How many messages of dead consumers were dropped.
    pub fn dropped(&self) -> u64 {
        if self.orphan == Orphan::Drop { self.journal.borrow().orphans } else { 0 }
    }

    /// How many slots were given up, by the living or the dead.
    pub fn given_up(&self) -> u64 {
        let journal = self.journal.borrow();
        journal.abandoned + journal.tombstones
    }

    /// How many messages were handed out again.
    pub fn redelivered(&self) -> u64 {
        self.journal.borrow().delivered.iter().filter(|delivery| delivery.redelivered).count() as u64
    }

    /// Whether the present stream is marked as ended.
    pub fn has_ended(&self) -> bool {
        self.cursors.stream.0.is_closed()
    }

    /// That all is accounted for, when everybody has done their part.
    ///
    /// # Panics
    ///
    /// If a message was lost, handed out again without a mark, acknowledged twice, or out of its order.
    pub fn account(&self, messages: u64) {
        self.account_without(self.dropped(), messages);
    }

    /// The same where so many were dropped.
    ///
    /// # Panics
    ///
    /// As [`Ring::account`].
    pub fn account_without(&self, dropped: u64, messages: u64) {
        let journal = self.journal.borrow();
        let Journal { sent, delivered, released, .. } = &*journal;
        assert_eq!(sent.len() as u64, messages, "sent: {sent:?}");
        for (index, (ticket, message)) in sent.iter().enumerate() {
            assert!(
                sent[..index].iter().all(|(other, same)| other != ticket && same != message),
                "sent: {sent:?}"
            );
            let earlier = sent.iter().filter(|(_, other)| other.0 == message.0 && other.1 < message.1);
            assert!(earlier.into_iter().all(|(other, _)| other < ticket), "out of order: {sent:?}");
            let mut deliveries = delivered.iter().filter(|delivery| delivery.message == *message);
            let first = deliveries.next();
            assert!(first.is_none_or(|first| first.ticket == *ticket), "{message:?} under another ticket");
            assert!(
                deliveries.all(|again| again.redelivered && again.ticket == *ticket),
                "{message:?} was handed out twice: {delivered:?}"
            );
        }
        for delivery in delivered {
            assert!(sent.contains(&(delivery.ticket, delivery.message)), "never sent: {delivery:?}");
        }
        for (index, delivery) in delivered.iter().enumerate().filter(|(_, delivery)| !delivery.redelivered) {
            let later =
                delivered[index..].iter().filter(|later| later.by == delivery.by && !later.redelivered);
            assert!(later.into_iter().all(|later| later.ticket >= delivery.ticket), "order: {delivered:?}");
        }
        let mut once = released.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), released.len(), "acknowledged twice: {released:?}");
        assert_eq!(once.len() as u64 + dropped, messages, "lost: {released:?} of {sent:?}");
    }
}

/// One of the producers.
#[derive(Debug)]
pub struct Tx {
    ring: Rc<Ring>,
    seat: u8,
    wait: Wait,
    claimed: Option<u64>,
}

impl Tx {
    /// Takes a seat, which must be free and repaired.
    pub fn attach(ring: &Rc<Ring>, seat: u8, wait: Wait) -> Self {
        if wait == Wait::Park {
            ring.cursors.space.0.require_fences();
        }
        let tx = Self::seated(ring, seat, wait);
        ring.announce();
        tx
    }

    /// The same, and nobody is told.
    pub fn seated(ring: &Rc<Ring>, seat: u8, wait: Wait) -> Self {
        ring.cursors.openers.0.join(seat, &ring.cursors.stream.0);
        Self { ring: ring.clone(), seat, wait, claimed: None }
    }

    fn look(&self) -> Option<u64> {
        let ticket = self.ring.table().claim(self.seat).expect("a sound ring");
        if ticket.is_none() {
            reach("full");
        }
        ticket
    }

    /// Claims a slot, waiting for one.
    pub fn claim(&mut self) {
        self.abandon();
        let ring = &self.ring;
        let ticket = self.look().unwrap_or_else(|| {
            let space = &ring.cursors.space.0;
            let ticket = wait_for(space, self.wait, "producer sleeps", || self.look());
            if ring.table().more(ticket, Stage::Free) && space.notify_some(1) {
                reach("producer wakes producer");
            }
            ticket
        });
        self.claimed = Some(ticket);
    }

    /// Claims a slot if there is one.
    pub fn try_claim(&mut self) -> bool {
        self.abandon();
        self.claimed = self.look();
        self.claimed.is_some()
    }

    /// Writes a message into the claimed slot.
    pub fn write(&mut self, message: Message) {
        let ticket = self.claimed.expect("a slot is claimed");
        let slot = self.ring.slot(ticket);
        slot.payload.store(message.word(), Ordering::Relaxed);
        slot.length.store(message.length(), Ordering::Relaxed);
    }

    /// Hands it to the consumers, and wakes nobody.
    pub fn publish_quietly(&mut self, message: Message) {
        let ticket = self.claimed.take().expect("a slot is claimed");
        self.ring.table().publish(ticket);
        // No step in between: sent and noted.
        self.ring.journal.borrow_mut().sent.push((ticket, message));
    }

    /// Wakes as many consumers.
    pub fn wake(&self, messages: u32) {
        if self.ring.cursors.items.0.notify_some(messages) {
            reach("producer wakes");
        }
    }

    /// Sends a message.
    pub fn send(&mut self, message: Message) {
        self.claim();
        self.write(message);
        self.publish_quietly(message);
        self.wake(1);
    }

    /// Sends this producer's messages of these numbers.
    pub fn send_all(&mut self, numbers: std::ops::Range<u64>) {
        let whose = u64::from(self.seat);
        numbers.for_each(|number| self.send(Message(whose, number)));
    }

    /// Sends them and wakes once. There must be room for them.
    pub fn send_batch(&mut self, numbers: std::ops::Range<u64>) {
        let messages = numbers.end - numbers.start;
        for number in numbers {
            let message = Message(self.seat.into(), number);
            self.claim();
            self.write(message);
            self.publish_quietly(message);
        }
        self.wake(messages as u32);
    }

    /// Gives up what is claimed.
    pub fn abandon(&mut self) {
        if let Some(ticket) = self.claimed.take() {
            self.ring.journal.borrow_mut().abandoned += 1;
            self.ring.table().abandon(ticket);
            self.wake(1);
        }
    }

    /// Claims a slot and gives it up.
    pub fn claim_and_abandon(&mut self) {
        self.claim();
        self.abandon();
    }

    /// Is done.
    pub fn close(mut self) {
        self.abandon();
        if self.ring.cursors.openers.0.close(self.seat, &self.ring.cursors.stream.0) {
            reach("ended");
            self.ring.announce();
        }
    }

    /// Leaves without closing.
    pub fn leave(mut self) {
        self.abandon();
        self.ring.cursors.openers.0.take_out(self.seat);
        self.ring.announce();
    }
}

#[derive(Debug, Clone, Copy)]
struct Taken {
    ticket: u64,
    redelivered: bool,
}

#[derive(Debug, Clone, Copy)]
enum Look {
    Taken(Taken),
    Closed,
}

/// One of the consumers.
#[derive(Debug)]
pub struct Rx {
    ring: Rc<Ring>,
    seat: u8,
    wait: Wait,
    taken: Option<Taken>,
    returns: u64,
    told: Option<u32>,
    /// Which life this is, a hundred times, and its seat.
    name: u64,
}

impl Rx {
    /// Takes a seat, which must be free and repaired.
    pub fn attach(ring: &Rc<Ring>, seat: u8, wait: Wait) -> Self {
        if wait == Wait::Park {
            ring.cursors.items.0.require_fences();
        }
        let rx = Self::seated(ring, seat, wait);
        ring.announce();
        rx
    }

    /// The same, and nobody is told.
    pub fn seated(ring: &Rc<Ring>, seat: u8, wait: Wait) -> Self {
        let told = ring.cursors.stream.0.told();
        let mut journal = ring.journal.borrow_mut();
        journal.readers += 1;
        let name = journal.readers * 100 + u64::from(seat);
        Self { ring: ring.clone(), seat, wait, taken: None, returns: 0, told, name }
    }

    fn find(&mut self) -> Drained<Taken> {
        let table = self.ring.table();
        if let Some(ticket) = table.adopt(self.seat, &mut self.returns).expect("a sound ring") {
            reach("adopted");
            return Drained::Found(Taken { ticket, redelivered: true });
        }
        match table.take(self.seat).expect("a sound ring") {
            Next::Message(ticket) => Drained::Found(Taken { ticket, redelivered: false }),
            Next::Nothing => Drained::Ended,
            Next::Behind(_) => {
                reach("behind");
                Drained::Nothing
            }
        }
    }

    fn look(&mut self) -> Option<Look> {
        let mut found = self.find();
        if matches!(found, Drained::Ended) {
            let ring = self.ring.clone();
            let mut told = self.told;
            let stream = &ring.cursors.stream.0;
            let Ok(last) = stream.drained_for_one(&mut told, || Ok::<_, Infallible>(self.find()));
            if matches!(last, Drained::Found(_)) {
                reach("message before the end");
            }
            (found, self.told) = (last, told);
        }
        match found {
            Drained::Found(taken) => Some(Look::Taken(taken)),
            Drained::Nothing => {
                reach("empty");
                None
            }
            Drained::Ended => Some(Look::Closed),
        }
    }

    fn look_until(&mut self) -> Look {
        if let Some(found) = self.look() {
            return found;
        }
        let (ring, wait) = (self.ring.clone(), self.wait);
        let items = &ring.cursors.items.0;
        let found = wait_for(items, wait, "consumer sleeps", || self.look());
        if let Look::Taken(taken) = found {
            if ring.table().more(taken.ticket, Stage::Ready) && items.notify_some(1) {
                reach("consumer wakes consumer");
            }
        }
        found
    }

    /// Takes the next message, waiting for one, reads it and keeps it. `None`: the stream has ended.
    pub fn take(&mut self) -> Option<Message> {
        let look = self.look_until();
        self.read(look)
    }

    /// The same if there is one; the end of a stream may not come.
    pub fn try_take(&mut self) -> Option<Message> {
        let look = self.look()?;
        Some(self.read(look).expect("no end"))
    }

    /// Whether there is nothing to be had, not even an end.
    pub fn finds_nothing(&mut self) -> bool {
        self.look().is_none()
    }

    /// Takes a message, and looks after the dead in a seat while there is none.
    pub fn take_and_sweep(&mut self, seat: u8) -> Message {
        loop {
            if let Some(found) = self.try_take() {
                return found;
            }
            if self.ring.sweep(seat) {
                reach("swept");
            }
            relax();
        }
    }

    fn read(&mut self, look: Look) -> Option<Message> {
        let Look::Taken(taken) = look else { return None };
        self.taken = Some(taken);
        let Taken { ticket, redelivered } = taken;
        let slot = self.ring.slot(ticket);
        let length = slot.length.load(Ordering::Relaxed);
        let message = Message::of_word(slot.payload.load(Ordering::Relaxed));
        assert_eq!(length, message.length(), "{message:?} is whole");
        let delivery = Delivery { by: self.name, ticket, message, redelivered };
        self.ring.journal.borrow_mut().delivered.push(delivery);
        Some(message)
    }

    /// Acknowledges what was taken, and wakes nobody.
    pub fn release_quietly(&mut self) {
        let ticket = self.taken.take().expect("a message is taken").ticket;
        self.ring.table().release(ticket);
        // No step in between: acknowledged and noted.
        let mut journal = self.ring.journal.borrow_mut();
        let mine =
            journal.delivered.iter().rfind(|delivery| delivery.ticket == ticket && delivery.by == self.name);
        let message = mine.expect("it was read").message;
        journal.released.push(message);
    }

    /// Wakes as many producers.
    pub fn wake(&self, slots: u32) {
        if self.ring.cursors.space.0.notify_some(slots) {
            reach("consumer wakes");
        }
    }

    /// Acknowledges what was taken.
    pub fn release(&mut self) {
        self.release_quietly();
        self.wake(1);
    }

    /// Lets another consumer have what was taken.
    pub fn put_back(&mut self) {
        let ticket = self.taken.take().expect("a message is taken").ticket;
        self.ring.table().put_back(ticket);
        self.ring.cursors.items.0.notify_some(1);
    }

    /// Takes the next message, and lets another consumer have it, unread.
    pub fn take_and_put_back(&mut self) {
        let Look::Taken(taken) = self.look_until() else { unreachable!("not closed in these models") };
        self.taken = Some(taken);
        self.put_back();
    }

    /// The same if there is one.
    pub fn put_back_if_any(&mut self) {
        if let Some(Look::Taken(taken)) = self.look() {
            self.taken = Some(taken);
            self.put_back();
        }
    }

    /// Receives a message, waiting for it. `None`: the stream has ended.
    pub fn recv(&mut self) -> Option<Message> {
        let message = self.take()?;
        self.release();
        Some(message)
    }

    /// Receives so many.
    pub fn recv_many(&mut self, messages: u64) {
        for _ in 0..messages {
            assert!(self.recv().is_some(), "the end came before the messages");
        }
    }

    /// Receives until it is told that the stream has ended. Returns how many it got.
    pub fn recv_to_the_end(&mut self) -> u64 {
        let mut messages = 0;
        while self.recv().is_some() {
            messages += 1;
        }
        messages
    }
}
