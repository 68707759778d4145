//! Threads of one process, not pinned: a stream, a round trip, a ring of many; begun at once by a start gate.
//!
//! The gate is `atomic-wait`: made for threads of one process, which these are. Rings cannot use it (its
//! futexes are private to a process).

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use podring::{Consumer, Producer};
use podring_bench::scratch::Scratch;

const SIZE: usize = 64;

/// Closed until opened once.
#[derive(Debug, Default)]
struct Gate(AtomicU32);

impl Gate {
    fn open(&self) {
        self.0.store(1, Release);
        atomic_wait::wake_all(&self.0);
    }

    fn pass(&self) {
        while self.0.load(Acquire) == 0 {
            atomic_wait::wait(&self.0, 0);
        }
    }
}

fn ends(scratch: &Scratch, what: &str) -> (Producer, Consumer) {
    let ring = scratch.ring(what);
    let ends =
        (ring.options().producer().expect("a fresh ring"), ring.options().consumer().expect("the same ring"));
    // Its file goes with `scratch`.
    std::mem::forget(ring);
    ends
}

/// Runs `other` in a thread and `ours` here, both from the moment the gate opens.
fn together(other: impl FnOnce() + Send, ours: impl FnOnce()) -> Duration {
    let gate = Gate::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            gate.pass();
            other();
        });
        let start = Instant::now();
        gate.open();
        ours();
        start.elapsed()
    })
}

fn stream(c: &mut Criterion) {
    let scratch = Scratch::new(podring::DEFAULT_DIR.as_ref()).expect("a directory for the rings");
    let (mut tx, mut rx) = ends(&scratch, "stream");
    let mut group = c.benchmark_group("threads");
    group.throughput(Throughput::Elements(1));
    group.bench_function("stream/64", |b| {
        b.iter_custom(|count| {
            together(
                || {
                    for seq in 0..count {
                        let mut claim = tx.claim(SIZE).expect("an open ring");
                        claim.fill(seq as u8);
                        claim.commit();
                    }
                },
                || {
                    for seq in 0..count {
                        let message = rx.recv().expect("an open ring");
                        assert!(message.iter().all(|&byte| byte == seq as u8), "message {seq}");
                    }
                },
            )
        });
    });
    group.finish();
}

fn round_trip(c: &mut Criterion) {
    let scratch = Scratch::new(podring::DEFAULT_DIR.as_ref()).expect("a directory for the rings");
    let (mut ping_tx, mut ping_rx) = ends(&scratch, "ping");
    let (mut pong_tx, mut pong_rx) = ends(&scratch, "pong");
    c.bench_function("threads/round_trip/64", |b| {
        b.iter_custom(|count| {
            together(
                || {
                    for _ in 0..count {
                        pong_tx.send(&ping_rx.recv().expect("an open ring")).expect("an open ring");
                    }
                },
                || {
                    for seq in 0..count {
                        ping_tx.send(&[seq as u8; SIZE]).expect("an open ring");
                        let answer = pong_rx.recv().expect("an open ring");
                        assert!(answer.iter().all(|&byte| byte == seq as u8), "answer {seq}");
                    }
                },
            )
        });
    });
}

/// Two producers and two consumers on one ring; the time is that of the last one.
fn contended(c: &mut Criterion) {
    const EACH: usize = 2;
    let scratch = Scratch::new(podring::DEFAULT_DIR.as_ref()).expect("a directory for the rings");
    let ring = scratch.ring("contended");
    let options = || ring.many().slots(4096).largest_message(SIZE);
    let mut producers: Vec<_> = (0..EACH).map(|_| options().producer().expect("a seat")).collect();
    let mut consumers: Vec<_> = (0..EACH).map(|_| options().consumer().expect("a seat")).collect();
    let mut group = c.benchmark_group("threads");
    group.throughput(Throughput::Elements(EACH as u64));
    group.bench_function("mpmc_2_2/64", |b| {
        b.iter_custom(|count| {
            let gate = Gate::default();
            std::thread::scope(|scope| {
                for tx in &mut producers {
                    let gate = &gate;
                    scope.spawn(move || {
                        gate.pass();
                        for seq in 0..count {
                            let mut claim = tx.claim(SIZE).expect("an open ring");
                            claim.fill(seq as u8);
                            claim.commit();
                        }
                    });
                }
                for rx in &mut consumers {
                    let gate = &gate;
                    scope.spawn(move || {
                        gate.pass();
                        // As many as one producer sends: which ones is left to chance.
                        for _ in 0..count {
                            let message = rx.recv().expect("an open ring");
                            assert!(message.iter().all(|&byte| byte == message[0]), "a torn message");
                        }
                    });
                }
                let start = Instant::now();
                gate.open();
                start
            })
            .elapsed()
        });
    });
    group.finish();
}

criterion_group!(benches, stream, round_trip, contended);
criterion_main!(benches);
