//! Participants that are killed or stopped at any moment, and the successors that go on.

mod common;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use common::child::{arg, play, spawn};
use common::words::Words;
use common::{MOMENT, Random, SOON, Scratch, read_stamp, refused, ring_in, stamped, watchdog};
use nix::sys::signal::Signal;
use podring::{Consumer, PeerLoss, Producer, Wait};

/// The smallest ring: the sides are full and empty all the time.
const SMALL: usize = 4096;
const KILLS: u64 = 100;

// Words of the board on which children note what they did, so that it survives them.

/// Messages of the present sender whose send has returned.
const SENT: usize = 0;
/// Messages ever handed to a receiver.
const SEEN: usize = 1;
/// Messages ever released.
const RELEASED: usize = 2;
/// Senders that have attached. Their confirmed counts follow from word 16 on.
const SENDERS: usize = 3;
const CONFIRMED: usize = 16;
/// Whether the receiver is in a copying call, which releases before it can be noted.
const COPYING: usize = 4;

#[test]
#[ignore = "the other processes of the tests in this file, which start them"]
fn child() {
    play(&[
        ("send", send),
        ("receive", receive),
        ("send-once", send_once),
        ("hold", hold),
        ("claim", claim),
        ("fill", fill),
        ("look", look),
    ]);
}

/// Sends for ever (or as many as asked, and then closes), in all forms, noting what was confirmed.
fn send(args: &[String]) {
    let [dir, board, incarnation, count] = args else { panic!("{args:?}") };
    let (incarnation, count): (u64, u64) = (incarnation.parse().unwrap(), count.parse().unwrap());
    let board = Words::map(Path::new(board));
    let mut tx = ring_in(Path::new(dir), "ring").capacity(SMALL).producer().expect("a producer");
    board.set(SENDERS, incarnation + 1);
    let mut random = Random::seeded(incarnation);
    let mut number = 0;
    let confirm = |number| board.set(CONFIRMED + incarnation as usize, number);
    while number < count {
        match random.below(4) {
            0 => {
                let mut batch = tx.batch();
                for _ in 0..random.below(12).min(count - number) {
                    batch.send(&stamped(incarnation, number)).expect("batch send");
                    number += 1;
                }
                batch.publish();
            }
            1 => {
                let message = stamped(incarnation, number);
                let mut claim = tx.claim(message.len()).expect("claim");
                claim.copy_from_slice(&message);
                claim.commit();
                number += 1;
            }
            2 => {
                drop(tx.claim(100).expect("a claim that comes to nothing"));
                continue;
            }
            _ => {
                tx.send(&stamped(incarnation, number)).expect("send");
                number += 1;
            }
        }
        confirm(number);
    }
    tx.close().expect("close");
}

#[test]
fn a_producer_killed_a_hundred_times_loses_nothing_it_confirmed() {
    let scratch = Scratch::new("kill-producer");
    let _watchdog = watchdog(SOON * 3, "killing producers");
    let board = Words::make(&scratch.beside("board"), CONFIRMED + KILLS as usize + 1);
    let mut rx = scratch.ring("ring").capacity(SMALL).consumer().expect("a consumer");
    let dir = scratch.dir().to_owned();
    let board_path = scratch.beside("board");
    let killer = thread::spawn(move || {
        let mut random = Random::fresh();
        let board = Words::map(&board_path);
        for incarnation in 0..KILLS {
            let number = incarnation.to_string();
            let sender = spawn("send", &[arg(&dir), arg(&board_path), &number, "1000000000"]);
            if random.one_in(4) {
                // Anywhere, also while it starts.
                thread::sleep(Duration::from_micros(random.below(6000)));
            } else {
                common::eventually("the sender is there", || board.get(SENDERS) == incarnation + 1);
                thread::sleep(Duration::from_micros(random.below(2000)));
            }
            sender.kill();
        }
        let number = KILLS.to_string();
        assert!(spawn("send", &[arg(&dir), arg(&board_path), &number, "3000"]).finish(SOON));
    });
    let mut delivered = vec![0_u64; KILLS as usize + 1];
    let mut last = 0;
    let mut random = Random::fresh();
    loop {
        let mut note = |message: &[u8]| {
            let (incarnation, number) = read_stamp(message);
            assert!(incarnation >= last, "a message of {incarnation} after one of {last}");
            last = incarnation;
            assert_eq!(number, delivered[incarnation as usize], "lost, twice or out of order: {incarnation}");
            delivered[incarnation as usize] += 1;
        };
        let received = if random.one_in(2) {
            rx.recv_timeout(SOON).map(|message| note(&message))
        } else {
            rx.drain_timeout(SOON).and_then(|mut drain| {
                while let Some(message) = drain.next()? {
                    note(message);
                }
                Ok(())
            })
        };
        match received {
            Ok(()) => {}
            Err(podring::Error::Closed { .. }) => break,
            Err(error) => panic!("{error}"),
        }
    }
    killer.join().expect("the killer");
    assert_eq!(delivered[KILLS as usize], 3000);
    for incarnation in 0..KILLS as usize {
        let (confirmed, delivered) = (board.get(CONFIRMED + incarnation), delivered[incarnation]);
        assert!(delivered >= confirmed, "{incarnation}: {confirmed} confirmed, {delivered} delivered");
        // One call may have been under way: a batch of twelve at most.
        assert!(delivered <= confirmed + 12, "{incarnation}: {confirmed} confirmed, {delivered} delivered");
    }
    assert_eq!(scratch.names(), ["ring"], "the directory holds exactly the ring");
}

/// Receives for ever, in all forms, checking against the board that nothing comes twice but what was not
/// released, and that this is marked.
fn receive(args: &[String]) {
    let [dir, board, seed] = args else { panic!("{args:?}") };
    let board = Words::map(Path::new(board));
    let mut rx = ring_in(Path::new(dir), "ring").capacity(SMALL).consumer().expect("a consumer");
    let mut random = Random::seeded(seed.parse().unwrap());
    let (seen_before, released_before) = (board.get(SEEN), board.get(RELEASED));
    let first_at_most = seen_before + board.get(COPYING);
    let mut expected = None;
    let mut check = |message: &[u8], redelivered: Option<bool>| {
        let (_, number) = read_stamp(message);
        match expected {
            // The first after a death: released or not, but nothing in between.
            None => assert!(
                (released_before..=first_at_most).contains(&number),
                "{number} comes first; released {released_before}, seen {seen_before}"
            ),
            Some(expected) => assert_eq!(number, expected, "lost, twice or out of order"),
        }
        expected = Some(number + 1);
        if let Some(redelivered) = redelivered {
            if number < seen_before {
                assert!(redelivered, "{number} had been handed out (up to {seen_before}) and is not marked");
            } else if number > seen_before {
                // One may have been handed out and not noted.
                assert!(
                    !redelivered,
                    "{number} had never been handed out (up to {seen_before}) and is marked"
                );
            }
        }
        if number >= board.get(SEEN) {
            board.set(SEEN, number + 1);
        }
        board.set(COPYING, 0);
        number + 1
    };
    let mut out = Vec::new();
    loop {
        match random.below(4) {
            0 => {
                let message = rx.recv().expect("recv");
                let end = check(&message, Some(message.redelivered()));
                drop(message);
                board.set(RELEASED, end);
            }
            1 => {
                let mut drain = rx.drain().expect("drain");
                let mut end = None;
                for _ in 0..random.below(20) {
                    let Some(message) = drain.next().expect("next").map(<[u8]>::to_vec) else { break };
                    end = Some(check(&message, Some(drain.redelivered())));
                }
                drop(drain);
                if let Some(end) = end {
                    board.set(RELEASED, end);
                }
            }
            2 => {
                board.set(COPYING, 1);
                rx.recv_to_vec(&mut out).expect("recv_to_vec");
                let end = check(&out, None);
                board.set(RELEASED, end);
            }
            _ => {
                let Some(message) = rx.try_recv().expect("try_recv") else { continue };
                check(&message, Some(message.redelivered()));
                std::mem::forget(message); // comes again
                let message = rx.recv().expect("recv");
                let (_, number) = read_stamp(&message);
                drop(message);
                board.set(RELEASED, number + 1);
            }
        }
    }
}

#[test]
fn a_consumer_killed_a_hundred_times_is_delivered_everything_and_repeats_only_what_it_held() {
    let scratch = Scratch::new("kill-consumer");
    let _watchdog = watchdog(SOON * 3, "killing consumers");
    let board = Words::make(&scratch.beside("board"), CONFIRMED);
    let mut tx = scratch.ring("ring").capacity(SMALL).producer().expect("a producer");
    let dir = scratch.dir().to_owned();
    let board_path = scratch.beside("board");
    let killer = thread::spawn(move || {
        let mut random = Random::fresh();
        let board = Words::map(&board_path);
        for _ in 0..KILLS {
            let seed = random.next().to_string();
            let before = board.get(SEEN);
            let mut receiver = spawn("receive", &[arg(&dir), arg(&board_path), &seed]);
            if random.one_in(4) {
                thread::sleep(Duration::from_micros(random.below(6000)));
            } else {
                common::eventually("the receiver gets something", || {
                    assert!(receiver.is_running());
                    board.get(SEEN) > before
                });
                thread::sleep(Duration::from_micros(random.below(2000)));
            }
            receiver.kill();
        }
    });
    let mut number = 0;
    while !killer.is_finished() {
        // Between the last death and the last successor nobody makes room.
        match tx.send_timeout(&stamped(0, number), Duration::from_millis(200)) {
            Ok(()) => number += 1,
            Err(error) => assert_eq!(error.kind(), "Timeout", "{error}"),
        }
    }
    killer.join().expect("the killer");
    let mut last = spawn("receive", &[arg(scratch.dir()), arg(&scratch.beside("board")), "7"]);
    for _ in 0..3000 {
        tx.send_timeout(&stamped(0, number), SOON).expect("send");
        number += 1;
    }
    common::eventually("all is received", || {
        assert!(last.is_running());
        board.get(RELEASED) == number
    });
    last.kill();
    let report = podring::inspect::report(scratch.dir(), "ring").expect("a report");
    assert_eq!(report.used, 0);
    assert!(report.seats[1].stats.attaches > KILLS / 2, "most of them got as far as taking the seat");
    assert_eq!(scratch.names(), ["ring"], "the directory holds exactly the ring");
}

/// Sends one message, and stays until killed.
fn send_once(args: &[String]) {
    let [dir, board] = args else { panic!("{args:?}") };
    let board = Words::map(Path::new(board));
    let mut tx = ring_in(Path::new(dir), "ring").producer().expect("a producer");
    tx.send(&stamped(9, 9)).expect("send");
    board.set(SENT, board.get(SENT) + 1);
    forever()
}

/// Takes a message, holds it, and stays until killed.
fn hold(args: &[String]) {
    let [dir, board] = args else { panic!("{args:?}") };
    let board = Words::map(Path::new(board));
    let mut rx = ring_in(Path::new(dir), "ring").consumer().expect("a consumer");
    let _message = rx.recv().expect("recv");
    board.set(SEEN, board.get(SEEN) + 1);
    forever()
}

/// Claims most of the ring, writes into it, and stays until killed.
fn claim(args: &[String]) {
    let [dir, board] = args else { panic!("{args:?}") };
    let board = Words::map(Path::new(board));
    let mut tx = ring_in(Path::new(dir), "ring").producer().expect("a producer");
    let mut batch = tx.batch();
    batch.send(&[0xEE; 500]).expect("send");
    batch.claim(1000).expect("claim").fill(0xDD);
    board.set(SENT, board.get(SENT) + 1);
    forever()
}

/// Fills the ring and blocks in a send.
fn fill(args: &[String]) {
    let [dir, board, report] = args else { panic!("{args:?}") };
    let board = Words::map(Path::new(board));
    let loss = if report == "report" { PeerLoss::Report } else { PeerLoss::Wait };
    let mut tx =
        ring_in(Path::new(dir), "ring").capacity(SMALL).peer_loss(loss).producer().expect("a producer");
    for number in 0.. {
        if let Err(error) = tx.send(&stamped(0, number)) {
            assert_eq!(error.kind(), "PeerDied", "{error}");
            board.set(SEEN, 1);
            forever();
        }
        board.set(SENT, number + 1);
    }
}

fn forever() -> ! {
    loop {
        thread::park();
    }
}

/// Nobody waits longer than a second once a successor is there; on a machine with other things to do, one of
/// ten may.
fn within_a_second(mut waited: Vec<Duration>) {
    waited.sort();
    assert!(waited[waited.len() - 2] < Duration::from_secs(1), "{waited:?}");
}

fn board(scratch: &Scratch) -> Words {
    Words::make(&scratch.beside("board"), CONFIRMED)
}

#[test]
fn a_blocked_consumer_is_served_by_the_successor_of_a_killed_producer() {
    let scratch = Scratch::new("serve-consumer");
    let _watchdog = watchdog(SOON * 2, "a blocked consumer");
    let board = board(&scratch);
    // Slices that cannot be what ends the wait.
    let rx = scratch.ring("ring").wait(Wait::Park).slice(SOON * 4);
    let mut rx = rx.consumer().expect("a consumer");
    let args = [arg(scratch.dir()), arg(&scratch.beside("board"))].map(str::to_owned);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut waited = Vec::new();
    for round in 1..=10 {
        let sender = spawn("send-once", &args);
        assert_eq!(read_stamp(&rx.recv_timeout(SOON).expect("recv")), (9, 9));
        common::eventually("it was sent", || board.get(SENT) == round);
        sender.kill();
        let mut receiver = rx;
        let blocked = thread::spawn(move || {
            let got = receiver.recv_timeout(SOON).map(|message| read_stamp(&message));
            (got, Instant::now(), receiver)
        });
        thread::sleep(Duration::from_millis(5));
        let mut tx = scratch.ring("ring").producer().expect("the seat of a killed one is free");
        let there = Instant::now();
        tx.send(&stamped(1, round)).expect("send");
        let (got, end, receiver) = blocked.join().expect("no panic");
        assert_eq!(got.expect("the successor's message"), (1, round));
        waited.push(end.saturating_duration_since(there));
        rx = receiver;
        assert_eq!(rx.stats().slice_rescues, 0);
    }
    within_a_second(waited);
    assert_eq!(scratch.names(), ["ring"]);
}

#[test]
fn a_blocked_producer_is_served_by_the_successor_of_a_killed_consumer() {
    let scratch = Scratch::new("serve-producer");
    let _watchdog = watchdog(SOON * 2, "a blocked producer");
    let board = board(&scratch);
    let tx = scratch.ring("ring").capacity(SMALL).wait(Wait::Park).slice(SOON * 4);
    let mut tx = tx.producer().expect("a producer");
    let (dir, path) = (scratch.dir().to_owned(), scratch.beside("board"));
    let mut waited = Vec::new();
    for round in 1..=10 {
        while tx.try_send(&[round; 1000]).expect("try_send") {}
        let holder = spawn("hold", &[arg(&dir), arg(&path)]);
        common::eventually("it holds a message", || board.get(SEEN) == u64::from(round));
        let mut sender = tx;
        let blocked = thread::spawn(move || {
            let sent = sender.send_timeout(&[0; 1500], SOON);
            (sent, Instant::now(), sender)
        });
        thread::sleep(Duration::from_millis(5));
        holder.kill();
        let mut rx = scratch.ring("ring").consumer().expect("the seat of a killed one is free");
        let there = Instant::now();
        let first = rx.recv().expect("recv");
        assert!(first.redelivered() && first.len() == 1000);
        drop(first);
        let mut left = Vec::new();
        while left.len() != 1500 {
            rx.recv_to_vec(&mut left).expect("recv_to_vec");
        }
        let (sent, end, sender) = blocked.join().expect("no panic");
        sent.expect("the successor made room");
        waited.push(end.saturating_duration_since(there));
        tx = sender;
    }
    within_a_second(waited);
    assert_eq!(tx.stats().slice_rescues, 0);
}

#[test]
fn a_claim_of_a_killed_producer_is_nothing() {
    let scratch = Scratch::new("claim-killed");
    let _watchdog = watchdog(SOON * 2, "a killed producer's claim");
    let board = board(&scratch);
    let mut rx = scratch.ring("ring").capacity(SMALL).consumer().expect("a consumer");
    for round in 1..=10 {
        let claimer = spawn("claim", &[arg(scratch.dir()), arg(&scratch.beside("board"))]);
        common::eventually("it has claimed", || board.get(SENT) == round);
        claimer.kill();
        assert!(rx.try_recv().expect("try_recv").is_none(), "nothing was sent");
        let mut tx = scratch.ring("ring").producer().expect("its successor");
        for number in 0..round {
            tx.send(&stamped(round, number)).expect("send");
            assert_eq!(read_stamp(&rx.recv().expect("recv")), (round, number));
        }
    }
}

#[test]
fn a_killed_producer_is_reported_after_what_it_sent() {
    let scratch = Scratch::new("report-producer");
    let _watchdog = watchdog(SOON * 2, "a killed producer");
    let board = board(&scratch);
    for wait in [Wait::Spin, Wait::Adaptive, Wait::Park] {
        board.set(SENT, 0);
        let sender = spawn("send-once", &[arg(scratch.dir()), arg(&scratch.beside("board"))]);
        common::eventually("it was sent", || board.get(SENT) == 1);
        let pid = sender.pid();
        sender.kill();
        let rx = scratch.ring("ring").peer_loss(PeerLoss::Report).wait(wait);
        let mut rx = rx.consumer().expect("a consumer");
        assert_eq!(read_stamp(&rx.recv().expect("what it sent comes first")), (9, 9));
        let pid = pid.to_string();
        let said = &["ring 'ring'", "producer 'takeover", &pid, "died without closing", "restart it"];
        let error = refused(rx.recv(), "PeerDied", said);
        let podring::Error::PeerDied { who, .. } = error else { unreachable!("checked") };
        assert_eq!((who.role, who.pid.to_string()), (podring::Role::Producer, pid));
        // Also with time-outs much shorter than a slice, and for copies and drains.
        refused(rx.recv_timeout(Duration::from_millis(2)), "PeerDied", &[]);
        refused(rx.recv_into(&mut [0; 8]), "PeerDied", &[]);
        refused(rx.recv_to_vec_timeout(&mut Vec::new(), Duration::from_millis(2)), "PeerDied", &[]);
        refused(rx.drain(), "PeerDied", &[]);
        assert!(rx.try_recv().expect("trying does not look around").is_none());
        // A successor is waited for as if nothing had been.
        let mut tx = scratch.ring("ring").producer().expect("a successor");
        refused(rx.recv_timeout(Duration::from_millis(2)), "Timeout", &["attached and slow"]);
        tx.send(b"on").expect("send");
        assert_eq!(&*rx.recv().expect("recv"), b"on");
        drop(tx);
        // It left in good order: that is no death.
        refused(rx.recv_timeout(Duration::from_millis(2)), "Timeout", &["not attached"]);
    }
}

#[test]
fn a_killed_consumer_is_reported_to_a_blocked_producer() {
    let scratch = Scratch::new("report-consumer");
    let _watchdog = watchdog(SOON * 2, "a killed consumer");
    let board = board(&scratch);
    let sender = spawn("fill", &[arg(scratch.dir()), arg(&scratch.beside("board")), "report"]);
    common::eventually("something is sent", || board.get(SENT) > 0);
    board.set(SEEN, 0);
    let holder_board = Words::make(&scratch.beside("holder"), 4);
    let holder = spawn("hold", &[arg(scratch.dir()), arg(&scratch.beside("holder"))]);
    common::eventually("a message is held", || holder_board.get(SEEN) == 1);
    thread::sleep(MOMENT);
    assert_eq!(board.get(SEEN), 0, "the consumer lives");
    holder.kill();
    common::eventually("the producer is told", || board.get(SEEN) == 1);
    drop(sender);
}

#[test]
fn newcomers_and_leavers_are_never_taken_for_dead() {
    let scratch = Scratch::new("newcomers");
    let _watchdog = watchdog(SOON * 3, "newcomers");
    let dir = scratch.dir().to_owned();
    let coming = thread::spawn(move || {
        for number in 0..1500_u64 {
            let mut tx = ring_in(&dir, "ring").capacity(SMALL).producer().expect("a producer");
            if number % 3 == 0 {
                tx.send(&number.to_le_bytes()).expect("send");
            }
        }
        let mut tx = ring_in(&dir, "ring").producer().expect("a producer");
        tx.close().expect("close");
    });
    let rx = scratch.ring("ring").capacity(SMALL).peer_loss(PeerLoss::Report);
    let mut rx = rx.wait(Wait::Park).slice(Duration::from_millis(1)).consumer().expect("a consumer");
    let mut count = 0;
    loop {
        match rx.recv_timeout(Duration::ZERO) {
            Ok(_) => count += 1,
            Err(podring::Error::Timeout { .. }) => {}
            Err(podring::Error::Closed { .. }) => break,
            Err(error) => panic!("everybody came and left in good order: {error}"),
        }
    }
    assert_eq!(count, 500);
    coming.join().expect("no panic");
}

/// Looks for messages again and again, saying which thread does; a report of a death is a failure.
fn look(args: &[String]) {
    let board = Words::map(Path::new(&args[1]));
    let rx = ring_in(Path::new(&args[0]), "ring").peer_loss(PeerLoss::Report).wait(Wait::Park);
    let mut rx = rx.consumer().expect("a consumer");
    board.set(0, nix::unistd::gettid().as_raw() as u64);
    while board.get(1) == 0 {
        refused(rx.recv_timeout(Duration::from_millis(1)), "Timeout", &[]);
    }
}

/// The same, at the worst of all moments: the looker is held (by ptrace) where the kernel has just told it that
/// nobody holds the producer's seat, and only then does a producer sit down.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_producer_that_sits_down_while_its_seat_is_looked_at_is_not_taken_for_dead() {
    use nix::libc;
    use nix::sys::ptrace;
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    let scratch = Scratch::new("looked-at");
    let _watchdog = watchdog(SOON * 2, "a producer that is looked at");
    let board = board(&scratch);
    drop(scratch.ring("ring").producer().expect("a producer that leaves in good order"));
    let mut looker = spawn("look", &[arg(scratch.dir()), arg(&scratch.beside("board"))]);
    common::eventually("it looks", || board.get(0) != 0);
    let thread = nix::unistd::Pid::from_raw(board.get(0) as i32);
    if let Err(why) = ptrace::attach(thread) {
        eprintln!("SKIPPED: no process can be traced here: {why}");
        return;
    }
    let stopped = || waitpid(thread, Some(WaitPidFlag::__WALL)).expect("the looker");
    assert!(matches!(stopped(), WaitStatus::Stopped(..)));
    let mut held = 0;
    while held < 20 {
        ptrace::syscall(thread, None).expect("to its next system call");
        let status = stopped();
        assert!(matches!(status, WaitStatus::Stopped(..)), "it was told of a death: {status:?}");
        let registers = ptrace::getregs(thread).expect("its registers");
        let looks = registers.orig_rax == libc::SYS_fcntl as u64 && registers.rsi == libc::F_OFD_GETLK as u64;
        // At the entrance, the result is not there yet: ENOSYS.
        if looks && registers.rax as i64 == 0 {
            // It has its answer: the seat is free.
            let tx = scratch.ring("ring").producer().expect("a producer");
            ptrace::syscall(thread, None).expect("to its next system call");
            let status = stopped();
            assert!(matches!(status, WaitStatus::Stopped(..)), "it was told of a death: {status:?}");
            drop(tx);
            held += 1;
        }
    }
    board.set(1, 1);
    ptrace::detach(thread, None).expect("it goes on");
    common::eventually("it ends well", || !looker.is_running());
}

/// A pair in which `stopped` is stopped for a while under a survivor who reports losses.
fn stop_and_go(role: &str, survivor: impl FnOnce(&Scratch, &dyn Fn(Signal))) {
    let scratch = Scratch::new("stop");
    let _watchdog = watchdog(SOON * 3, "a stopped peer");
    let board = Words::make(&scratch.beside("board"), CONFIRMED + 1);
    let path = scratch.beside("board");
    let args: &[&str] = match role {
        "send" => &[arg(scratch.dir()), arg(&path), "0", "20000"],
        _ => &[arg(scratch.dir()), arg(&path), "1"],
    };
    let other = spawn(role, args);
    survivor(&scratch, &|signal| other.signal(signal));
    assert!(board.get(SENDERS) == 1 || board.get(SEEN) > 0, "the other one took part");
    if role == "send" {
        assert!(other.finish(SOON));
    } else {
        other.kill();
    }
}

#[test]
fn a_stopped_producer_is_not_taken_for_dead() {
    stop_and_go("send", |scratch, signal| {
        let rx = scratch.ring("ring").capacity(SMALL).peer_loss(PeerLoss::Report);
        let mut rx: Consumer = rx.slice(Duration::from_millis(5)).consumer().expect("a consumer");
        let mut number = 0;
        for stop_at in [5000, 10_000] {
            while number < stop_at {
                assert_eq!(read_stamp(&rx.recv_timeout(SOON).expect("recv")), (0, number));
                number += 1;
            }
            signal(Signal::SIGSTOP);
            // What it had sent is received; then there is nothing, which is no death.
            let error = loop {
                match rx.recv_timeout(Duration::from_millis(400)) {
                    Ok(message) => assert_eq!(read_stamp(&message), (0, number)),
                    Err(error) => break error,
                }
                number += 1;
            };
            assert_eq!(error.kind(), "Timeout", "{error}");
            assert!(error.to_string().contains("attached and slow"), "{error}");
            assert_eq!(rx.peers().expect("peers").len(), 1, "it is alive");
            refused(scratch.ring("ring").producer(), "RoleTaken", &["producer"]);
            signal(Signal::SIGCONT);
        }
        while number < 20_000 {
            assert_eq!(read_stamp(&rx.recv_timeout(SOON).expect("recv")), (0, number), "nothing is lost");
            number += 1;
        }
        refused(rx.recv(), "Closed", &[]);
    });
}

#[test]
fn a_stopped_consumer_is_not_taken_for_dead() {
    stop_and_go("receive", |scratch, signal| {
        let tx = scratch.ring("ring").capacity(SMALL).peer_loss(PeerLoss::Report);
        let mut tx: Producer = tx.slice(Duration::from_millis(5)).producer().expect("a producer");
        tx.wait_for_peer(SOON).expect("the consumer");
        let mut number = 0;
        for _ in 0..2 {
            for _ in 0..3000 {
                tx.send_timeout(&stamped(0, number), SOON).expect("send");
                number += 1;
            }
            signal(Signal::SIGSTOP);
            let error = loop {
                match tx.send_timeout(&stamped(0, number), Duration::from_millis(400)) {
                    Ok(()) => number += 1,
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), "Timeout", "{error}");
            assert!(error.to_string().contains("attached and slow"), "{error}");
            refused(scratch.ring("ring").consumer(), "RoleTaken", &["consumer"]);
            signal(Signal::SIGCONT);
        }
        tx.send_timeout(&stamped(0, number), SOON).expect("send");
        common::eventually("all is received", || {
            podring::inspect::report(scratch.dir(), "ring").expect("a report").used == 0
        });
    });
}
