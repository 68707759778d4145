//! What a fork and an exec do not inherit. The parents here are processes of their own, so that nothing else
//! forks with them.

mod common;

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;

use common::child::{arg, play, spawn};
use common::words::Words;
use common::{MOMENT, SOON, Scratch, refused, ring_in, watchdog};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

#[test]
#[ignore = "the other processes of the tests in this file, which start them"]
fn child() {
    play(&[
        ("every-call", every_call),
        ("guards", guards),
        ("leave-an-heir", leave_an_heir),
        ("fork-while-mapping", fork_while_mapping),
        ("descriptors", descriptors),
        ("inherit", inherit),
    ]);
}

/// Forks; the child runs the block and exits well, or the test fails. The block may consume what the parent
/// goes on with: it is the child's copy.
macro_rules! in_a_fork {
    ($part:block) => {
        // SAFETY: the child goes on with the only thread that forks here; the others (the test harness) hold no
        // lock that the part needs, and the C library makes its allocator fit for use.
        match unsafe { fork() }.expect("a fork") {
            ForkResult::Child => {
                std::panic::set_hook(Box::new(|panic| {
                    eprintln!("in the forked child: {panic}");
                    leave(9);
                }));
                $part
                leave(0);
            }
            ForkResult::Parent { child } => {
                let status = waitpid(child, None).expect("a child of ours");
                assert!(matches!(status, WaitStatus::Exited(_, 0)), "the forked child: {status:?}");
            }
        }
    };
}

/// Ends a forked child at once, without the exit handlers of its parent.
fn leave(code: i32) -> ! {
    // SAFETY: takes a number and does not return.
    unsafe { nix::libc::_exit(code) }
}

/// Every call on handles of the parent is refused in the child, and does the parent no harm.
fn every_call(args: &[String]) {
    let dir = Path::new(&args[0]);
    let mut tx = ring_in(dir, "ring").producer().expect("a producer");
    let mut rx = ring_in(dir, "ring").consumer().expect("a consumer");
    tx.send(b"for the parent").expect("send");
    in_a_fork!({
        let said = &["ring 'ring'", "this process is a fork", "open the ring again in the child"];
        let later = Instant::now() + SOON;
        refused(tx.send(b"x"), "Forked", said);
        refused(tx.try_send(b"x"), "Forked", said);
        refused(tx.send_timeout(b"x", SOON), "Forked", said);
        refused(tx.send_deadline(b"x", later), "Forked", said);
        refused(tx.claim(1), "Forked", said);
        refused(tx.try_claim(1), "Forked", said);
        refused(tx.claim_timeout(1, SOON), "Forked", said);
        refused(tx.claim_deadline(1, later), "Forked", said);
        refused(tx.batch().send(b"x"), "Forked", said);
        refused(tx.batch().try_send(b"x"), "Forked", said);
        refused(tx.batch().claim(1), "Forked", said);
        refused(tx.batch().try_claim(1), "Forked", said);
        tx.batch().publish();
        refused(tx.peers(), "Forked", said);
        refused(tx.wait_for_peer(SOON), "Forked", said);
        refused(tx.close(), "Forked", said);
        refused(rx.recv(), "Forked", said);
        refused(rx.try_recv(), "Forked", said);
        refused(rx.recv_timeout(SOON), "Forked", said);
        refused(rx.recv_deadline(later), "Forked", said);
        refused(rx.recv_into(&mut [0; 64]), "Forked", said);
        refused(rx.try_recv_into(&mut [0; 64]), "Forked", said);
        refused(rx.recv_to_vec(&mut Vec::new()), "Forked", said);
        refused(rx.try_recv_to_vec(&mut Vec::new()), "Forked", said);
        refused(rx.drain(), "Forked", said);
        refused(rx.try_drain(), "Forked", said);
        refused(rx.peers(), "Forked", said);
        refused(rx.wait_for_peer(SOON), "Forked", said);
        assert_eq!(tx.stats(), podring::Stats::default());
        assert_eq!((tx.name(), tx.capacity()), ("ring", 1 << 20), "what is not in the segment is there");
        assert!(!format!("{tx:?}{rx:?}").is_empty());
        // The seats are the parent's.
        refused(ring_in(dir, "ring").producer(), "RoleTaken", &["producer"]);
        drop((tx, rx));
        // A child may take part in its own right, in another ring.
        let mut own = ring_in(dir, "other").producer().expect("a ring of its own");
        own.send(b"child").expect("send");
        let mut got = ring_in(dir, "other").consumer().expect("a consumer");
        assert_eq!(&*got.recv().expect("recv"), b"child");
    });
    assert_eq!(&*rx.recv().expect("recv"), b"for the parent");
    tx.send(b"still works").expect("send");
    assert_eq!(&*rx.recv().expect("recv"), b"still works");
    assert_eq!(tx.peers().expect("peers").len(), 1);
    typed(dir);
}

#[cfg(feature = "bytemuck")]
fn typed(dir: &Path) {
    let mut tx = ring_in(dir, "typed").typed::<u64>().producer().expect("a producer");
    let mut rx = ring_in(dir, "typed").typed::<u64>().consumer().expect("a consumer");
    tx.send(&7).expect("send");
    in_a_fork!({
        refused(tx.send(&1), "Forked", &[]);
        refused(tx.try_send(&1), "Forked", &[]);
        refused(tx.send_timeout(&1, SOON), "Forked", &[]);
        refused(tx.send_all(&[1, 2]), "Forked", &[]);
        refused(tx.peers(), "Forked", &[]);
        refused(tx.wait_for_peer(SOON), "Forked", &[]);
        refused(tx.close(), "Forked", &[]);
        refused(rx.recv(), "Forked", &[]);
        refused(rx.try_recv(), "Forked", &[]);
        refused(rx.recv_timeout(SOON), "Forked", &[]);
        refused(rx.recv_many(&mut [0; 2]), "Forked", &[]);
        refused(rx.peers(), "Forked", &[]);
        refused(rx.wait_for_peer(SOON), "Forked", &[]);
        drop((tx, rx));
    });
    assert_eq!(rx.recv().expect("recv"), 7);
}

#[cfg(not(feature = "bytemuck"))]
fn typed(_: &Path) {}

#[test]
fn every_call_in_a_forked_child_is_refused() {
    let scratch = Scratch::new("fork-calls");
    assert!(spawn("every-call", &[arg(scratch.dir())]).finish(SOON));
}

/// Guards that are open while the process forks do nothing in the child, whatever is done with them.
fn guards(args: &[String]) {
    let dir = Path::new(&args[0]);
    let mut tx = ring_in(dir, "ring").producer().expect("a producer");
    let mut rx = ring_in(dir, "ring").consumer().expect("a consumer");
    for number in 0..4_u8 {
        tx.send(&[number]).expect("send");
    }

    let claim = tx.claim(10).expect("claim");
    in_a_fork!({
        drop(claim);
    });
    in_a_fork!({
        claim.commit();
    });
    drop(claim);
    let mut batch = tx.batch();
    batch.send(b"held").expect("send");
    in_a_fork!({
        drop(batch);
    });
    in_a_fork!({
        batch.publish();
    });
    in_a_fork!({
        refused(batch.send(b"more"), "Forked", &[]);
    });
    drop(batch);
    assert_eq!(tx.stats().messages, 4, "the children published nothing");

    let message = rx.recv().expect("recv");
    in_a_fork!({
        drop(message);
    });
    drop(message);
    let mut drain = rx.drain().expect("drain");
    drain.next().expect("next");
    in_a_fork!({
        drop(drain);
    });
    in_a_fork!({
        refused(drain.next(), "Forked", &[]);
    });
    drop(drain);
    let left = rx.recv().expect("recv");
    assert_eq!(*left, [2], "the children released nothing");
}

#[test]
fn guards_that_are_open_in_a_fork_do_no_harm_in_the_child() {
    let scratch = Scratch::new("fork-guards");
    assert!(spawn("guards", &[arg(scratch.dir())]).finish(SOON));
}

/// Takes both seats, forks a child that lives on, says its number, and waits to be killed.
fn leave_an_heir(args: &[String]) {
    let board = Words::map(Path::new(&args[1]));
    let dir = Path::new(&args[0]);
    let _tx = ring_in(dir, "ring").producer().expect("a producer");
    let _rx = ring_in(dir, "ring").consumer().expect("a consumer");
    // SAFETY: the child only sleeps.
    match unsafe { fork() }.expect("a fork") {
        ForkResult::Child => loop {
            thread::sleep(SOON);
        },
        ForkResult::Parent { child } => board.set(0, child.as_raw() as u64),
    }
    loop {
        thread::sleep(SOON);
    }
}

/// A process that is not our child; killed when dropped.
struct Heir(nix::unistd::Pid);

impl Heir {
    fn lives(&self) -> bool {
        nix::sys::signal::kill(self.0, None).is_ok()
    }
}

impl Drop for Heir {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(self.0, nix::sys::signal::Signal::SIGKILL);
    }
}

#[test]
fn the_seats_of_a_dead_parent_are_free_though_its_child_lives() {
    let scratch = Scratch::new("heir");
    let board = Words::make(&scratch.beside("board"), 1);
    let parent = spawn("leave-an-heir", &[arg(scratch.dir()), arg(&scratch.beside("board"))]);
    common::eventually("it has forked", || board.get(0) != 0);
    let heir = Heir(nix::unistd::Pid::from_raw(board.get(0) as i32));
    refused(scratch.ring("ring").producer(), "RoleTaken", &["producer"]);
    parent.kill();
    assert!(heir.lives());
    scratch.ring("ring").producer().expect("the producer's seat is free");
    scratch.ring("ring").consumer().expect("the consumer's seat is free");
    assert!(heir.lives());
}

/// Rings that one thread attaches to, one after the other, while another forks.
const RINGS: usize = 32;
/// Children forked at most.
const FORKS: usize = 300;

/// Forks again and again in one thread while another attaches, then waits to be killed; the children live on.
fn fork_while_mapping(args: &[String]) {
    let board = Words::map(Path::new(&args[1]));
    let dir = args[0].clone();
    let mapper = thread::spawn(move || {
        // Large: mapping takes a while.
        let attach = |index| ring_in(Path::new(&dir), &format!("ring-{index}")).capacity(4 << 20).producer();
        (0..RINGS).map(|index| attach(index).expect("a producer")).collect::<Vec<_>>()
    });
    let mut count = 0;
    while count < FORKS && !mapper.is_finished() {
        // SAFETY: the child only sleeps.
        match unsafe { fork() }.expect("a fork") {
            ForkResult::Child => loop {
                thread::sleep(SOON);
            },
            ForkResult::Parent { child } => {
                count += 1;
                board.set(count, child.as_raw() as u64);
            }
        }
    }
    let _kept = mapper.join().expect("the mapper");
    board.set(0, count as u64);
    loop {
        thread::sleep(SOON);
    }
}

#[test]
fn a_fork_while_another_thread_attaches_inherits_no_seat() {
    let scratch = Scratch::new("fork-mapping");
    let _watchdog = watchdog(SOON * 3, "forks while attaching");
    let board = Words::make(&scratch.beside("board"), FORKS + 1);
    let mut parent = spawn("fork-while-mapping", &[arg(scratch.dir()), arg(&scratch.beside("board"))]);
    common::eventually("it has attached and forked", || {
        assert!(parent.is_running());
        board.get(0) != 0
    });
    let heir = |index| Heir(nix::unistd::Pid::from_raw(board.get(index) as i32));
    let heirs: Vec<Heir> = (1..=board.get(0) as usize).map(heir).collect();
    parent.kill();
    assert!(heirs.iter().all(Heir::lives));
    for index in 0..RINGS {
        let free = scratch.ring(&format!("ring-{index}")).producer();
        free.unwrap_or_else(|error| panic!("a child holds the file its parent was mapping: {error}"));
    }
}

/// Starts another program while holding handles: it has none of the descriptors.
fn descriptors(args: &[String]) {
    let dir = Path::new(&args[0]);
    let _tx = ring_in(dir, "ring").producer().expect("a producer");
    let _rx = ring_in(dir, "ring").consumer().expect("a consumer");
    let open = |text: &str| text.contains(&args[0]) || text.contains("(deleted)");
    let mine = Command::new("ls").args(["-l", &format!("/proc/{}/fd", std::process::id())]).output();
    let mine = String::from_utf8_lossy(&mine.expect("ls").stdout).into_owned();
    assert!(open(&mine), "here they are open: {mine}");
    let theirs = Command::new("ls").args(["-l", "/proc/self/fd"]).output().expect("ls");
    let theirs = String::from_utf8_lossy(&theirs.stdout).into_owned();
    assert!(!open(&theirs), "leaked: {theirs}");
    // And after fork alone, before any exec.
    let before: Vec<_> = descriptors_of_rings(&args[0]);
    assert_eq!(before.len(), 2, "{before:?}");
    in_a_fork!({
        assert_eq!(descriptors_of_rings(&args[0]), Vec::<String>::new());
    });
    in_a_fork!({
        let maps = std::fs::read_to_string("/proc/self/maps").expect("the mappings");
        assert!(!maps.contains(&args[0]), "the mapping is not inherited: {maps}");
    });
}

fn descriptors_of_rings(dir: &str) -> Vec<String> {
    std::fs::read_dir("/proc/self/fd")
        .expect("the descriptors")
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .filter(|target| target.starts_with(dir))
        .collect()
}

#[test]
fn started_programs_and_forks_have_none_of_the_descriptors() {
    let scratch = Scratch::new("descriptors");
    assert!(spawn("descriptors", &[arg(scratch.dir())]).finish(SOON));
}

/// Starts a program that outlives it, as a daemon would, and waits to be killed.
fn inherit(args: &[String]) {
    let board = Words::map(Path::new(&args[1]));
    let _tx = ring_in(Path::new(&args[0]), "ring").producer().expect("a producer");
    let mut program = Command::new("sleep").arg("60").spawn().expect("another program");
    board.set(0, u64::from(program.id()));
    program.wait().expect("it outlives this process");
}

#[test]
fn the_seat_of_a_dead_process_is_free_though_a_program_it_started_lives() {
    let scratch = Scratch::new("inherit");
    let board = Words::make(&scratch.beside("board"), 1);
    let parent = spawn("inherit", &[arg(scratch.dir()), arg(&scratch.beside("board"))]);
    common::eventually("it has started a program", || board.get(0) != 0);
    let program = Heir(nix::unistd::Pid::from_raw(board.get(0) as i32));
    thread::sleep(MOMENT);
    parent.kill();
    assert!(program.lives());
    scratch.ring("ring").producer().expect("the seat is free");
}
