//! What one execution of a model consists of beside loom's own state: the words, who sleeps, who is to die.
//!
//! All threads of a model are coroutines of one thread, so plain thread-local state is shared between them and
//! changes only where loom switches: inside an operation of [`crate::sync`].

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::rc::Rc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst, fence};
use loom::thread::{ThreadId, yield_now};

use crate::explore::Rules;

/// An atomic word as loom sees it.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) value: AtomicU64,
    /// One per thread: see [`Word::looked`].
    shadows: Vec<AtomicU64>,
    /// What the kernel's futex queue of this word is to loom: something that waits and wakes conflict on.
    pub(crate) queue: AtomicU64,
}

impl Word {
    /// After the calling thread has loaded.
    ///
    /// loom remembers one last access per atomic: a thread's own load hides another thread's earlier load when
    /// the thread then stores, and the order "store before that load" is never tried (tokio-rs/loom#166, #392).
    /// So a load also touches a shadow of the calling thread, and a store touches those of all others: there
    /// the access is remembered. Exploration is off meanwhile, so that loom goes back to the access itself,
    /// and the shadow adds no interleavings of its own.
    pub(crate) fn looked(&self) {
        if let Some(shadow) = self.shadows.get(me_if(!self.shadows.is_empty())) {
            loom::stop_exploring();
            shadow.load(Relaxed);
            loom::explore();
        }
    }

    /// After the calling thread has stored: see [`Word::looked`].
    pub(crate) fn changed(&self) {
        let me = me_if(!self.shadows.is_empty());
        for (_, shadow) in self.shadows.iter().enumerate().filter(|&(thread, _)| thread != me) {
            loom::stop_exploring();
            shadow.store(0, Relaxed);
            loom::explore();
        }
    }
}

/// Eight bytes of the data area: plain memory to loom, so that every unordered access is a race.
#[derive(Debug)]
pub(crate) struct Place(UnsafeCell<u64>);

impl Place {
    pub(crate) fn read(&self) -> u64 {
        // SAFETY: loom has just checked that no other thread's write is unordered with this read.
        self.0.with(|value| unsafe { *value })
    }

    pub(crate) fn write(&self, new: u64) {
        // SAFETY: loom has just checked that no other thread's access is unordered with this write.
        self.0.with_mut(|value| unsafe { *value = new });
    }
}

/// The payload of the unwinding that stands for a thread's death.
#[derive(Debug)]
pub(crate) struct Death;

#[derive(Debug, Default)]
struct Thread {
    id: Option<ThreadId>,
    finished: bool,
    /// The word on whose futex queue it is.
    queued_on: Option<usize>,
    /// It is on a queue and will do nothing until it is taken off.
    asleep: bool,
    /// Its next wait returns for no reason.
    restless: bool,
    /// It has to pass a barrier before it does anything else.
    barrier_due: bool,
    /// It may not call `membarrier(2)`, and so is not registered either.
    stranger: bool,
    /// Steps it has left to live.
    lives: Option<usize>,
    /// It polls, and lets the others move before it looks again.
    polling: bool,
    /// What it has loaded since it last let them.
    seen: Vec<(u32, u64)>,
    /// What it had loaded when it last did, and how far everybody was.
    round: Option<(Vec<(u32, u64)>, u64)>,
}

#[derive(Debug, Default)]
struct World {
    rules: Rules,
    words: Vec<Rc<Word>>,
    places: Vec<Rc<Place>>,
    threads: Vec<Thread>,
    running: bool,
    /// Steps of all threads that may have changed anything.
    moves: u64,
}

impl Thread {
    /// Nobody has taken it off its queue yet.
    fn is_asleep(&self) -> bool {
        self.asleep && self.queued_on.is_some()
    }
}

impl World {
    /// Whether a thread neither sleeps nor waits for others to move.
    fn somebody_moves(&self) -> bool {
        let moves = |thread: &Thread| !(thread.finished || thread.polling || thread.is_asleep());
        self.threads.iter().any(moves)
    }
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
    static REACHED: RefCell<BTreeSet<&'static str>> = RefCell::default();
    static EXECUTIONS: Cell<u64> = const { Cell::new(0) };
}

fn with<R>(f: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(f)
}

/// Begins an execution.
pub(crate) fn begin(rules: Rules, threads: usize) {
    EXECUTIONS.set(EXECUTIONS.get() + 1);
    let mut fresh = World { rules, ..World::default() };
    fresh.threads.resize_with(threads, || Thread { restless: rules.restless, ..Thread::default() });
    with(|world| *world = fresh);
}

/// From here on there is more than one thread.
pub(crate) fn run() {
    with(|world| world.running = true);
}

pub(crate) fn new_word() -> usize {
    let shadows = with(|world| if world.rules.shadows { world.threads.len() } else { 0 });
    let word = Rc::new(Word {
        value: AtomicU64::new(0),
        shadows: (0..shadows).map(|_| AtomicU64::new(0)).collect(),
        queue: AtomicU64::new(0),
    });
    with(|world| {
        world.words.push(word);
        world.words.len() - 1
    })
}

pub(crate) fn word(index: usize) -> Rc<Word> {
    with(|world| world.words[index].clone())
}

pub(crate) fn new_place() -> usize {
    let place = Rc::new(Place(UnsafeCell::new(0)));
    with(|world| {
        world.places.push(place);
        world.places.len() - 1
    })
}

pub(crate) fn place(index: usize) -> Rc<Place> {
    with(|world| world.places[index].clone())
}

/// The calling thread, numbered in the order of first calls.
fn me() -> usize {
    let id = loom::thread::current().id();
    with(|world| {
        let known = world.threads.iter().position(|thread| thread.id.is_none_or(|other| other == id));
        let me = known.expect("a model starts no more threads than it has roles");
        world.threads[me].id = Some(id);
        me
    })
}

fn me_if(wanted: bool) -> usize {
    if wanted { me() } else { usize::MAX }
}

/// Before every operation: here a barrier takes effect, and here a thread that is to die does.
pub(crate) fn step() {
    with(|world| world.moves += 1);
    look();
}

/// The same before one that changes nothing.
pub(crate) fn look() {
    if !with(|world| world.running) {
        return;
    }
    pass_barrier();
    live();
}

/// The calling thread has loaded a value.
pub(crate) fn saw(word: u32, value: u64) {
    if with(|world| world.running) {
        let me = me();
        with(|world| world.threads[me].seen.push((word, value)));
    }
}

/// In a polling loop: somebody else must move before looking again can help.
///
/// loom lets those who yield take turns without counting it as preemption: two that poll or sleep could do so for ever,
/// and the search would never end. A round that loaded what the one before it had, while nobody moved, has led to where
/// the one before it had, and what follows from there is searched from there.
pub(crate) fn relax() {
    let me = me();
    let again = with(|world| {
        let thread = &mut world.threads[me];
        let seen = std::mem::take(&mut thread.seen);
        let (same, moves) = match &thread.round {
            Some((last, moves)) => (*last == seen, *moves),
            None => (false, 0),
        };
        // Who has seen something new may go on from it.
        world.moves += u64::from(!same);
        let again = same && moves == world.moves;
        world.threads[me].round = Some((seen, world.moves));
        world.threads[me].polling = true;
        again
    });
    if again {
        loom::skip_branch();
    }
    yield_now();
    with(|world| world.threads[me].polling = false);
}

/// One step of life.
fn live() {
    let me = me();
    let dead = with(|world| match &mut world.threads[me].lives {
        Some(0) => true,
        Some(lives) => {
            *lives -= 1;
            false
        }
        None => false,
    });
    if dead {
        dequeue();
        resume_unwind(Box::new(Death));
    }
}

/// Sets how many steps the calling thread has left to live; `None` lifts it.
pub(crate) fn set_lives(lives: Option<usize>) {
    let me = me();
    with(|world| world.threads[me].lives = lives);
}

/// The calling thread has played its role. True for the last one, who then sees all that was done.
pub(crate) fn finish() -> bool {
    let me = me();
    fence(SeqCst); // whoever comes after sees everything: memory does not stay unwritten for ever
    let alive = with(|world| {
        world.moves += 1;
        world.threads[me].finished = true;
        world.threads[me].barrier_due = false;
        world.threads.iter().filter(|thread| !thread.finished).count()
    });
    check_somebody_is_awake();
    alive == 0
}

fn check_somebody_is_awake() {
    let stuck = with(|world| {
        let mut alive = world.threads.iter().filter(|thread| !thread.finished).peekable();
        alive.peek().is_some() && alive.all(Thread::is_asleep)
    });
    assert!(!stuck, "deadlock: everybody sleeps, a wake-up was lost");
}

/// Whether the calling thread's wait is to return for no reason; once per thread, where the rules say so.
pub(crate) fn wakes_for_no_reason() -> bool {
    let me = me();
    with(|world| std::mem::take(&mut world.threads[me].restless))
}

/// Puts the calling thread on a word's queue.
pub(crate) fn enqueue(word: usize) {
    let me = me();
    with(|world| world.threads[me].queued_on = Some(word));
}

/// Takes the calling thread off its queue.
pub(crate) fn dequeue() {
    let me = me();
    with(|world| world.threads[me].queued_on = None);
}

/// Takes up to `many` off a word's queue, and says how many. It orders nothing: a wake-up is no message.
pub(crate) fn wake(word: usize, many: u32) -> u32 {
    with(|world| {
        let mut woken = 0;
        for thread in world.threads.iter_mut().filter(|thread| thread.queued_on == Some(word)) {
            if woken < many {
                thread.queued_on = None;
                woken += 1;
            }
        }
        woken
    })
}

/// Sleeps until somebody takes the calling thread off its queue.
pub(crate) fn sleep() {
    let me = me();
    live(); // it may also die asleep
    trace(|| "sleeps".into());
    with(|world| world.threads[me].asleep = true);
    let mut moves = None;
    while with(|world| world.threads[me].queued_on.is_some()) {
        check_somebody_is_awake();
        // As in `relax`. Also where somebody else may go on at once: a sleeper's turn changes nothing.
        let now = with(|world| world.moves);
        if moves.is_some() && (moves == Some(now) || with(|world| world.somebody_moves())) {
            loom::skip_branch();
        }
        yield_now();
        moves = (!pass_barrier()).then_some(now);
    }
    with(|world| world.threads[me].asleep = false);
    trace(|| "is awake".into());
}

/// All threads pass a barrier between this call and its return, or all that are registered: `membarrier(2)`. False if
/// the caller may not.
pub(crate) fn barrier_everywhere(strangers_too: bool) -> bool {
    if !with(|world| world.running) {
        return true;
    }
    let me = me();
    if with(|world| !world.rules.membarrier || world.threads[me].stranger) {
        return false;
    }
    fence(SeqCst);
    with(|world| {
        for (_, other) in world.threads.iter_mut().enumerate().filter(|&(index, _)| index != me) {
            other.barrier_due = !other.finished && (strangers_too || !other.stranger);
        }
    });
    with(|world| world.threads[me].polling = true);
    while with(|world| world.threads.iter().any(|thread| thread.barrier_due)) {
        yield_now();
        pass_barrier();
    }
    with(|world| world.threads[me].polling = false);
    fence(SeqCst);
    true
}

/// From here on the calling thread may not call `membarrier(2)`.
pub(crate) fn become_a_stranger() {
    let me = me();
    with(|world| world.threads[me].stranger = true);
}

/// Whether there was one to be passed.
fn pass_barrier() -> bool {
    let me = me();
    let due = with(|world| std::mem::take(&mut world.threads[me].barrier_due));
    if due {
        with(|world| world.moves += 1);
        fence(SeqCst);
    }
    due
}

/// Prints what happens, in the execution that `LOOM_TRACE` names by its number.
pub(crate) fn trace(what: impl FnOnce() -> String) {
    thread_local! {
        static WANTED: Option<u64> = std::env::var("LOOM_TRACE").ok().and_then(|number| number.parse().ok());
    }
    if WANTED.with(|wanted| *wanted == Some(EXECUTIONS.get())) && with(|world| world.running) {
        println!("  thread {}: {}", me(), what());
    }
}

/// Notes an outcome; what happens while a model is set up does not count.
pub(crate) fn reach(outcome: &'static str) {
    if !with(|world| world.running) {
        return;
    }
    REACHED.with_borrow_mut(|reached| reached.insert(outcome));
}

/// Executions and outcomes since the last call.
pub(crate) fn take_account() -> (u64, BTreeSet<&'static str>) {
    (EXECUTIONS.take(), REACHED.take())
}

pub(crate) fn executions() -> u64 {
    EXECUTIONS.get()
}
